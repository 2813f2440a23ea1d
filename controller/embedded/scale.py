"""The scale subresource: any resource that says where its replicas are, seen as an `autoscaling/v1` Scale."""

import copy
from typing import Any

from controller.embedded.builtin import negative
from controller.embedded.objects import Object, dig, encode
from controller.embedded.refusals import Refusal, Undecodable, invalid
from controller.embedded.resources import ScalePaths
from controller.embedded.selectors import format_label_selector

__all__ = ["read_scale", "with_replicas"]


def _selector(paths: ScalePaths, obj: Object) -> str:
    found: Any = dig(obj, *paths.selector) if paths.selector else None
    return format_label_selector(found) if isinstance(found, dict) else found or ""


def read_scale(paths: ScalePaths, obj: Object) -> Object:
    """The Scale of a stored object; refuses an object that does not say how many replicas it wants (500)."""
    replicas = dig(obj, *paths.spec_replicas)
    if replicas is None:
        field = f".{'.'.join(paths.spec_replicas)}"
        message = f'Internal error occurred: the spec replicas field "{field}" does not exist'
        raise Refusal(500, "InternalError", message)
    metadata = obj["metadata"]
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    status: Object = {"replicas": dig(obj, *paths.status_replicas) or 0}
    if selector := _selector(paths, obj):
        status["selector"] = selector
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: metadata[key] for key in kept if key in metadata},
        "spec": {"replicas": replicas} if replicas else {},
        "status": status,
    }


def with_replicas(paths: ScalePaths, obj: Object, scale: Object) -> Object:
    """The stored object with the Scale's replicas and version; refuses a negative count (422)."""
    replicas = dig(scale, "spec", "replicas") or 0
    name = obj["metadata"]["name"]
    if isinstance(replicas, bool) or not isinstance(replicas, int):
        where = 'Scale in version "v1" cannot be handled as a Scale'
        raise Undecodable(f"{where}: {encode(replicas).decode()} in spec.replicas is not of type int32")
    if replicas < 0:
        raise invalid("autoscaling", "Scale", name, [negative("spec.replicas", replicas)])
    scaled = copy.deepcopy(obj)
    holder = scaled
    for key in paths.spec_replicas[:-1]:
        holder = holder.setdefault(key, {})
    holder[paths.spec_replicas[-1]] = replicas
    asked = scale.get("metadata") or {}
    for field in ("resourceVersion", "uid", "name"):
        if asked.get(field):
            scaled["metadata"][field] = asked[field]
    return scaled
