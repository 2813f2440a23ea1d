"""The `/scale` subresource: how many replicas a target has, and changing that without overwriting somebody else."""

from collections.abc import Callable
from typing import Final, NamedTuple, NotRequired, TypeVar

from pydantic import TypeAdapter
from typing_extensions import TypedDict

from controller.api.errors import Conflict
from controller.kube.answers import parsed
from controller.kube.client import JSON_PATCH, Client
from controller.kube.discovery import Resource
from controller.kube.selectors import InvalidSelector, Selector

__all__ = ["FIELD_MANAGER", "Target", "read_scale", "readable_selector", "set_replicas"]

FIELD_MANAGER: Final = "compositescaler"

T = TypeVar("T")


class Target(NamedTuple):
    """What a scaler needs to know of what it scales.

    `spec_replicas` is None where the object does not say. `selector` is None where there is none that can be used;
    `selector_fault` says why. `generation` is None when read from `/scale`, which has none.
    """

    namespace: str
    name: str
    uid: str
    spec_replicas: int | None
    status_replicas: int
    selector: Selector | None
    generation: int | None
    resource_version: str
    selector_fault: str = ""


class _Metadata(TypedDict):
    name: str
    namespace: NotRequired[str]
    uid: NotRequired[str]
    resourceVersion: NotRequired[str]


class _Spec(TypedDict):
    replicas: NotRequired[int]


class _Status(TypedDict):
    replicas: NotRequired[int]
    selector: NotRequired[str]


class _Scale(TypedDict):
    metadata: _Metadata
    spec: NotRequired[_Spec]
    status: NotRequired[_Status]


_SCALE: Final = TypeAdapter(_Scale)


async def read_scale(client: Client, resource: Resource, namespace: str, name: str) -> Target:
    """GET `/scale`; raises a `KubernetesError`."""
    path = resource.path(namespace, name, "scale")
    scale = parsed(_SCALE, f"the scale of {resource.plural} {namespace}/{name}", await client.request("GET", path))
    metadata, status = scale["metadata"], scale.get("status", {})
    selector, fault = readable_selector(Selector.parse, status.get("selector", ""))
    return Target(
        namespace=metadata.get("namespace", namespace),
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        spec_replicas=scale.get("spec", {}).get("replicas", 0),  # the server leaves a zero out
        status_replicas=status.get("replicas", 0),
        selector=selector,
        generation=None,
        resource_version=metadata.get("resourceVersion", ""),
        selector_fault=fault,
    )


def readable_selector(parse: Callable[[T], Selector], written: T) -> tuple[Selector | None, str]:
    """The target's selector, or None and the sentence that says why it cannot be used."""
    try:
        return parse(written), ""
    except InvalidSelector as error:
        return None, str(error)


async def set_replicas(client: Client, resource: Resource, namespace: str, name: str, old: int, new: int) -> None:
    """Change `spec.replicas` from `old` to `new`.

    Raises `Conflict` when the count is not `old` any more: somebody else scaled. Otherwise a `KubernetesError`.
    """
    # The server leaves a zero out of a Scale, so there is nothing to test or replace at /spec/replicas then.
    expected = {"path": "/spec/replicas", "value": old} if old else {"path": "/spec", "value": {}}
    try:
        await client.request(
            "PATCH",
            resource.path(namespace, name, "scale"),
            query={"fieldManager": FIELD_MANAGER},
            body=[{"op": "test", **expected}, {"op": "add", "path": "/spec/replicas", "value": new}],
            content_type=JSON_PATCH,
        )
    except Conflict as error:
        raise Conflict(
            f"{resource.plural} {namespace}/{name} does not have {old} replicas any more: somebody else scaled it",
            error.status,
        ) from error
