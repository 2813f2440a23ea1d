"""Efficacy: what a dimension may ask for before it has shown that pods lower it, and what is said when they do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from controller.engine import LoadKind, evaluate
from tests.engine_support import NOW, Case, batch, dimension, even, spec
from tests.law_support import CPU, FULL, LATENCY, Seen, World, at_work, late, queueing, web

SHOWS: dict[str, Any] = {"cpu": at_work(), "latency": late}
PROPORTIONAL: dict[str, Any] = {"magnitude": {"response": "Proportional"}}
#: Pods at which the traffic of `dependent` is in balance, and when its dependency becomes slow.
SIZE, SLOW = 20, 1800.0


def day(at: float) -> float:
    """Traffic for about 20 pods that goes up and down by a twentieth."""
    return 28.57 * SIZE * (1 + 0.05 * float(np.sin(at / 600)))


def dependent(
    seconds: float = 0.8, until: float = np.inf, of_spec: dict[str, Any] | None = None, **known: Any
) -> World:
    """A world whose requests take so much longer from `SLOW` on, whatever the pods."""
    fields: dict[str, Any] = {"replicas": SIZE, "asked": day, **known}
    idle = lambda at: seconds if SLOW < at <= until else 0.06  # noqa: E731
    return World(web(CPU, LATENCY, **(of_spec or {})), shows=SHOWS, idle=idle, **fields)


def workers(asked: Any, **known: Any) -> World:
    """A world whose pods serve 20 a second while CPU is no more than 40 % busy."""
    return World(web(CPU, LATENCY), asked, SHOWS, serves=lambda _: 20.0, replicas=8, **known)


@pytest.mark.parametrize("rise", [0.1, 0.5, 1e9])
def test_pods_whose_workers_are_busy_prove_themselves_and_come(rise: float) -> None:
    world = workers(lambda at: 100.0 + min(max(at - 900, 0.0) * rise, 300.0))
    slow = 0
    for seen in world.cycles(5400):
        assert not seen.law.dropped[0]
        slow += world.now > 4500 and seen.magnitude.values[0, 1] > 0.33
    assert slow == 0
    assert 400 / 20 * 1.1 <= world.replicas <= 32


def test_a_queue_that_becomes_tighter_proves_itself_step_by_step() -> None:
    def tight(seen: Seen) -> float:
        capacity = 40.0 if seen.at < SLOW else 20.0 if seen.at < 5400 else 12.0
        return min(queueing(seen.load, 0.06, 0.3, capacity), 10.0)

    shows = {"cpu": at_work(), "latency": tight}
    world = World(web(CPU, LATENCY), lambda _: 200.0, shows, replicas=7)
    most = {"first": 0, "second": 0}
    for seen in world.cycles(9000):
        assert not seen.law.dropped[0]
        step = "first" if world.now < 5400 else "second"
        most[step] = max(most[step], int(seen.desired[0]))
    assert 10 <= most["first"] <= 7 * 1.5 + 1
    assert 16 <= most["second"] <= 20
    assert seen.magnitude.normalized[0, 1] <= 1.1


@pytest.mark.parametrize("gateway", [True, False])
def test_pods_that_are_overloaded_many_times_over_get_what_they_need(gateway: bool) -> None:
    serves = lambda at: 50.0 if at < SLOW else 10.0  # noqa: E731
    world = World(web(CPU, LATENCY), lambda _: 200.0, SHOWS, serves=serves, replicas=7, gateway=gateway)
    world.run(SLOW)
    assert world.replicas == 7
    seen = world.run(7200)
    assert not seen.law.dropped[0]
    assert world.replicas > 200 / 10


def test_a_slow_dependency_is_held_to_its_authority_dropped_and_tried_again() -> None:
    world = dependent()
    most = 0
    dropped: list[tuple[float, float]] = []
    for seen in world.cycles(6000):
        law = seen.law
        most = max(most, int(seen.desired[0]))
        if law.dropped[0] and not (dropped and dropped[-1][0] == law.dropped_until[0]):
            dropped.append((float(law.dropped_until[0]), world.now))
    # Half as many pods again as the traffic needed before, rounded up.
    assert SIZE < most <= 1.5 * SIZE + 1
    assert [until - began for until, began in dropped[:2]] == [900.0, 1800.0]
    assert world.replicas <= SIZE + 1


def test_what_was_tried_is_told() -> None:
    world = dependent()
    law = next(seen.law for seen in world.cycles(4000) if seen.law.dropped[0])
    assert law.suspect[0] == 1
    assert law.tested_excess[0] > 1
    assert SLOW < law.tested_at[0] <= world.now < law.dropped_until[0]
    assert law.load[0] < 0.85 * law.tested_from[0]
    assert 25 < law.established[0] < FULL


@pytest.mark.parametrize("seconds", [0.8, 3.0])
@pytest.mark.parametrize("replicas", [4, 7, 20])
def test_a_dependency_slow_under_constant_traffic_is_dropped_within_half_an_hour(seconds: float, replicas: int) -> None:
    world = dependent(seconds, replicas=replicas, asked=lambda _: 28.57 * replicas)
    world.run(SLOW)
    assert any(seen.law.dropped[0] for seen in world.cycles(1800))


def test_a_dependency_that_is_well_again_is_forgiven() -> None:
    world = dependent(until=4500.0)
    world.run(4500)
    seen = world.run(900)
    assert not seen.law.dropped[0]
    assert not seen.law.tested[0]
    assert seen.law.suspect[0] == -1
    world.run(2700)
    assert world.replicas <= SIZE * 1.15


def test_observe_limits_nothing_but_says_so() -> None:
    world = dependent(of_spec={"efficacy": {"action": "Observe"}})
    most, said = 0, False
    for seen in world.cycles(7200):
        most, said = max(most, int(seen.desired[0])), said or bool(seen.law.dropped[0])
    assert most > 1.5 * SIZE + 1
    assert said


@pytest.mark.parametrize("authority", [1.0, 1.2, 2.0])
def test_the_authority_is_the_users(authority: float) -> None:
    world = dependent(of_spec={"efficacy": {"authority": authority}})
    most = max(int(seen.desired[0]) for seen in world.cycles(5400))
    # The traffic is a twentieth above, and the backlog of the first minute looks like a little more.
    assert most <= authority * SIZE * 1.15 + 1


@pytest.mark.parametrize("norm", [2, "Infinity"])
@pytest.mark.parametrize("counts", [True, False])
def test_the_proportional_response_is_held_to_it_too(counts: bool, norm: object) -> None:
    of_spec = {"magnitude": {"response": "Proportional", "norm": norm}}
    world = dependent(3.0, of_spec=of_spec, counts=counts)
    most = max(int(seen.desired[0]) for seen in world.cycles(5400))
    assert most <= 1.5 * SIZE * 1.1 + 1


@pytest.mark.parametrize("counts", [True, False])
def test_a_scaler_that_began_without_load_is_guarded_all_the_same(counts: bool) -> None:
    world = dependent(
        3.0,
        of_spec=PROPORTIONAL,
        counts=counts,
        asked=lambda at: 0.0 if at < 300 else 28.57 * SIZE,
    )
    world.run(300)
    world.scale(SIZE)
    # What a single pod showed before the others came was true.
    world.run(SLOW - 300)
    most = max(int(seen.desired[0]) for seen in world.cycles(3600))
    assert np.isfinite(world.decide().law.established[0])
    assert most <= 1.5 * SIZE * 1.1 + 1


def test_nothing_infinite_is_learned_where_there_was_no_load_yet() -> None:
    learned = None
    for at, value in enumerate((0.0, 0.0, 1.5, 1.5)):
        scalers, samples, history = batch(Case(spec(dimension("queue")), even(4, value)))
        decisions = evaluate(scalers, samples, history, NOW + 15 * at, learned)
        learned = decisions.learned
    assert np.isfinite(decisions.law.established[0])


def test_work_that_cpu_explains_needs_no_proof() -> None:
    world = World(web(CPU, LATENCY), lambda at: 300.0 if at < 900 else 900.0, SHOWS, replicas=10, gateway=True)
    world.run(1500)
    assert world.replicas >= 900 / FULL


def test_the_first_test_of_one_scaler_changes_nothing_for_another() -> None:
    alone, slow = workers(lambda at: 100.0 + max(at - 600, 0.0) * 0.1, seed=3), dependent()
    learned = None
    for _ in range(200):
        for world in (alone, slow):
            world._pass(15.0)
        scalers, samples, history = batch(alone.case(), slow.case())
        both = evaluate(scalers, samples, history, alone.now, learned)
        learned = both.learned
        one = alone.decide()
        assert (both.desired[0], both.law.per_pod[0]) == (one.desired[0], one.law.per_pod[0]) or np.isnan(
            one.law.per_pod[0]
        )
        for world, wanted in ((alone, both.desired[0]), (slow, both.desired[1])):
            world.recommendations = [*world.recommendations, (int(wanted), world.now)][-40:]
            world.scale(int(wanted))
    assert both.law.tested[1] or both.law.dropped[1]


def test_a_scaler_of_cores_is_guarded_as_one_of_requests() -> None:
    most = {}
    for kind in (LoadKind.REQUESTS, LoadKind.CORES):
        world = dependent(kind=kind)
        most[kind] = max(int(seen.desired[0]) for seen in world.cycles(3600))
    assert abs(most[LoadKind.REQUESTS] - most[LoadKind.CORES]) <= 3
