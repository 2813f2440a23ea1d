"""Scenarios: each does what its sentence says, and nothing before it begins."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from controller.api import CompositeScalerError
from controller.simulation import Trace
from controller.simulation.figures import Figures
from controller.simulation.fleet import Fleet, FleetSettings, Record
from controller.simulation.scenarios import SCENARIOS, UnknownScenario, scenario_of

HOUR = 3600.0
DAY = Trace(np.array([0.0, 20 * HOUR]), np.array([400.0, 400.0]))


@cache
def record_of(name: str) -> Record:
    """Twelve pods all day."""
    fleet = Fleet(scenario_of(name).of(FleetSettings()), [DAY], [1], 12)
    while not fleet.finished:
        fleet.advance()
    return fleet.record


def late(record: Record, start: float, stop: float) -> float:
    """Requests in per cent that broke the promise between two hours of the day."""
    part = record.part(int(start * 240), int(stop * 240))
    return float(Figures.of(part).violations[0])


def test_every_scenario_has_one_sentence_and_its_own_name() -> None:
    for name, scenario in SCENARIOS.items():
        assert scenario.name == name
        assert scenario.sentence.endswith(".")
        assert scenario.sentence.count(". ") == 0


@pytest.mark.parametrize("name", ["cost-x1.6", "slow-dependency", "rollout-x1.5", "slow-pod"])
def test_what_happens_at_a_time_of_day_raises_violations_then_and_not_before(name: str) -> None:
    record, plain = record_of(name), record_of("none")
    begins = SCENARIOS[name].begins / HOUR
    assert begins >= 12.0
    assert late(record, 0.0, begins) == late(plain, 0.0, begins)
    assert late(record, begins + 0.25, begins + 0.75) > 1.3 * late(plain, begins + 0.25, begins + 0.75)


def test_the_slow_dependency_and_the_slow_pod_recover() -> None:
    for name, hour in (("slow-dependency", 17.1), ("slow-pod", 14.1)):
        record = record_of(name)
        assert late(record, hour, hour + 1.0) == pytest.approx(late(record, 10.0, 11.0), rel=0.1)


def test_worker_bound_pods_are_full_at_half_their_cpu() -> None:
    settings = scenario_of("workers").of(FleetSettings())
    fleet = Fleet(settings, [Trace(np.array([0.0, 600.0]), np.array([400.0, 400.0]))], [1], 4)
    while not fleet.finished:
        fleet.advance()
    assert fleet.seen().cpu == pytest.approx(np.full(4, 0.5), rel=0.01)
    assert fleet.seen().latency[0] > 1.0
    plain = FleetSettings()
    assert fleet.conditions(0.0).capacity[0] == pytest.approx(1.0 / plain.plant.service_seconds)


def test_metrics_have_gaps_of_five_minutes_every_hour() -> None:
    gaps = scenario_of("metric-gaps").of(FleetSettings()).gaps
    assert gaps is not None
    missing = [second for second in range(0, 3 * 3600, 15) if gaps(second)]
    assert len(missing) == 2 * 20
    assert missing[0] == 3600


@pytest.mark.parametrize(("name", "most"), [("fast-start", 15.0), ("slow-start", 250.0)])
def test_start_up_is_faster_or_slower(name: str, most: float) -> None:
    fleet = Fleet(scenario_of(name).of(FleetSettings()), [DAY], [1], 10)
    fleet.scale(np.array([40]))
    for _ in range(20):
        fleet.advance()
    seen = fleet.seen()
    waited = (seen.ready_since - seen.created)[seen.created >= 0.0]
    assert waited.max() < most
    assert waited.mean() == pytest.approx({"fast-start": 5.0, "slow-start": 120.0}[name], rel=0.15)


@pytest.mark.parametrize(
    ("name", "hour", "expected"),
    [
        ("zero-at-night", 3.0, 0.0),
        ("zero-at-night", 7.0, 400.0),
        ("zero-at-night-then-slow-dependency", 5.0, 0.0),
        ("step-x50", 3.0, 8.0),
        ("step-x50", 13.0, 400.0),
        ("step-x50", 15.0, 8.0),
        ("noise-2m", 3.0, 100.0),
    ],
)
def test_the_load_is_reshaped_by_the_hour(name: str, hour: float, expected: float) -> None:
    fleet = Fleet(scenario_of(name).of(FleetSettings()), [DAY], [1])
    assert fleet.loads.expected(hour * HOUR).tolist() == [expected]


@pytest.mark.parametrize(
    ("name", "spread", "every"), [("rough", 0.1, 10), ("noise-5s", 0.3, 5), ("noise-2m", 0.3, 120)]
)
def test_noise_has_its_spread_and_its_rhythm(name: str, spread: float, every: int) -> None:
    fleet = Fleet(scenario_of(name).of(FleetSettings()), [DAY], [1])
    rates = np.concatenate([fleet.loads.block(number)[0][0] for number in range(4000)])
    drawn = rates[::every]
    assert (rates == np.repeat(drawn, every)[: len(rates)]).all()
    assert float(drawn.std() / drawn.mean()) == pytest.approx(spread, rel=0.1)


def test_a_leak_makes_old_pods_larger() -> None:
    fleet = Fleet(scenario_of("memory-leak").of(FleetSettings()), [DAY], [1], 10)
    for _ in range(240 * 4):
        fleet.advance()
    assert fleet.seen().memory[0] > 1.15 * fleet.settings.plant.memory_floor


def test_scrapes_every_30_seconds_are_8_seconds_older() -> None:
    settings = scenario_of("scrape-30s").of(FleetSettings())
    assert (settings.scrape_seconds, settings.delay_seconds) == (30, FleetSettings().delay_seconds + 8.0)


def test_an_unknown_scenario_is_told_the_known_ones() -> None:
    with pytest.raises(
        UnknownScenario, match=r"no scenario 'earthquake'; write one of .*cost-x1\.6.*workers"
    ) as caught:
        scenario_of("earthquake")
    assert isinstance(caught.value, CompositeScalerError)
