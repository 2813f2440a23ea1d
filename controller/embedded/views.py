"""The two faces of stored objects: what a client of one version sees, and what is stored of what it sent.

Custom resources of several versions differ in nothing but `apiVersion` (conversion strategy None). Events are stored as core/v1 and read as
events.k8s.io/v1 too, under the names that this group gives their fields.
"""

from controller.embedded.objects import Object, encode
from controller.embedded.resources import Resource

__all__ = ["list_item", "present", "stored"]

_NEW_EVENT_NAMES = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
_OLD_EVENT_NAMES = {new: old for old, new in _NEW_EVENT_NAMES.items()}


def _renamed(obj: Object, names: dict[str, str]) -> Object:
    return {names.get(key, key): value for key, value in obj.items()}


def present(resource: Resource, obj: Object) -> Object:
    """The object as this resource's version shows it; the stored object is left alone."""
    if resource.group == "events.k8s.io":
        obj = _renamed(obj, _NEW_EVENT_NAMES)
    return {"apiVersion": resource.api_version, "kind": resource.kind} | {
        key: value for key, value in obj.items() if key not in ("apiVersion", "kind")
    }


def stored(resource: Resource, obj: Object) -> Object:
    """The object as it is stored, given as this resource's version shows it."""
    if resource.group == "events.k8s.io":
        return {**_renamed(obj, _OLD_EVENT_NAMES), "apiVersion": "v1"}
    return obj


def list_item(resource: Resource, text: bytes) -> bytes:
    """An encoded object as an item of a list: built-in kinds lose apiVersion and kind there, as on the real server."""
    if resource.custom:
        return text
    prefix = encode({"apiVersion": resource.api_version, "kind": resource.kind})[:-1] + b","
    return b"{" + text.removeprefix(prefix)
