"""The columns that `kubectl get` shows for built-in kinds; those of custom resources come from their CRD."""

from collections.abc import Callable
from typing import Any, NamedTuple

from controller.embedded.objects import Object, dig
from controller.embedded.selectors import format_label_selector

__all__ = ["BUILT_IN_COLUMNS", "BuiltInColumn"]


class BuiltInColumn(NamedTuple):
    """A column that is computed rather than read at a path; a `date` is shown as an age."""

    name: str
    type: str
    value: Callable[[Object], Any]
    priority: int = 0


def _at(*path: str, default: Any = None) -> Callable[[Object], Any]:
    def value(obj: Object) -> Any:
        found = dig(obj, *path)
        return default if found is None else found

    return value


def _containers(obj: Object) -> list[Object]:
    return dig(obj, "spec", "template", "spec", "containers") or []


def _joined(key: str) -> Callable[[Object], str]:
    return lambda obj: ",".join(container.get(key, "") for container in _containers(obj))


def _ready_of(obj: Object) -> str:
    return f"{dig(obj, 'status', 'readyReplicas') or 0}/{dig(obj, 'spec', 'replicas') or 0}"


def _selector(obj: Object) -> str:
    return format_label_selector(dig(obj, "spec", "selector"))


def _ready_containers(pod: Object) -> str:
    statuses = dig(pod, "status", "containerStatuses") or []
    return f"{sum(bool(s.get('ready')) for s in statuses)}/{len(dig(pod, 'spec', 'containers') or [])}"


def _pod_status(pod: Object) -> str:
    if dig(pod, "metadata", "deletionTimestamp"):
        return "Terminating"
    return str(dig(pod, "status", "reason") or dig(pod, "status", "phase") or "Unknown")


def _restarts(pod: Object) -> str:
    return str(sum(status.get("restartCount", 0) for status in dig(pod, "status", "containerStatuses") or []))


def _node_status(node: Object) -> str:
    conditions = dig(node, "status", "conditions") or []
    ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)
    return "Ready" if ready else "NotReady"


def _event_object(event: Object) -> str:
    subject = event.get("involvedObject") or {}
    return f"{subject.get('kind', '').lower()}/{subject.get('name', '')}"


def _event_time(event: Object) -> Any:
    return (
        dig(event, "series", "lastObservedTime")
        or event.get("lastTimestamp")
        or event.get("eventTime")
        or dig(event, "metadata", "creationTimestamp")
    )


_NAME = BuiltInColumn("Name", "string", _at("metadata", "name"))
_AGE = BuiltInColumn("Age", "date", _at("metadata", "creationTimestamp"))
_CREATED = BuiltInColumn("Created At", "string", _at("metadata", "creationTimestamp"))
_TEMPLATE = (
    BuiltInColumn("Containers", "string", _joined("name"), 1),
    BuiltInColumn("Images", "string", _joined("image"), 1),
)
_DATA = BuiltInColumn("Data", "integer", lambda obj: len(obj.get("data") or {}))
_SELECTOR = BuiltInColumn("Selector", "string", _selector, 1)

BUILT_IN_COLUMNS: dict[str, tuple[BuiltInColumn, ...]] = {
    "pods": (
        _NAME,
        BuiltInColumn("Ready", "string", _ready_containers),
        BuiltInColumn("Status", "string", _pod_status),
        BuiltInColumn("Restarts", "string", _restarts),
        _AGE,
        BuiltInColumn("IP", "string", _at("status", "podIP", default="<none>"), 1),
        BuiltInColumn("Node", "string", _at("spec", "nodeName", default="<none>"), 1),
        BuiltInColumn("Nominated Node", "string", _at("status", "nominatedNodeName", default="<none>"), 1),
        BuiltInColumn("Readiness Gates", "string", lambda _: "<none>", 1),
    ),
    "deployments": (
        _NAME,
        BuiltInColumn("Ready", "string", _ready_of),
        BuiltInColumn("Up-to-date", "integer", _at("status", "updatedReplicas", default=0)),
        BuiltInColumn("Available", "integer", _at("status", "availableReplicas", default=0)),
        _AGE,
        *_TEMPLATE,
        _SELECTOR,
    ),
    "replicasets": (
        _NAME,
        BuiltInColumn("Desired", "integer", _at("spec", "replicas", default=0)),
        BuiltInColumn("Current", "integer", _at("status", "replicas", default=0)),
        BuiltInColumn("Ready", "integer", _at("status", "readyReplicas", default=0)),
        _AGE,
        *_TEMPLATE,
        _SELECTOR,
    ),
    "statefulsets": (_NAME, BuiltInColumn("Ready", "string", _ready_of), _AGE, *_TEMPLATE),
    "nodes": (
        _NAME,
        BuiltInColumn("Status", "string", _node_status),
        BuiltInColumn("Roles", "string", lambda _: "<none>"),
        _AGE,
        BuiltInColumn("Version", "string", _at("status", "nodeInfo", "kubeletVersion", default="")),
    ),
    "namespaces": (_NAME, BuiltInColumn("Status", "string", _at("status", "phase", default="Active")), _AGE),
    "events": (
        BuiltInColumn("Last Seen", "date", _event_time),
        BuiltInColumn("Type", "string", _at("type", default="")),
        BuiltInColumn("Reason", "string", _at("reason", default="")),
        BuiltInColumn("Object", "string", _event_object),
        BuiltInColumn("Subobject", "string", _at("involvedObject", "fieldPath", default=""), 1),
        BuiltInColumn("Source", "string", _at("source", "component", default=""), 1),
        BuiltInColumn("Message", "string", _at("message", default="")),
        BuiltInColumn("First Seen", "date", _at("firstTimestamp"), 1),
        BuiltInColumn("Count", "string", lambda event: str(event.get("count") or 1), 1),
        BuiltInColumn("Name", "string", _at("metadata", "name"), 1),
    ),
    "leases": (_NAME, BuiltInColumn("Holder", "string", _at("spec", "holderIdentity", default="")), _AGE),
    "configmaps": (_NAME, _DATA, _AGE),
    "secrets": (_NAME, BuiltInColumn("Type", "string", _at("type", default="Opaque")), _DATA, _AGE),
    "customresourcedefinitions": (_NAME, _CREATED),
    "roles": (_NAME, _CREATED),
    "clusterroles": (_NAME, _CREATED),
    "": (_NAME, _AGE),
}
