"""Defaults and checks of built-in kinds: those that the operator, kubectl and the stand-in controllers rely on, not all of Kubernetes'.

Unknown fields of built-in kinds are stored as they come.
"""

from typing import Any

from controller.embedded.objects import Object, dig
from controller.embedded.refusals import Cause, Undecodable
from controller.embedded.resources import Resource
from controller.embedded.selectors import matches_labels

__all__ = ["built_in_problems", "default_built_in", "initial_status"]

_POD_DEFAULTS: Object = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "schedulerName": "default-scheduler",
}
_WORKLOADS = ("Deployment", "ReplicaSet", "StatefulSet")
_DEPLOYMENT_DEFAULTS: Object = {
    "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}},
    "revisionHistoryLimit": 10,
    "progressDeadlineSeconds": 600,
}


def _fill(target: Object, defaults: Object) -> None:
    for key, value in defaults.items():
        if target.get(key) is None:
            target[key] = dict(value) if isinstance(value, dict) else value


def default_built_in(resource: Resource, obj: Object) -> None:
    """Fills in defaults in place; refuses a spec that is no object (400)."""
    spec = obj.get("spec")
    if spec is None:
        return
    if not isinstance(spec, dict):
        raise _undecodable(resource, f"{resource.kind}.spec", spec, f"v1.{resource.kind}Spec")
    if resource.kind in _WORKLOADS:
        _fill(spec, {"replicas": 1})
        if isinstance(dig(spec, "template", "spec"), dict):
            _fill(spec["template"]["spec"], _POD_DEFAULTS)
    if resource.kind == "Deployment":
        _fill(spec, _DEPLOYMENT_DEFAULTS)
    if resource.kind == "Pod":
        _fill(spec, _POD_DEFAULTS)
        for container in spec.get("containers") or ():
            _default_requests(container)


def _default_requests(container: Object) -> None:
    """A limit without a request is the request too."""
    limits = dig(container, "resources", "limits")
    if limits:
        requests = container["resources"].setdefault("requests", {})
        container["resources"]["requests"] = {**limits, **requests}


def initial_status(resource: Resource, obj: Object) -> Object | None:
    """The status of a new object; nodes alone may bring their own."""
    if resource.custom:
        return None
    if resource.kind == "Node":
        return obj.get("status") or {}
    if resource.kind in ("Pod", "Namespace"):
        return {"phase": "Pending" if resource.kind == "Pod" else "Active"}
    return {}


def built_in_problems(resource: Resource, obj: Object, previous: Object | None) -> list[Cause]:
    """What the API server would refuse; empty when the object may be stored. Refuses wrong types at once (400)."""
    if resource.kind in _WORKLOADS:
        return _workload_problems(resource, obj, previous)
    if resource.kind == "Pod":
        return _pod_problems(obj.get("spec"), "spec")
    if resource.kind == "Event":
        return _event_problems(resource, obj)
    if resource.kind == "Lease":
        return _lease_problems(obj)
    return []


def _required(path: str, message: str = "Required value") -> Cause:
    return Cause("FieldValueRequired", message, path)


def _workload_problems(resource: Resource, obj: Object, previous: Object | None) -> list[Cause]:
    spec = obj.get("spec") or {}
    replicas = spec.get("replicas", 1)
    if isinstance(replicas, bool) or not isinstance(replicas, int):
        raise _undecodable(resource, f"{resource.kind}Spec.spec.replicas", replicas, "int32")
    problems = []
    if replicas < 0:
        problems.append(negative("spec.replicas", replicas))
    selector = spec.get("selector")
    if not selector:
        problems.append(_required("spec.selector"))
    elif not matches_labels(selector, dig(spec, "template", "metadata", "labels") or {}):
        message = "Invalid value: `selector` does not match template `labels`"
        problems.append(Cause("FieldValueInvalid", message, "spec.template.metadata.labels"))
    if previous and selector != dig(previous, "spec", "selector"):
        problems.append(Cause("FieldValueInvalid", "Invalid value: field is immutable", "spec.selector"))
    return problems + _pod_problems(dig(spec, "template", "spec"), "spec.template.spec")


def negative(path: str, value: int) -> Cause:
    """The refusal of a number below zero."""
    return Cause("FieldValueInvalid", f"Invalid value: {value}: must be greater than or equal to 0", path)


def _undecodable(resource: Resource, field: str, value: Any, wanted: str) -> Undecodable:
    found = {str: "string", bool: "bool", float: "number", list: "array", dict: "object"}.get(type(value), "null")
    where = f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}'
    return Undecodable(f"{where}: json: cannot unmarshal {found} into Go struct field {field} of type {wanted}")


def _pod_problems(spec: Any, path: str) -> list[Cause]:
    containers = dig(spec, "containers") or []
    if not containers:
        return [_required(f"{path}.containers")]
    return [
        _required(f"{path}.containers[{index}].{field}")
        for index, container in enumerate(containers)
        for field in ("name", "image")
        if not container.get(field)
    ]


def _event_problems(resource: Resource, event: Object) -> list[Cause]:
    """Events of the new style, by their group or by their `eventTime`, must say when, who, and what was done."""
    problems = []
    if resource.group or event.get("eventTime"):
        reporter = "reportingController" if resource.group else "reportingComponent"
        said = {
            "eventTime": event.get("eventTime"),
            reporter: event.get("reportingComponent"),
            "reportingInstance": event.get("reportingInstance"),
            "action": event.get("action"),
            "reason": event.get("reason"),
        }
        problems = [_required(field) for field, value in said.items() if not value]
        if event.get("type") not in ("Normal", "Warning"):
            message = f'Invalid value: "": has invalid value: {event.get("type", "")}'
            problems.append(Cause("FieldValueInvalid", message, "type"))
    namespace = event["metadata"].get("namespace", "")
    subject = dig(event, "involvedObject", "namespace") or ""
    if subject != namespace and (subject or namespace != "default"):
        message = f'Invalid value: "{subject}": does not match event.namespace'
        problems.append(Cause("FieldValueInvalid", message, "involvedObject.namespace"))
    return problems


def _lease_problems(lease: Object) -> list[Cause]:
    problems = []
    duration = dig(lease, "spec", "leaseDurationSeconds")
    if isinstance(duration, int) and duration <= 0:
        message = f"Invalid value: {duration}: must be greater than 0"
        problems.append(Cause("FieldValueInvalid", message, "spec.leaseDurationSeconds"))
    transitions = dig(lease, "spec", "leaseTransitions")
    if isinstance(transitions, int) and transitions < 0:
        problems.append(negative("spec.leaseTransitions", transitions))
    return problems
