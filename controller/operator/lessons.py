"""What was learned, as the status tells it and as it is read back after a restart.

Text for people and for the next operator alike: it is rounded, and the times are wall-clock times. A status that is about other dimensions
than the spec has now teaches nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from controller.api import (
    Amount,
    CompositeScalerError,
    DemandSignal,
    IneffectiveDimension,
    InvalidAmount,
    Learned,
    LearnedCapacity,
    LearnedFloor,
    Spec,
    Status,
    Unit,
    format_amount,
    format_number,
    parse_amount,
    parse_duration,
    parse_share,
)
from controller.engine import LoadKind, Record
from controller.engine.capacity import LEAST
from controller.engine.demand import ABSURD
from controller.engine.efficacy import LONGEST_PAUSE
from controller.engine.hold import MOST_PATIENCE
from controller.engine.lessons import Dropped, Floor, Lesson
from controller.engine.sentences import REGRETTED, of_load
from controller.operator.clock import Moment, parse_time, rfc3339
from controller.operator.scalers import Scaler

__all__ = ["Gist", "gist_in", "gist_of", "learned_of", "lesson_in"]

#: By how much of its target a floor must have moved to be worth a write of its own, and by what factor the load per pod.
FLOOR_MOVED: Final = 0.05
LOAD_MOVED: Final = 1.25

KINDS: Final = {
    LoadKind.ARRIVALS: DemandSignal.ARRIVALS,
    LoadKind.REQUESTS: DemandSignal.REQUESTS,
    LoadKind.CORES: DemandSignal.CORES,
}


@dataclass(frozen=True, slots=True)
class Gist:
    """What was learned, as far as it decides whether to write it: learned floors in units of their targets, and the load per pod."""

    floors: tuple[tuple[str, float], ...] = ()
    per_pod: float = math.nan

    def outdated_by(self, newer: Gist) -> bool:
        """Whether the newer one is worth a write; what is not known any more is not."""
        before = dict(self.floors)
        if any(not abs(floor - before.get(name, math.nan)) <= FLOOR_MOVED for name, floor in newer.floors):
            return True
        if math.isnan(newer.per_pod):
            return False
        return not self.per_pod / LOAD_MOVED <= newer.per_pod <= self.per_pod * LOAD_MOVED


def gist_of(record: Record) -> Gist:
    """The gist of what is known now."""
    learned = tuple((each.name, each.floor / each.target) for each in record.dimensions if each.confidence > 0)
    return Gist(learned, record.outlook.per_pod)


def gist_in(scaler: Scaler) -> Gist:
    """The gist of what the object's status says already."""
    learned, spec = scaler.status.learned, scaler.spec
    if learned is None or spec is None:
        return Gist()
    targets = {each.name: each for each in spec.dimensions}
    floors = []
    for each in learned.floors:
        dimension = targets.get(each.name)
        if dimension is not None:
            value = _amount(each.value, dimension.is_latency)
            floors.append((each.name, value / dimension.amount.value))
    return Gist(tuple(floors), _load(learned.load_per_pod))


def learned_of(lesson: Lesson, spec: Spec, now: Moment) -> Learned | None:
    """A lesson as the status holds it; None where nothing was learned."""
    if lesson.empty:
        return None
    units = {each.name: each.amount.unit for each in spec.dimensions}

    def time(at: float) -> str:
        return rfc3339(now.wall + (at - now.monotonic))

    def load(value: float) -> str | None:
        return None if math.isnan(value) else of_load(value, lesson.kind)

    dropped = lesson.dropped
    return Learned(
        floors=tuple(
            LearnedFloor(
                name=name,
                value=format_amount(Amount(each.value, units[name])),
                confidence=f"{each.confidence * 100:.0f}%",
                since=time(each.since),
            )
            for name, each in lesson.floors.items()
        ),
        capacities=tuple(
            LearnedCapacity(name=name, load_per_pod=of_load(each, lesson.kind))
            for name, each in lesson.capacities.items()
        ),
        load_per_pod=load(lesson.per_pod),
        demand=KINDS.get(lesson.kind),
        established=load(lesson.established),
        gain=None if math.isnan(lesson.gain) else format_number(lesson.gain),
        startup=None if math.isnan(lesson.startup) else format_amount(Amount(lesson.startup, Unit.SECONDS)),
        patience=format_number(lesson.patience) if lesson.patience > REGRETTED else None,
        ineffective=()
        if dropped is None
        else (IneffectiveDimension(name=dropped.name, since=time(dropped.since), until=time(dropped.until)),),
    )


def lesson_in(spec: Spec, status: Status, now: Moment) -> Lesson | None:
    """What an object's status remembers, moments on the monotonic clock; what cannot be read is left out.

    None where it remembers nothing, or where it is about other dimensions or other targets than the spec's.
    """
    learned, decision = status.learned, status.last_decision
    if learned is None or decision is None:
        return None
    told = [(each.name, each.target) for each in decision.dimensions]
    if told != [(each.name, format_amount(each.amount)) for each in spec.dimensions]:
        return None
    dimensions = {each.name: each for each in spec.dimensions}
    floors, capacities = {}, {}
    for floor in learned.floors:
        dimension = dimensions.get(floor.name)
        if dimension is None or not dimension.floor_is_auto:
            continue
        value, since = _amount(floor.value, dimension.is_latency), _moment(floor.since, now)
        if 0 <= value < dimension.amount.value * 2 and math.isfinite(since):
            floors[floor.name] = Floor(value, _share(floor.confidence), since)
    for capacity in learned.capacities:
        load = _load(capacity.load_per_pod)
        if capacity.name in dimensions and load > 0:
            capacities[capacity.name] = load
    dropped = None
    for each in learned.ineffective:
        since = _moment(each.since, now)
        # Not by the clock of now: one that was set would keep the dimension out for as long as it was set by.
        pause = _seconds_between(each.since, each.until)
        if each.name in dimensions and math.isfinite(since) and pause > 0:
            dropped = Dropped(each.name, since, since + min(pause, LONGEST_PAUSE))
    kinds = {str(word): kind for kind, word in KINDS.items()}
    return Lesson(
        kind=kinds.get(learned.demand or "", LoadKind.NONE),
        floors=floors,
        capacities=capacities,
        per_pod=_load(learned.load_per_pod),
        established=_load(learned.established),
        gain=_number(learned.gain),
        startup=_duration(learned.startup),
        patience=_patience(learned.patience),
        dropped=dropped,
    )


def _patience(text: str | None) -> float:
    number = _number(text)
    return min(max(number, 1.0), MOST_PATIENCE) if math.isfinite(number) else 1.0


def _moment(text: str, now: Moment) -> float:
    try:
        return now.monotonic_of(parse_time(text))
    except ValueError:
        return math.nan


def _seconds_between(one: str, other: str) -> float:
    try:
        return parse_time(other) - parse_time(one)
    except ValueError:
        return math.nan


def _amount(text: str, minutes: bool) -> float:
    try:
        return parse_amount(text, minutes=minutes).value
    except CompositeScalerError:
        return math.nan


def _share(text: str) -> float:
    try:
        return float(parse_share(text))
    except InvalidAmount:
        return 0.0


def _duration(text: str | None) -> float:
    try:
        return math.nan if text is None else float(parse_duration(text))
    except InvalidAmount:
        return math.nan


def _load(text: str | None) -> float:
    """The number of "41.3 requests/s"; none that is no load of a pod."""
    number = _number(None if text is None else text.partition(" ")[0])
    return number if LEAST <= number <= ABSURD else math.nan


def _number(text: str | None) -> float:
    try:
        number = math.nan if text is None else float(text)
    except ValueError:
        return math.nan
    return number if math.isfinite(number) and number >= 0 else math.nan
