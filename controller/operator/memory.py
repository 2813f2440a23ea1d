"""What the operator remembers of each scaler: recommendations of the stabilization window, scale events, and the state of the law.

Recommendations live in one ring of arrays for all scalers, a row a scaler and a column a cycle, because every cycle reads and writes
all of them. Scale events are rare and live in a list a scaler; they come back from `status` after a restart. A scaler that
is seen for the first time remembers its present count as the first recommendation, so that nothing scales down for one
whole window after a start (HPA's rule).

What is remembered belongs to a `Subject`: an object that was created anew under the same name, or that points at another
target now, begins anew. What the law has learned belongs to a `Lore`: it begins anew as well where other things are measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from controller.api import Demand, ScaleTargetRef, Spec
from controller.engine import History, Learned, Scalers
from controller.engine.learned import RINGS, SHARED
from controller.engine.lessons import Lesson, restore
from controller.operator.scalers import Key

__all__ = ["LONGEST_PERIOD", "Knowledge", "Lore", "Memory", "ScaleEvent", "Subject"]

#: No policy looks back further (seconds); the API refuses longer periods.
LONGEST_PERIOD = 1800.0
#: What the law knew of a scaler that is away (its target is gone) is kept for so long (seconds).
PARKED = 1800.0


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose history it is: the uid of the CompositeScaler, and what it scales."""

    uid: str
    target: ScaleTargetRef


@dataclass(frozen=True, slots=True)
class ScaleEvent:
    """One change of replicas that we made: when (monotonic seconds), from what to what, and why.

    Where it was `pinned` a person said the number: what was done before it, and it itself, uses up no rate and begins no cooldown.
    """

    at: float
    before: int
    after: int
    message: str = ""
    pinned: bool = False

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
        counted = [_counted(self.events.get(key, ())) for key in keys] if self.events else []
        width = max(map(len, counted), default=0) or 1
        changes = np.zeros((len(keys), width), np.int64)
        changed_at = np.full((len(keys), width), -np.inf)
        if self.events:
            for row, each in enumerate(counted):
                for at, event in enumerate(each):
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


def _counted(events: Sequence[ScaleEvent]) -> Sequence[ScaleEvent]:
    """The events that rates and cooldowns count: those since a number was last pinned."""
    pins = [at for at, each in enumerate(events) if each.pinned]
    return events[pins[-1] + 1 :] if pins else events


@dataclass(frozen=True, slots=True)
class Lore:
    """What learned numbers are about: whose they are, how demand is measured, and what each dimension measures against what."""

    subject: Subject
    source: str
    demand: Demand | None
    dimensions: tuple[tuple[object, ...], ...]

    @classmethod
    def of(cls, subject: Subject, spec: Spec) -> Lore:
        """That of a scaler."""
        return cls(
            subject,
            spec.source,
            spec.demand,
            tuple(
                (each.name, each.metric, each.query, each.per, each.target, each.floor, each.quantile)
                for each in spec.dimensions
            ),
        )


@dataclass(frozen=True, slots=True)
class _Parked:
    """A row of a state that waits for its scaler to come back."""

    state: Learned
    row: int
    lore: Lore
    at: float


@dataclass
class Knowledge:
    """The law's state of all scalers of the batch, row by row as the batch is.

    It is taken apart only where the batch changes: rows move with their scalers, those of scalers that are away wait for them,
    and a scaler that is met for the first time is taught what its status remembers.
    """

    state: Learned = field(default_factory=lambda: Learned.empty(0, 1))
    _scalers: Scalers | None = None
    _rows: dict[Key, int] = field(default_factory=dict)
    _lores: dict[Key, Lore] = field(default_factory=dict)
    _parked: dict[Key, _Parked] = field(default_factory=dict)

    def follow(
        self,
        scalers: Scalers,
        lores: Callable[[], Mapping[Key, Lore]],
        at: float,
        teach: Callable[[int], Lesson | None],
    ) -> Learned:
        """The state for an evaluation of `scalers` at `at`; the same object as the last time means the same rows.

        `lores` gives them in the order of their rows, and `teach` what the status of a row's scaler remembers, asked row after row; it
        is not asked where other things were measured a moment ago, for that is what the status is about.
        """
        if scalers is not self._scalers:
            self._move(scalers, lores(), at, teach)
            self._scalers = scalers
        return self.state

    def forget(self, key: Key) -> None:
        """Forget a scaler that is gone."""
        self._lores.pop(key, None)
        self._parked.pop(key, None)

    def _move(
        self, scalers: Scalers, lores: Mapping[Key, Lore], at: float, teach: Callable[[int], Lesson | None]
    ) -> None:
        before = self._lores
        self._park(lores, at)
        width = scalers.used.shape[1]
        kept = {key for key in lores if key in self._rows and before.get(key) == lores[key]}
        rows = np.array([self._rows[key] if key in kept else -1 for key in lores], np.intp)
        if len(rows) != len(self.state) or width != self.state.dimensions or (rows != np.arange(len(rows))).any():
            self.state = self.state.take(rows, width)
        row_of = {key: row for row, key in enumerate(lores)}
        back = {key: self._parked.pop(key) for key in lores if key not in kept and key in self._parked}
        back = {key: each for key, each in back.items() if each.lore == lores[key]}
        self._unpark(back, row_of)
        # In the order of their rows, not of a set, which every process shuffles anew: a log reads the same from start to start.
        for key in (each for each in lores if each not in kept and each not in back):
            known = before.get(key)
            if known is None or known == lores[key] or known.subject.uid != lores[key].subject.uid:
                lesson = teach(row_of[key])
                if lesson is not None:
                    restore(self.state, row_of[key], scalers, lesson, at)
        self._rows = row_of
        self._lores = {**before, **lores}

    def _park(self, lores: Mapping[Key, Lore], at: float) -> None:
        """Put aside the rows of scalers that are away but not gone, all in one piece, and let go of those that waited for too long."""
        self._parked = {key: each for key, each in self._parked.items() if at - each.at <= PARKED}
        away = [key for key in self._rows if key not in lores and key in self._lores]
        if away:
            state = self.state.take(np.array([self._rows[key] for key in away], np.intp), self.state.dimensions)
            for row, key in enumerate(away):
                self._parked[key] = _Parked(state, row, self._lores[key], at)

    def _unpark(self, back: Mapping[Key, _Parked], row_of: Mapping[Key, int]) -> None:
        """Put rows that waited back in their places; the state has just been taken apart, so nobody else holds its arrays."""
        for piece in {id(each.state): each.state for each in back.values()}.values():
            keys = [key for key, each in back.items() if each.state is piece]
            _put(self.state, [row_of[key] for key in keys], piece, [back[key].row for key in keys])


def _put(state: Learned, into: Sequence[int], parked: Learned, rows: Sequence[int]) -> None:
    """Write rows of one state into another, without what they hold of moments that the other does not know."""
    slots = parked.at == state.at
    moments = {**dict.fromkeys(("newest", "mean", "expected", "ready"), slots), "need": parked.block == state.block}
    width = min(parked.dimensions, state.dimensions)
    for each in fields(Learned):
        if each.name in SHARED:
            continue
        new, old = getattr(state, each.name), getattr(parked, each.name)[rows]
        if each.name in moments:
            new[into] = np.where(moments[each.name], old, np.nan)
        elif each.name in RINGS:
            new[into] = old
        elif each.name == "hours" and new.shape[2] != old.shape[2]:
            # Whether anybody looks at the hours changed meanwhile.
            continue
        elif new.ndim > 1:
            new[into, :width] = old[:, :width]
        else:
            new[into] = old
