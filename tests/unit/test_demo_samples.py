"""The demo's record and the verdict on it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.cli.demo.samples import Dimension, Moment, Verdict, clock_text, decisions, seconds_text, spans

CALM = Moment(
    t=0.0,
    load_rps=100.0,
    replicas_spec=3,
    replicas_ready=3,
    magnitude=0.8,
    dimensions=(Dimension("cpu", 0.7, 0.75), Dimension("latency", 0.4, 0.25)),
    p95_seconds=0.15,
    slo_seconds=0.3,
    decision="",
    starting=False,
)


def at(t: float, **changes: object) -> Moment:
    return replace(CALM, t=t, **changes)  # type: ignore[arg-type]


def test_a_decision_is_a_change_of_the_wanted_replicas_with_its_sentence() -> None:
    moments = [at(0), at(1, replicas_spec=6, load_rps=200.0, decision="New size: 6"), at(2, replicas_spec=6), at(3)]
    assert [(d.t, d.load_rps, d.before, d.after, d.sentence) for d in decisions(moments)] == [
        (1, 200.0, 3, 6, "New size: 6"),
        (3, 100.0, 6, 3, ""),
    ]


def test_spans_of_starting_begin_and_end_with_the_seconds_that_say_so() -> None:
    flags = [False, True, True, False, True]
    assert list(spans([at(float(t), starting=flag) for t, flag in enumerate(flags)])) == [(1.0, 3.0), (4.0, 4.0)]


def test_the_promise_is_held_when_only_starting_seconds_were_slow() -> None:
    verdict = Verdict.of([at(0), at(1, p95_seconds=2.0, starting=True), at(2, p95_seconds=0.3)])
    assert verdict.held
    assert (verdict.slow_seconds, verdict.starting_seconds, verdict.slow_starting_seconds) == (0, 1, 1)
    assert verdict.worst_p95_seconds == 0.3


def test_one_slow_second_while_nothing_starts_breaks_the_promise() -> None:
    verdict = Verdict.of([at(0), at(1, p95_seconds=0.301), at(2)])
    assert not verdict.held
    assert verdict.slow_seconds == 1


def test_a_run_that_was_starting_throughout_held_nothing() -> None:
    assert not Verdict.of([at(0, starting=True), at(1, starting=True)]).held


def test_flips_are_changes_of_direction_between_successive_decisions() -> None:
    sizes = [3, 5, 5, 8, 6, 4, 7]
    verdict = Verdict.of([at(float(t), replicas_spec=n, replicas_ready=n) for t, n in enumerate(sizes)])
    assert (verdict.actions, verdict.flips) == (5, 2)
    assert (verdict.fewest_ready, verdict.most_ready) == (3, 8)


def test_nothing_cannot_be_judged() -> None:
    with pytest.raises(ValueError, match="nothing to judge"):
        Verdict.of([])


@pytest.mark.parametrize(("seconds", "text"), [(0.1804, "180 ms"), (0.9996, "1.0 s"), (9.96, "10.0 s"), (0.0, "0 ms")])
def test_a_duration_is_written_in_the_unit_that_fits(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text


def test_a_moment_is_written_as_minutes_and_seconds() -> None:
    assert clock_text(65.9) == "01:05"
