"""What of the law's state is worth keeping across a restart, and how it becomes state again; and the state from past samples.

A `Lesson` holds one scaler's conclusions, not the sums that they were drawn from: a status has room for those only. `restore`
makes sums that lead to the same conclusions and weigh as much as the confidence says, so that the restored row acts as the old one
did: its capacities propose at once, and what is seen from then on moves them as before. What is not in a lesson (the rings of
the demand, the hold's memory, a test that is under way) is seen again within minutes.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from controller.engine.batch import Scalers
from controller.engine.decision import Decisions, evaluate
from controller.engine.demand import GAIN_LIMIT, PRIOR
from controller.engine.efficacy import Phase
from controller.engine.floors import HIGHEST_OF_TIME, MINUTES, SPREAD
from controller.engine.law import FIRST_WINDOWS
from controller.engine.learned import Learned
from controller.engine.samples import History, LoadKind, Samples

__all__ = ["Dropped", "Floor", "Lesson", "lesson_of", "replay", "restore"]

#: What is made of a gain that was read back: so much evidence (squared relative rises), a few ramps' worth.
EVIDENCE: Final = 0.25
#: No floor was watched for longer (minutes) than what was seen is remembered.
LONGEST_WATCH: Final = 240.0
#: How far the values of a floor's dimension are taken to lie off its line, as a share of the target.
SCATTER: Final = 0.02


@dataclass(frozen=True, slots=True)
class Floor:
    """A learned floor in the dimension's own unit, the confidence in it (0 to 1), and since which moment it is that."""

    value: float
    confidence: float
    since: float


@dataclass(frozen=True, slots=True)
class Dropped:
    """A dimension that pods do not lower: since which moment, and until which it may not ask for more."""

    name: str
    since: float
    until: float


@dataclass(frozen=True, slots=True)
class Lesson:
    """What was learned of one scaler; moments in seconds of the engine's `now`, NaN or absent where nothing was.

    `floors` and `capacities` (load per pod at which the dimension alone is full) by the dimension's name, `per_pod` the load per pod
    at which the magnitude is its target, `established` the one that has stood its test, `gain` of the demand's extrapolation,
    `startup` in seconds, `dropped` the dimension that may not ask for more, `patience` the factor of the hold. Loads are of this `kind`.
    """

    kind: LoadKind = LoadKind.NONE
    floors: dict[str, Floor] = dataclasses.field(default_factory=dict)
    capacities: dict[str, float] = dataclasses.field(default_factory=dict)
    per_pod: float = math.nan
    established: float = math.nan
    gain: float = math.nan
    startup: float = math.nan
    dropped: Dropped | None = None
    patience: float = 1.0

    @property
    def empty(self) -> bool:
        """Whether nothing was learned that is worth a word."""
        return not (self.floors or self.capacities or self.dropped) and math.isnan(self.startup)

    def of_kind(self, kind: LoadKind) -> Lesson:
        """What remains true where the demand is measured in another way: nothing that was told in loads."""
        if kind is self.kind:
            return self
        nan = math.nan
        return dataclasses.replace(self, kind=kind, capacities={}, per_pod=nan, established=nan, gain=nan)


def lesson_of(decisions: Decisions, row: int) -> Lesson:
    """The lesson of one scaler after a cycle."""
    scalers, law, learned = decisions.scalers, decisions.law, decisions.learned
    names = scalers.names[row]
    kind = LoadKind(int(law.kind[row]))
    floors = {}
    values = (learned.floor[row] * scalers.target[row]).tolist()
    for name, learns, value, confidence, since in zip(
        names,
        scalers.learns_floor[row].tolist(),
        values,
        law.confidence[row].tolist(),
        learned.since[row].tolist(),
        strict=False,
    ):
        if learns and math.isfinite(value) and confidence > 0:
            floors[name] = Floor(value, confidence, since)
    testing = learned.phase[row] != Phase.NORMAL
    # What a queue seems to take while it is tried whether pods help is what is in doubt.
    kept = np.exp(learned.kept[row])
    doubtful = testing & scalers.queues[row] & np.isfinite(kept)
    taught = learned.taught[row] >= FIRST_WINDOWS
    found = np.where(doubtful, kept, law.capacity[row]).tolist() if taught and kind is not LoadKind.NONE else []
    seen = {name: load for name, load in zip(names, found, strict=False) if math.isfinite(load)}
    suspect, dropped = int(law.suspect[row]), None
    if law.dropped[row] and suspect >= 0:
        dropped = Dropped(names[suspect], float(law.tested_at[row]), float(law.dropped_until[row]))
    return Lesson(
        kind=kind,
        floors=floors,
        capacities=seen,
        per_pod=float(law.per_pod[row]),
        established=float(law.established[row]) if seen else math.nan,
        gain=float(law.gain[row]) if seen else math.nan,
        startup=float(learned.startup[row]),
        dropped=dropped,
        patience=float(law.patience[row]),
    )


def restore(learned: Learned, row: int, scalers: Scalers, lesson: Lesson, now: float) -> None:
    """Write a lesson into one row of a state, in place; nothing is known of the row yet, and it is evaluated at `now` or later."""
    names = scalers.names[row]
    # Without a last evaluation the first sample would be all that is known.
    learned.evaluated_at[row] = now
    for name, load in lesson.capacities.items():
        at = names.index(name)
        if scalers.queues[row, at]:
            learned.log_capacity[row, at] = learned.kept[row, at] = math.log(load)
        else:
            # One sample at full load: A/B is the capacity, and what is seen from now on replaces it as fast as it would have.
            learned.squares[row, at], learned.products[row, at] = load * load, load
    if lesson.capacities:
        learned.taught[row] = FIRST_WINDOWS
        learned.peak[row] = np.nanmax((lesson.per_pod, lesson.established, 0.0))
    for name, floor in lesson.floors.items():
        _restore_floor(learned, row, names.index(name), scalers, floor, lesson)
    if lesson.established > 0:
        learned.log_established[row] = math.log(lesson.established)
    if math.isfinite(lesson.gain):
        gain = min(max(lesson.gain, 0.0), GAIN_LIMIT)
        learned.variance[row], learned.covariance[row] = EVIDENCE, gain * (EVIDENCE + PRIOR) - PRIOR
    learned.startup[row] = lesson.startup
    learned.patience[row] = lesson.patience
    if lesson.dropped is not None:
        since, until = lesson.dropped.since, lesson.dropped.until
        learned.phase[row], learned.suspect[row] = Phase.DROPPED, names.index(lesson.dropped.name)
        learned.began[row], learned.retry_at[row], learned.pause[row] = since, until, until - since


def replay(
    scalers: Scalers, moments: Iterable[tuple[Samples, History, float]], learned: Learned | None = None
) -> Learned:
    """The state that one evaluation after the other leaves, over past samples with their history and moment, oldest first."""
    state = Learned.empty(*scalers.used.shape) if learned is None else learned
    for samples, history, now in moments:
        state = evaluate(scalers, samples, history, now, state).learned
    return state


def _restore_floor(learned: Learned, row: int, at: int, scalers: Scalers, floor: Floor, lesson: Lesson) -> None:
    """The floor itself, and samples on one line through it that are worth the confidence."""
    share = floor.value / float(scalers.target[row, at])
    learned.floor[row, at] = learned.anchor[row, at] = share
    learned.since[row, at] = floor.since
    if scalers.queues[row, at]:
        learned.lowest[row, at] = min(share, HIGHEST_OF_TIME)
    load = lesson.per_pod if math.isfinite(lesson.per_pod) else lesson.established
    confidence = min(max(floor.confidence, 0.0), 1.0)
    if not (load > 0 and confidence > 0):
        return
    # Confidence is watching times moving: as much of each as makes the product.
    moved = max(math.sqrt(confidence), 0.1)
    watched = min(confidence / moved, 1.0)
    minutes = LONGEST_WATCH if watched == 1.0 else min(-MINUTES * math.log1p(-watched), LONGEST_WATCH)
    capacity = lesson.capacities.get(scalers.names[row][at], math.inf)
    slope = 0.0 if scalers.queues[row, at] else (1.0 - share) / capacity
    square = load * load * (1.0 + (moved * SPREAD) ** 2)
    learned.weight[row, at], learned.load[row, at], learned.loads[row, at] = minutes, minutes * load, minutes * square
    learned.value[row, at] = minutes * (share + slope * load)
    learned.product[row, at] = minutes * (share * load + slope * square)
    learned.spread[row, at] = minutes * SCATTER
