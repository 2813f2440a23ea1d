"""The pods of all runs as rows of slots: who is Ready since when, who comes, who goes, and their memory.

The slots of a run are sorted by the moment at which the pod is Ready, so that those to go first (not Ready, then youngest, as
ReplicaSets choose) are the last ones. A pod that is gone at last leaves an infinite moment behind.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from controller.simulation.fleet.loads import Startups
from controller.simulation.fleet.settings import SYNC_SECONDS, FleetSettings

__all__ = ["Slots"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: The pods of the beginning have been Ready for so long, in seconds.
ESTABLISHED: Final = 3600.0
#: The median start-up time is taken over so many pods.
RECENT: Final = 16


class Slots:
    """State (R, M) of R runs with at most M pods, `total` (R,) of them there; times in seconds since the start.

    `memory` is in bytes, `shown` the same one sync ago, `kind` 0 or 1 (the variant). `startup` (R,) is the median time from
    creation to Ready of the last pods that became Ready, NaN before any did.
    """

    def __init__(self, settings: FleetSettings, initial: Ints, startups: Startups) -> None:
        self._settings, self._startups = settings, startups
        runs, width = len(initial), max(1, int(initial.max(initial=0)))
        there = np.arange(width) < initial[:, None]
        self.total = initial.astype(np.int64)
        self.ready_at = np.where(there, -ESTABLISHED, np.inf)
        self.created = np.where(there, -ESTABLISHED - settings.startup_seconds, np.inf)
        self.memory = np.full((runs, width), settings.plant.memory_floor)
        self.shown = self.memory.copy()
        self.kind = np.zeros((runs, width), np.int8)
        if settings.variant is not None and settings.variant.rollout_at is None:
            self.kind[:, 0] = 1
        self.startup = np.full(runs, np.nan)
        self._started = np.zeros(runs, np.int64)
        self._measured = np.full((runs, RECENT), np.nan)
        self._tally = np.zeros(runs, np.int64)

    def serving(self, now: float) -> Floats:
        """How many pods of each kind serve in the seconds from `now` on, (R, 15, kinds); measures who became Ready."""
        runs, kinds = len(self.total), self._settings.kinds
        already = self.ready_at <= now
        if kinds == 1:
            counts = already.sum(axis=1)[:, None]
        else:
            new = (already & (self.kind == 1)).sum(axis=1)
            counts = np.stack((already.sum(axis=1) - new, new), axis=1)
        serving = np.repeat(counts[:, None, :].astype(np.float64), SYNC_SECONDS, axis=1)
        row, column = np.nonzero(~already & (self.ready_at <= now + SYNC_SECONDS))
        if row.size:
            # A pod serves from the first whole second on.
            second = np.ceil(self.ready_at[row, column] - now).astype(np.intp)
            cell = (row * (SYNC_SECONDS + 1) + second) * kinds + self.kind[row, column]
            joined = np.bincount(cell, minlength=runs * (SYNC_SECONDS + 1) * kinds)
            joined = joined.reshape(runs, SYNC_SECONDS + 1, kinds)[:, :SYNC_SECONDS]
            serving += np.cumsum(joined, axis=1)
            self._measure(row, self.ready_at[row, column] - self.created[row, column])
        return serving

    def remember(self, now: float, utilisation: Floats) -> None:
        """Let the memory of the pods that are Ready follow the utilisation (R, kinds) of the block that ended `now`."""
        plant = self._settings.plant
        floor: Floats | float = plant.memory_floor
        if self._settings.leak_per_hour:
            hours = np.maximum(now - self.ready_at, 0.0) / 3600.0
            floor = plant.memory_floor * (1.0 + self._settings.leak_per_hour * hours)
        load = utilisation if utilisation.shape[1] == 1 else np.take_along_axis(utilisation, self.kind, axis=1)
        missing = floor + plant.memory_load * load - self.memory
        rise = -np.expm1(-SYNC_SECONDS / plant.memory_rise_seconds)
        fall = -np.expm1(-SYNC_SECONDS / plant.memory_fall_seconds)
        self.shown = self.memory
        missing *= np.where(missing > 0.0, rise, fall)
        self.memory = np.where(self.ready_at <= now - SYNC_SECONDS, self.memory + missing, self.memory)

    def scale(self, desired: Ints, now: float) -> None:
        """Start or stop pods until each run has as many as desired (R,)."""
        if not (desired != self.total).any():
            return
        self._widen(int(desired.max()))
        column = np.arange(self.ready_at.shape[1])
        gone = column >= desired[:, None]
        row, at = np.nonzero((column >= self.total[:, None]) & ~gone)
        for times in (self.ready_at, self.created):
            times[gone] = np.inf
        if row.size:
            number = self._started[row] + at - self.total[row]
            self._started += np.maximum(desired - self.total, 0)
            self.created[row, at] = now
            self.ready_at[row, at] = now + self._startups(row, number)
            self.memory[row, at] = self.shown[row, at] = self._settings.plant.memory_floor
            variant = self._settings.variant
            rolling = variant is not None and variant.rollout_at is not None and now >= variant.rollout_at
            self.kind[row, at] = 1 if rolling else 0
            self._sort()
        self.total = desired.astype(np.int64)

    def roll_out(self, now: float) -> None:
        """Replace as many Ready pods, the oldest first, as a rollout has got to by now; a new pod serves before an old one goes."""
        variant = self._settings.variant
        share = 0.0 if variant is None else variant.share(now)
        if share == 0.0:
            return
        ready = self.ready_at <= now
        old = ready & (self.kind == 0)
        due = np.round(share * ready.sum(axis=1)) - (ready & (self.kind == 1)).sum(axis=1)
        replaced = old & (np.cumsum(old, axis=1) <= due[:, None])
        if share == 1.0:
            self.kind[~ready] = 1
        if replaced.any():
            self.kind[replaced] = 1
            self.ready_at[replaced] = now
            self.created[replaced] = now - self._settings.startup_seconds
            self.memory[replaced] = self.shown[replaced] = self._settings.plant.memory_floor
            self._sort()

    def _measure(self, rows: NDArray[np.intp], seconds: Floats) -> None:
        """Take further start-up times (n,) of runs (n,), ascending, into the median."""
        first = np.searchsorted(rows, rows)
        place = (self._tally[rows] + np.arange(len(rows)) - first) % RECENT
        self._measured[rows, place] = seconds
        np.add.at(self._tally, rows, 1)
        touched = np.unique(rows)
        known = np.minimum(self._tally[touched], RECENT)
        ordered = np.sort(self._measured[touched], axis=1)  # what is not known yet comes last
        at = np.arange(len(touched))
        self.startup[touched] = (ordered[at, (known - 1) // 2] + ordered[at, known // 2]) / 2.0

    def _widen(self, wanted: int) -> None:
        """Make room for so many pods a run, or give up room that has become far too much."""
        width = self.ready_at.shape[1]
        needed = max(1, wanted, int(self.total.max()))
        if needed > width:
            more = needed + needed // 4 - width
            for name, filling in (
                ("ready_at", np.inf),
                ("created", np.inf),
                ("memory", 0.0),
                ("shown", 0.0),
                ("kind", 0),
            ):
                old = getattr(self, name)
                setattr(self, name, np.pad(old, ((0, 0), (0, more)), constant_values=filling))
        elif 2 * needed < width:
            for name in ("ready_at", "created", "memory", "shown", "kind"):
                setattr(self, name, getattr(self, name)[:, : needed + needed // 4].copy())

    def _sort(self) -> None:
        order = np.argsort(self.ready_at, axis=1, kind="stable")
        for name in ("ready_at", "created", "memory", "shown", "kind"):
            setattr(self, name, np.take_along_axis(getattr(self, name), order, axis=1))
