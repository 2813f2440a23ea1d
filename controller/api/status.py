"""The status of a CompositeScaler: what the operator writes and reads back after a restart.

Numbers that a person reads beside their target (values, shares, magnitude) are text with their unit, as everywhere in
Kubernetes; whole replicas are integers. Times are RFC 3339 text in UTC. When the status is written is the operator's
business.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from controller.api.errors import InvalidManifest
from controller.api.sentences import sentence

__all__ = [
    "MOST_SCALE_EVENTS",
    "AnomalyStatus",
    "Condition",
    "ConditionStatus",
    "ConditionType",
    "Decision",
    "DimensionStatus",
    "IneffectiveDimension",
    "Learned",
    "LearnedCapacity",
    "LearnedFloor",
    "PodCounts",
    "ScaleEvent",
    "Stages",
    "Status",
]

MOST_SCALE_EVENTS: Final = 128

Word = Annotated[str, Field(max_length=64)]
Name = Annotated[str, Field(max_length=63)]
Message = Annotated[str, Field(max_length=32768)]
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Replicas = Annotated[int, Field(json_schema_extra={"format": "int32"})]
Generation = Annotated[int, Field(json_schema_extra={"format": "int64"})]


class Part(BaseModel):
    """The base of all parts of the status; unknown fields of a newer operator are passed over."""

    model_config = ConfigDict(
        alias_generator=to_camel, extra="ignore", frozen=True, serialize_by_alias=True, validate_by_name=True
    )


class ConditionType(StrEnum):
    """The conditions of a CompositeScaler."""

    READY = "Ready"
    SCALING_ACTIVE = "ScalingActive"
    ABLE_TO_SCALE = "AbleToScale"
    SCALING_LIMITED = "ScalingLimited"
    SCALING_INEFFECTIVE = "ScalingIneffective"
    TARGET_UNREACHABLE = "TargetUnreachable"
    SCALING_BLOCKED = "ScalingBlocked"
    ANOMALY_DETECTED = "AnomalyDetected"


class ConditionStatus(StrEnum):
    """Whether a condition holds."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(Part):
    """One condition, as metav1.Condition has it."""

    # Not the enum: an older operator must read, and an older CRD must take, what a newer one writes.
    type: Word = Field(
        description="Ready, ScalingActive, AbleToScale, ScalingLimited, ScalingIneffective, TargetUnreachable, AnomalyDetected or "
        "ScalingBlocked."
    )
    status: ConditionStatus = Field(description="True, False or Unknown.")
    reason: Word = Field(description="Why, in one word for machines.")
    message: Message = Field(description="Why, in one sentence for people.")
    last_transition_time: Time = Field(description="When status last became what it is.")
    observed_generation: Generation | None = Field(None, description="The generation of the spec it was decided on.")


class PodCounts(Part):
    """The target's pods."""

    ready: Replicas = Field(description="Pods that are Ready and not being deleted.")
    total: Replicas = Field(description="Pods that exist and are not being deleted.")
    waiting_for_nodes: Replicas = Field(0, description="Pods among them that no node has room for.")


class DimensionStatus(Part):
    """One dimension in one decision."""

    name: Name = Field(description="The dimension's name.")
    value: Word | None = Field(None, description="What was measured, with its unit; absent if nothing usable was.")
    target: Word = Field(description="The value at which the dimension alone is full.")
    floor: Word = Field(description="The value without load.")
    normalized: Word | None = Field(None, description="The excess over the floor: 0 idle, 1 at the target.")
    share: Word | None = Field(None, description="The dimension's part of the magnitude, in percent.")
    valid: bool = Field(description="Whether the data was good enough to act on.")
    reason: Word = Field(description="Why it is valid or not, in one word.")
    message: Message | None = Field(None, description="Why it is not valid, in one sentence.")


class Stages(Part):
    """The replica count after each stage of one decision."""

    current: Replicas = Field(description="What the target had (spec.replicas).")
    proposed: Replicas = Field(description="What the magnitude asks for.")
    trusted: Replicas = Field(description="After: invalid data never lowers.")
    tolerated: Replicas = Field(description="After the tolerance.")
    stabilized: Replicas = Field(description="After the stabilization windows.")
    cooled: Replicas = Field(description="After the cooldown.")
    rate_limited: Replicas = Field(description="After the policies.")
    guarded: Replicas | None = Field(None, description="After the guards: an anomaly that holds.")
    bounded: Replicas = Field(description="After minReplicas and maxReplicas: the decision, unless it is overridden.")
    overridden: Replicas | None = Field(None, description="After pause, pin, dry run and stop: what is done.")


class AnomalyStatus(Part):
    """How far the load was from what is usual for it."""

    score: Word = Field(description="The sum over the dimensions of how far each is from its usual value, normalized.")
    threshold: Word | None = Field(
        None, description="What the score stays below as a rule; absent until enough scores were seen."
    )
    dimension: Name | None = Field(None, description="The dimension with the largest part of the score.")
    since: Time | None = Field(None, description="Since when the score is above; only of an anomaly that is detected.")


class Decision(Part):
    """The last decision that a person would care about, from values to replicas."""

    time: Time = Field(description="The moment it was decided for.")
    magnitude: Word | None = Field(None, description="The magnitude; 1 is every pod exactly full.")
    dimensions: Annotated[tuple[DimensionStatus, ...], Field(max_length=16)] = Field(
        (), description="Every dimension, in the spec's order."
    )
    response: Word | None = Field(None, description="What made replicas of the magnitude: Capacity or Proportional.")
    demand: Word | None = Field(None, description="What arrived at the target, with its unit.")
    demand_ahead: Word | None = Field(
        None, description="The demand expected when a pod created now would be Ready, with its unit."
    )
    load_per_pod: Word | None = Field(
        None, description="The load per pod at which the magnitude is its target, with its unit."
    )
    anomaly: AnomalyStatus | None = Field(None, description="How far the load was from usual; absent where not known.")
    replicas: Stages = Field(description="The replica count after each stage.")
    rule: Word = Field(description="The rule that decided, in one word.")
    message: Message = Field(description="The decision in one sentence.")


class LearnedFloor(Part):
    """The learned value of one dimension without load."""

    name: Name = Field(description="The dimension's name.")
    value: Word = Field(description="The value without load, with its unit.")
    confidence: Word = Field(description="How far it is trusted, in percent.")
    since: Time = Field(description="Since when it is learned.")


class LearnedCapacity(Part):
    """The learned capacity of a pod in one dimension."""

    name: Name = Field(description="The dimension's name.")
    load_per_pod: Word = Field(description="The load per pod at which this dimension alone is full, with its unit.")


class IneffectiveDimension(Part):
    """A dimension that more pods did not lower."""

    name: Name = Field(description="The dimension's name.")
    since: Time = Field(description="Since when it may ask for no more pods.")
    until: Time = Field(description="When it will be tried again.")


class Learned(Part):
    """What the operator has learned about the target; it survives a restart through this."""

    floors: Annotated[tuple[LearnedFloor, ...], Field(max_length=16)] = Field(
        (), description="The values without load, of dimensions with floor: Auto."
    )
    capacities: Annotated[tuple[LearnedCapacity, ...], Field(max_length=16)] = Field(
        (), description="What a pod can take, by dimension."
    )
    load_per_pod: Word | None = Field(
        None, description="The load per pod at which the magnitude is its target, e.g. 41.3 requests/s."
    )
    demand: Word | None = Field(None, description="What is measured as demand: Arrivals, Requests or Cores.")
    established: Word | None = Field(None, description="The load per pod that has stood its test, with its unit.")
    gain: Word | None = Field(
        None, description="How far the newest change of demand is trusted: 0 is noise, 1 stays, above 1 goes on."
    )
    startup: Word | None = Field(
        None, description="How long a pod takes from its creation until it is Ready, e.g. 28s."
    )
    patience: Word | None = Field(
        None,
        description="By what factor the hold is longer since a scale-down was regretted, e.g. 2; absent if it is not.",
    )
    ineffective: Annotated[tuple[IneffectiveDimension, ...], Field(max_length=16)] = Field(
        (), description="The dimensions that more pods did not lower."
    )


class ScaleEvent(Part):
    """One change of the target's replicas that the operator made."""

    time: Time = Field(description="When it was written.")
    from_replicas: Replicas = Field(alias="from", description="Replicas before.")
    to_replicas: Replicas = Field(alias="to", description="Replicas after.")
    message: Message = Field("", description="Why, in one sentence.")
    reason: Word | None = Field(
        None, description="PausedReplicas where a pin, or its end, moved the number: no rate and no cooldown counts it."
    )


class Status(Part):
    """What the operator found and did."""

    observed_generation: Generation | None = Field(None, description="The generation of the spec this is about.")
    conditions: Annotated[tuple[Condition, ...], Field(max_length=16)] = Field(
        (),
        description="Ready: the spec is valid and the target found. ScalingActive: metrics flow. AbleToScale and "
        "ScalingLimited: as an HPA's. ScalingIneffective: more pods did not lower a dimension. TargetUnreachable: a "
        "dimension is at its target without load. AnomalyDetected: the load is far from what is usual for it. ScalingBlocked: paused, "
        "pinned, a dry run, or all is stopped.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    current_replicas: Replicas | None = Field(None, description="Replicas the target has (spec.replicas of its scale).")
    desired_replicas: Replicas | None = Field(None, description="Replicas the operator wants.")
    last_scale_time: Time | None = Field(None, description="When the operator last changed the replicas.")
    magnitude: Word | None = Field(None, description="The magnitude at the last decision; 1 is every pod exactly full.")
    dominant_dimension: Name | None = Field(None, description="The dimension with the largest share of the magnitude.")
    reason: Word | None = Field(None, description="The rule that decided last, in one word.")
    pods: PodCounts | None = Field(None, description="The target's pods at the last decision.")
    learned: Learned | None = Field(None, description="What was learned about the target; absent until something is.")
    last_decision: Decision | None = Field(None, description="The last decision, from values to replicas.")
    scale_events: Annotated[tuple[ScaleEvent, ...], Field(max_length=MOST_SCALE_EVENTS)] = Field(
        (),
        description="What the operator did, oldest first; cooldowns and rate policies survive a restart through it.",
    )

    @classmethod
    def parse(cls, status: Mapping[str, Any] | None) -> Self:
        """Read the status of an object; None or {} is a scaler that nobody has looked at yet.

        Raises InvalidManifest.
        """
        try:
            return cls.model_validate(status or {})
        except ValidationError as error:
            raise InvalidManifest(f"status: {sentence(error)}") from error

    def manifest(self) -> dict[str, Any]:
        """The status as JSON for the API server, absent fields left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)
