"""R independent runs of a workload in lockstep, a block of 15 seconds at a time, without a clock.

A run is a trace, a seed and whatever scales it. Its pods are alike (two kinds at most), so a block is arithmetic on arrays
(R, 15, kinds). The same settings, traces and seeds give the same runs, together or one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from controller.simulation.fleet.flow import Conditions, Queues
from controller.simulation.fleet.loads import Loads, Startups
from controller.simulation.fleet.metrics import Scrapes, Seen
from controller.simulation.fleet.record import Record, Recorder
from controller.simulation.fleet.settings import SYNC_SECONDS, FleetSettings
from controller.simulation.fleet.slots import Slots
from controller.simulation.traces import InvalidTrace, Trace

__all__ = ["Fleet"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: A request is very late beyond so many times the promise.
VERY_LATE: Final = 10.0 / 3.0
_PHASES: Final = 3


class Fleet:
    """R Deployments under load; `traces` and `seeds` hold one of each a run, `initial` the pods that are there at first.

    Raises `InvalidTrace` when the traces do not last equally long, or less than one block.
    """

    def __init__(
        self, settings: FleetSettings, traces: Sequence[Trace], seeds: Sequence[int], initial: Sequence[int] | int = 2
    ) -> None:
        if len({trace.duration for trace in traces}) != 1:
            lengths = ", ".join(sorted({f"{trace.duration:g} s" for trace in traces})) or "none"
            raise InvalidTrace(
                f"The traces of a fleet must last equally long, not {lengths}; cut segments of one length."
            )
        self.settings = settings
        self.runs = len(traces)
        self.syncs = int(traces[0].duration / SYNC_SECONDS)
        if not self.syncs:
            raise InvalidTrace(f"The trace lasts {traces[0].duration:g} s; at least {SYNC_SECONDS} s are needed.")
        self.traces = tuple(traces)
        self.loads = Loads(settings, traces, seeds)
        pods = np.broadcast_to(np.asarray(initial, np.int64), (self.runs,)).copy()
        self._slots = Slots(settings, pods, Startups(settings, seeds))
        self._queues = Queues(settings, self.runs)
        every = settings.scrape_seconds
        phases = [int(np.random.default_rng((seed, _PHASES)).integers(1, every + 1)) for seed in seeds]
        self._scrapes = Scrapes(settings, np.array(phases, np.int64))
        self._recorder = Recorder(settings, self.syncs, self.runs)
        self._promises = settings.plant.slo_seconds * np.array((1.0, VERY_LATE))
        self._always = Conditions.at(settings, 0.0) if Conditions.constant(settings) else None
        self._block = 0

    @property
    def now(self) -> float:
        """Seconds since the start, up to which everything has happened."""
        return float(self._block * SYNC_SECONDS)

    @property
    def finished(self) -> bool:
        """Whether the traces are over."""
        return self._block >= self.syncs

    @property
    def record(self) -> Record:
        """What really happened up to now."""
        return self._recorder.record

    @property
    def backlog(self) -> Floats:
        """Requests (R,) that came and are neither served nor failed."""
        inside: Floats = self._queues.inside.sum(axis=1)
        return inside

    def conditions(self, seconds: float) -> Conditions:
        """What the pods are like at a moment since the start."""
        return self._always or Conditions.at(self.settings, seconds)

    def advance(self) -> None:
        """Let the next 15 seconds happen."""
        slots, now = self._slots, self.now
        slots.roll_out(now)
        conditions = self.conditions(now + SYNC_SECONDS / 2.0)
        rates, arrivals = self.loads.block(self._block)
        pods = slots.serving(now)
        flow = self._queues.block(conditions, rates, arrivals, pods)
        tails, means = conditions.responses(flow.utilisation, flow.queued, self._promises)
        utilisation = self._scrapes.block(self._block, conditions, flow, means, arrivals)
        slots.remember(now + SYNC_SECONDS, utilisation)

        late = flow.served[..., None] * tails
        if pods.shape[2] == 1:
            ready, served, late = pods[..., 0], flow.served[..., 0], late[:, :, 0]
            carried: Floats | float = conditions.carries[0]
        else:
            ready, served, late = pods.sum(axis=2), flow.served.sum(axis=2), late.sum(axis=2)
            carried = np.where(ready > 0.0, pods @ conditions.carries / np.maximum(ready, 1.0), conditions.carries[0])
        demand = np.maximum(np.ceil(rates / carried - 1e-9), 1.0)
        self._recorder.block(arrivals, served, late, flow.failed, ready, demand, slots.total.astype(np.float64))
        self._block += 1

    def seen(self) -> Seen:
        """What the metrics show now."""
        return self._scrapes.seen(self.now, self._slots)

    def scale(self, desired: Ints) -> None:
        """Set `spec.replicas` (R,); pods start and stop at once."""
        self._slots.scale(desired, self.now)
