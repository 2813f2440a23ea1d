"""What a simulated fleet is like beyond its plant: start-up, the metric path, and what is done to it on purpose.

The defaults are the reference workload (the plant's study, C.1 and C.6). Which changes make up a named scenario is
the business of `controller.simulation.scenarios`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from controller.simulation.settings import MEBIBYTE, PlantSettings, Schedule

__all__ = ["SYNC_SECONDS", "FleetSettings", "Noise", "Reshape", "Variant", "reference_plant"]

#: Seconds from one decision to the next (HPA's default sync period); a block of the simulation.
SYNC_SECONDS: Final = 15

Reshape = Callable[[NDArray[np.float64], NDArray[np.float64], float], NDArray[np.float64]]
"""From seconds (n,) since the start, the trace's rates (n,) and its peak to the rates (n,) that shall be, in requests per second."""


def reference_plant() -> PlantSettings:
    """The reference workload: 50 requests per second a pod, memory with a floor of 70 % of its request."""
    request = 512 * MEBIBYTE
    return PlantSettings(imbalance=0.0, memory_request=request, memory_floor=0.70 * request, memory_load=0.25 * request)


@dataclass(frozen=True, slots=True)
class Noise:
    """Relative noise on the load: a factor of 1 + `spread` times a standard normal, drawn anew every `seconds`."""

    spread: float
    seconds: int


@dataclass(frozen=True, slots=True)
class Variant:
    """A second kind of pods, whose requests cost `cost` times as much.

    One pod is of that kind from the beginning, or, as by a rollout that begins at `rollout_at` seconds and takes
    `rollout_seconds`, one pod after the other and every pod that is started since.
    """

    cost: Schedule
    rollout_at: float | None = None
    rollout_seconds: float = 600.0

    def share(self, now: float) -> float:
        """The share of the pods that the rollout has replaced by now."""
        if self.rollout_at is None:
            return 0.0
        return min(1.0, max(0.0, (now - self.rollout_at) / self.rollout_seconds))


@dataclass(frozen=True, slots=True)
class FleetSettings:
    """One workload and the way it is seen; raises ValueError with a sentence when a number makes no sense."""

    plant: PlantSettings = field(default_factory=reference_plant)
    """The pods; their `imbalance` is not simulated, since the pods of a run are all alike."""

    startup_seconds: float = 30.0
    """Mean time from creation to Ready."""
    startup_spread: float = 8.0
    """Its standard deviation; the normal distribution is cut at zero and at three deviations."""

    scrape_seconds: int = 15
    """From one scrape to the next; each run has a phase of its own."""
    window_seconds: float = 60.0
    """Over which rates and quantiles are taken."""
    delay_seconds: float = 5.0
    """Queries are about so long ago (the operator's evaluationDelay)."""

    leak_per_hour: float = 0.0
    """Growth of a pod's memory floor, relative to it, for every hour that the pod has been Ready."""
    variant: Variant | None = None
    """A second kind of pods."""
    reshape: Reshape | None = None
    """What becomes of the trace's load."""
    noise: Noise | None = None
    """Noise on the load."""
    gaps: Callable[[float], bool] | None = None
    """Whether the metrics source gives no answer at a moment, in seconds since the start."""

    def __post_init__(self) -> None:
        for name in ("startup_seconds", "startup_spread", "delay_seconds", "leak_per_hour"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} is {value}; write a number of zero or more.")
        if self.scrape_seconds <= 0 or self.scrape_seconds % SYNC_SECONDS:
            raise ValueError(
                f"scrape_seconds is {self.scrape_seconds}; write a whole multiple of {SYNC_SECONDS}, such as 30."
            )
        if not self.window_seconds >= 2 * self.scrape_seconds:
            raise ValueError(
                f"window_seconds is {self.window_seconds} and holds fewer than two scrapes; "
                f"write {2 * self.scrape_seconds} or more."
            )
        if self.plant.step_seconds != 1.0 or self.plant.compression != 1.0:
            raise ValueError("A fleet is simulated second by second; leave step_seconds and compression at 1.")
        if self.noise is not None and 3600 % self.noise.seconds:
            raise ValueError(f"noise.seconds is {self.noise.seconds}; write a divisor of 3600, such as 10.")

    @property
    def kinds(self) -> int:
        """How many kinds of pods there are: one, or two with a variant."""
        return 1 if self.variant is None else 2
