"""What is kept of the law's state: a restored row acts as the old one did, and past samples lead to the state that they led to."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import fields

import numpy as np
import pytest

from controller.engine import Learned, LoadKind
from controller.engine.hold import OTHERWISE
from controller.engine.lessons import Dropped, Floor, Lesson, lesson_of, replay, restore
from tests.engine_support import Case, batch, even, spec, wanting
from tests.learned_support import Run, web

DEMANDS = [300 + 120 * math.sin(cycle / 8) for cycle in range(120)]


def lived(*, pods: int = 12) -> Run:
    """A web server that lived through half an hour of changing load."""
    found = Run()
    for demand in DEMANDS:
        found.see(web(demand, pods))
    return found


def lesson(found: Run) -> Lesson:
    assert found.decisions is not None
    return lesson_of(found.decisions, 0)


def restarted(found: Run, taught: Lesson) -> Run:
    """A run that knows nothing of the other but its lesson, at the same moment."""
    assert found.decisions is not None
    learned = Learned.empty(*found.decisions.scalers.used.shape)
    restore(learned, 0, found.decisions.scalers, taught, found.now)
    return Run(learned, found.now)


def test_a_lesson_holds_what_was_learned() -> None:
    taught = lesson(lived())
    assert taught.kind is LoadKind.REQUESTS
    assert taught.floors.keys() == {"memory", "latency"}
    assert taught.floors["memory"].value == pytest.approx(0.6, abs=0.05)
    assert taught.floors["memory"].confidence > 0.4
    assert taught.capacities.keys() == {"cpu", "memory", "latency"}
    assert taught.capacities["cpu"] == pytest.approx(35.0, rel=0.01)
    assert 25 < taught.per_pod < 35
    assert 25 < taught.established < 35
    assert (taught.startup, taught.dropped, taught.patience) == (28.0, None, 1.0)


def test_restoring_and_giving_back_is_the_identity_but_for_one_cycle() -> None:
    before = lived()
    taught = lesson(before)
    after = restarted(before, taught)
    after.see(web(DEMANDS[-1], 12))
    again = lesson(after)
    assert again.capacities == pytest.approx(taught.capacities, rel=0.02)
    for name, floor in taught.floors.items():
        assert again.floors[name].value == pytest.approx(floor.value, rel=0.01)
        assert again.floors[name].confidence == pytest.approx(floor.confidence, rel=0.05)
        assert again.floors[name].since == floor.since
    assert (again.per_pod, again.established) == pytest.approx((taught.per_pod, taught.established), rel=0.02)
    assert (again.gain, again.startup) == pytest.approx((taught.gain, taught.startup), rel=0.01)


def test_a_restored_row_proposes_at_once_what_the_old_one_would() -> None:
    before = lived()
    after = restarted(before, lesson(before))
    for run in (before, after):
        run.see(web(420, 12))
    assert after.record.outlook.used
    assert after.record.outlook.per_pod == pytest.approx(before.record.outlook.per_pod, rel=0.02)
    assert abs(after.record.proposed - before.record.proposed) <= 1


@pytest.mark.parametrize("confidence", [0.01, 0.3, 0.87, 1.0])
@pytest.mark.parametrize("name", ["memory", "latency"])
def test_a_floor_comes_back_with_its_confidence_and_does_not_jump(name: str, confidence: float) -> None:
    before = lived()
    taught = lesson(before)
    floor = Floor(taught.floors[name].value, confidence, 5.0)
    after = restarted(before, dataclasses.replace(taught, floors={name: floor}))
    values = []
    for demand in DEMANDS[:40]:
        after.see(web(demand, 12))
        values.append(lesson(after).floors[name].value)
    assert lesson(after).floors[name].since == 5.0
    assert max(abs(value - floor.value) for value in values) < 0.05 * floor.value
    assert lesson(after).floors[name].confidence >= confidence * 0.9


def test_a_floor_without_a_load_is_a_place_to_begin() -> None:
    before = lived()
    alone = Lesson(floors={"memory": Floor(0.55, 0.9, 5.0)})
    after = restarted(before, alone)
    after.see(web(300, 12))
    assert lesson(after).floors["memory"].value == pytest.approx(0.55, abs=0.01)
    assert not after.record.outlook.used


def test_a_dimension_that_was_dropped_stays_so_until_its_time() -> None:
    before = Run()
    before.in_vain()
    taught = lesson(before)
    assert taught.dropped == Dropped("latency", before.now, before.now + 900.0)
    after = restarted(before, taught)
    after.see(web(300, 10, lambda _: 0.5), times=59)
    trial = after.record.outlook.trial
    assert trial is not None
    assert (trial.dimension, trial.dropped, trial.until) == ("latency", True, before.now + 900.0)
    after.see(web(300, 10, lambda _: 0.5))
    trial = after.record.outlook.trial
    assert trial is None or not trial.dropped


def test_a_dimension_that_is_dropped_again_after_a_restart_waits_for_twice_as_long() -> None:
    before = Run()
    before.in_vain()
    after = restarted(before, lesson(before))
    after.see(web(300, 10, lambda _: 0.5), times=60)
    for _ in range(80):
        if after.see(web(300, 10, lambda _: 0.5)).law.tested[0]:
            break
    for _ in range(10):
        if after.see(web(300, 16, lambda _: 0.5)).law.dropped[0]:
            break
    dropped = lesson(after).dropped
    assert dropped is not None
    assert dropped.until - dropped.since == 1800.0


def test_a_capacity_that_is_in_doubt_is_told_as_it_was_before_the_doubt() -> None:
    before = Run()
    before.see(web(300, 10), times=40)
    known = lesson(before).capacities["latency"]
    before = Run()
    before.in_vain()
    told = lesson(before).capacities["latency"]
    seen = before.record.dimensions[2].capacity
    assert seen < told <= known


def test_the_patience_of_the_hold_is_kept() -> None:
    before = lived()
    after = restarted(before, dataclasses.replace(lesson(before), patience=3.0))
    after.see(web(300, 12))
    assert after.record.outlook.hold == pytest.approx(3 * OTHERWISE)


def test_loads_that_were_measured_in_another_way_are_forgotten_and_nothing_else() -> None:
    taught = lesson(lived())
    assert taught.of_kind(LoadKind.REQUESTS) is taught
    other = taught.of_kind(LoadKind.CORES)
    assert (other.kind, other.capacities, other.floors, other.startup) == (LoadKind.CORES, {}, taught.floors, 28.0)
    assert all(math.isnan(each) for each in (other.per_pod, other.established, other.gain))


def test_what_nobody_has_watched_yet_is_no_lesson() -> None:
    found = Run()
    found.see(wanting(7, 4))
    assert lesson(found).empty
    found.see(wanting(7, 4), times=40)
    assert lesson(found).empty


def test_capacities_are_no_lesson_before_the_law_proposes_by_them() -> None:
    found = Run()
    found.see(web(300, 12), times=3)
    assert lesson(found).capacities == {}
    found.see(web(300, 12), times=10)
    assert lesson(found).capacities != {}


def test_a_lesson_is_that_of_its_own_row() -> None:
    found = Run()
    other = Case(spec({"metric": "cpu", "target": "50%"}), even(3, 0.4, newest=20.0, served=20.0), kind=LoadKind.CORES)
    decisions = found.see(web(300, 12), other, times=20)
    learned = Learned.empty(2, 3)
    restore(learned, 1, decisions.scalers, lesson_of(decisions, 1), found.now)
    after = Run(learned, found.now)
    seen = after.see(web(300, 12), other)
    assert seen.law.used.tolist() == [False, True]
    assert lesson_of(seen, 1).capacities == pytest.approx({"cpu": 25.0})


def test_a_state_that_is_replayed_is_the_state_of_the_run_that_saw_the_same() -> None:
    live, moments = Run(), []
    for cycle, demand in enumerate(DEMANDS):
        cases = (web(demand, 10 + cycle % 3), wanting(5 + cycle % 4, 4))
        live.see(*cases)
        scalers, samples, history = batch(*cases)
        moments.append((samples, history, live.now))
    replayed = replay(scalers, moments)
    assert live.learned is not None
    for each in fields(Learned):
        np.testing.assert_array_equal(getattr(replayed, each.name), getattr(live.learned, each.name), each.name)


def test_a_replay_goes_on_from_a_state() -> None:
    first, whole = Run(), Run()
    first.see(web(300, 12), times=20)
    whole.see(web(300, 12), times=20)
    scalers, samples, history = batch(web(310, 12))
    whole.see(web(310, 12))
    replayed = replay(scalers, [(samples, history, whole.now)], first.learned)
    assert whole.learned is not None
    np.testing.assert_array_equal(replayed.products, whole.learned.products)
    assert replay(scalers, [], first.learned) is first.learned
