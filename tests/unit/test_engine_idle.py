"""What the law makes of services that have next to nothing to do: what an idle pod uses must not be booked on its few requests."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from controller.api import Spec
from controller.engine import LoadKind
from tests.engine_support import Case, even, spec
from tests.learned_support import WEB_SPEC, Run

CPU_ONLY = spec({"metric": "cpu", "target": "70%"}, behavior={})
#: What a pod can serve, requests per second, and what the day asks for: nine or ten pods at the target.
MOST, DAY = 58.0, 300.0


def seen(of: Spec, demand: float, pods: int, idle_cpu: float) -> Case:
    """Pods of 50 requests per second and core, each with so many cores of its own, sharing a demand."""
    load = min(demand / pods, MOST)
    late = 0.04 + 0.06 / max(1 - load / 60, 0.03)
    values = {"cpu": idle_cpu + load / 50, "memory": 0.6 + load / 250, "latency": late}
    pod = tuple(values[each.name] for each in of.dimensions)
    case = even(pods, *pod, newest=load, served=load, waited=load * late / 2)
    return Case(of, case, kind=LoadKind.REQUESTS, startup=28.0)


def follow(run: Run, of: Spec, pods: int, demands: list[float], idle_cpu: float) -> list[int]:
    """The replicas of every cycle, each put into effect at once."""
    taken = []
    for demand in demands:
        pods = max(1, int(run.see(seen(of, demand, pods, idle_cpu)).desired[0]))
        taken.append(pods)
    return taken


def capacity(run: Run) -> NDArray[np.float64]:
    """The load per pod (D,) at which each dimension alone is full."""
    assert run.decisions is not None
    found: NDArray[np.float64] = run.decisions.law.capacity[0]
    return found


@pytest.mark.parametrize("of", [WEB_SPEC, CPU_ONLY], ids=["web", "cpu"])
@pytest.mark.parametrize("idle_cpu", [0.0, 0.05])
@pytest.mark.parametrize("night", [0.4, 2.0])
def test_an_idle_night_does_not_change_what_a_pod_can_take(of: Spec, idle_cpu: float, night: float) -> None:
    run = Run()
    follow(run, of, 10, [DAY * (0.6 + 0.4 * math.sin(at / 60)) for at in range(600)], idle_cpu)
    by_day = capacity(run).copy()
    pods = follow(run, of, 10, [night] * 960, idle_cpu)[-1]
    assert capacity(run) == pytest.approx(by_day, rel=0.05)
    morning = follow(run, of, pods, [DAY] * 240, idle_cpu)
    assert max(morning) <= 22
    assert 9 <= morning[-1] <= 13


@pytest.mark.parametrize("idle", [0.02, 0.4])
def test_a_service_that_was_idle_since_it_was_created_is_not_drowned_in_pods(idle: float) -> None:
    run = Run()
    follow(run, WEB_SPEC, 2, [idle] * 240, 0.05)
    assert max(follow(run, WEB_SPEC, 2, [40.0] * 120, 0.05)) <= 8


def test_a_capacity_that_is_far_too_small_is_corrected_by_what_is_seen() -> None:
    run = Run()
    follow(run, CPU_ONLY, 10, [DAY] * 40, 0.0)
    assert run.learned is not None
    run.learned.products[0] *= 12.0
    assert follow(run, CPU_ONLY, 10, [DAY] * 60, 0.0)[-1] <= 12
    assert capacity(run)[0] == pytest.approx(35.0, rel=0.1)


def test_a_load_that_nobody_believes_at_first_is_believed_in_the_end() -> None:
    run = Run()
    follow(run, WEB_SPEC, 2, [0.002] * 240, 0.0)
    taken = follow(run, WEB_SPEC, 2, [80.0] * 400, 0.0)
    assert max(taken) <= 16
    assert run.decisions is not None
    assert run.decisions.law.used[0]
    assert taken[-1] <= 6
