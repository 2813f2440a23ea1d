"""What is remembered of a scaler, and when it is forgotten; that the ring loses nothing is shown in `tests/property/test_memory.py`."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from controller.api import ScaleTargetRef
from controller.operator.memory import LONGEST_PERIOD, Memory, ScaleEvent, Subject
from controller.operator.scalers import Key

A, B = ("shop", "a"), ("shop", "b")
WEB = Subject("uid-1", ScaleTargetRef(kind="Deployment", name="web"))
ANEW = Subject("uid-2", ScaleTargetRef(kind="Deployment", name="web"))
ELSEWHERE = Subject("uid-1", ScaleTargetRef(kind="Deployment", name="api"))
UP, DOWN = ScaleEvent(900.0, 3, 5, "up"), ScaleEvent(950.0, 5, 4, "down")


def recommendations(memory: Memory, key: Key) -> list[tuple[float, int]]:
    history = memory.history([key])
    pairs = zip(history.recommended_at[0].tolist(), history.recommendations[0].tolist(), strict=True)
    return sorted(pair for pair in pairs if pair[0] > -np.inf)


def recommend(memory: Memory, keys: Sequence[Key], replicas: Sequence[int], at: float, window: float = 300.0) -> None:
    memory.recommend(keys, np.array(replicas, np.int64), at, window)


def test_a_scaler_that_is_met_remembers_its_present_count() -> None:
    memory = Memory(gap=math.inf)
    memory.meet(A, WEB, 7, 1000.0)
    assert recommendations(memory, A) == [(1000.0, 7)]


def test_meeting_again_changes_nothing() -> None:
    memory = Memory(gap=math.inf)
    memory.meet(A, WEB, 7, 1000.0, lambda: [UP])
    memory.meet(A, WEB, 9, 1015.0, lambda: [DOWN])
    assert recommendations(memory, A) == [(1000.0, 7)]
    assert memory.events[A] == [UP]


def test_the_status_of_a_known_scaler_is_not_read_in_every_cycle() -> None:
    memory = Memory(gap=math.inf)
    memory.meet(A, WEB, 7, 1000.0)
    memory.meet(A, WEB, 7, 1015.0, lambda: pytest.fail("the status was read"))


def test_scale_events_of_the_status_come_back_oldest_first() -> None:
    memory = Memory(gap=math.inf)
    memory.meet(A, WEB, 4, 1000.0, lambda: [DOWN, UP])
    assert memory.events[A] == [UP, DOWN]


def test_an_object_that_is_created_anew_under_the_same_name_has_its_own_history() -> None:
    memory = Memory(gap=math.inf)
    memory.meet(A, WEB, 4, 1000.0, lambda: [UP])
    recommend(memory, [A], [9], 1000.0)
    memory.meet(A, ANEW, 2, 1015.0, lambda: [DOWN])
    assert recommendations(memory, A) == [(1015.0, 2)]
    assert memory.events[A] == [DOWN]


def test_another_target_is_governed_neither_by_recommendations_nor_by_scale_events_of_the_one_before() -> None:
    memory = Memory(gap=math.inf)
    memory.meet(A, WEB, 4, 1000.0)
    memory.scaled(A, UP, 60.0)
    recommend(memory, [A], [9], 1000.0)
    memory.meet(A, ELSEWHERE, 2, 1015.0, lambda: pytest.fail("the status tells of the target before"))
    assert recommendations(memory, A) == [(1015.0, 2)]
    assert A not in memory.events


def test_a_scaler_that_is_gone_leaves_nothing_to_the_next_one_in_its_row() -> None:
    memory = Memory(gap=math.inf)
    memory.meet(A, WEB, 4, 1000.0, lambda: [UP])
    recommend(memory, [A], [9], 1000.0)
    memory.forget(A)
    memory.meet(B, WEB, 2, 1015.0)
    assert recommendations(memory, B) == [(1015.0, 2)]
    assert (A in memory.rows, A in memory.events, B in memory.events) == (False, False, False)


def test_a_scaler_that_comes_back_after_it_was_forgotten_is_met_anew() -> None:
    memory = Memory(gap=math.inf)
    memory.meet(A, WEB, 4, 1000.0)
    memory.forget(A)
    memory.meet(A, WEB, 6, 1015.0, lambda: [UP])
    assert recommendations(memory, A) == [(1015.0, 6)]
    assert memory.events[A] == [UP]


def test_forgetting_a_stranger_does_nothing() -> None:
    memory = Memory(gap=math.inf)
    memory.meet(A, WEB, 4, 1000.0)
    memory.forget(B)
    memory.meet(B, ANEW, 5, 1000.0)
    assert (recommendations(memory, A), recommendations(memory, B)) == ([(1000.0, 4)], [(1000.0, 5)])


def test_many_scalers_each_keep_their_own() -> None:
    memory = Memory(gap=math.inf)
    keys = [("shop", f"web-{number}") for number in range(100)]
    for number, key in enumerate(keys):
        memory.meet(key, WEB, number, 1000.0)
    recommend(memory, keys[::-1], range(100, 200), 1015.0)
    for number, key in enumerate(keys):
        assert recommendations(memory, key) == [(1000.0, number), (1015.0, 199 - number)]


def test_the_history_has_the_order_that_was_asked_for_and_pads_with_infinitely_long_ago() -> None:
    memory = Memory(gap=math.inf)
    memory.meet(A, WEB, 4, 1000.0, lambda: [UP, DOWN])
    memory.meet(B, ANEW, 5, 1000.0)
    history = memory.history([B, A])
    assert history.changes.tolist() == [[0, 0], [2, -1]]
    assert history.changed_at.tolist() == [[-np.inf, -np.inf], [900.0, 950.0]]


def test_the_history_of_nobody_has_no_rows() -> None:
    history = Memory(gap=math.inf).history([])
    assert (len(history.recommendations), len(history.changes)) == (0, 0)


def test_a_scale_event_is_remembered_as_long_as_a_policy_or_a_cooldown_can_look_back() -> None:
    memory = Memory(gap=math.inf)
    memory.meet(A, WEB, 4, 0.0)
    first, later = ScaleEvent(0.0, 3, 4), ScaleEvent(LONGEST_PERIOD - 1, 4, 5)
    memory.scaled(A, first, 60.0)
    memory.scaled(A, later, 60.0)
    assert memory.events[A] == [first, later]
    last = ScaleEvent(LONGEST_PERIOD + 1, 5, 6)
    memory.scaled(A, last, 60.0)
    assert memory.events[A] == [later, last]


def test_a_long_cooldown_keeps_scale_events_longer() -> None:
    memory = Memory(gap=math.inf)
    memory.meet(A, WEB, 4, 0.0)
    first, last = ScaleEvent(0.0, 3, 4), ScaleEvent(LONGEST_PERIOD + 1, 4, 5)
    memory.scaled(A, first, 7200.0)
    memory.scaled(A, last, 7200.0)
    assert memory.events[A] == [first, last]


def test_the_ring_grows_to_the_window_and_no_further() -> None:
    memory = Memory(gap=math.inf)
    memory.meet(A, WEB, 4, 0.0)
    for cycle in range(1000):
        recommend(memory, [A], [cycle], 15.0 * cycle)
    assert len(memory.history([A]).recommended_at[0]) <= 2 * (300 / 15 + 1)


def test_a_scaler_that_was_away_for_a_while_remembers_the_count_that_it_comes_back_with() -> None:
    memory, subject = Memory(gap=40.0), Subject("uid", ScaleTargetRef(kind="Deployment", name="web"))
    memory.meet(("shop", "web"), subject, 20, 0.0)
    memory.recommend([("shop", "web")], np.array([20]), 0.0, 300.0)
    memory.meet(("shop", "web"), subject, 20, 400.0)
    found = memory.history([("shop", "web")])
    assert found.recommendations[found.recommended_at == 400.0].tolist() == [20]


def test_a_scaler_that_is_evaluated_in_every_cycle_keeps_its_window() -> None:
    memory, subject = Memory(gap=40.0), Subject("uid", ScaleTargetRef(kind="Deployment", name="web"))
    memory.meet(("shop", "web"), subject, 20, 0.0)
    for at in (0.0, 15.0, 30.0):
        memory.meet(("shop", "web"), subject, 20, at)
        memory.recommend([("shop", "web")], np.array([5]), at, 300.0)
    found = memory.history([("shop", "web")])
    assert found.recommendations[np.isfinite(found.recommended_at)].tolist().count(5) == 3


@pytest.mark.parametrize(("current", "booked"), [(9, 1), (4, 0)])
def test_a_write_without_an_answer_is_an_event_only_where_it_was_made(current: int, booked: int) -> None:
    memory = Memory(gap=40.0)
    memory.lost(("shop", "web"), ScaleEvent(10.0, 4, 9))
    memory.found(("shop", "web"), current, 60.0)
    memory.found(("shop", "web"), 9, 60.0)
    assert len(memory.events.get(("shop", "web"), ())) == booked
