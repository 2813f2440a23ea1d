"""One metric of one HorizontalPodAutoscaler: what the cluster answers, as columns for the arithmetic of `replicas`.

Every way in which a metric can fail ends here as `MetricFailed`, with the word that the condition and the Event will have. Source:
HPA's replica calculator and its metrics client.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from controller.engine.batch import Floats
from controller.simulation.hpa.objects import (
    HpaReason,
    Metric,
    MetricStatus,
    MetricType,
    Phase,
    Pod,
    Settings,
    TargetType,
    World,
)
from controller.simulation.hpa.pods import Group, Groups
from controller.simulation.hpa.replicas import (
    MOST,
    average_replicas,
    per_pod_replicas,
    per_pod_usage,
    utilization_replicas,
    value_replicas,
)
from controller.simulation.hpa.requests import NoRequest, requests_of
from controller.simulation.hpa.samples import Seen, amounts_of, group_pods, usage_by_pod

__all__ = ["MetricFailed", "Proposed", "Tolerance", "propose", "saturated_sum"]

NO_PODS: Final = "no pods returned by selector while calculating replica count"


class MetricFailed(Exception):
    """A metric that gives no number of replicas, and the reason for it in HPA's words."""

    def __init__(self, reason: HpaReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Tolerance(NamedTuple):
    """By how much a ratio may be off 1 upwards and downwards."""

    up: float
    down: float


@dataclass(frozen=True, slots=True)
class Proposed:
    """The replicas that one metric asks for, what status shows of it, and the name by which the Event calls it."""

    replicas: int
    status: MetricStatus
    name: str


def propose(metric: Metric, world: World, tolerance: Tolerance, settings: Settings, now: float) -> Proposed:
    """Compute one metric; raises MetricFailed."""
    if metric.type not in _COMPUTED:
        raise MetricFailed(
            HpaReason.INVALID_METRIC_SOURCE_TYPE,
            f"metric type {metric.type!r} is not known; write one of {', '.join(MetricType)}",
        )
    reason, compute = _COMPUTED[MetricType(metric.type)]
    try:
        if metric.type in world.fault.metrics:
            raise _Unusable(f"the metrics API does not answer for {metric.type} metric {metric.name}")
        return compute(metric, world, tolerance, settings, now)
    except (_Unusable, NoRequest) as failed:
        raise MetricFailed(reason, f"failed to get {metric.type} metric {metric.name}: {failed}") from failed


def saturated_sum(values: Sequence[int]) -> int:
    """The sum of all series of a metric, which ends at 2^63 - 1."""
    return min(sum(values), int(MOST))


class _Unusable(Exception):
    """What the cluster answered gives no number."""


def _of_resource(metric: Metric, world: World, tolerance: Tolerance, settings: Settings, now: float) -> Proposed:
    if MetricType.RESOURCE in world.fault.metrics:
        raise _Unusable(f"the resource metrics API does not answer for {metric.name}")
    if not world.samples:
        raise _Unusable("no metrics returned from resource metrics API")
    in_container = metric.type == MetricType.CONTAINER_RESOURCE
    container = metric.container if in_container else None
    seen = usage_by_pod(world.samples, metric.name, container)
    groups = _counted(world.pods, seen, metric.name, settings, now)
    if metric.target is not None and metric.target.type is TargetType.UTILIZATION:
        requests = requests_of(world.pods, metric.name, container, settings.pod_level_resources)
        reported = utilization_replicas(
            np.zeros(len(world.pods), np.intp),
            groups,
            amounts_of(world.pods, seen),
            np.array(requests, np.int64),
            np.array([metric.target.amount]),
            np.array([world.scale.spec]),
            *_both(tolerance),
        )
        if not reported.valid[0]:
            raise _Unusable("no metrics returned matched known pods")
        status = MetricStatus(utilization=int(reported.utilization[0]), average=int(reported.average[0]))
        kind = "container resource" if in_container else "resource"
        name = f"{metric.name} {kind} utilization (percentage of request)"
        return Proposed(int(reported.replicas[0]), status, name)
    target = _target(metric, TargetType.AVERAGE_VALUE, "Utilization or AverageValue")
    return _of_average(world, groups, seen, target, tolerance, f"{metric.name} resource")


def _of_pods(metric: Metric, world: World, tolerance: Tolerance, settings: Settings, now: float) -> Proposed:
    if not world.by_pod:
        raise _Unusable("no metrics returned from custom metrics API")
    seen = {pod: Seen(amount) for pod, amount in world.by_pod.items()}
    groups = _counted(world.pods, seen, None, settings, now)
    target = _target(metric, TargetType.AVERAGE_VALUE, "AverageValue")
    return _of_average(world, groups, seen, target, tolerance, f"pods metric {metric.name}")


def _of_object(metric: Metric, world: World, tolerance: Tolerance, settings: Settings, now: float) -> Proposed:
    if world.of_object is None:
        raise _Unusable("no metrics returned from custom metrics API")
    return _of_one_value(metric, world.of_object, world, tolerance, f"{metric.kind} metric {metric.name}")


def _of_outside(metric: Metric, world: World, tolerance: Tolerance, settings: Settings, now: float) -> Proposed:
    if not world.outside:
        raise _Unusable("no metrics returned from external metrics API")
    return _of_one_value(metric, saturated_sum(world.outside), world, tolerance, f"external metric {metric.name}")


def _of_average(
    world: World, groups: Groups, seen: Mapping[str, Seen], target: int, tolerance: Tolerance, name: str
) -> Proposed:
    reported = average_replicas(
        np.zeros(len(world.pods), np.intp),
        groups,
        amounts_of(world.pods, seen),
        np.array([target]),
        np.array([world.scale.spec]),
        *_both(tolerance),
    )
    if not reported.valid[0]:
        raise _Unusable("no metrics returned matched known pods")
    return Proposed(int(reported.replicas[0]), MetricStatus(average=int(reported.average[0])), name)


def _of_one_value(metric: Metric, value: int, world: World, tolerance: Tolerance, name: str) -> Proposed:
    scale = world.scale
    values = np.array([value], np.int64)
    if metric.target is not None and metric.target.type is TargetType.AVERAGE_VALUE:
        present = np.array([scale.status])
        replicas = per_pod_replicas(values, np.array([metric.target.amount]), present, *_both(tolerance))
        return Proposed(int(replicas[0]), MetricStatus(average=int(per_pod_usage(values, present)[0])), name)
    target = _target(metric, TargetType.VALUE, "Value or AverageValue")
    if scale.spec and not world.pods:
        raise _Unusable(NO_PODS)
    serving = sum(each.phase is Phase.RUNNING and each.ready is True for each in world.pods)
    replicas = value_replicas(
        values, np.array([target]), np.array([serving]), np.array([scale.spec]), *_both(tolerance)
    )
    return Proposed(int(replicas[0]), MetricStatus(value=value), name)


def _counted(
    pods: Sequence[Pod], seen: Mapping[str, Seen], resource: str | None, settings: Settings, now: float
) -> Groups:
    """The groups of the pods, of which one counts, or there is a sample of a pod that nobody knows."""
    if not pods:
        raise _Unusable(NO_PODS)
    groups = group_pods(pods, seen, resource, settings, now)
    if not (groups == Group.READY).any() and seen.keys() <= {each.name for each in pods}:
        raise _Unusable("did not receive metrics for targeted pods (pods might be unready)")
    return groups


def _both(tolerance: Tolerance) -> tuple[Floats, Floats]:
    return np.array([tolerance.up]), np.array([tolerance.down])


def _target(metric: Metric, wanted: TargetType, allowed: str) -> int:
    """The amount of the target; raises where it is of a type that the metric cannot have."""
    if metric.target is None or metric.target.type is not wanted:
        has = "none" if metric.target is None else f"one of type {metric.target.type}"
        raise _Unusable(f"{metric.type} metric {metric.name} needs a target of type {allowed} and has {has}")
    return metric.target.amount


_Compute = Callable[[Metric, World, Tolerance, Settings, float], Proposed]

_COMPUTED: Final[Mapping[str, tuple[HpaReason, _Compute]]] = {
    MetricType.RESOURCE: (HpaReason.FAILED_GET_RESOURCE_METRIC, _of_resource),
    MetricType.CONTAINER_RESOURCE: (HpaReason.FAILED_GET_CONTAINER_RESOURCE_METRIC, _of_resource),
    MetricType.PODS: (HpaReason.FAILED_GET_PODS_METRIC, _of_pods),
    MetricType.OBJECT: (HpaReason.FAILED_GET_OBJECT_METRIC, _of_object),
    MetricType.EXTERNAL: (HpaReason.FAILED_GET_EXTERNAL_METRIC, _of_outside),
}
