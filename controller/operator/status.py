"""What stands in a CompositeScaler's status, and when it is worth a write.

Status is for what a person cares about: it is written when a condition flips, when replicas change, when the spec was seen,
at most once a minute for a new reason or a magnitude that moved, and at most once in five for what was learned. Live values are in
/metrics.

A write never builds on what the object's status was when it was last seen: that may be older than our own last write.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from controller.api import (
    MOST_SCALE_EVENTS,
    Amount,
    AnomalyStatus,
    ConditionStatus,
    ConditionType,
    Decision,
    Dimension,
    DimensionStatus,
    PodCounts,
    Reason,
    Response,
    Stages,
    Status,
    format_amount,
)
from controller.api import Condition as WrittenCondition
from controller.api import ScaleEvent as WrittenEvent
from controller.engine import Alarm, DimensionRecord, Record, Stage
from controller.engine.lessons import Lesson
from controller.engine.sentences import of_load
from controller.operator.clock import Moment, parse_time, rfc3339
from controller.operator.conditions import Condition
from controller.operator.lessons import Gist, gist_in, gist_of, learned_of
from controller.operator.memory import ScaleEvent
from controller.operator.scalers import Scaler

__all__ = ["Headline", "events_of", "headline_in", "headline_of", "patch_of", "patch_of_problem", "status_of"]

#: A changed reason or a moved magnitude is written no sooner than this after the last write (seconds).
QUIET: Final = 60.0
#: By how much of its target the magnitude must have moved to be worth a write of its own.
MOVED: Final = 0.1
#: What was learned is written no sooner than this after the last write (seconds).
SETTLING: Final = 300.0

#: Rules that are no news: which of the two applies changes with every sample.
STEADY: Final = (Reason.AT_TARGET, Reason.WITHIN_TOLERANCE)


@dataclass(frozen=True, slots=True)
class Headline:
    """What was last written, as far as it decides whether to write again."""

    facts: tuple[object, ...]
    reasons: tuple[object, ...]
    magnitude: float
    written_at: float
    gist: Gist = field(default_factory=Gist)

    def outdated_by(self, newer: Headline) -> bool:
        """Whether the newer one is worth a write."""
        if self.facts != newer.facts:
            return True
        if newer.written_at - self.written_at < QUIET:
            return False
        if newer.written_at - self.written_at >= SETTLING and self.gist.outdated_by(newer.gist):
            return True
        if math.isnan(self.magnitude) != math.isnan(newer.magnitude):
            return True
        return self.reasons != newer.reasons or abs(self.magnitude - newer.magnitude) > MOVED


def headline_of(
    scaler: Scaler, conditions: Sequence[Condition], record: Record | None, now: Moment, last_event: ScaleEvent | None
) -> Headline:
    """The headline of what would be written now."""
    stated = [(each.type, each.word, each.reason, each.message) for each in conditions]
    if record is None:
        return _of_problem(scaler, scaler.generation, stated, now.monotonic)
    return Headline(
        facts=(
            scaler.uid,
            scaler.generation,
            (record.current, record.desired),
            last_event,
            _dropped(record),
            *((kind, word) for kind, word, _, _ in stated),
        ),
        reasons=(
            *(reason for _, _, reason, _ in stated),
            None if record.rule in STEADY else record.rule,
            record.outlook.used,
            record.unscheduled > 0,
            # What would be done is what is looked for in a dry run.
            record.stages[Stage.BOUNDED] if record.blocks else None,
            *((each.name, each.reason) for each in record.invalid),
        ),
        magnitude=record.magnitude / record.target_magnitude,
        written_at=now.monotonic,
        gist=gist_of(record),
    )


def headline_in(scaler: Scaler, last_event: ScaleEvent | None, now: Moment) -> Headline | None:
    """The headline of what the object's status says already, None where it says nothing.

    So that an operator that starts again does not write ten thousand statuses that are right. How long ago it was
    written is not known, so it holds nothing back.
    """
    status, decision = scaler.status, scaler.status.last_decision
    if status.observed_generation is None:
        return None
    stated = [(each.type, each.status, each.reason, each.message) for each in status.conditions]
    works = (ConditionType.READY, ConditionStatus.TRUE) in ((kind, word) for kind, word, _, _ in stated)
    if not works or decision is None or scaler.spec is None:
        return _of_problem(scaler, status.observed_generation, stated, -math.inf)
    told = status.scale_events[-1].time if status.scale_events else None
    return Headline(
        facts=(
            scaler.uid,
            status.observed_generation,
            (status.current_replicas, status.desired_replicas),
            last_event if last_event is None or told == rfc3339(_wall(last_event, now)) else None,
            tuple(each.name for each in status.learned.ineffective) if status.learned else (),
            *((kind, word) for kind, word, _, _ in stated),
        ),
        reasons=(
            *(reason for _, _, reason, _ in stated),
            None if status.reason in STEADY else status.reason,
            decision.response == Response.CAPACITY,
            status.pods is not None and status.pods.waiting_for_nodes > 0,
            decision.replicas.bounded if _is_blocked(stated) else None,
            *((each.name, each.reason) for each in decision.dimensions if not each.valid),
        ),
        magnitude=_float(status.magnitude) / scaler.spec.magnitude.target_value,
        written_at=-math.inf,
        gist=gist_in(scaler),
    )


def _is_blocked(stated: Sequence[tuple[str, ConditionStatus, str, str]]) -> bool:
    return any((kind, word) == (ConditionType.SCALING_BLOCKED, ConditionStatus.TRUE) for kind, word, _, _ in stated)


def _dropped(record: Record) -> tuple[str, ...]:
    trial = record.outlook.trial
    return (trial.dimension,) if trial is not None and trial.dropped else ()


def _of_problem(
    scaler: Scaler,
    generation: int,
    stated: Sequence[tuple[str, ConditionStatus, str, str]],
    written_at: float,
) -> Headline:
    # A new reason is what the user must mend, so it is news even if no condition flips; its sentence may hold a number
    # that changes in every cycle.
    return Headline(
        facts=(scaler.uid, generation, *((kind, word, reason) for kind, word, reason, _ in stated)),
        reasons=tuple(message for *_, message in stated),
        magnitude=math.nan,
        written_at=written_at,
    )


def status_of(
    scaler: Scaler,
    conditions: tuple[WrittenCondition, ...],
    record: Record,
    events: Sequence[ScaleEvent],
    now: Moment,
    lesson: Lesson,
) -> Status:
    """The whole status of a scaler that was evaluated; `lesson` is what was learned of it."""
    assert scaler.spec is not None
    kept = events[-MOST_SCALE_EVENTS:]
    return Status(
        observed_generation=scaler.generation,
        conditions=conditions,
        current_replicas=record.current,
        desired_replicas=record.desired,
        last_scale_time=rfc3339(_wall(kept[-1], now)) if kept else None,
        magnitude=_number(record.magnitude, ".2f"),
        dominant_dimension=record.dominant.name if record.dominant else None,
        reason=str(record.rule),
        pods=PodCounts(ready=record.ready, total=record.ready + record.unready, waiting_for_nodes=record.unscheduled),
        learned=learned_of(lesson, scaler.spec, now),
        last_decision=_decision(record, scaler.spec.dimensions, now),
        scale_events=tuple(
            WrittenEvent(
                time=rfc3339(_wall(each, now)),
                from_replicas=each.before,
                to_replicas=each.after,
                message=each.message,
                reason=str(Reason.PAUSED_REPLICAS) if each.pinned else None,
            )
            for each in kept
        ),
    )


def patch_of(status: Status) -> dict[str, Any]:
    """The merge patch (RFC 7386) that makes this status of whatever the object's is: all of it, and null for what is absent."""
    return _null_absent(status.model_dump(mode="json", by_alias=True), status.manifest())


def patch_of_problem(scaler: Scaler, conditions: tuple[WrittenCondition, ...]) -> dict[str, Any]:
    """The merge patch for a scaler that cannot be evaluated: nothing is wanted, and what was decided and done before stays."""
    said = Status(observed_generation=scaler.generation, conditions=conditions, reason=conditions[0].reason)
    touched = ("observedGeneration", "conditions", "reason", "magnitude", "dominantDimension", "desiredReplicas")
    return {key: value for key, value in patch_of(said).items() if key in touched}


def _null_absent(every: Mapping[str, Any], present: Mapping[str, Any]) -> dict[str, Any]:
    # A list is replaced whole, so a null inside of one would be kept.
    return {
        key: _null_absent(value, present[key]) if isinstance(value, dict) else present.get(key)
        for key, value in every.items()
    }


def events_of(status: Status, now: Moment) -> list[ScaleEvent]:
    """The scale events that an object's status remembers, on the monotonic clock; a time that cannot be read is left out."""
    found = []
    for each in status.scale_events:
        try:
            at = now.monotonic_of(parse_time(each.time))
        except ValueError:
            continue
        pinned = each.reason is not None
        found.append(ScaleEvent(at, each.from_replicas, each.to_replicas, each.message, pinned))
    return found


def _wall(event: ScaleEvent, now: Moment) -> float:
    return now.wall - (now.monotonic - event.at)


def _float(text: str | None) -> float:
    try:
        return math.nan if text is None else float(text)
    except ValueError:
        return math.nan


def _number(value: float, form: str) -> str | None:
    return None if math.isnan(value) else format(value, form)


def _decision(record: Record, dimensions: Sequence[Dimension], now: Moment) -> Decision:
    outlook = record.outlook

    def load(value: float) -> str | None:
        return None if math.isnan(value) else of_load(value, outlook.kind)

    return Decision(
        time=rfc3339(now.wall),
        magnitude=_number(record.magnitude, ".4g"),
        dimensions=tuple(_dimension(each, spec) for each, spec in zip(record.dimensions, dimensions, strict=True)),
        response=Response.CAPACITY if outlook.used else Response.PROPORTIONAL,
        demand=load(outlook.demand),
        demand_ahead=load(outlook.ahead),
        load_per_pod=load(outlook.per_pod),
        anomaly=_anomaly(record.alarm, now),
        replicas=Stages(
            current=record.current,
            proposed=record.proposed,
            **{stage.name.lower(): replicas for stage, replicas in record.stages.items()},
        ),
        rule=str(record.rule),
        message=record.sentence,
    )


def _anomaly(alarm: Alarm, now: Moment) -> AnomalyStatus | None:
    if math.isnan(alarm.score):
        return None
    return AnomalyStatus(
        score=format(alarm.score, ".4g"),
        threshold=_number(alarm.threshold, ".4g"),
        dimension=alarm.dimension,
        since=rfc3339(now.wall - (now.monotonic - alarm.since)) if alarm.detected else None,
    )


def _dimension(record: DimensionRecord, spec: Dimension) -> DimensionStatus:
    def shown(value: float) -> str:
        return format_amount(Amount(value, spec.amount.unit))

    return DimensionStatus(
        name=record.name,
        value=None if math.isnan(record.value) else shown(record.value),
        target=shown(record.target),
        floor=shown(record.floor),
        normalized=_number(record.normalized, ".4g"),
        share=None if math.isnan(record.share) else f"{record.share * 100:.1f}%",
        valid=record.valid,
        reason=str(record.reason or (Reason.FLOOR_AT_TARGET if record.unreachable else Reason.VALID_METRIC_FOUND)),
        message=record.message or record.advice or None,
    )
