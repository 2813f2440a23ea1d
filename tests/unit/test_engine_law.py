"""The law as a whole: a pure function of what was seen and learned, row by row, that never guesses downwards."""

from __future__ import annotations

import copy
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from controller.api import Reason
from controller.engine import Decisions, Learned, LoadKind, evaluate
from tests.engine_support import Case, Pod, batch, rules
from tests.law_support import CPU, FULL, LATENCY, MEMORY, World, at_work, late, queueing, web

SHARED = ("at", "block")
SHOWS: dict[str, Any] = {
    "cpu": at_work(),
    "memory": lambda seen: 0.4 + 0.3 * seen.load / 50,
    "latency": lambda seen: queueing(min(seen.load, 44.0), 0.06, 0.3, 40.0),
}


def whole(asked: Any = lambda at: 300 + 100 * np.sin(at / 300), **known: Any) -> World:
    """A world of three dimensions."""
    return World(web(CPU, MEMORY, LATENCY), asked, SHOWS, **{"replicas": 12, **known})


def identical(one: Any, other: Any, rows: slice = slice(None)) -> None:
    """The arrays of two decisions' laws and states are the same, bit for bit, NaN being NaN."""
    for mine, others in ((one.law, other.law), (one.learned, other.learned)):
        for each in fields(mine):
            theirs = getattr(others, each.name)
            np.testing.assert_array_equal(getattr(mine, each.name), theirs if each.name in SHARED else theirs[rows])
    for name in ("proposed", "desired", "rule"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name)[rows])


def test_a_scaler_alone_decides_as_in_a_batch() -> None:
    worlds = [
        whole(),
        World(web(magnitude={"norm": 7, "aggregation": "Max"}), lambda at: 100 + at / 10, replicas=5, window=120.0),
        World(web(CPU, LATENCY), lambda at: 400.0 if at % 600 < 200 else 90.0, SHOWS, replicas=8, noise=0.1),
        whole(gateway=True, startup_known=False),
        World(web(magnitude={"response": "Proportional"}), lambda at: 200.0, replicas=5, counts=False),
    ]
    together: Learned | None = None
    alone: list[Learned | None] = [None] * len(worlds)
    width = 3
    for _ in range(120):
        for world in worlds:
            world._pass(15.0)
        cases = [world.case() for world in worlds]
        everyone = evaluate(*batch(*cases), worlds[0].now, together)
        together = everyone.learned
        for row, case in enumerate(cases):
            scalers, samples, history = batch(case)
            own = alone[row]
            one = evaluate(scalers, samples, history, worlds[0].now, own)
            alone[row] = one.learned
            same = one.learned.take(np.array([0]), width)
            others = together.take(np.array([row]), width)
            for each in fields(same):
                np.testing.assert_array_equal(getattr(same, each.name), getattr(others, each.name), each.name)
            assert one.desired[0] == everyone.desired[row]
            assert one.rule[0] == everyone.rule[row]
            worlds[row].scale(int(one.desired[0]))


def test_the_order_of_the_scalers_changes_nothing() -> None:
    worlds = [whole(), whole(lambda at: 100.0 + at / 9), whole(lambda at: 500.0, noise=0.05)]
    learned: dict[bool, Learned | None] = {False: None, True: None}
    for _ in range(60):
        for world in worlds:
            world._pass(15.0)
        cases = [world.case() for world in worlds]
        forth = evaluate(*batch(*cases), worlds[0].now, learned[False])
        back = evaluate(*batch(*cases[::-1]), worlds[0].now, learned[True])
        learned = {False: forth.learned, True: back.learned}
        identical(forth, back, slice(None, None, -1))


def test_nothing_that_goes_in_is_changed() -> None:
    world = whole()
    world.run(900)
    scalers, samples, history = batch(world.case())
    before = copy.deepcopy((scalers, samples, history, world.learned))
    evaluate(scalers, samples, history, world.now + 15, world.learned)
    for old, new in zip(before, (scalers, samples, history, world.learned), strict=True):
        for each in fields(old):  # type: ignore[arg-type]
            was, now = getattr(old, each.name), getattr(new, each.name)
            if isinstance(was, np.ndarray):
                np.testing.assert_array_equal(was, now)
    for each in fields(before[1].load):
        np.testing.assert_array_equal(getattr(before[1].load, each.name), getattr(samples.load, each.name))


def test_the_same_state_gives_the_same_answer_twice() -> None:
    world = whole(noise=0.1)
    world.run(900)
    inputs = batch(world.case())
    identical(evaluate(*inputs, world.now + 15, world.learned), evaluate(*inputs, world.now + 15, world.learned))


def test_a_cycle_that_is_evaluated_twice_does_no_harm() -> None:
    once, twice = whole(), whole()
    for one in once.cycles(1800):
        assert one
    for _ in range(120):
        twice._pass(15.0)
        twice.decide()
        decisions = twice.decide()
        twice.recommendations = [*twice.recommendations, (int(decisions.recommendation[0]), twice.now)][-40:]
        twice.scale(int(decisions.desired[0]))
    assert abs(once.replicas - twice.replicas) <= 1


def test_the_state_is_at_most_two_kilobytes_a_scaler() -> None:
    learned = whole().run(15).learned
    assert sum(getattr(learned, each.name).nbytes for each in fields(learned) if each.name not in SHARED) <= 2048


def test_the_state_of_scalers_can_be_moved_and_those_that_are_new_know_nothing() -> None:
    world = whole()
    world.run(900)
    assert world.learned is not None
    moved = world.learned.take(np.array([-1, 0]), 4)
    empty = Learned.empty(1, 4)
    for each in fields(moved):
        if each.name not in SHARED:
            np.testing.assert_array_equal(getattr(moved, each.name)[:1], getattr(empty, each.name))
    back = moved.take(np.array([1]), 3)
    for each in fields(moved):
        np.testing.assert_array_equal(getattr(back, each.name), getattr(world.learned, each.name))


def lowered(world: World, load: float) -> Decisions:
    """What is decided after the traffic was this for ten minutes."""
    world.asked = lambda _: load
    world.obeys = False
    return world.run(600)


@pytest.mark.parametrize("garbage", [np.nan, np.inf, -1.0, None])
@pytest.mark.parametrize("dimension", [0, 1, 2])
def test_a_dimension_of_garbage_never_scales_down(garbage: float | None, dimension: int) -> None:
    world = whole()
    world.run(1800)
    assert lowered(world, 50.0).desired[0] < world.replicas
    case = world.case()
    spoiled = [
        replace(pod, seen=tuple(garbage if at == dimension else seen for at, seen in enumerate(pod.seen)))
        for pod in case.pods
    ]
    assert world.decide(pods=spoiled).desired[0] >= world.replicas


def test_a_few_pods_without_a_sample_of_their_demand_do_not_lower_it() -> None:
    world = whole(lambda _: 300.0)
    world.run(1800)
    case = world.case()
    some = [
        replace(pod, newest=np.nan, served=np.nan, waited=np.nan) if at < 3 else pod for at, pod in enumerate(case.pods)
    ]
    law = evaluate(*batch(replace(case, pods=some)), world.now, world.learned).law
    assert law.demand[0] == pytest.approx(300.0, rel=0.02)


@pytest.mark.parametrize("rate", [1e6, 1e30, 1e300])
def test_an_absurd_rate_of_one_pod_in_one_cycle_is_forgotten(rate: float) -> None:
    world = whole(lambda _: 300.0)
    world.run(1800)
    before = world.run(15).law
    world._pass(15.0)
    first, *others = world.case().pods
    world.decide(pods=[replace(first, newest=rate, served=rate, waited=rate), *others])
    world.run(1800)
    after = world.run(15).law
    np.testing.assert_allclose(after.capacity[0], before.capacity[0], rtol=0.25)
    assert world.replicas >= 300 / before.per_pod[0]


@pytest.mark.parametrize("gateway", [True, False])
def test_garbage_as_demand_never_scales_down(gateway: bool) -> None:
    for garbage in (np.nan, np.inf, -np.inf):
        world = whole(gateway=gateway)
        world.run(1800)
        lowered(world, 50.0)
        spoiled = [replace(pod, newest=garbage, served=garbage, waited=garbage) for pod in world.case().pods]
        seen = world.decide(pods=spoiled, arrivals=garbage if gateway else np.nan)
        assert seen.desired[0] >= world.replicas


def test_one_pod_that_is_all_there_may_be_stays_one_pod() -> None:
    world = World(
        web(CPU, LATENCY, maximum=1), lambda at: 10 + at / 20, {"cpu": at_work(), "latency": late}, replicas=1
    )
    for seen in world.cycles(3600):
        assert seen.desired[0] == 1
    assert world.rule(seen) is Reason.TOO_MANY_REPLICAS


def test_the_maximum_is_reached_and_left_again() -> None:
    world = World(web(maximum=12), lambda at: 200.0 if at < 900 or at > 2700 else 900.0, replicas=6)
    world.run(1500)
    assert world.replicas == 12
    assert world.run(600).desired[0] == 12
    world.run(2400)
    assert world.replicas <= 7


def test_a_paused_target_stays_at_zero() -> None:
    world = whole()
    world.run(900)
    world.scale(0)
    for seen in world.cycles(300):
        assert seen.desired[0] == 0


def test_steady_traffic_moves_nothing() -> None:
    world = World(web(CPU, LATENCY), lambda _: 300.0, SHOWS, replicas=10, noise=0.02)
    world.run(900)
    before = len(world.changes)
    world.run(7200)
    assert len(world.changes) - before <= 1


def test_a_day_of_waves_turns_round_no_more_often_than_the_traffic() -> None:
    world = World(web(), lambda at: 400 + 250 * float(np.sin(at / 1200)), replicas=10, noise=0.03)
    world.run(9000)
    steps = np.sign([change for change, _ in world.changes])
    assert np.count_nonzero(np.diff(steps)) <= 4


@pytest.mark.parametrize("interval", [1.0, 5.0, 15.0, 30.0, 60.0])
def test_the_law_follows_the_traffic_at_any_interval(interval: float) -> None:
    world = World(web(), lambda at: 200.0 if at < 600 else 500.0, replicas=6, interval=interval)
    world.run(1440)
    assert 500 / FULL * 0.9 <= world.replicas <= 500 / FULL * 1.25


@pytest.mark.parametrize("window", [30.0, 60.0, 120.0, 300.0])
def test_the_law_follows_the_traffic_with_any_window_of_the_rates(window: float) -> None:
    world = World(web(), lambda at: 200.0 if at < 900 else 400.0, replicas=6, window=window)
    world.run(4200)
    assert 400 / FULL * 0.9 <= world.replicas <= 400 / FULL * 1.3


def test_a_step_does_not_overshoot_by_more_than_half() -> None:
    world = World(web(), lambda at: 200.0 if at < 900 else 400.0, replicas=7)
    most = max(int(seen.desired[0]) for seen in world.cycles(2400))
    assert 400 / FULL <= most <= 400 / FULL * 1.5


def test_the_first_minutes_belong_to_the_proportional_form() -> None:
    world = World(web(), lambda _: 200.0, replicas=4)
    first = next(world.cycles(15))
    assert not first.law.used[0]
    assert first.desired[0] == np.ceil(4 * 50 / FULL)
    assert world.run(180).law.used[0]


def test_proportional_and_without_demand_the_law_only_learns() -> None:
    for world in (
        World(web(magnitude={"response": "Proportional"}), lambda _: 300.0, replicas=10),
        World(web(), lambda _: 300.0, replicas=10, counts=False),
    ):
        seen = world.run(900)
        assert not seen.law.used[0]
        assert seen.proposed[0] == np.ceil(world.ready * seen.magnitude.total[0] - 1e-9)


def test_pods_that_wait_for_nodes_are_counted_apart_and_ordered_once() -> None:
    world = World(web(), lambda _: 400.0, replicas=12, startup=1e9)
    world.run(600)
    world.asked = lambda _: 560.0
    world.run(300)
    ordered = world.replicas
    waiting = [replace(pod, unscheduled=not pod.ready) for pod in world.case().pods]
    seen = world.decide(pods=waiting)
    assert seen.law.unscheduled[0] == ordered - 12
    world.run(600)
    assert world.replicas <= 560 / FULL * 1.35


def test_the_hottest_pod_is_held_where_the_user_says_max() -> None:
    def uneven(aggregation: str) -> float:
        world = World(web(magnitude={"aggregation": aggregation}), lambda _: 300.0, replicas=10, obeys=False)
        for _ in range(60):
            world._pass(15.0)
            pods = [
                replace(
                    pod, seen=tuple(each * (1.5 if at == 0 else 1.0) for each in pod.seen if isinstance(each, float))
                )
                for at, pod in enumerate(world.case().pods)
            ]
            seen = world.decide(pods=pods)
        return float(seen.law.per_pod[0])

    assert uneven("Max") == pytest.approx(FULL / 1.5, rel=0.02)
    assert uneven("Mean") == pytest.approx(FULL / 1.05, rel=0.02)


def test_a_young_pod_that_shows_more_than_any_number_is_forgotten() -> None:
    world = World(web(magnitude={"aggregation": "Max"}), lambda _: 300.0, replicas=10, obeys=False)
    before = float(world.run(600).law.per_pod[0])
    world._pass(15.0)
    *pods, last = world.case().pods
    world.decide(pods=[*pods, replace(last, seen=(1e200,), young=True)])
    world._pass(7200.0)
    assert float(world.decide().law.per_pod[0]) == pytest.approx(before, rel=0.02)


def test_hpas_behavior_still_bounds_what_the_law_orders() -> None:
    world = World(
        web(behavior={"scaleUp": rules(("Pods", 1, 60))}), lambda at: 200.0 if at < 900 else 900.0, replicas=6
    )
    world.run(900)
    before = world.replicas
    world.run(300)
    assert world.replicas <= before + 6


def test_nobody_ready_decides_nothing() -> None:
    world = whole()
    world.run(900)
    unready = [Pod.of(None, None, None, ready=False)] * 12
    seen = world.decide(pods=unready)
    assert seen.desired[0] == world.replicas
    assert world.rule(seen) is Reason.NO_READY_PODS
    nobody = evaluate(*batch(Case(world.spec, (), current=3, kind=LoadKind.REQUESTS)), world.now, world.learned)
    assert nobody.desired[0] == 3
