"""What a simulated Deployment is like: its service time, its limits, its memory, the promise it is judged by.

The defaults are a web service of 20 ms CPU per request on one core (50 requests per second a pod); where each number
comes from is in the plant's study, part C. What happens with them is the plant's business.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Final

__all__ = ["PlantSettings", "Schedule", "value_at"]

Schedule = float | Callable[[float], float]
"""A constant, or a function of the trace's own seconds (not compressed)."""

MEBIBYTE: Final = 2**20
AROUND_THE_TARGET: Final = (0.15, 0.2, 0.3, 0.4)
CLIENT_DEFAULTS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)


def value_at(schedule: Schedule, seconds: float) -> float:
    """What a schedule says at a moment."""
    return schedule(seconds) if callable(schedule) else schedule


@dataclass(frozen=True, slots=True)
class PlantSettings:
    """One Deployment under load; raises ValueError with a sentence when a number makes no sense."""

    container: str = "app"
    """The container's name in every series."""

    service_seconds: float = 0.020
    """CPU seconds of a request."""
    wait_seconds: float = 0.040
    """What a request waits for that is not CPU."""
    cpu_limit: float = 1.0
    """Cores a pod may use."""
    cpu_request: float = 1.0
    """Cores a pod asks for."""

    memory_request: float = 512 * MEBIBYTE
    """Bytes a pod asks for."""
    memory_floor: float = 256 * MEBIBYTE
    """Bytes of a pod without load."""
    memory_load: float = 128 * MEBIBYTE
    """Bytes on top of the floor at full utilisation."""
    memory_rise_seconds: float = 60.0
    """Time constant of memory on its way up."""
    memory_fall_seconds: float = 900.0
    """Time constant on its way down: heaps return memory late."""

    patience_seconds: float = 10.0
    """Older requests leave the backlog unserved."""
    imbalance: float = 0.10
    """Relative spread (standard deviation) of the shares that the pods get of the load, cut at two deviations."""

    cost_factor: Schedule = 1.0
    """What a request costs, relative to `service_seconds`."""
    workers: Schedule | None = None
    """Requests a pod handles at once, waiting included; None: as many as come."""
    dependency_seconds: Schedule = 0.0
    """Further waiting, for something that no number of pods makes faster."""

    slo_seconds: float = 0.300
    """A slower request breaks the promise."""
    slo_quantile: float = 0.95
    """The share of requests for which the promise is made."""
    buckets: tuple[float, ...] = tuple(sorted(CLIENT_DEFAULTS + AROUND_THE_TARGET))
    """Finite upper bounds of the latency histogram in seconds; `slo_seconds` is always one of them."""

    step_seconds: float = 1.0
    """Length of a step in the trace's own time."""
    compression: float = 1.0
    """How many seconds of the trace, of memory's lag and of patience pass in one. Service times stay what they are,
    and rates are per real second: the compressed plant is the same plant, seen through fewer requests."""

    def __post_init__(self) -> None:
        positive = {
            "service_seconds", "cpu_limit", "cpu_request", "memory_request", "memory_rise_seconds",
            "memory_fall_seconds", "patience_seconds", "slo_seconds", "step_seconds", "compression",
        }  # fmt: skip
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, int | float):
                continue
            if not math.isfinite(value) or value < 0 or (value == 0 and field.name in positive):
                wanted = "above zero" if field.name in positive else "of zero or more"
                raise ValueError(f"{field.name} is {value}; write a number {wanted}.")
        if not 0 < self.slo_quantile < 1:
            raise ValueError(f"slo_quantile is {self.slo_quantile}; write a share between 0 and 1.")
        if self.imbalance >= 0.5:
            raise ValueError(
                f"imbalance is {self.imbalance}; write a share below 0.5, or pods would get no load at all."
            )
        bounds = tuple(sorted({*self.buckets, self.slo_seconds}))
        if not all(math.isfinite(bound) and bound > 0 for bound in bounds):
            raise ValueError(f"buckets are {self.buckets}; write finite bounds above zero, +Inf is added.")
        object.__setattr__(self, "buckets", bounds)
