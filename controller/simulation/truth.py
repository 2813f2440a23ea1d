"""What really happened in the plant, step by step, for judging: nothing that a metrics source would show.

A scaler sees aged, windowed, quantised metrics; this is what its users saw.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from controller.simulation.latency import Service, sustainable
from controller.simulation.settings import PlantSettings

__all__ = ["Judgement", "Second", "demanded"]


class Second(NamedTuple):
    """One step of the plant: a second of the trace, unless the settings say otherwise."""

    at: float
    """End of the step in real seconds since the plant began."""
    trace_seconds: float
    """The same moment in the trace's own time."""
    load: float
    """Requests per second that the trace asks for."""
    arrivals: int
    """Requests that came."""
    served: int
    """Requests that were answered."""
    failed: int
    """Requests that were given up: too long in the backlog, or no pod there."""
    slow: int
    """Requests that broke the promise: answered too late, or failed."""
    backlog: int
    """Requests inside at the end of the step."""
    latency_seconds: float
    """The promised quantile of response times over all pods' requests; a failed one counts with the patience."""
    demand_pods: int
    """The fewest pods, evenly loaded, that hold the promise at this load (at least one)."""
    ready_pods: int
    """Pods that served."""


def demanded(load: float, settings: PlantSettings, service: Service) -> int:
    """The oracle's n* = ceil(load / (capacity * rho_max)), at least 1.

    A dependency's extra waiting is left out, since pods cannot pay for it. When even an idle pod breaks the promise, no
    number of pods helps, and the demand is what carries the load.
    """
    rho = sustainable(service, settings.wait_seconds, settings.slo_quantile, settings.slo_seconds)
    per_pod = service.capacity * (rho if rho > 0 else 1.0)
    return max(1, math.ceil(load / per_pod - 1e-9))


@dataclass(frozen=True, slots=True)
class Judgement:
    """Figures of merit of a run (the plant's study, B.3)."""

    requests: int
    slow_share: float
    """Requests that broke the promise, of all that came."""
    slow_seconds_share: float
    """Steps whose quantile broke the promise, of all steps."""
    pod_seconds: float
    demand_pod_seconds: float
    most_pods: int

    @classmethod
    def of(cls, seconds: Sequence[Second], settings: PlantSettings) -> Judgement:
        """Judge these steps; `pod_seconds` are in the trace's own time."""
        requests = sum(second.arrivals for second in seconds)
        over = sum(second.latency_seconds > settings.slo_seconds for second in seconds)
        return cls(
            requests=requests,
            slow_share=sum(second.slow for second in seconds) / max(requests, 1),
            slow_seconds_share=over / max(len(seconds), 1),
            pod_seconds=settings.step_seconds * sum(second.ready_pods for second in seconds),
            demand_pod_seconds=settings.step_seconds * sum(second.demand_pods for second in seconds),
            most_pods=max((second.ready_pods for second in seconds), default=0),
        )
