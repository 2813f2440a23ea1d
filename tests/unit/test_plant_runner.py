"""The runner between a plant and a cluster."""

from __future__ import annotations

import logging
import threading
import time

import numpy as np
import pytest

from controller.api.errors import Unreachable
from controller.simulation import Plant, PlantRunner, PlantSettings, Trace


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Cluster:
    def __init__(self, *pods: str) -> None:
        self.pods = pods
        self.error: Exception | None = None
        self.asked = threading.Event()

    def __call__(self) -> list[tuple[str, str]]:
        self.asked.set()
        if self.error is not None:
            raise self.error
        return [("shop", name) for name in self.pods]


@pytest.fixture
def plant() -> Plant:
    return Plant(PlantSettings(), Trace(np.array([0.0, 600.0]), np.array([20.0, 20.0])))


def test_the_plant_begins_when_the_runner_does(plant: Plant) -> None:
    clock = Clock()
    runner = PlantRunner(plant, Cluster("a"), clock)
    runner.step()
    assert plant.now == 0.0
    clock.now += 5.0
    runner.step()
    assert plant.now == 5.0
    assert {second.ready_pods for second in plant.truth()} == {1}


def test_pods_serve_from_the_moment_they_are_seen(plant: Plant) -> None:
    clock, cluster = Clock(), Cluster("a")
    runner = PlantRunner(plant, cluster, clock)
    runner.step()
    clock.now += 3.0
    cluster.pods = ("a", "b")
    runner.step()
    clock.now += 2.0
    runner.step()
    assert [second.ready_pods for second in plant.truth()] == [1, 1, 1, 2, 2]


@pytest.mark.parametrize("error", [Unreachable("connection refused"), ConnectionResetError("reset")])
def test_while_the_cluster_is_out_of_reach_the_known_pods_go_on(
    plant: Plant, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    clock, cluster = Clock(), Cluster("a", "b")
    runner = PlantRunner(plant, cluster, clock)
    runner.step()
    cluster.error = error
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            clock.now += 1.0
            runner.step()
    assert [second.ready_pods for second in plant.truth()] == [2, 2, 2]
    assert len(caplog.records) == 1
    assert str(error) in caplog.text


def test_the_thread_follows_the_clock_until_it_is_stopped(plant: Plant) -> None:
    cluster = Cluster("a")
    with PlantRunner(plant, cluster, time.monotonic, tick=0.001):
        for _ in range(3):
            cluster.asked.clear()
            assert cluster.asked.wait(5.0)
    cluster.asked.clear()
    assert not cluster.asked.wait(0.02)


def test_a_defect_in_the_callable_reaches_whoever_stops_the_runner(plant: Plant) -> None:
    cluster = Cluster("a")
    cluster.error = KeyError("status")
    runner = PlantRunner(plant, cluster, time.monotonic, tick=0.001)
    runner.start()
    assert cluster.asked.wait(5.0)
    with pytest.raises(KeyError, match="status"):
        runner.stop()
