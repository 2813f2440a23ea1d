"""What is done to a workload on purpose, by name: where a single signal fails, and what else goes wrong in a day.

Times of day count from the start of the run, so a run that shall see noon begins at midnight. Most are from
the plant's study, C.7, and the law's study, sections 4 and 5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from controller.api import CompositeScalerError
from controller.simulation.fleet import FleetSettings, Noise, Variant
from controller.simulation.settings import PlantSettings, Schedule

__all__ = ["SCENARIOS", "Scenario", "UnknownScenario", "scenario_of"]

Floats = NDArray[np.float64]

HOUR: Final = 3600.0
MINUTE: Final = 60.0
NOON: Final = 12 * HOUR


class UnknownScenario(CompositeScalerError, ValueError):
    """There is no scenario of this name; the text names those that there are."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A named change of a workload; before `begins` seconds of the run it changes nothing.

    A run of no more than `needs` seconds, counted from its start, does not get to what the scenario is about.
    """

    name: str
    sentence: str
    change: Callable[[FleetSettings], FleetSettings]
    begins: float = 0.0
    reshaped_until: float = 0.0

    @property
    def needs(self) -> float:
        """Seconds of a run in which the scenario has not happened yet."""
        return max(self.begins, self.reshaped_until)

    def of(self, settings: FleetSettings) -> FleetSettings:
        """The workload with the change."""
        return self.change(settings)


def _between(start: float, stop: float, inside: float, outside: float) -> Schedule:
    return lambda seconds: inside if start <= seconds < stop else outside


def _plant(**changes: Any) -> Callable[[FleetSettings], FleetSettings]:
    return lambda settings: replace(settings, plant=replace(settings.plant, **changes))


def _fleet(**changes: Any) -> Callable[[FleetSettings], FleetSettings]:
    return lambda settings: replace(settings, **changes)


def _worker_bound(settings: FleetSettings) -> FleetSettings:
    """Half the CPU a request and as many workers as keep the capacity: they are all at work when the CPU is half used."""
    plant: PlantSettings = settings.plant
    capacity = plant.cpu_limit / plant.service_seconds
    seconds = plant.service_seconds / 2.0
    workers = max(1, round(capacity * (plant.wait_seconds + plant.service_seconds)))
    wait = max(workers / capacity - seconds, 0.0)
    return replace(settings, plant=replace(plant, service_seconds=seconds, workers=float(workers), wait_seconds=wait))


def _night(seconds: Floats, rates: Floats, peak: float) -> Floats:
    return np.where(seconds % (24 * HOUR) < 6 * HOUR, 0.0, rates)


def _step(seconds: Floats, rates: Floats, peak: float) -> Floats:
    return np.where((seconds >= NOON) & (seconds < NOON + 2 * HOUR), peak, peak / 50.0)


def _flat(seconds: Floats, rates: Floats, peak: float) -> Floats:
    return np.full(seconds.shape, peak / 4.0)


def _gap(seconds: float) -> bool:
    return seconds >= HOUR and seconds % HOUR < 5 * MINUTE


_ALL: Final = (
    Scenario("none", "Nothing but the trace.", lambda settings: settings),
    Scenario(
        "cost-x1.6",
        "From 12:00 on a request costs 1.6 times as much CPU.",
        _plant(cost_factor=lambda seconds: 1.6 if seconds >= NOON else 1.0),
        NOON,
    ),
    Scenario("workers", "A pod's workers are all busy when half of its CPU is used.", _worker_bound),
    Scenario(
        "slow-dependency",
        "From 16:00 to 17:00 every request waits 200 ms longer for something that pods cannot make faster.",
        _plant(dependency_seconds=_between(16 * HOUR, 17 * HOUR, 0.200, 0.0)),
        16 * HOUR,
    ),
    Scenario(
        "metric-gaps",
        "In the first five minutes of every hour the metrics source answers nothing.",
        _fleet(gaps=_gap),
        HOUR,
    ),
    Scenario(
        "slow-start",
        "A new pod takes two minutes to become Ready.",
        _fleet(startup_seconds=120.0, startup_spread=32.0),
    ),
    Scenario(
        "fast-start",
        "A new pod takes five seconds to become Ready.",
        _fleet(startup_seconds=5.0, startup_spread=1.0),
    ),
    Scenario("memory-leak", "A pod's memory without load grows by 5 % an hour.", _fleet(leak_per_hour=0.05)),
    Scenario(
        "rollout-x1.5",
        "From 12:00 to 12:10 every pod is replaced by one whose requests cost 1.5 times as much CPU.",
        _fleet(variant=Variant(cost=1.5, rollout_at=NOON, rollout_seconds=10 * MINUTE)),
        NOON,
    ),
    Scenario(
        "slow-pod",
        "From 12:00 to 14:00 one pod runs at half its speed.",
        _fleet(variant=Variant(cost=_between(NOON, NOON + 2 * HOUR, 2.0, 1.0))),
        NOON,
    ),
    Scenario("rough", "The load has 10 % of noise, drawn anew every 10 s.", _fleet(noise=Noise(0.10, 10))),
    Scenario(
        "noise-5s",
        "A constant load, a quarter of the trace's peak, with 30 % of noise, drawn anew every 5 s.",
        _fleet(reshape=_flat, noise=Noise(0.30, 5)),
    ),
    Scenario(
        "noise-2m",
        "A constant load, a quarter of the trace's peak, with 30 % of noise, drawn anew every 2 min.",
        _fleet(reshape=_flat, noise=Noise(0.30, 120)),
    ),
    Scenario(
        "step-x50",
        "A fiftieth of the trace's peak, but all of it from 12:00 to 14:00.",
        _fleet(reshape=_step),
        reshaped_until=NOON,
    ),
    Scenario("zero-at-night", "No request comes from 0:00 to 6:00.", _fleet(reshape=_night), reshaped_until=6 * HOUR),
    Scenario(
        "zero-at-night-then-slow-dependency",
        "No request comes from 0:00 to 6:00, and from 4:00 to 8:00 every request waits 200 ms longer.",
        lambda settings: _fleet(reshape=_night)(
            _plant(dependency_seconds=_between(4 * HOUR, 8 * HOUR, 0.200, 0.0))(settings)
        ),
        reshaped_until=6 * HOUR,
    ),
    Scenario(
        "scrape-30s",
        "Pods are scraped every 30 s and queries are about 8 s longer ago.",
        lambda settings: replace(settings, scrape_seconds=30, delay_seconds=settings.delay_seconds + 8.0),
    ),
)

#: All scenarios by name.
SCENARIOS: Final[dict[str, Scenario]] = {scenario.name: scenario for scenario in _ALL}


def scenario_of(name: str) -> Scenario:
    """The scenario of this name; raises `UnknownScenario`."""
    if name not in SCENARIOS:
        raise UnknownScenario(f"There is no scenario {name!r}; write one of {', '.join(_names(SCENARIOS))}.")
    return SCENARIOS[name]


def _names(known: Iterable[str]) -> list[str]:
    return sorted(known)
