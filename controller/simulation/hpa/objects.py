"""What one HorizontalPodAutoscaler sees and says: its spec, its target's scale, pods, samples, conditions and events.

Only what decides is here. Amounts are whole milli-units, times are seconds of the clock of `now`, and an absent time or amount is None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from controller.api import Behavior, ConditionStatus, Reason
from controller.simulation.hpa.pods import INITIALIZATION_SECONDS, READINESS_SECONDS
from controller.simulation.hpa.restraint import DOWNSCALE_SECONDS, SCALE_UP_FACTOR, SCALE_UP_LEAST

__all__ = [
    "Autoscaler",
    "Condition",
    "Conditions",
    "Container",
    "Event",
    "Fault",
    "HpaReason",
    "Metric",
    "MetricStatus",
    "MetricType",
    "Phase",
    "Pod",
    "Sample",
    "Scale",
    "Settings",
    "Status",
    "Target",
    "TargetType",
    "World",
]


class HpaReason(StrEnum):
    """Words of HPA's conditions and events that our own operator has no use for; the others are in `api.Reason`."""

    SELECTOR_REQUIRED = "SelectorRequired"
    AMBIGUOUS_SELECTOR = "AmbiguousSelector"
    INVALID_METRIC_SOURCE_TYPE = "InvalidMetricSourceType"
    FAILED_GET_RESOURCE_METRIC = "FailedGetResourceMetric"
    FAILED_GET_CONTAINER_RESOURCE_METRIC = "FailedGetContainerResourceMetric"
    FAILED_GET_PODS_METRIC = "FailedGetPodsMetric"
    FAILED_GET_OBJECT_METRIC = "FailedGetObjectMetric"
    FAILED_GET_EXTERNAL_METRIC = "FailedGetExternalMetric"
    FAILED_COMPUTE_METRICS_REPLICAS = "FailedComputeMetricsReplicas"
    SCALED_TO_ZERO = "ScaledToZero"
    NOT_SCALED_TO_ZERO = "NotScaledToZero"


class MetricType(StrEnum):
    """Where a metric comes from."""

    RESOURCE = "Resource"
    CONTAINER_RESOURCE = "ContainerResource"
    PODS = "Pods"
    OBJECT = "Object"
    EXTERNAL = "External"


class TargetType(StrEnum):
    """What a metric is compared with: percent of the requests, a value, or a value a pod."""

    UTILIZATION = "Utilization"
    VALUE = "Value"
    AVERAGE_VALUE = "AverageValue"


class Phase(StrEnum):
    """The phase of a pod."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Target:
    """`amount` is in whole percent for Utilization, else in milli-units."""

    type: TargetType
    amount: int


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of the spec; `type` is kept as it was written, because HPA says so when it is none that it knows.

    `name` is the resource or the metric, `container` that of a ContainerResource, `kind` the object that an Object metric describes.
    """

    type: str
    name: str = ""
    target: Target | None = None
    container: str | None = None
    kind: str = "Object"


@dataclass(frozen=True, slots=True)
class Container:
    """A container with its requests by resource."""

    name: str
    requests: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod; `ready` is its Ready condition, None where it has none, and `turned_at` when that last changed.

    `containers` are those whose requests count: the regular ones, then the init containers that are restarted. `requests` are those
    of the pod as a whole.
    """

    name: str
    phase: Phase = Phase.RUNNING
    ready: bool | None = True
    started_at: float | None = None
    turned_at: float | None = None
    deleting: bool = False
    containers: Sequence[Container] = ()
    requests: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sample:
    """What was measured of one pod at a moment, over the `window` before it: usage by container and resource."""

    pod: str
    taken_at: float
    window: float
    containers: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Autoscaler:
    """The spec of one HorizontalPodAutoscaler; without a `behavior` it restrains the older way.

    `behavior` is complete: what was not written holds its default, the window downwards and the tolerances those of the controller.
    """

    min_replicas: int
    max_replicas: int
    metrics: Sequence[Metric]
    behavior: Behavior | None = None


@dataclass(frozen=True, slots=True)
class Scale:
    """The target's scale: `spec` is how many replicas there are to be, `status` how many there are."""

    spec: int
    status: int
    selector: str


@dataclass(frozen=True, slots=True)
class Fault:
    """What the cluster refuses to do: answer for metrics of these `metrics` types, give the scale, or take it.

    The first `conflicts` writes of the scale fail because somebody else wrote it.
    """

    metrics: frozenset[str] = frozenset()
    get_scale: bool = False
    update_scale: bool = False
    conflicts: int = 0


@dataclass(frozen=True, slots=True)
class World:
    """What the cluster answers in one reconcile.

    `by_pod` holds the Pods metric by pod, `of_object` the Object metric, `outside` the series of the External metric; `rivals` names
    the other autoscalers that select some of the same pods.
    """

    scale: Scale
    pods: Sequence[Pod] = ()
    samples: Sequence[Sample] = ()
    by_pod: Mapping[str, int] = field(default_factory=dict)
    of_object: int | None = None
    outside: Sequence[int] = ()
    rivals: Sequence[str] = ()
    fault: Fault = Fault()


@dataclass(frozen=True, slots=True)
class Settings:
    """The flags and feature gates of the controller, with the defaults of Kubernetes 1.37; times in seconds.

    `evaluates_at_zero` is how it was before 1.36: at zero replicas metrics are read where the minimum is zero.
    """

    tolerance: float = 0.1
    initialization: float = INITIALIZATION_SECONDS
    readiness: float = READINESS_SECONDS
    downscale_window: float = DOWNSCALE_SECONDS
    scale_up_factor: float = SCALE_UP_FACTOR
    scale_up_least: float = SCALE_UP_LEAST
    configurable_tolerance: bool = True
    scales_to_zero: bool = True
    evaluates_at_zero: bool = False
    pod_level_resources: bool = True


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of status."""

    type: str
    status: ConditionStatus
    reason: str
    message: str


class Conditions:
    """The conditions of one status, in the order in which they were first set."""

    def __init__(self, conditions: Sequence[Condition] = ()) -> None:
        self._conditions = {each.type: each for each in conditions}

    def set(self, type_: str, is_true: bool, reason: Reason | HpaReason, message: str) -> None:
        """Add a condition, or change it in its place."""
        status = ConditionStatus.TRUE if is_true else ConditionStatus.FALSE
        self._conditions[type_] = Condition(type_, status, reason, message)

    def remove(self, type_: str) -> None:
        """Take a condition away if it is there."""
        self._conditions.pop(type_, None)

    def is_true(self, type_: str) -> bool:
        """Whether a condition is there and True."""
        return type_ in self._conditions and self._conditions[type_].status is ConditionStatus.TRUE

    def all(self) -> tuple[Condition, ...]:
        """The conditions as they are now."""
        return tuple(self._conditions.values())


@dataclass(frozen=True, slots=True)
class Event:
    """One Event: `type` is Normal or Warning."""

    type: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class MetricStatus:
    """What status shows of a metric: `utilization` in whole percent, `average` a pod, or the `value`; in milli-units."""

    utilization: int | None = None
    average: int | None = None
    value: int | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """The status of one HorizontalPodAutoscaler; `metrics` has None where a metric could not be read."""

    current: int
    desired: int
    conditions: tuple[Condition, ...] = ()
    metrics: tuple[MetricStatus | None, ...] = ()
    last_scaled_at: float | None = None
