"""Kubernetes' strategic merge patch: a merge patch in which some lists are merged by a key, with kubectl's directives.

Which lists those are, Kubernetes reads from struct tags of its Go types; here they are a table of field names.
"""

import copy
from typing import Any

from controller.embedded.objects import Object

__all__ = ["strategic_merge"]

_PATCH, _RETAIN = "$patch", "$retainKeys"
_ORDER, _DELETE_PRIMITIVE = "$setElementOrder/", "$deleteFromPrimitiveList/"

# Field name -> the keys its items may be told apart by; the first one that the items carry counts
# (`ports` is keyed by containerPort in a container and by port in a Service).
_MERGE_KEYS: dict[str, tuple[str, ...]] = {
    "conditions": ("type",),
    "containers": ("name",),
    "env": ("name",),
    "ephemeralContainers": ("name",),
    "hostAliases": ("ip",),
    "imagePullSecrets": ("name",),
    "initContainers": ("name",),
    "ownerReferences": ("uid",),
    "ports": ("containerPort", "port"),
    "resourceClaims": ("name",),
    "secrets": ("name",),
    "topologySpreadConstraints": ("topologyKey",),
    "volumeDevices": ("devicePath",),
    "volumeMounts": ("mountPath",),
    "volumes": ("name",),
}
_PRIMITIVE_LISTS = frozenset({"finalizers"})


def strategic_merge(obj: Object, patch: Object) -> Object:
    """The patched copy of an object."""
    return _merge_object(obj, patch)


def _merge_object(obj: Any, patch: Object) -> Object:
    if patch.get(_PATCH) == "replace":
        return {key: copy.deepcopy(value) for key, value in patch.items() if key != _PATCH}
    if patch.get(_PATCH) == "delete":
        return {}
    merged: Object = dict(obj) if isinstance(obj, dict) else {}
    if _RETAIN in patch:
        merged = {key: value for key, value in merged.items() if key in patch[_RETAIN]}
    for key, value in patch.items():
        if key in (_PATCH, _RETAIN) or key.startswith(_ORDER):
            continue
        if key.startswith(_DELETE_PRIMITIVE):
            field = key.removeprefix(_DELETE_PRIMITIVE)
            merged[field] = [item for item in merged.get(field) or [] if item not in value]
        elif value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            merged[key] = _merge_object(merged.get(key), value)
        elif isinstance(value, list):
            merged[key] = _merge_list(key, merged.get(key), value)
        else:
            merged[key] = value
    for key, order in patch.items():
        field = key.removeprefix(_ORDER)
        if key.startswith(_ORDER) and isinstance(merged.get(field), list):
            merged[field] = _ordered(field, merged[field], order)
    return merged


def _merge_key(field: str, items: list[Any]) -> str | None:
    objects = [item for item in items if isinstance(item, dict)]
    return next((key for key in _MERGE_KEYS.get(field, ()) if any(key in item for item in objects)), None)


def _merge_list(field: str, present: Any, patch: list[Any]) -> list[Any]:
    present = present if isinstance(present, list) else []
    if field in _PRIMITIVE_LISTS:
        return [*present, *(item for item in patch if item not in present)]
    key = _merge_key(field, [*patch, *present])
    if key is None or any(isinstance(item, dict) and item == {_PATCH: "replace"} for item in patch):
        return [copy.deepcopy(item) for item in patch if item != {_PATCH: "replace"}]
    merged = list(present)
    for item in patch:
        at = next((i for i, old in enumerate(merged) if old.get(key) == item.get(key)), None)
        if item.get(_PATCH) == "delete":
            merged = [old for old in merged if old.get(key) != item.get(key)]
        elif at is None:
            merged.append(_merge_object({}, item))
        else:
            merged[at] = _merge_object(merged[at], item)
    return merged


def _ordered(field: str, items: list[Any], order: list[Any]) -> list[Any]:
    """Items in the order the patch names; those it does not name keep their places at the end."""
    key = _merge_key(field, items)

    def mark(item: Any) -> Any:
        return item.get(key) if isinstance(item, dict) else item

    places = {mark(item): place for place, item in enumerate(order)}
    return sorted(items, key=lambda item: places.get(mark(item), len(places)))
