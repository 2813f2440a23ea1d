"""Who may not scale now: annotations, dry run and the stop, as the engine and people are told of them."""

from __future__ import annotations

from typing import Any

import pytest

from controller.api import Overrides, Reason, Spec
from controller.engine import NONE, reason
from controller.operator.memory import ScaleEvent
from controller.operator.overrides import Authority, Ruling
from controller.operator.scalers import Key, Scaler
from tests.engine_support import spec
from tests.operator_support import WALL, aimed, scaler_of

KEY: Key = ("default", "web")
NIGHT = ScaleEvent(100.0, 7, 0, "pinned to 0", pinned=True)
UNTIL = " until 2026-01-01T01:00:00Z"


def web(of: Spec | None = None, **overrides: Any) -> Scaler:
    return Scaler(KEY, "uid-web", 1, "1", of or spec(), None, scaler_of(None).status, Overrides(**overrides))


def ruled(
    scaler: Scaler, *events: ScaleEvent, by: Authority | None = None, replicas: int = 4, wall: float = WALL
) -> Ruling:
    return (by or Authority()).rule([aimed(scaler, replicas)], {KEY: events}, wall)


def held(ruling: Ruling) -> tuple[int, Reason | None, Reason | None]:
    """The pinned number, and why nothing goes up and down."""
    arrays = ruling.arrays
    assert arrays is not None
    up, down = (None if each[0] == NONE else reason(int(each[0])) for each in (arrays.no_up, arrays.no_down))
    return int(arrays.pinned[0]), up, down


def resumes(ruling: Ruling) -> bool:
    return ruling.arrays is not None and bool(ruling.arrays.resumes[0])


DRY = spec(dryRun=True)
CASES = [
    (web(paused=True), (-1, Reason.PAUSED, Reason.PAUSED), "paused by the annotation compositescaler.io/paused"),
    (
        web(paused=True, until=WALL + 3600),
        (-1, Reason.PAUSED, Reason.PAUSED),
        f"paused by the annotation compositescaler.io/paused{UNTIL}",
    ),
    (
        web(until=WALL + 3600),
        (-1, Reason.PAUSED, Reason.PAUSED),
        f"paused by the annotation compositescaler.io/paused-until{UNTIL}",
    ),
    (
        web(replicas=12, paused=True, scale_in=True, until=WALL + 3600),
        (12, None, None),
        f"pinned to 12 by the annotation compositescaler.io/paused-replicas{UNTIL}",
    ),
    (
        web(scale_in=True),
        (-1, None, Reason.PAUSED_SCALE_IN),
        "scaling down is paused by the annotation compositescaler.io/paused-scale-in",
    ),
    (
        web(scale_out=True),
        (-1, Reason.PAUSED_SCALE_OUT, None),
        "scaling up is paused by the annotation compositescaler.io/paused-scale-out",
    ),
    (web(DRY), (-1, Reason.DRY_RUN, Reason.DRY_RUN), "a dry run (spec.dryRun: true)"),
]


@pytest.mark.parametrize(("scaler", "expected", "note"), CASES, ids=[note for *_, note in CASES])
def test_each_override_holds_its_directions_and_says_who_asked(
    scaler: Scaler, expected: tuple[int, Reason | None, Reason | None], note: str
) -> None:
    ruling = ruled(scaler)
    assert held(ruling) == expected
    assert ruling.rows[0].notes == (note,)


def test_where_nothing_is_asked_for_there_is_nothing() -> None:
    for scaler in (web(), web(paused=False, replicas=12), web(replicas=12, until=WALL)):
        assert ruled(scaler) == Ruling(None, {})


def test_the_widest_is_named_first_and_has_the_last_word() -> None:
    ruling = ruled(web(DRY, scale_in=True, until=WALL + 60), by=Authority(lambda: True))
    assert held(ruling) == (-1, Reason.STOPPED, Reason.STOPPED)
    assert ruling.rows[0].reasons == (Reason.STOPPED, Reason.DRY_RUN, Reason.PAUSED_SCALE_IN)
    assert ruling.rows[0].until == WALL + 60


def test_a_stop_holds_a_pin_too() -> None:
    ruling = ruled(web(replicas=12), by=Authority(lambda: True))
    assert held(ruling) == (12, Reason.STOPPED, Reason.STOPPED)


def test_a_time_that_has_passed_ends_a_pause_without_an_event() -> None:
    by, scaler = Authority(), web(paused=True, until=WALL + 20)
    assert held(ruled(scaler, by=by, wall=WALL + 15)) == (-1, Reason.PAUSED, Reason.PAUSED)
    after = ruled(scaler, by=by, wall=WALL + 30)
    assert (held(after), after.rows, resumes(after)) == ((-1, None, None), {}, True)
    assert not resumes(ruled(scaler, by=by, wall=WALL + 45))


@pytest.mark.parametrize(
    ("scaler", "expected"),
    [
        (web(paused=True), True),
        (web(scale_in=True), True),
        (web(replicas=9), True),
        (web(DRY), True),
        (web(scale_out=True), False),
    ],
)
def test_scaling_down_resumes_in_the_first_cycle_in_which_it_may(scaler: Scaler, expected: bool) -> None:
    by = Authority()
    ruled(scaler, by=by)
    assert [resumes(ruled(web(), by=by)) for _ in range(2)] == [expected, False]


def test_a_scaler_that_is_away_for_a_cycle_resumes_when_it_is_back_and_one_that_is_gone_never() -> None:
    by = Authority()
    ruled(web(paused=True), by=by)
    by.rule([], {}, WALL)
    by.keep_only({KEY})
    assert resumes(ruled(web(), by=by))
    ruled(web(paused=True), by=by)
    by.keep_only(set())
    assert not resumes(ruled(web(), by=by))


def test_overrides_are_those_of_their_own_rows() -> None:
    others = [aimed(scaler_of(spec(), name)) for name in ("a", "b")]
    ruling = Authority().rule([others[0], aimed(web(paused=True)), others[1]], {}, WALL)
    assert ruling.arrays is not None
    assert [each != NONE for each in ruling.arrays.no_up] == [False, True, False]
    assert set(ruling.rows) == {1}


# After a pin to 0


def test_a_target_that_was_pinned_to_zero_gets_back_what_it_had_before_when_the_pin_ends() -> None:
    by = Authority()
    assert held(ruled(web(replicas=0), NIGHT, by=by, replicas=0)) == (0, None, None)
    woken = ruled(web(), NIGHT, by=by, replicas=0)
    assert held(woken) == (7, None, None)
    assert (woken.rows[0].reasons, "gets back 7" in woken.rows[0].notes[0]) == ((), True)
    assert ruled(web(), NIGHT, ScaleEvent(200.0, 0, 7, pinned=True), by=by).rows == {}


@pytest.mark.parametrize(("fields", "expected"), [({"maximum": 5}, 5), ({"minReplicas": 9}, 9)])
def test_what_it_gets_back_is_within_its_bounds(fields: dict[str, Any], expected: int) -> None:
    assert held(ruled(web(spec(**fields)), NIGHT, replicas=0))[0] == expected


def test_a_target_that_somebody_else_set_to_zero_stays_there() -> None:
    by_hand = ScaleEvent(200.0, 3, 5)
    for events in ((), (by_hand,), (NIGHT, by_hand)):
        assert ruled(web(), *events, replicas=0) == Ruling(None, {})


def test_a_target_that_still_is_paused_does_not_wake() -> None:
    assert held(ruled(web(paused=True), NIGHT, replicas=0)) == (7, Reason.PAUSED, Reason.PAUSED)
