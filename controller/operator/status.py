"""What stands in a CompositeScaler's status, and when it is worth a write.

Status is for what a person cares about: it is written when a condition flips, when replicas change, when the spec was seen,
and at most once a
minute for a new reason or a magnitude that moved. Live values are in /metrics.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from controller.api import (
    MOST_SCALE_EVENTS,
    Amount,
    Decision,
    Dimension,
    DimensionStatus,
    PodCounts,
    Reason,
    Stages,
    Status,
    format_amount,
)
from controller.api import ScaleEvent as WrittenEvent
from controller.engine import DimensionRecord, Record
from controller.operator.clock import Moment, parse_time, rfc3339
from controller.operator.conditions import Condition, written
from controller.operator.memory import ScaleEvent
from controller.operator.scalers import Scaler

__all__ = ["Headline", "events_of", "headline_of", "patch_of", "status_of"]

#: A changed reason or a moved magnitude is written no sooner than this after the last write (seconds).
QUIET: Final = 60.0
#: By how much of its target the magnitude must have moved to be worth a write of its own.
MOVED: Final = 0.1


@dataclass(frozen=True, slots=True)
class Headline:
    """What was last written, as far as it decides whether to write again."""

    facts: tuple[object, ...]
    reasons: tuple[object, ...]
    magnitude: float
    written_at: float

    def outdated_by(self, newer: Headline) -> bool:
        """Whether the newer one is worth a write."""
        if self.facts != newer.facts:
            return True
        if newer.written_at - self.written_at < QUIET:
            return False
        if math.isnan(self.magnitude) != math.isnan(newer.magnitude):
            return True
        return self.reasons != newer.reasons or abs(self.magnitude - newer.magnitude) > MOVED


def headline_of(
    scaler: Scaler, conditions: Sequence[Condition], record: Record | None, now: Moment, last_event: ScaleEvent | None
) -> Headline:
    """The headline of what would be written now."""
    replicas = (record.current, record.desired) if record else ()
    steady = (Reason.AT_TARGET, Reason.WITHIN_TOLERANCE)
    return Headline(
        facts=(
            scaler.uid,
            scaler.generation,
            replicas,
            last_event,
            *((each.type, each.status) for each in conditions),
            # The problem itself is what the user must mend, so a new one is news even if no condition flips.
            *((each.reason, each.message) for each in conditions if record is None),
        ),
        reasons=(
            *(each.reason for each in conditions),
            record.rule if record and record.rule not in steady else None,
            *((each.name, each.reason) for each in (record.invalid if record else ())),
        ),
        magnitude=record.magnitude / record.target_magnitude if record else math.nan,
        written_at=now.monotonic,
    )


def status_of(
    scaler: Scaler,
    conditions: Sequence[Condition],
    record: Record | None,
    events: Sequence[ScaleEvent],
    now: Moment,
) -> Status:
    """The whole status as it shall be; without a record what was decided before stays readable."""
    previous = scaler.status
    about = {
        "observed_generation": scaler.generation,
        "conditions": written(conditions, previous.conditions, scaler.generation, now.wall),
    }
    if record is None:
        gone = {
            "magnitude": None,
            "dominant_dimension": None,
            "desired_replicas": None,
            "reason": str(conditions[0].reason),
        }
        return previous.model_copy(update={**about, **gone})
    assert scaler.spec is not None
    kept = events[-MOST_SCALE_EVENTS:]
    return Status(
        **about,
        current_replicas=record.current,
        desired_replicas=record.desired,
        last_scale_time=rfc3339(_wall(kept[-1], now)) if kept else previous.last_scale_time,
        magnitude=_number(record.magnitude, ".2f"),
        dominant_dimension=record.dominant.name if record.dominant else None,
        reason=str(record.rule),
        pods=PodCounts(ready=record.ready, total=record.ready + record.unready),
        last_decision=_decision(record, scaler.spec.dimensions, now),
        scale_events=tuple(
            WrittenEvent(
                time=rfc3339(_wall(each, now)), from_replicas=each.before, to_replicas=each.after, message=each.message
            )
            for each in kept
        ),
    )


def patch_of(previous: Mapping[str, Any], status: Mapping[str, Any]) -> dict[str, Any]:
    """The merge patch that turns one status into the other: what changed, and null for what is gone."""
    patch: dict[str, Any] = {key: None for key in previous if key not in status}
    for key, value in status.items():
        old = previous.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            inner = patch_of(old, value)
            if inner:
                patch[key] = inner
        elif value != old:
            patch[key] = value
    return patch


def events_of(status: Status, now: Moment) -> list[ScaleEvent]:
    """The scale events that an object's status remembers, on the monotonic clock; a time that cannot be read is left out."""
    found = []
    for each in status.scale_events:
        try:
            at = now.monotonic_of(parse_time(each.time))
        except ValueError:
            continue
        found.append(ScaleEvent(at, each.from_replicas, each.to_replicas, each.message))
    return found


def _wall(event: ScaleEvent, now: Moment) -> float:
    return now.wall - (now.monotonic - event.at)


def _number(value: float, form: str) -> str | None:
    return None if math.isnan(value) else format(value, form)


def _decision(record: Record, dimensions: Sequence[Dimension], now: Moment) -> Decision:
    return Decision(
        time=rfc3339(now.wall),
        magnitude=_number(record.magnitude, ".4g"),
        dimensions=tuple(_dimension(each, spec) for each, spec in zip(record.dimensions, dimensions, strict=True)),
        replicas=Stages(
            current=record.current,
            proposed=record.proposed,
            **{stage.name.lower(): replicas for stage, replicas in record.stages.items()},
        ),
        rule=str(record.rule),
        message=record.sentence,
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
        reason=str(record.reason or Reason.VALID_METRIC_FOUND),
        message=record.message or None,
    )
