"""Kubernetes' HorizontalPodAutoscaler as a rival: its arithmetic for any number of autoscalers at once, and its controller for one.

Every rule that HPA shares with us is the engine's own code: tolerance, rounding, doubt about pods, windows, policies, bounds. What only HPA
has is here. The arithmetic takes whole milli-units in arrays: S autoscalers, P pods sorted by autoscaler.
"""

from controller.simulation.hpa.controller import Outcome, is_selector, reconcile
from controller.simulation.hpa.defaults import complete
from controller.simulation.hpa.memory import Memory, Recommendation, ScaleEvent
from controller.simulation.hpa.metrics import MetricFailed, Proposed, Tolerance, propose
from controller.simulation.hpa.objects import (
    Autoscaler,
    Condition,
    Container,
    Event,
    Fault,
    HpaReason,
    Metric,
    MetricStatus,
    MetricType,
    Phase,
    Pod,
    Sample,
    Scale,
    Settings,
    Status,
    Target,
    TargetType,
    World,
)
from controller.simulation.hpa.pods import Group, Pods, group
from controller.simulation.hpa.replicas import (
    Best,
    Reported,
    average_replicas,
    best,
    per_pod_replicas,
    per_pod_usage,
    utilization_replicas,
    value_replicas,
)
from controller.simulation.hpa.requests import NoRequest, requests_of
from controller.simulation.hpa.restraint import (
    Limits,
    Restrained,
    clamp_without_behavior,
    limit_with_behavior,
    remember,
    stabilize_without_behavior,
    with_behavior,
    without_behavior,
)
from controller.simulation.hpa.samples import Seen, group_pods, usage_by_pod

__all__ = [
    "Autoscaler",
    "Best",
    "Condition",
    "Container",
    "Event",
    "Fault",
    "Group",
    "HpaReason",
    "Limits",
    "Memory",
    "Metric",
    "MetricFailed",
    "MetricStatus",
    "MetricType",
    "NoRequest",
    "Outcome",
    "Phase",
    "Pod",
    "Pods",
    "Proposed",
    "Recommendation",
    "Reported",
    "Restrained",
    "Sample",
    "Scale",
    "ScaleEvent",
    "Seen",
    "Settings",
    "Status",
    "Target",
    "TargetType",
    "Tolerance",
    "World",
    "average_replicas",
    "best",
    "clamp_without_behavior",
    "complete",
    "group",
    "group_pods",
    "is_selector",
    "limit_with_behavior",
    "per_pod_replicas",
    "per_pod_usage",
    "propose",
    "reconcile",
    "remember",
    "requests_of",
    "stabilize_without_behavior",
    "usage_by_pod",
    "utilization_replicas",
    "value_replicas",
    "with_behavior",
    "without_behavior",
]
