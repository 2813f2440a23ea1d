"""The annotations that pause and pin: what each says, until when, and the sentences about mistakes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from controller.api import InvalidManifest, Overrides

NOON = datetime(2026, 12, 24, 12, tzinfo=UTC).timestamp()


def said(**annotations: object) -> dict[str, object]:
    """Annotations of our group, hyphens written as underscores."""
    return {f"compositescaler.io/{name.replace('_', '-')}": value for name, value in annotations.items()}


def at(**annotations: object) -> Overrides | None:
    return Overrides.parse(said(**annotations)).at(NOON)


def sentence(**annotations: object) -> str:
    with pytest.raises(InvalidManifest) as error:
        Overrides.parse(said(**annotations))
    return str(error.value)


@pytest.mark.parametrize(
    "annotations", [None, {}, {"kubectl.kubernetes.io/paused": "yes", "compositescaler.io/x": "y"}]
)
def test_without_an_annotation_of_ours_nothing_is_overridden(annotations: dict[str, str] | None) -> None:
    assert Overrides.parse(annotations) == Overrides()
    assert Overrides.parse(annotations).at(NOON) is None


def test_each_verb_is_in_force_while_it_is_true() -> None:
    assert at(paused="true") == Overrides(paused=True)
    assert at(paused_scale_in="true") == Overrides(scale_in=True)
    assert at(paused_scale_out="true") == Overrides(scale_out=True)
    for verb in ("paused", "paused_scale_in", "paused_scale_out"):
        assert at(**{verb: "false"}) is None


@pytest.mark.parametrize(("written", "count"), [("0", 0), ("12", 12), ("2147483647", 2**31 - 1)])
def test_a_pinned_number_may_be_any_count_from_none_up(written: str, count: int) -> None:
    assert at(paused_replicas=written) == Overrides(replicas=count)


def test_paused_false_wins_over_all_others() -> None:
    others = {"paused_replicas": "12", "paused_scale_in": "true", "paused_until": "2026-12-24T18:00:00Z"}
    assert at(paused="false", **others) is None
    assert at(**others) is not None


def test_a_time_alone_is_a_pause_until_then() -> None:
    until = NOON + 60
    for others in ({}, {"paused_scale_in": "false"}):
        found = Overrides.parse(said(paused_until="2026-12-24T12:01:00Z", **others))
        assert found.at(until - 1) == Overrides(paused=True, until=until)
        assert found.at(until) is None


@pytest.mark.parametrize("verb", [{"paused_replicas": "12"}, {"paused_scale_in": "true"}, {"paused": "true"}])
def test_a_time_beside_a_verb_ends_that_verb(verb: dict[str, str]) -> None:
    found = Overrides.parse(said(paused_until="2026-12-24T12:01:00Z", **verb))
    assert found.at(NOON + 59) == found
    assert found.at(NOON + 60) is None


@pytest.mark.parametrize(
    "text",
    ["2026-12-24T12:00:00Z", "2026-12-24t12:00:00.75z", "2026-12-24T14:00:00+02:00", "2026-12-24T06:30:00-05:30"],
)
def test_a_time_may_be_of_any_zone(text: str) -> None:
    assert Overrides.parse(said(paused_until=text)).until == NOON


@pytest.mark.parametrize(
    "text",
    [
        "2026-12-24T18:00:00",
        "2026-12-24",
        "tomorrow",
        "",
        "1798135200",
        "2026-13-24T18:00:00Z",
        "20261224T180000Z",
        "9999-12-31T23:59:59-12:00",
        "2026-12-24T18:00:00Z ",
    ],
)
def test_a_time_that_cannot_be_read_or_has_no_zone_is_told_with_what_to_write(text: str) -> None:
    assert sentence(paused_until=text) == (
        "metadata.annotations[compositescaler.io/paused-until]: must be a time with its zone (RFC 3339), "
        f'write for example 2026-12-24T18:00:00Z (got "{text}")'
    )


@pytest.mark.parametrize("verb", ["paused", "paused-scale-in", "paused-scale-out"])
@pytest.mark.parametrize("text", ["yes", "True", "", "1"])
def test_anything_but_true_and_false_is_told_with_what_to_write(verb: str, text: str) -> None:
    expected = f'metadata.annotations[compositescaler.io/{verb}]: must be "true" or "false" (got "{text}")'
    assert sentence(**{verb: text}) == expected


@pytest.mark.parametrize("text", ["many", "-1", "1.5", "", "2147483648", "٣", "99999999999999999999"])
def test_a_number_that_is_none_is_told_with_what_to_write(text: str) -> None:
    assert sentence(paused_replicas=text) == (
        "metadata.annotations[compositescaler.io/paused-replicas]: must be a number of replicas, 0 or more, "
        f'write for example "12" (got "{text}")'
    )


def test_a_verb_that_does_not_exist_is_told_with_those_that_do() -> None:
    told = sentence(paused_scale_up="true")
    assert told.startswith("metadata.annotations[compositescaler.io/paused-scale-up]: unknown annotation, remove it or")
    assert "compositescaler.io/paused-scale-out" in told


def test_a_value_that_is_no_text_is_told() -> None:
    assert sentence(paused=True).endswith("must be text, write it in quotes (got true)")
    with pytest.raises(InvalidManifest, match=r"metadata\.annotations: must be of type object"):
        Overrides.parse(["paused"])


def test_every_mistake_is_told_even_where_paused_false_would_win() -> None:
    told = sentence(paused="false", paused_replicas="many", paused_until="noon")
    assert told.count("; metadata.annotations[") == 1
