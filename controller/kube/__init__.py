"""The Kubernetes API as the operator needs it: what exists, kept current; and the few things that it writes."""

from controller.kube.client import JSON_PATCH, MERGE_PATCH, Client
from controller.kube.discovery import Discovery, Resource
from controller.kube.events import EventRecorder, EventType, Regarding
from controller.kube.pods import POD_ADAPTER, Group, Owner, Pod, PodCache, PodObject, pod_of
from controller.kube.readiness import crd_present, wait_for_crd
from controller.kube.reflector import Key, Reflector, Sink
from controller.kube.scale import FIELD_MANAGER, Target, read_scale, set_replicas
from controller.kube.selectors import InvalidSelector, LabelSelector, Requirement, Selector
from controller.kube.status import COMPOSITE_SCALERS, patch_status
from controller.kube.targets import CURRENT_SECONDS, TargetCache, TargetKey

__all__ = [
    "COMPOSITE_SCALERS",
    "CURRENT_SECONDS",
    "FIELD_MANAGER",
    "JSON_PATCH",
    "MERGE_PATCH",
    "POD_ADAPTER",
    "Client",
    "Discovery",
    "EventRecorder",
    "EventType",
    "Group",
    "InvalidSelector",
    "Key",
    "LabelSelector",
    "Owner",
    "Pod",
    "PodCache",
    "PodObject",
    "Reflector",
    "Regarding",
    "Requirement",
    "Resource",
    "Selector",
    "Sink",
    "Target",
    "TargetCache",
    "TargetKey",
    "crd_present",
    "patch_status",
    "pod_of",
    "read_scale",
    "set_replicas",
    "wait_for_crd",
]
