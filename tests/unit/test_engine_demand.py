"""Demand: what is asked of a target now and will be when a new pod is Ready, in spite of pods that come and go."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from controller.engine import LoadKind, record_of
from tests.engine_support import Case
from tests.law_support import CPU, LATENCY, World, at_work, late, web


def errors(world: World, seconds: float, of: str = "demand") -> list[float]:
    """By what share the demand is off in every cycle."""
    return [float(getattr(seen.law, of)[0]) / world.asked(world.now) - 1 for seen in world.cycles(seconds)]


def noisy(at: float) -> float:
    """Traffic that is another one every 15 seconds."""
    return float(400 * np.exp(np.random.default_rng(int(at) // 15).normal(0.0, 0.2)))


def rising(at: float) -> float:
    """A steady rise from minute 10 to minute 40."""
    return 200.0 + 0.5 * min(max(at - 600, 0.0), 1800.0)


@pytest.mark.parametrize(("before", "after", "most"), [(10, 11, 0.06), (10, 12, 0.1), (12, 10, 0.1), (20, 16, 0.1)])
@pytest.mark.parametrize("startup", [5.0, 33.0])
def test_constant_traffic_is_constant_demand_while_pods_come_and_go(
    before: int, after: int, most: float, startup: float
) -> None:
    world = World(web(), lambda _: 200.0, replicas=before, startup=startup, obeys=False)
    world.run(300)
    world.scale(after)
    assert max(map(abs, errors(world, 300))) <= most
    assert errors(world, 120)[-1] == pytest.approx(0.0, abs=0.001)


@pytest.mark.parametrize(("before", "after"), [(10, 20), (20, 10)])
def test_even_twice_or_half_the_pods_do_not_look_like_other_traffic(before: int, after: int) -> None:
    world = World(web(), lambda _: 200.0, replicas=before, startup=33.0, obeys=False)
    world.run(300)
    world.scale(after)
    assert max(map(abs, errors(world, 300))) <= 0.25
    assert sum(abs(error) > 0.05 for error in errors(world, 300)) <= 2


def test_arrivals_are_the_demand_whatever_pods_do() -> None:
    world = World(web(), lambda _: 200.0, replicas=20, gateway=True, obeys=False)
    world.run(300)
    world.scale(10)
    assert max(map(abs, errors(world, 300))) <= 1e-6


def test_a_rise_is_extrapolated_once_rises_went_on() -> None:
    world = World(web(), rising, replicas=7, gateway=True)
    assert world.run(600).law.gain[0] == pytest.approx(1.0)
    law = world.run(1500).law
    assert law.gain[0] > 1.5
    assert law.ahead[0] > world.asked(world.now) > law.demand[0]


def test_after_the_end_of_a_rise_nothing_overshoots() -> None:
    world = World(web(), rising, replicas=7, gateway=True)
    world.run(2400)
    most = max((float(seen.law.ahead[0]), int(seen.desired[0])) for seen in world.cycles(900))
    assert most[0] <= 1100 * 1.05
    assert most[1] <= np.ceil(1100 / 35 * 1.1)


@pytest.mark.parametrize("gateway", [True, False])
def test_pure_noise_is_averaged(gateway: bool) -> None:
    world = World(web(), noisy, replicas=13, gateway=gateway, obeys=False)
    world.run(3000)
    newest, ahead, gain = [], [], 0.0
    for seen in world.cycles(1800):
        newest.append(world.asked(world.now - 8))
        ahead.append(float(seen.law.ahead[0]))
        gain = float(seen.law.gain[0])
    assert gain < 0.35
    assert np.std(ahead) < 0.75 * np.std(newest)
    assert np.mean(ahead) == pytest.approx(np.mean(newest), rel=0.05)


def overload(**known: Any) -> World:
    """Ten pods that serve 500 a second are asked for 600 from minute 10."""
    shows = {"cpu": at_work(), "latency": late}
    return World(web(CPU, LATENCY), lambda at: 600.0 if at >= 600 else 300.0, shows, replicas=10, obeys=False, **known)


def test_arrivals_are_seen_in_an_overload() -> None:
    world = overload(gateway=True)
    world.run(600)
    assert world.run(45).law.demand[0] == pytest.approx(600.0, rel=0.02)


def test_growing_latency_tells_of_what_was_not_served() -> None:
    world = overload()
    world.run(600)
    demand = float(np.mean([seen.law.demand[0] for seen in world.cycles(120)][3:]))
    assert demand == pytest.approx(600.0, rel=0.1)


def test_cores_say_nothing_of_what_waits() -> None:
    requests, cores = overload(), overload(kind=LoadKind.CORES)
    assert cores.run(660).law.demand[0] == pytest.approx(500.0, rel=0.02)
    assert requests.run(660).law.demand[0] > 550.0


def test_an_unknown_start_up_time_is_assumed_and_a_known_one_remembered() -> None:
    world = World(web(), lambda _: 200.0, replicas=6, startup=80.0, startup_known=False)
    assert world.run(300).law.startup[0] == 30.0
    world.startup_known = True
    assert world.run(15).law.startup[0] == 80.0
    world.startup_known = False
    assert world.run(900).law.startup[0] == 80.0


def test_a_slower_start_looks_further_ahead() -> None:
    def ahead(startup: float) -> float:
        return float(World(web(), rising, replicas=7, gateway=True, startup=startup).run(2100).law.gain[0])

    assert ahead(90.0) > ahead(5.0)


def test_no_demand_at_night_goes_to_the_minimum_and_comes_back() -> None:
    world = World(web(minimum=2), lambda at: 0.0 if 900 < at <= 5400 else 300.0, replicas=10)
    world.run(900)
    assert world.replicas >= 9
    night = world.run(3600)
    assert world.replicas == 2
    assert night.law.demand[0] == 0.0
    world.run(1500)
    assert world.replicas == 2 or world.now > 5400
    world.run(300)
    # Ten are needed, and a pod is given back when eleven tenths of what is needed leave one over.
    assert 9 <= world.replicas <= 13


@pytest.mark.parametrize("gateway", [True, False])
def test_while_the_demand_is_not_known_nothing_goes_down(gateway: bool) -> None:
    world = World(web(), lambda at: 300.0 if at < 900 else 60.0, replicas=10, gateway=gateway)
    world.run(900)
    before = world.replicas
    world.counts = world.gateway = False
    for seen in world.cycles(1200):
        assert seen.desired[0] >= before
    world.counts, world.gateway = True, gateway
    world.run(900)
    assert world.replicas < before


def test_while_the_demand_is_not_known_what_is_measured_may_still_ask_for_more() -> None:
    world = World(web(), lambda at: 200.0 if at < 900 else 450.0, replicas=10)
    world.run(900)
    world.counts = False
    world.run(180)
    assert world.replicas >= 12


def test_a_rollout_of_all_pods_at_once_leaves_the_demand_known() -> None:
    world = World(web(), lambda _: 200.0, replicas=10, startup=5.0, obeys=False)
    world.run(300)
    # All that serve are young from now on.
    world.scale(0)
    world.scale(10)
    seen = [each for each in world.cycles(300) if np.isfinite(each.law.demand[0])]
    assert len(seen) >= 15
    assert all(150 < each.law.demand[0] < 250 for each in seen)
    assert all(each.desired[0] >= 6 for each in seen)


def only(share: float) -> Callable[[Case], Case]:
    """A gateway that shows only so large a share of what comes (NaN: nothing), where nothing else counts requests."""

    def sees(case: Case) -> Case:
        blind = [replace(pod, newest=math.nan, served=math.nan, waited=math.nan) for pod in case.pods]
        return replace(case, arrivals=case.arrivals * share, pods=blind)

    return sees


def behind_a_gateway() -> World:
    """A service that has long had what it needs for its constant load."""
    world = World(web(maximum=60), lambda _: 600.0, replicas=20, gateway=True, sees=only(1.0))
    world.run(3600)
    return world


@pytest.mark.parametrize("share", [0.1, 0.01])
def test_a_demand_that_falls_while_the_pods_stay_full_takes_hardly_any_of_them_away(share: float) -> None:
    world = behind_a_gateway()
    steady = world.replicas
    world.sees = only(share)
    for seen in world.cycles(3600):
        assert seen.desired[0] >= 0.75 * steady
        assert seen.magnitude.total[0] < 1.5


@pytest.mark.parametrize("low", [0.1, 0.6])
@pytest.mark.parametrize("silent", [15, 300, 1200])
def test_low_readings_after_a_silence_are_held_as_any_others_are(silent: float, low: float) -> None:
    world = behind_a_gateway()
    steady = world.replicas
    for share, seconds in ((math.nan, silent), (low, 30), (1.0, 90)):
        world.sees = only(share)
        for seen in world.cycles(seconds):
            assert seen.desired[0] >= steady


def test_a_demand_that_does_not_fit_is_told_of() -> None:
    world = behind_a_gateway()
    world.sees = only(0.1)
    assert (
        " in proportion (a demand of 60 requests/s does not fit what the pods show); "
        in record_of(world.run(150), 0).sentence
    )
