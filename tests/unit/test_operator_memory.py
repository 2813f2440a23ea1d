"""What is remembered of a scaler, and when it is forgotten; that the ring loses nothing is shown in `tests/property/test_memory.py`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields

import numpy as np
import pytest

from controller.api import ScaleTargetRef, Spec
from controller.engine import Decisions, Learned, Scalers, evaluate
from controller.engine.lessons import Lesson, lesson_of
from controller.operator.memory import LONGEST_PERIOD, PARKED, Knowledge, Lore, Memory, ScaleEvent, Subject
from controller.operator.scalers import Key
from tests.engine_support import Case, batch, even, spec
from tests.learned_support import WEB_SPEC, Run, web

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


# What the law has learned


C = ("shop", "c")
#: As many dimensions as WEB_SPEC, so that rows of both fit together.
OTHER_SPEC = WEB_SPEC.model_copy(update={"dimensions": WEB_SPEC.dimensions[::-1]})


def no_lesson(row: int) -> None:
    return None


@dataclass
class Office:
    """Cycles of an operator that remembers: who is there, with which demand on ten pods, and what is asked of whose status."""

    knowledge: Knowledge = field(default_factory=Knowledge)
    now: float = 1000.0
    asked: list[Key] = field(default_factory=list)

    def cycle(
        self,
        demands: Mapping[Key, float],
        lores: Mapping[Key, Lore] | None = None,
        lesson: Lesson | None = None,
        times: int = 1,
    ) -> Decisions:
        """So many cycles with the same scalers; all are alike unless said otherwise."""
        known = {key: (lores or {}).get(key, lore()) for key in demands}
        cases = [web(demand, 10) for demand in demands.values()]
        scalers, samples, history = batch(*cases)

        def teach(row: int) -> Lesson | None:
            self.asked.append(list(demands)[row])
            return lesson

        for _ in range(times):
            self.now += 15.0
            learned = self.knowledge.follow(scalers, lambda: known, self.now, teach)
            decisions = evaluate(scalers, samples, history, self.now, learned)
            self.knowledge.state = decisions.learned
        return decisions


def lore(subject: Subject = WEB, of: Spec = WEB_SPEC) -> Lore:
    return Lore.of(subject, of)


def row_of(learned: Learned, row: int) -> dict[str, object]:
    """One row of a state, as something that can be compared."""
    return {
        each.name: getattr(learned, each.name)[row].tolist()
        for each in fields(Learned)
        if each.name not in ("at", "block")
    }


def same(one: Learned, row: int, other: Learned, at: int, but: Sequence[str] = ()) -> None:
    mine, others = row_of(one, row), row_of(other, at)
    for name in mine.keys() - set(but):
        np.testing.assert_array_equal(np.array(mine[name]), np.array(others[name]), name)


def test_a_state_is_not_copied_while_the_batch_stays_what_it_is() -> None:
    knowledge, scalers = Knowledge(), Scalers.of([WEB_SPEC])
    first = knowledge.follow(scalers, lambda: {A: lore()}, 0.0, no_lesson)
    forbidden: Callable[[], Mapping[Key, Lore]] = lambda: pytest.fail("it was looked who is there")  # noqa: E731
    assert knowledge.follow(scalers, forbidden, 15.0, no_lesson) is first


def test_a_spec_whose_measures_stay_the_same_keeps_its_row_without_a_copy() -> None:
    office = Office()
    office.cycle({A: 300.0, B: 200.0}, times=3)
    state = office.knowledge.state
    wider = [WEB_SPEC.model_copy(update={"max_replicas": 7}), WEB_SPEC]
    found = office.knowledge.follow(
        Scalers.of(wider), lambda: {A: lore(of=wider[0]), B: lore()}, office.now, lambda _: pytest.fail("it was asked")
    )
    assert found is state


def test_rows_move_with_their_scalers() -> None:
    office = Office()
    before = office.cycle({A: 300.0, B: 200.0}, times=5).learned
    found = office.knowledge.follow(
        Scalers.of([WEB_SPEC] * 3), lambda: dict.fromkeys((C, B, A), lore()), office.now, no_lesson
    )
    same(found, 2, before, 0)
    same(found, 1, before, 1)
    same(found, 0, Learned.empty(1, 3), 0)


def test_a_scaler_learns_the_same_whoever_comes_and_goes_beside_it() -> None:
    alone, among = Office(), Office()
    for others in ([], [B], [C, B], [C], [], [B, C]):
        alone.cycle({A: 300.0}, times=3)
        among.cycle({**dict.fromkeys(others, 250.0), A: 300.0}, times=3)
    same(among.knowledge.state, 2, alone.knowledge.state, 0)


def test_scalers_that_are_met_together_are_asked_for_in_the_order_of_their_rows() -> None:
    # Ten of them: an order that comes about by chance is not this one.
    office, keys = Office(), [("shop", f"web-{at}") for at in (3, 7, 0, 9, 4, 1, 8, 2, 6, 5)]
    office.cycle(dict.fromkeys(keys, 100.0))
    assert office.asked == keys


def test_a_scaler_that_was_away_goes_on_where_it_was() -> None:
    office = Office()
    before = office.cycle({A: 300.0, B: 200.0}, times=20)
    known = lesson_of(before, 1)
    office.cycle({A: 300.0}, times=10)
    after = lesson_of(office.cycle({A: 300.0, B: 200.0}), 1)
    assert after.capacities == pytest.approx(known.capacities, rel=0.01)
    assert after.floors["memory"].since == known.floors["memory"].since
    assert office.asked == [A, B]


def test_what_a_scaler_saw_before_it_was_away_is_not_taken_for_what_others_saw_meanwhile() -> None:
    office = Office()
    before = office.cycle({A: 300.0, B: 200.0}, times=20).learned
    at, block = before.at.copy(), before.block.copy()
    office.cycle({A: 300.0}, times=40)
    found = office.knowledge.follow(
        Scalers.of([WEB_SPEC] * 2), lambda: dict.fromkeys((A, B), lore()), office.now, no_lesson
    )
    same(found, 1, before, 1, but=("newest", "mean", "expected", "ready", "need"))
    overwritten = (found.at != at) & np.isfinite(found.at)
    assert overwritten.sum() >= 12
    assert np.isnan(found.mean[1, overwritten]).all()
    assert np.isnan(found.need[1, found.block != block]).all()
    kept = (found.at == at) & np.isfinite(at)
    assert np.array_equal(found.mean[1, kept], before.mean[1, kept], equal_nan=True)


def test_a_scaler_that_is_away_for_long_begins_anew_with_what_its_status_tells() -> None:
    office = Office()
    office.cycle({A: 300.0, B: 200.0}, times=20)
    office.cycle({A: 300.0})
    office.now += PARKED + 1
    office.cycle({A: 300.0, B: 200.0})
    assert office.knowledge.state.taught[1] <= 1.0
    assert office.asked == [A, B, B]


def test_those_that_went_together_and_those_that_went_later_come_back_to_their_own() -> None:
    office = Office()
    demands = {A: 300.0, B: 200.0, C: 100.0, ("shop", "d"): 260.0}
    office.cycle(demands, times=20)
    told = [lesson_of(office.cycle(demands), row) for row in range(4)]
    office.cycle({key: demands[key] for key in (A, ("shop", "d"))}, times=2)
    office.cycle({A: 300.0}, times=2)
    after = office.cycle(demands)
    for row in range(4):
        found = lesson_of(after, row)
        assert found.established == pytest.approx(told[row].established, rel=0.01)
        assert found.per_pod == pytest.approx(told[row].per_pod, rel=0.01)


@pytest.mark.parametrize(
    "other",
    [
        Lore.of(ANEW, WEB_SPEC),
        Lore.of(ELSEWHERE, WEB_SPEC),
        Lore.of(WEB, OTHER_SPEC),
        Lore.of(WEB, WEB_SPEC.model_copy(update={"source": "other"})),
        Lore.of(
            WEB,
            spec({"metric": "cpu", "target": "60%"}, {"metric": "latency", "target": "250ms"}),
        ),
    ],
)
@pytest.mark.parametrize("away", [False, True])
def test_other_measures_begin_anew(other: Lore, away: bool) -> None:
    office = Office()
    office.cycle({A: 300.0, B: 200.0}, times=20)
    if away:
        office.cycle({A: 300.0})
    office.cycle({A: 300.0, B: 200.0}, {B: other})
    assert office.knowledge.state.taught[0] > 2.0
    assert office.knowledge.state.taught[1] <= 1.0


@pytest.mark.parametrize(("other", "asked"), [(Lore.of(ANEW, WEB_SPEC), True), (Lore.of(ELSEWHERE, WEB_SPEC), False)])
def test_a_status_that_tells_of_the_measures_before_is_not_asked(other: Lore, asked: bool) -> None:
    office = Office()
    office.cycle({A: 300.0})
    office.cycle({A: 300.0}, {A: other})
    assert office.asked == [A] * (1 + asked)


@pytest.mark.parametrize(
    "fields_",
    [
        {"dimensions": [{"metric": "cpu", "target": "71%"}]},
        {"dimensions": [{"metric": "cpu", "target": "70%", "floor": "1%"}]},
        {"dimensions": [{"metric": "cpu", "target": "70%", "name": "other"}]},
        {"dimensions": [{"name": "cpu", "query": "x", "target": "70%"}]},
        {"demand": {"metric": "requests"}},
        {"source": "other"},
    ],
)
def test_lore_is_another_where_something_else_is_measured(fields_: dict[str, object]) -> None:
    plain = {
        "scaleTargetRef": {"kind": "Deployment", "name": "web"},
        "maxReplicas": 9,
        "dimensions": [{"metric": "cpu", "target": "70%"}],
    }
    assert lore(of=Spec.model_validate(plain | fields_)) != lore(of=Spec.model_validate(plain))
    wider = Spec.model_validate(plain | {"maxReplicas": 12, "cooldown": {"scaleDown": "5m"}})
    assert lore(of=wider) == lore(of=Spec.model_validate(plain))


def test_a_scaler_that_is_met_for_the_first_time_is_taught_what_its_status_remembers() -> None:
    lived = Run()
    lived.see(web(300, 10), times=40)
    assert lived.decisions is not None
    office = Office()
    office.cycle({B: 200.0})
    decisions = office.cycle({A: 300.0, B: 200.0}, lesson=lesson_of(lived.decisions, 0))
    assert decisions.law.used.tolist() == [True, False]
    assert decisions.law.per_pod[0] == pytest.approx(lived.decisions.law.per_pod[0], rel=0.05)


def test_a_scaler_that_is_gone_leaves_nothing_to_its_successor() -> None:
    office = Office()
    office.cycle({A: 300.0, B: 200.0}, times=20)
    office.knowledge.forget(B)
    office.cycle({A: 300.0})
    office.cycle({A: 300.0, B: 200.0})
    assert office.knowledge.state.taught[1] <= 1.0
    assert office.asked == [A, B, B]


def test_more_and_fewer_dimensions_of_others_change_nothing() -> None:
    narrow = spec({"metric": "cpu", "target": "70%"})
    office = Office()
    before = office.cycle({A: 300.0}, times=5).learned
    wide = office.knowledge.follow(
        Scalers.of([WEB_SPEC, spec(*[{"name": f"d{at}", "query": "x", "target": "1"} for at in range(5)])]),
        lambda: {A: lore(), B: lore(of=narrow)},
        office.now,
        no_lesson,
    )
    assert wide.dimensions == 5
    assert wide.products[0, :3].tolist() == before.products[0].tolist()
    back = office.knowledge.follow(Scalers.of([WEB_SPEC]), lambda: {A: lore()}, office.now, no_lesson)
    same(back, 0, before, 0)


# Pins


def changes(memory: Memory, key: Key) -> list[tuple[float, int]]:
    history = memory.history([key])
    pairs = zip(history.changed_at[0].tolist(), history.changes[0].tolist(), strict=True)
    return [pair for pair in pairs if pair[0] > -math.inf]


def test_neither_a_pin_nor_what_was_done_before_it_uses_up_a_rate_or_begins_a_cooldown() -> None:
    memory = Memory(gap=math.inf)
    memory.meet(A, WEB, 4, 1000.0, lambda: [UP, DOWN])
    assert changes(memory, A) == [(900.0, 2), (950.0, -1)]
    memory.scaled(A, ScaleEvent(1000.0, 4, 12, "pinned", pinned=True), 60.0)
    assert changes(memory, A) == []
    memory.scaled(A, ScaleEvent(1015.0, 12, 14, "up"), 60.0)
    assert changes(memory, A) == [(1015.0, 2)]
    assert [each.pinned for each in memory.events[A]] == [False, False, True, False]


def test_what_is_usual_waits_for_a_scaler_that_is_away_and_begins_anew_with_other_measures() -> None:
    office = Office()
    before = office.cycle({A: 300.0, B: 200.0}, times=200).learned
    assert np.isfinite(before.block_median[1]).all()
    office.cycle({A: 300.0}, times=4)
    back = office.cycle({A: 300.0, B: 200.0}).learned
    np.testing.assert_allclose(back.block_median[1], before.block_median[1], rtol=0.05)
    assert np.isfinite(back.peaks[1]).sum() >= np.isfinite(before.peaks[1]).sum() > 0
    other = office.cycle({A: 300.0, B: 200.0}, {B: Lore.of(ELSEWHERE, WEB_SPEC)}).learned
    assert np.isnan(other.block_median[1]).all()
    assert np.isnan(other.peaks[1]).all()


@pytest.mark.parametrize("seasons", [("HourOfDay", "None"), ("None", "HourOfDay")])
def test_a_scaler_comes_back_where_somebody_began_or_ceased_to_look_at_the_hours(seasons: tuple[str, str]) -> None:
    knowledge, now = Knowledge(), 1000.0
    of = [spec(anomaly={"season": each}) for each in seasons]
    everybody = {A: lore(of=of[0]), B: lore(of=of[0])}
    for present, season in (((A, B), 0), ((A,), 1), ((A, B), 1)):
        scalers, samples, history = batch(*(Case(of[season], even(2, 0.5)) for _ in present))
        lores = {key: everybody[key] for key in present}
        for _ in range(3):
            now += 15.0
            learned = knowledge.follow(scalers, lambda lores=lores: lores, now, no_lesson)  # type: ignore[misc]
            knowledge.state = evaluate(scalers, samples, history, now, learned).learned
    assert knowledge.state.hours.shape[2] == (168 if seasons[1] == "HourOfDay" else 0)
    assert knowledge.state.blocks_from.tolist() == [1015.0, 1015.0]
