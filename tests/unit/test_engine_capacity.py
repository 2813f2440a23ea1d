"""Capacity: the load per pod at which the magnitude is its target, and what it is learned from."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from controller.engine import Scalers
from tests.engine_support import dimension
from tests.law_support import CPU, FULL, LATENCY, MEMORY, World, at_work, columns, late, queueing, solved, web

QUEUE: dict[str, object] = {"metric": "latency", "target": "300ms", "floor": "60ms", "cap": 100.0}


def shown(scalers: Scalers, capacity: Any, load: float) -> float:
    """The magnitude at a load per pod, straight from the definition."""
    total, largest = 0.0, 0.0
    for at, each in enumerate(capacity):
        if not math.isfinite(each):
            continue
        y = load / each
        if scalers.queues[0, at]:
            floor = float(scalers.floor[0, at] / scalers.target[0, at])
            seconds = queueing(load, floor, 1.0, each)
            y = (seconds - floor) / (1 - floor)
        power = scalers.norm[0]
        largest = max(largest, y)
        total += scalers.weight[0, at] * (y**power if math.isfinite(power) else 0.0)
    return float(total ** (1 / scalers.norm[0])) if math.isfinite(scalers.norm[0]) else largest


def bisected(scalers: Scalers, capacity: Any, target: float) -> float:
    """The load per pod at which the magnitude is its target, found by halving."""
    low, high = 0.0, 1e6
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (low, middle) if shown(scalers, capacity, middle) > target else (middle, high)
    return low


@pytest.mark.parametrize("norm", [1, "1.5", 2, 3, 7, "Infinity"])
@pytest.mark.parametrize(
    ("dimensions", "capacity"),
    [
        ([dimension("a")], [35.0]),
        ([dimension("a"), dimension("b")], [35.0, 35.0]),
        ([dimension("a"), dimension("b", weight=4.0), dimension("c", weight=0.2)], [35.0, 60.0, 20.0]),
        ([QUEUE], [15.0]),
        ([dimension("a"), QUEUE], [35.0, 40.0]),
        ([dimension("a", weight=3.0), QUEUE], [400.0, 15.0]),
        ([dimension("a"), dimension("b"), QUEUE], [35.0, math.inf, 30.0]),
        ([dimension("a"), dimension("b"), QUEUE], [35.0, 90.0, math.inf]),
        ([dimension(f"d{at}") for at in range(16)], [35.0] * 16),
    ],
)
def test_the_solved_load_brings_the_magnitude_to_its_target(
    norm: object, dimensions: list[dict[str, object]], capacity: list[float]
) -> None:
    scalers = columns(*dimensions, magnitude={"norm": norm})
    for target in (0.5, 1.0, 1.3):
        # With p infinite weights do not count.
        assert solved(scalers, capacity, target) == pytest.approx(bisected(scalers, capacity, target), rel=2e-3)


@pytest.mark.parametrize("floor", ["30ms", "90ms", "150ms", "270ms"])
def test_a_queue_of_any_shape_is_solved_for(floor: str) -> None:
    scalers = columns(dimension("a"), QUEUE | {"floor": floor})
    for capacity in ([35.0, 10.0], [35.0, 35.0], [35.0, 36.0], [35.0, 500.0]):
        assert solved(scalers, capacity) == pytest.approx(bisected(scalers, capacity, 1.0), rel=2e-3)


def test_without_any_capacity_there_is_no_load_per_pod() -> None:
    assert solved(columns(dimension("a"), QUEUE), [math.inf, math.inf]) == math.inf


@pytest.mark.parametrize("asked", [60.0, 200.0, 349.0, 351.0, 420.0])
@pytest.mark.parametrize("target", [0.7, 1.0])
def test_one_dimension_in_balance_needs_what_an_hpa_computes(asked: float, target: float) -> None:
    world = World(web(magnitude={"target": str(target)}), lambda _: asked, replicas=10, obeys=False)
    seen = world.run(600)
    magnitude = asked / 10 / FULL
    assert seen.law.used[0]
    assert seen.magnitude.total[0] == pytest.approx(magnitude)
    assert seen.proposed[0] == math.ceil(10 * magnitude / target)


def test_a_capacity_is_found_within_a_minute_in_spite_of_noise() -> None:
    world = World(web(), lambda _: 300.0, replicas=10, noise=0.05, obeys=False)
    assert world.run(60).law.capacity[0, 0] == pytest.approx(FULL, rel=0.05)


def test_a_queue_is_found_from_load_and_latency() -> None:
    world = World(
        web(CPU, LATENCY),
        lambda _: 300.0,
        {"cpu": at_work(), "latency": lambda seen: queueing(seen.load, 0.06, 0.3, 40.0)},
        replicas=10,
        noise=0.02,
        obeys=False,
    )
    assert world.run(300).law.capacity[0, 1] == pytest.approx(40.0, rel=0.05)


def test_cpu_memory_and_latency_together_are_solved_for() -> None:
    world = World(
        web(CPU, MEMORY, LATENCY),
        lambda _: 200.0,
        {
            "cpu": at_work(),
            "memory": lambda seen: 0.4 + 0.4 * seen.load / 60,
            "latency": lambda seen: queueing(seen.load, 0.06, 0.3, 45.0),
        },
        replicas=10,
        obeys=False,
    )
    law = world.run(600).law
    np.testing.assert_allclose(law.capacity[0], [FULL, 60, 45], rtol=0.02)
    expected = bisected(columns(dimension("a"), dimension("b"), QUEUE), [FULL, 60, 45], 1.0)
    assert law.per_pod[0] == pytest.approx(expected, rel=0.02)


def test_a_rollout_that_costs_more_is_followed_within_minutes() -> None:
    world = World(
        web(),
        lambda _: 300.0,
        {"cpu": lambda seen: seen.load / 50 * (1.6 if seen.at > 900 else 1.0)},
        serves=lambda at: 50 / 1.6 if at > 900 else 50.0,
        replicas=10,
    )
    assert world.run(900).law.capacity[0, 0] == pytest.approx(FULL)
    seen = world.run(300)
    assert seen.law.capacity[0, 0] == pytest.approx(FULL / 1.6, rel=0.03)
    assert world.run(600).desired[0] == math.ceil(300 / FULL * 1.6)


def test_an_overload_that_cpu_knows_of_teaches_nothing_of_the_queue() -> None:
    def asked(at: float) -> float:
        return 900.0 if 900 < at <= 1080 else 280.0

    shows = {"cpu": at_work(), "latency": late}
    world = World(web(CPU, LATENCY), asked, shows, replicas=10, obeys=False)
    before = world.run(900).law.capacity[0, 1]
    assert world.run(180).magnitude.normalized[0, 1] == 3.0
    assert world.learned is not None
    assert np.exp(world.learned.log_capacity[0, 1]) > 0.8 * before


def test_what_shows_no_load_teaches_nothing() -> None:
    world = World(web(), lambda at: 300.0 if at < 600 else 0.4, replicas=10, obeys=False, noise=0.02)
    before = world.run(600).law.capacity[0, 0]
    assert world.run(3600).law.capacity[0, 0] == pytest.approx(before, rel=0.1)


def test_a_dimension_without_data_keeps_its_capacity_or_is_left_out_as_the_user_says() -> None:
    def per_pod(on_missing: str) -> float:
        shows = {"cpu": at_work(), "memory": lambda seen: 0.4 + 0.4 * seen.load / 20 if seen.at < 600 else np.nan}
        world = World(web(CPU, MEMORY | {"onMissing": on_missing}), lambda _: 200.0, shows, obeys=False, replicas=10)
        return float(world.run(900).law.per_pod[0])

    both = bisected(columns(dimension("a"), dimension("b")), [FULL, 20.0], 1.0)
    assert per_pod("Hold") == pytest.approx(both, rel=0.02)
    assert per_pod("Ignore") == pytest.approx(FULL, rel=0.02)


def test_an_overload_that_is_over_does_not_keep_pods_that_nobody_needs() -> None:
    steps = [(900.0, 3.0), (1800.0, 0.15), (2100.0, 4.35), (math.inf, 126.0)]
    shows = {"cpu": lambda seen: 0.1 + seen.load / 50, "memory": lambda seen: 0.4 + 0.006 * seen.load, "latency": late}
    world = World(
        web(CPU, MEMORY, LATENCY, maximum=100),
        lambda at: next(load for end, load in steps if at < end),
        shows,
        replicas=1,
    )
    world.run(2100)
    assert max(int(seen.desired[0]) for seen in world.cycles(900)) <= 20
    assert world.replicas <= 8
