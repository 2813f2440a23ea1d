"""Floors that are learned: the value of a dimension without load."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from controller.engine import Learned, Scalers
from controller.engine import floors as engine_floors
from tests.law_support import CPU, FULL, World, at_work, columns, late, web

MEMORY: dict[str, object] = {"metric": "memory", "target": "80%"}
LATENCY: dict[str, object] = {"metric": "latency", "target": "300ms"}
HOUR = 3600.0


def busy(at: float) -> float:
    """Load per pod between a half and one and a half times 40, over two hours."""
    return 40.0 + 20.0 * float(np.sin(at / 1000))


class Watched:
    """A dimension alone, looked at every 15 seconds."""

    def __init__(self, dimension: dict[str, object], learned: Learned | None = None) -> None:
        self.scalers: Scalers = columns(dimension)
        self.learned = learned or Learned.empty(1, 1)
        self.now = 0.0

    def look(self, value: float, load: float, elapsed: float = 15.0) -> float:
        """The floor, in units of the target, after one look at a value in the dimension's unit."""
        self.now += elapsed
        x = np.array([[value]]) / self.scalers.target
        loads, seconds = np.array([load]), np.array([elapsed])
        with np.errstate(divide="ignore", invalid="ignore"):
            seen, confidence = engine_floors.learn(self.scalers, x, loads, self.learned, self.now, seconds)
        self.confidence = float(confidence[0, 0])
        self.learned = replace(seen, evaluated_at=np.array([self.now]))
        return float(seen.floor[0, 0])

    def watch(self, shows: Callable[[float, float], float], seconds: float, noise: float = 0.0) -> list[float]:
        """The floors of so many seconds of `shows(load, now)`."""
        chance = np.random.default_rng(1)
        looks = []
        for _ in range(int(seconds // 15)):
            load = busy(self.now)
            looks.append(self.look(shows(load, self.now) * (1 + noise * chance.normal()), load))
        return looks


def test_memory_that_does_not_follow_the_load_becomes_floor() -> None:
    floor = Watched(MEMORY).watch(lambda load, now: 0.5, 4 * HOUR, noise=0.01)[-1]
    assert floor == pytest.approx(0.5 / 0.8, rel=0.03)


def test_memory_that_follows_the_load_does_not() -> None:
    floor = Watched(MEMORY).watch(lambda load, now: 0.2 + 0.3 * load / 40, 6 * HOUR, noise=0.01)[-1]
    assert floor == pytest.approx(0.2 / 0.8, rel=0.1)


def test_the_first_floor_is_most_of_the_first_memory_and_half_of_the_first_latency() -> None:
    assert Watched(MEMORY).look(0.4, 40.0) == pytest.approx(0.8 * 0.5, rel=0.01)
    assert Watched(LATENCY).look(0.12, 40.0) == pytest.approx(0.5 * 0.4, rel=0.01)


def test_the_floor_of_a_latency_is_its_low_end() -> None:
    floor = Watched(LATENCY).watch(lambda load, now: 0.05 / (1 - load / 80), 6 * HOUR, noise=0.02)[-1]
    assert 0.04 / 0.3 <= floor <= 0.08 / 0.3


def test_a_floor_never_jumps_and_moves_less_the_less_is_known() -> None:
    watched = Watched(MEMORY)
    looks = watched.watch(lambda load, now: 0.2 if now < HOUR else 0.7, 4 * HOUR)
    steps = np.abs(np.diff(looks[::4]))
    assert steps.max() <= 0.1
    first = Watched(MEMORY)
    assert abs(first.look(0.4, 40.0) - first.watch(lambda load, now: 0.79, 120)[-1]) < 0.02


@pytest.mark.parametrize("outlier", [0.0, 0.9, 50.0])
def test_one_outlier_moves_next_to_nothing(outlier: float) -> None:
    watched = Watched(MEMORY)
    before = watched.watch(lambda load, now: 0.2 + 0.3 * load / 40, 3 * HOUR, noise=0.01)[-1]
    after = watched.look(outlier, 40.0)
    assert after == pytest.approx(before, abs=0.005)
    assert watched.watch(lambda load, now: 0.2 + 0.3 * load / 40, 600)[-1] == pytest.approx(before, abs=0.02)


@pytest.mark.parametrize(("dimension", "value"), [(MEMORY, np.nan), (LATENCY, np.nan), (LATENCY, 0.0)])
def test_nothing_seen_and_no_requests_are_not_a_floor(dimension: dict[str, object], value: float) -> None:
    watched = Watched(dimension)
    watched.look(value, 0.0)
    quiet = watched.watch(lambda load, now: value, 600)
    assert np.isnan(quiet[-1]) or quiet[-1] == 0
    # The first true value counts as if it had come first.
    assert watched.look(0.12, 40.0) == pytest.approx(Watched(dimension).look(0.12, 40.0), abs=0.01)


@pytest.mark.parametrize("dimension", [MEMORY, LATENCY])
def test_a_quiet_hour_changes_no_floor(dimension: dict[str, object]) -> None:
    watched = Watched(dimension)
    before = watched.watch(lambda load, now: 0.1 + load / 400, 2 * HOUR)[-1]
    for _ in range(240):
        assert watched.look(0.0, 0.0) == pytest.approx(before, abs=1e-9)


def test_a_restart_goes_on_from_the_learned_floor() -> None:
    def shows(load: float, now: float) -> float:
        return 0.2 + 0.3 * load / 40

    watched = Watched(MEMORY)
    before = watched.watch(shows, 6 * HOUR)[-1]
    again = Watched(MEMORY, replace(Learned.empty(1, 1), floor=np.array([[before]])))
    looks = again.watch(shows, 2 * HOUR)
    np.testing.assert_allclose(looks, before, atol=0.05)


def test_confidence_grows_with_time_and_with_what_the_load_did() -> None:
    moving, still = Watched(MEMORY), Watched(MEMORY)
    moving.watch(lambda load, now: 0.3, 300)
    early = moving.confidence
    moving.watch(lambda load, now: 0.3, 2 * HOUR)
    for _ in range(500):
        still.look(0.3, 40.0)
    assert 0 <= early < 0.4 < moving.confidence <= 1
    assert still.confidence < 0.2 < moving.confidence


def test_since_tells_when_the_floor_became_another() -> None:
    watched = Watched(MEMORY)
    watched.watch(lambda load, now: 0.4, 3 * HOUR)
    assert watched.learned.since[0, 0] < 2 * HOUR
    watched.watch(lambda load, now: 0.7, 3 * HOUR)
    assert watched.learned.since[0, 0] > 3 * HOUR


def test_a_dimension_whose_floor_is_its_target_is_left_out() -> None:
    shows = {"cpu": at_work(), "memory": lambda seen: 0.79}
    world = World(web(CPU, MEMORY), lambda at: 10 * busy(at), shows, replicas=12, interval=60.0)
    seen = world.run(5 * HOUR)
    assert list(seen.law.unreachable[0]) == [False, True]
    assert seen.law.floor[0, 1] >= 0.95 * 0.8
    assert np.isnan(seen.magnitude.normalized[0, 1])
    assert seen.law.per_pod[0] == pytest.approx(FULL, rel=0.02)
    assert world.replicas <= 600 / FULL + 2


def test_a_latency_in_a_loop_gets_a_floor_below_its_target() -> None:
    world = World(
        web(CPU, LATENCY), lambda at: 10 * busy(at), {"cpu": at_work(), "latency": late}, replicas=12, interval=30.0
    )
    seen = world.run(2 * HOUR)
    assert not seen.law.unreachable.any()
    assert 0.03 <= seen.law.floor[0, 1] <= 0.18
    assert world.replicas <= 600 / FULL * 1.6
