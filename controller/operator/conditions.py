"""The conditions of a CompositeScaler, with HPA's types and reasons.

`Ready` says that the spec is valid and the target is there; `ScalingActive` that metrics flow; `AbleToScale` that the
number can be read and written; `ScalingLimited` that a limit changed what was wanted. Four are ours: `ScalingIneffective` says
that pods do not lower a dimension, `TargetUnreachable` that one is at its target without load, `AnomalyDetected` that the load is far
from usual, and `ScalingBlocked` that somebody, or the operator as a whole, stands above the decision. They are never mixed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from controller.api import Condition as WrittenCondition
from controller.api import ConditionStatus, ConditionType, Reason, format_number
from controller.engine import Record, Stage, sentences
from controller.operator.clock import Moment, rfc3339
from controller.operator.scalers import Problem

__all__ = ["Condition", "Since", "of_problem", "of_record", "since_of", "written"]

#: metav1.Condition takes no longer message; the mistakes of a bad manifest have no end.
LONGEST_MESSAGE: Final = 32768

#: What each condition is, and since when as the API server writes it.
Since: TypeAlias = Mapping[str, tuple[ConditionStatus, str]]


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition; `status` None is Unknown."""

    type: ConditionType
    status: bool | None
    reason: Reason
    message: str

    @property
    def word(self) -> ConditionStatus:
        """True, False or Unknown, as Kubernetes writes it."""
        return ConditionStatus.UNKNOWN if self.status is None else ConditionStatus(str(self.status))


def of_problem(problem: Problem) -> tuple[Condition, ...]:
    """A scaler that cannot work: not ready, and whatever worked before does not any more."""
    if problem.reason is Reason.INVALID_SELECTOR:
        # The spec is valid and the target is there; what cannot be had are its pods.
        return (
            Condition(ConditionType.READY, True, Reason.ACCEPTED, "the spec is valid and the target was found"),
            Condition(ConditionType.SCALING_ACTIVE, False, problem.reason, problem.message),
        )
    finding_target = problem.reason in (Reason.TARGET_NOT_FOUND, Reason.FAILED_GET_SCALE, Reason.NOT_SCALABLE)
    return (
        Condition(ConditionType.READY, False, problem.reason, problem.message),
        Condition(ConditionType.SCALING_ACTIVE, False, problem.reason, problem.message),
        Condition(ConditionType.ABLE_TO_SCALE, False, Reason.FAILED_GET_SCALE, problem.message)
        if finding_target
        else Condition(ConditionType.ABLE_TO_SCALE, None, problem.reason, problem.message),
    )


def of_record(record: Record, target: str, selector: str, failure: str | None, now: Moment) -> tuple[Condition, ...]:
    """A scaler that was evaluated; `selector` is its target's, `failure` why a write that was due did not succeed."""
    return (
        Condition(ConditionType.READY, True, Reason.ACCEPTED, f"the spec is valid and {target} was found"),
        _active(record, target, selector),
        _able(record, failure),
        Condition(
            ConditionType.SCALING_LIMITED,
            record.limited is not Reason.DESIRED_WITHIN_RANGE,
            record.limited,
            "the desired count is within the acceptable range"
            if record.limited is Reason.DESIRED_WITHIN_RANGE
            else record.sentence,
        ),
        _ineffective(record, now),
        _unreachable(record),
        _blocked(record),
        _anomaly(record),
    )


def _active(record: Record, target: str, selector: str) -> Condition:
    kind = ConditionType.SCALING_ACTIVE
    missing = "; ".join(f"{each.name}: {each.message}" for each in record.invalid)
    if record.rule is Reason.SCALING_DISABLED or (record.current == 0 and record.override is not None):
        return Condition(kind, False, record.rule, record.sentence)
    # Not by the rule: where nothing can be measured, a bound may still have decided.
    if math.isnan(record.magnitude):
        if not record.ready + record.unready:
            what = f"no pod matches {selector}, the selector of {target}, so nothing can be measured"
            look = f"look at the events of {target} for why it has none"
            return Condition(kind, False, Reason.NO_PODS, f"{what}; {look}")
        if not record.ready:
            return Condition(kind, False, Reason.NO_READY_PODS, record.sentence)
        first = record.invalid[0].reason if record.invalid else None
        return Condition(kind, False, first or Reason.NO_VALID_METRIC, missing or record.sentence)
    if record.invalid:
        # Whether that forbids scaling down is each dimension's own setting, and told by the decision.
        return Condition(kind, True, Reason.PARTIAL_METRICS, f"not every dimension can be believed: {missing}")
    return Condition(kind, True, Reason.VALID_METRIC_FOUND, "every dimension has enough fresh samples")


def _able(record: Record, failure: str | None) -> Condition:
    kind = ConditionType.ABLE_TO_SCALE
    if failure is not None:
        return Condition(kind, False, Reason.FAILED_UPDATE_SCALE, failure)
    if record.desired != record.current:
        return Condition(kind, True, Reason.SUCCEEDED_RESCALE, f"scaled from {record.current} to {record.desired}")
    held = (Reason.SCALE_UP_STABILIZED, Reason.SCALE_DOWN_STABILIZED, Reason.COOLDOWN, Reason.ANOMALY_HOLD)
    if record.rule in held and record.stages[Stage.TOLERATED] != record.current:
        return Condition(kind, True, record.rule, record.sentence)
    if record.blocks:
        return Condition(kind, True, Reason.READY_FOR_NEW_SCALE, "only what ScalingBlocked says holds back a new scale")
    return Condition(kind, True, Reason.READY_FOR_NEW_SCALE, "nothing holds back a new scale")


def _ineffective(record: Record, now: Moment) -> Condition:
    kind, trial = ConditionType.SCALING_INEFFECTIVE, record.outlook.trial
    if trial is None:
        return Condition(kind, False, Reason.PODS_HELP, "no dimension is known that pods do not lower")
    if not trial.dropped:
        return Condition(
            kind,
            False,
            Reason.PODS_HELP,
            f"it is being tried whether pods lower {trial.dimension}, from {format_number(trial.tried.load_from)} a pod on; "
            "until that is known it may grow the target by efficacy.authority only",
        )
    until = rfc3339(now.wall + (trial.until - now.monotonic))
    return Condition(kind, True, Reason.PODS_DO_NOT_HELP, sentences.of_ineffective(trial.tried, until))


def _unreachable(record: Record) -> Condition:
    kind = ConditionType.TARGET_UNREACHABLE
    high = [each.advice for each in record.dimensions if each.unreachable]
    if high:
        return Condition(kind, True, Reason.FLOOR_AT_TARGET, "; ".join(high))
    return Condition(kind, False, Reason.TARGETS_REACHABLE, "every dimension has room between its floor and its target")


def _blocked(record: Record) -> Condition:
    kind = ConditionType.SCALING_BLOCKED
    if record.blocks:
        return Condition(kind, True, record.blocks[0], record.blocked)
    return Condition(kind, False, Reason.NOT_BLOCKED, "the number is scaled as it is decided")


def _anomaly(record: Record) -> Condition:
    alarm = record.alarm
    if alarm.detected:
        so = "; nothing scales down while it lasts (anomaly.action: Hold)" if alarm.holds else ""
        return Condition(ConditionType.ANOMALY_DETECTED, True, Reason.ANOMALY_DETECTED, alarm.sentence + so)
    return Condition(ConditionType.ANOMALY_DETECTED, False, Reason.AS_USUAL, alarm.sentence)


def since_of(conditions: Iterable[WrittenCondition]) -> Since:
    """What a status says of its conditions."""
    return {each.type: (each.status, each.last_transition_time) for each in conditions}


def written(
    conditions: Iterable[Condition], before: Since, generation: int, wall: float
) -> tuple[WrittenCondition, ...]:
    """As the status holds them; the transition time moves only where the status flips."""

    def since(condition: Condition) -> str:
        word, time = before.get(condition.type, (None, ""))
        return time if word is condition.word else rfc3339(wall)

    return tuple(
        WrittenCondition(
            type=str(each.type),
            status=each.word,
            reason=str(each.reason),
            message=each.message[:LONGEST_MESSAGE],
            last_transition_time=since(each),
            observed_generation=generation,
        )
        for each in conditions
    )
