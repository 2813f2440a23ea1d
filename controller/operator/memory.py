"""What the operator remembers of each scaler: recommendations of the stabilization window and scale events.

Recommendations live in one ring of arrays for all scalers, a row a scaler and a column a cycle, because every cycle reads and writes
all of them. Scale events are rare and live in a list a scaler; they come back from `status` after a restart. A scaler that
is seen for the first time remembers its present count as the first recommendation, so that nothing scales down for one
whole window after a start (HPA's rule).

What is remembered belongs to a `Subject`: an object that was created anew under the same name, or that points at another
target now, begins anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from controller.api import ScaleTargetRef
from controller.engine import History
from controller.operator.scalers import Key

__all__ = ["LONGEST_PERIOD", "Memory", "ScaleEvent", "Subject"]

#: No policy looks back further (seconds); the API refuses longer periods.
LONGEST_PERIOD = 1800.0


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose history it is: the uid of the CompositeScaler, and what it scales."""

    uid: str
    target: ScaleTargetRef


@dataclass(frozen=True, slots=True)
class ScaleEvent:
    """One change of replicas that we made: when (monotonic seconds), from what to what, and why."""

    at: float
    before: int
    after: int
    message: str = ""

    @property
    def change(self) -> int:
        """Signed number of replicas."""
        return self.after - self.before


@dataclass
class Memory:
    """Everything remembered, by the key (namespace, name) of the scaler.

    A scaler that was not evaluated for more than `gap` seconds (its target was gone, the API server did not answer) has a hole
    in its window, and remembers the count that it comes back with.
    """

    gap: float
    rows: dict[Key, int] = field(default_factory=dict)
    events: dict[Key, list[ScaleEvent]] = field(default_factory=dict)
    _subjects: dict[Key, Subject] = field(default_factory=dict)
    _lost: dict[Key, ScaleEvent] = field(default_factory=dict)
    _free: list[int] = field(default_factory=list)
    _column: int = 0
    _replicas: NDArray[np.int64] = field(default_factory=lambda: np.zeros((16, 4), np.int64))
    _times: NDArray[np.float64] = field(default_factory=lambda: np.full((16, 4), -np.inf))

    def meet(
        self, key: Key, subject: Subject, current: int, at: float, events: Callable[[], Sequence[ScaleEvent]] = tuple
    ) -> None:
        """Begin to remember a scaler; does nothing for one that is known.

        `events` reads what its status remembers. It is not asked where the target was changed: what the status says is
        about the one before.
        """
        known = self._subjects.get(key)
        if known == subject:
            row = self.rows[key]
            if at - self._times[row].max() > self.gap:
                self._begin(row, current, at)
            return
        self.forget(key)
        self._subjects[key] = subject
        row = self._free.pop() if self._free else len(self.rows)
        if row >= len(self._replicas):
            self._grow(rows=2 * len(self._replicas), columns=self._replicas.shape[1])
        self.rows[key] = row
        self._begin(row, current, at)
        remembered = () if known is not None and known.uid == subject.uid else events()
        if remembered:
            self.events[key] = sorted(remembered, key=lambda each: each.at)

    def _begin(self, row: int, current: int, at: float) -> None:
        """Let a row know nothing but the present count."""
        self._times[row] = -np.inf
        # The newest column is overwritten last, so the first recommendation stays as long as the ring is long.
        self._replicas[row, self._column - 1], self._times[row, self._column - 1] = current, at

    def forget(self, key: Key) -> None:
        """Forget a scaler that is gone."""
        row = self.rows.pop(key, None)
        self.events.pop(key, None)
        self._subjects.pop(key, None)
        self._lost.pop(key, None)
        if row is not None:
            self._free.append(row)

    def history(self, keys: Sequence[Key]) -> History:
        """The arrays of the engine for these scalers, in this order; all must have been met."""
        rows = np.fromiter((self.rows[key] for key in keys), np.intp, len(keys))
        width = max((len(self.events.get(key, ())) for key in keys), default=0) or 1
        changes = np.zeros((len(keys), width), np.int64)
        changed_at = np.full((len(keys), width), -np.inf)
        if self.events:
            for row, key in enumerate(keys):
                for at, event in enumerate(self.events.get(key, ())):
                    changes[row, at], changed_at[row, at] = event.change, event.at
        return History(self._replicas[rows], self._times[rows], changes, changed_at)

    def recommend(self, keys: Sequence[Key], replicas: NDArray[np.int64], at: float, longest_window: float) -> None:
        """Remember this cycle's recommendations (S,); `longest_window` seconds of them are kept."""
        width = self._replicas.shape[1]
        oldest = self._times[:, self._column].max(initial=-np.inf)
        if at - oldest < longest_window:
            # The column that would be overwritten is still needed.
            self._grow(rows=len(self._replicas), columns=2 * width)
        rows = np.fromiter((self.rows[key] for key in keys), np.intp, len(keys))
        self._times[:, self._column] = -np.inf
        self._replicas[rows, self._column] = replicas
        self._times[rows, self._column] = at
        self._column = (self._column + 1) % self._replicas.shape[1]

    def scaled(self, key: Key, event: ScaleEvent, longest_cooldown: float) -> None:
        """Remember a scale event, and drop those that no policy and no cooldown can look back to."""
        keep = event.at - max(LONGEST_PERIOD, longest_cooldown)
        self.events[key] = [each for each in self.events.get(key, ()) if each.at > keep] + [event]

    def lost(self, key: Key, event: ScaleEvent) -> None:
        """Remember a write whose answer was lost: whether it was made, the next look at the target tells."""
        self._lost[key] = event

    def found(self, key: Key, current: int, longest_cooldown: float) -> None:
        """Book a lost write that was made after all: the target stands where it would have put it."""
        event = self._lost.pop(key, None)
        if event is not None and event.after == current:
            self.scaled(key, event, longest_cooldown)

    def _grow(self, rows: int, columns: int) -> None:
        """Make room, with the columns in the order of their age so that the next one to overwrite is an empty one."""
        replicas = np.zeros((rows, columns), np.int64)
        times = np.full((rows, columns), -np.inf)
        height, width = self._replicas.shape
        replicas[:height, :width] = np.roll(self._replicas, -self._column, axis=1)
        times[:height, :width] = np.roll(self._times, -self._column, axis=1)
        self._replicas, self._times = replicas, times
        self._column = width % columns
