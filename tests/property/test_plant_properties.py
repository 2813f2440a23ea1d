"""What holds in the plant for every load and every sequence of pods; and the queue's formulas against brute force."""

from __future__ import annotations

import heapq

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from controller.simulation import Plant, PlantSettings, Service, Sojourn, Trace

Floats = NDArray[np.float64]
LOADS = st.lists(st.floats(0.0, 500.0), min_size=2, max_size=6)
SIZES = st.lists(st.integers(0, 8), min_size=1, max_size=6)
SETTINGS = st.builds(
    PlantSettings,
    imbalance=st.sampled_from((0.0, 0.2)),
    compression=st.sampled_from((1.0, 20.0)),
    workers=st.sampled_from((None, 3.0, 16.0)),
    cost_factor=st.sampled_from((1.0, 1.6)),
    cpu_limit=st.sampled_from((0.5, 1.0, 2.0)),
)


def plant_of(chosen: PlantSettings, loads: list[float], seed: int = 0) -> Plant:
    return Plant(chosen, Trace(np.linspace(0.0, 60.0, len(loads)), np.array(loads)), seed)


def pods(count: int) -> list[tuple[str, str]]:
    return [("shop", f"p{number}") for number in range(count)]


@settings(max_examples=40, deadline=None)
@given(SETTINGS, LOADS, SIZES, st.integers(0, 1000))
def test_every_request_that_arrived_is_served_failed_or_inside(
    chosen: PlantSettings, loads: list[float], sizes: list[int], seed: int
) -> None:
    plant = plant_of(chosen, loads, seed)
    for number, size in enumerate(sizes, start=1):
        plant.set_pods(pods(size))
        plant.advance(10.0 * number / chosen.compression)
    seconds = plant.truth()
    done = sum(second.served + second.failed for second in seconds)
    assert sum(second.arrivals for second in seconds) == done + seconds[-1].backlog
    assert all(second.failed <= second.slow <= second.served + second.failed for second in seconds)


@settings(max_examples=40, deadline=None)
@given(SETTINGS, LOADS, SIZES)
def test_no_counter_of_a_pod_ever_falls(chosen: PlantSettings, loads: list[float], sizes: list[int]) -> None:
    plant = plant_of(chosen, loads)
    plant.set_pods(pods(1))
    before = plant.snapshot()
    for number, size in enumerate(sizes, start=1):
        plant.set_pods(pods(1 + size))
        plant.advance(10.0 * number / chosen.compression)
        after = plant.snapshot()
        kept = min(len(before.pods), len(after.pods))
        for name in ("cpu_seconds", "requests", "latency_seconds", "buckets"):
            assert (getattr(after, name)[:kept] >= getattr(before, name)[:kept]).all(), name
        before = after


@settings(max_examples=40, deadline=None)
@given(SETTINGS, LOADS, st.integers(1, 8))
def test_buckets_are_cumulative_and_agree_with_count_and_sum(
    chosen: PlantSettings, loads: list[float], size: int
) -> None:
    plant = plant_of(chosen, loads)
    plant.set_pods(pods(size))
    plant.advance(60.0 / chosen.compression)
    snapshot = plant.snapshot()
    assert (np.diff(snapshot.buckets, axis=1) >= 0).all()
    assert snapshot.buckets[:, -1].tolist() == snapshot.requests.tolist()
    assert int(snapshot.requests.sum()) == sum(second.served for second in plant.truth())
    single = np.diff(snapshot.buckets, axis=1, prepend=0)
    lowest = single @ np.array((0.0, *chosen.buckets))
    assert (snapshot.latency_seconds >= lowest - 1e-6).all()
    inside = single[:, -1] == 0
    highest = single[:, :-1] @ np.array(chosen.buckets)
    assert (snapshot.latency_seconds[inside] <= highest[inside] + 1e-6).all()


@settings(max_examples=40, deadline=None)
@given(SETTINGS, LOADS, st.integers(1, 8), st.integers(1, 8))
def test_cpu_never_exceeds_the_limit(chosen: PlantSettings, loads: list[float], size: int, seconds: int) -> None:
    plant = plant_of(chosen, loads)
    plant.set_pods(pods(size))
    plant.advance(seconds / chosen.compression)
    assert (plant.snapshot().cpu_seconds <= chosen.cpu_limit * plant.now + 1e-9).all()


@settings(max_examples=40, deadline=None)
@given(LOADS, st.integers(1, 8), st.integers(1, 8), st.integers(0, 100))
def test_more_pods_never_raise_the_latency(loads: list[float], size: int, further: int, seed: int) -> None:
    chosen = PlantSettings(imbalance=0.0)
    few, many = plant_of(chosen, loads, seed), plant_of(chosen, loads, seed)
    few.set_pods(pods(size))
    many.set_pods(pods(size + further))
    few.advance(20.0)
    many.advance(20.0)
    for slower, faster in zip(few.truth(), many.truth(), strict=True):
        assert faster.latency_seconds <= slower.latency_seconds + 1e-4


@settings(max_examples=100, deadline=None)
@given(
    st.floats(0.001, 0.2), st.sampled_from((1.0, 2.0, 8.0)), st.floats(0.0, 2.0), st.floats(0.0, 2.0), st.floats(0, 1)
)
def test_response_times_grow_with_utilisation(
    seconds: float, servers: float, one: float, other: float, share: float
) -> None:
    service = Service(seconds, servers, servers / seconds)
    sojourn = Sojourn.of(service, np.array(sorted((one, other))), np.zeros(2))
    tail = sojourn.tail(np.array([share * 20.0 * seconds]))[:, 0]
    assert 0.0 <= tail[0] <= tail[1] + 1e-9 <= 1.0 + 2e-9


def one_server(service: float, utilisation: float, requests: int = 3_000_000) -> Floats:
    """Response times of a first-come-first-served queue, request by request (Lindley's recursion)."""
    rng = np.random.default_rng(1)
    gaps = rng.exponential(service / utilisation, requests)
    services = rng.exponential(service, requests)
    walk = np.concatenate(([0.0], np.cumsum(services[:-1] - gaps[1:])))
    times: Floats = walk - np.minimum.accumulate(walk) + services
    return times


def many_servers(servers: int, service: float, utilisation: float, requests: int = 500_000) -> Floats:
    """The same with several servers and one line."""
    rng = np.random.default_rng(1)
    arrivals = np.cumsum(rng.exponential(service / (servers * utilisation), requests))
    services = rng.exponential(service, requests)
    free = [0.0] * servers
    times = np.empty(requests)
    for number, (arrival, length) in enumerate(zip(arrivals.tolist(), services.tolist(), strict=True)):
        done = max(arrival, heapq.heappop(free)) + length
        heapq.heappush(free, done)
        times[number] = done - arrival
    return times[requests // 10 :]


@pytest.mark.parametrize("utilisation", [0.3, 0.7, 0.9])
def test_the_quantile_is_that_of_a_queue_simulated_request_by_request(utilisation: float) -> None:
    times = one_server(0.020, utilisation)
    sojourn = Sojourn.of(Service.of(0.020, 1.0, None, 0.0), np.array([utilisation]), np.zeros(1))
    for share in (0.5, 0.95, 0.99):
        expected = float(np.quantile(times, share))
        assert sojourn.quantile(share, np.ones(1)) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("utilisation", [0.3, 0.6, 0.8])
def test_several_servers_are_close_to_their_simulation(utilisation: float) -> None:
    times = many_servers(8, 0.060, utilisation)
    sojourn = Sojourn.of(Service(0.060, 8.0, 8.0 / 0.060), np.array([utilisation]), np.zeros(1))
    assert sojourn.quantile(0.95, np.ones(1)) == pytest.approx(float(np.quantile(times, 0.95)), rel=0.04)


def test_the_quantile_of_a_mixture_is_that_of_all_requests_together() -> None:
    fast, slow = one_server(0.020, 0.3), one_server(0.020, 0.8)
    sojourn = Sojourn.of(Service.of(0.020, 1.0, None, 0.0), np.array([0.3, 0.8]), np.zeros(2))
    times = np.concatenate((fast, fast, fast, slow))
    assert sojourn.quantile(0.95, np.array([3.0, 1.0])) == pytest.approx(float(np.quantile(times, 0.95)), rel=0.02)


def test_failed_requests_count_as_the_slowest() -> None:
    sojourn = Sojourn.of(Service.of(0.020, 1.0, None, 0.0), np.array([0.5]), np.zeros(1))
    assert sojourn.quantile(0.95, np.array([97.0]), lost=3.0, patience=10.0) > sojourn.quantile(0.95, np.array([97.0]))
    assert sojourn.quantile(0.95, np.array([90.0]), lost=10.0, patience=10.0) == 10.0


def test_nobody_waits_longer_than_patience() -> None:
    sojourn = Sojourn.of(Service.of(0.020, 1.0, None, 0.0), np.array([0.5]), np.array([12.0]))
    assert sojourn.quantile(0.95, np.ones(1)) > 12.0
    assert sojourn.quantile(0.95, np.ones(1), patience=10.0) == 10.0
