"""What really happened, one row a sync and one column a run: all that the figures of merit need, nothing that a scaler sees."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from controller.simulation.fleet.settings import SYNC_SECONDS, FleetSettings

__all__ = ["Record", "Recorder"]

Floats = NDArray[np.float64]
Column = NDArray[np.float32]

#: So many blocks are summed up together.
HELD: Final = 120


@dataclass(frozen=True, slots=True)
class Record:
    """Per sync and run, (syncs, R): requests, seconds and pod-seconds of the 15 seconds before the sync."""

    arrivals: Column
    served: Column
    late: Column
    """Requests that were served after the promised time."""
    very_late: Column
    """Requests that were served after 10/3 of the promised time."""
    failed: Column
    slow_seconds: Column
    """Seconds in which the promise was broken for more than its share of the requests."""
    slow_spell: Column
    """The longest run of slow seconds that ended or went on in this block, counted from where it began."""
    ready: Column
    """Pod-seconds of pods that served."""
    starting: Column
    """Pod-seconds of pods that were there and did not serve yet."""
    demand: Column
    """Pod-seconds of the oracle: the fewest pods that hold the promise, at least one."""
    under: Column
    """Sum over the seconds of max(demand - ready, 0)/demand."""
    over: Column
    """Sum over the seconds of max(ready - demand, 0)/demand."""
    under_seconds: Column
    over_seconds: Column
    most_ready: Column
    most_demand: Column
    replicas: Column
    """`spec.replicas` during the block."""

    @classmethod
    def empty(cls, syncs: int, runs: int) -> Record:
        """Room for so many syncs."""
        return cls(**{field.name: np.zeros((syncs, runs), np.float32) for field in fields(cls)})

    def __len__(self) -> int:
        return len(self.arrivals)

    def part(self, start: int, stop: int | None = None) -> Record:
        """The syncs from one number on, up to another."""
        return Record(**{field.name: getattr(self, field.name)[start:stop] for field in fields(self)})

    def runs(self, which: NDArray[np.intp]) -> Record:
        """Some of the runs."""
        return Record(**{field.name: getattr(self, field.name)[:, which] for field in fields(self)})


class Recorder:
    """Keeps the seconds of the last blocks of R runs and sums them up when there are enough of them."""

    def __init__(self, settings: FleetSettings, syncs: int, runs: int) -> None:
        self._allowed = 1.0 - settings.plant.slo_quantile
        self._record = Record.empty(syncs, runs)
        self._done = self._held = 0
        shape = (HELD, runs, SYNC_SECONDS)
        self._arrivals, self._late, self._very_late, self._served = (np.zeros(shape) for _ in range(4))
        self._failed, self._ready, self._demand = (np.zeros(shape) for _ in range(3))
        self._replicas = np.zeros((HELD, runs))
        self._spell = np.zeros(runs)

    @property
    def record(self) -> Record:
        """Everything up to now."""
        self._sum_up()
        return self._record.part(0, self._done)

    def block(
        self,
        arrivals: Floats,
        served: Floats,
        late: Floats,
        failed: Floats,
        ready: Floats,
        demand: Floats,
        replicas: Floats,
    ) -> None:
        """Keep a block: requests and pods (R, 15), `late` (R, 15, 2) after the promise and after 10/3 of it, `replicas` (R,)."""
        at = self._held
        self._arrivals[at], self._served[at], self._failed[at] = arrivals, served, failed
        self._late[at], self._very_late[at] = late[..., 0], late[..., 1]
        self._ready[at], self._demand[at], self._replicas[at] = ready, demand, replicas
        self._held += 1
        if self._held == HELD:
            self._sum_up()

    def _sum_up(self) -> None:
        held, record = self._held, self._record
        if not held:
            return
        rows = slice(self._done, self._done + held)
        arrivals, served, failed = self._arrivals[:held], self._served[:held], self._failed[:held]
        late, ready, demand = self._late[:held], self._ready[:held], self._demand[:held]
        broken = late + failed
        slow = broken > self._allowed * (served + failed)
        lacking = demand - ready
        for name, seconds in (
            ("arrivals", arrivals),
            ("served", served),
            ("late", late),
            ("very_late", self._very_late[:held]),
            ("failed", failed),
            ("slow_seconds", slow),
            ("ready", ready),
            ("demand", demand),
            ("under", np.maximum(lacking, 0.0) / demand),
            ("over", np.maximum(-lacking, 0.0) / demand),
            ("under_seconds", lacking > 0.0),
            ("over_seconds", lacking < 0.0),
        ):
            getattr(record, name)[rows] = seconds.sum(axis=2)
        record.starting[rows] = SYNC_SECONDS * self._replicas[:held] - ready.sum(axis=2)
        record.most_ready[rows], record.most_demand[rows] = ready.max(axis=2), demand.max(axis=2)
        record.replicas[rows] = self._replicas[:held]
        record.slow_spell[rows] = self._spells(slow)
        self._done += held
        self._held = 0

    def _spells(self, slow: NDArray[np.bool_]) -> Floats:
        """The longest run of slow seconds of each block, (blocks, R)."""
        blocks, runs, _ = slow.shape
        seconds = np.arange(1.0, blocks * SYNC_SECONDS + 1.0)
        line = slow.transpose(1, 0, 2).reshape(runs, -1)
        # The run that a second belongs to began after the last second that was not slow, or before this line.
        last_fine = np.maximum.accumulate(np.where(line, 0.0, seconds), axis=1)
        running = np.where(line, seconds - last_fine + np.where(last_fine == 0.0, self._spell[:, None], 0.0), 0.0)
        self._spell = running[:, -1]
        longest: Floats = running.reshape(runs, blocks, SYNC_SECONDS).max(axis=2).T
        return longest
