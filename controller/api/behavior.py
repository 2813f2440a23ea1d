"""How fast the replica count may move: HPA's `behavior` block, word for word, and our cooldown.

A block copied from an autoscaling/v2 HorizontalPodAutoscaler means the same here, defaults included. What the fields do
to a proposal is the engine's business.
"""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from controller.api.amounts import Count, Duration, Quantity
from controller.api.rules import Model
from controller.api.units import parse_duration, parse_quantity

__all__ = ["Behavior", "Cooldown", "Direction", "DirectionRules", "PolicyType", "ScalingPolicy", "SelectPolicy"]

LONGEST_WINDOW: Final = 3600
LONGEST_PERIOD: Final = 1800


class Direction(StrEnum):
    """Where the replica count goes; the value is the field's name in `behavior` and `cooldown`."""

    UP = "scaleUp"
    DOWN = "scaleDown"


class PolicyType(StrEnum):
    """What the value of a policy counts."""

    PERCENT = "Percent"
    PODS = "Pods"


class SelectPolicy(StrEnum):
    """Which of several policies counts."""

    MAX = "Max"
    MIN = "Min"
    DISABLED = "Disabled"


class ScalingPolicy(Model):
    """At most so many pods, or so many percent of the pods, in so many seconds."""

    type: PolicyType = Field(description="What value counts: Pods, or Percent of the replicas at the period's start.")
    value: Annotated[Count, Field(gt=0)] = Field(description="The most that may change within the period; above 0.")
    period_seconds: Annotated[Count, Field(ge=1, le=LONGEST_PERIOD)] = Field(
        description="The period in seconds, 1 to 1800."
    )


Window = Annotated[Count, Field(ge=0, le=LONGEST_WINDOW)]
Policies = Annotated[tuple[ScalingPolicy, ...], Field(min_length=1, max_length=16)]
WINDOW: Final = (
    "Seconds over which earlier recommendations are remembered, 0 to 3600; the count moves only as far as all agree."
)
POLICIES: Final = "How fast the count may move; a list given here replaces the default list."
SELECT: Final = "Which policy counts: Max allows the largest change, Min the smallest, Disabled none in this direction."
TOLERANCE: Final = (
    "By how much the magnitude may be off its target, as a share of 1, before the count moves in this direction."
)


class DirectionRules(Model):
    """HPA's scaling rules of one direction; the defaults are those of the subclasses."""

    stabilization_window_seconds: Window = Field(description=WINDOW)
    select_policy: SelectPolicy = Field(SelectPolicy.MAX, description=SELECT)
    policies: Policies = Field(description=POLICIES)
    tolerance: Quantity = Field("0.1", description=TOLERANCE)

    @property
    def window_seconds(self) -> float:
        """The stabilization window in seconds."""
        return float(self.stabilization_window_seconds)

    @property
    def tolerance_value(self) -> float:
        """The tolerance as a share of 1."""
        return float(parse_quantity(self.tolerance))


EVERYTHING: Final = ScalingPolicy(type=PolicyType.PERCENT, value=100, periodSeconds=15)


class ScaleUpRules(DirectionRules):
    """HPA's scaling rules upwards, with HPA's defaults."""

    stabilization_window_seconds: Window = Field(0, description=WINDOW)
    policies: Policies = Field(
        (ScalingPolicy(type=PolicyType.PODS, value=4, periodSeconds=15), EVERYTHING), description=POLICIES
    )
    tolerance: Quantity = Field(
        "0.1",
        description=f"{TOLERANCE} Where it is not written, response Capacity goes up without one, but for a pod that was just given back.",
    )


class ScaleDownRules(DirectionRules):
    """HPA's scaling rules downwards, with HPA's defaults."""

    stabilization_window_seconds: Window = Field(300, description=WINDOW)
    policies: Policies = Field((EVERYTHING,), description=POLICIES)


class Behavior(Model):
    """The scaling rules of both directions; a direction that is not written has HPA's defaults."""

    scale_up: ScaleUpRules = Field(default_factory=ScaleUpRules, description="The rules for more replicas.")
    scale_down: ScaleDownRules = Field(
        default_factory=ScaleDownRules,
        description="The rules for fewer replicas. Where scaleDown is not written, an adaptive hold (one minute to eight, longer "
        "after a scale-down that was too early) takes the place of the 300 s window.",
    )

    def rules(self, direction: Direction) -> DirectionRules:
        """The rules of one direction."""
        return self.scale_up if direction is Direction.UP else self.scale_down


class Cooldown(Model):
    """How long nothing happens in a direction after the last scale event in either."""

    scale_up: Duration = Field(
        "0s", description="No more replicas until this long after the last scale event, e.g. 30s."
    )
    scale_down: Duration = Field(
        "60s", description="No fewer replicas until this long after the last scale event, e.g. 5m."
    )

    @property
    def scale_up_seconds(self) -> float:
        """The cooldown upwards in seconds."""
        return float(parse_duration(self.scale_up))

    @property
    def scale_down_seconds(self) -> float:
        """The cooldown downwards in seconds."""
        return float(parse_duration(self.scale_down))

    @property
    def longest(self) -> float:
        """The longer of the two in seconds: how far back a scale event matters."""
        return max(self.scale_up_seconds, self.scale_down_seconds)

    def seconds(self, direction: Direction) -> float:
        """The cooldown of one direction in seconds."""
        return self.scale_up_seconds if direction is Direction.UP else self.scale_down_seconds
