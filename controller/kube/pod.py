"""One pod as the operator sees it: a small tuple, parsed without building the parts that nobody needs."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from itertools import chain
from typing import Final, NamedTuple, NotRequired

from pydantic import ConfigDict, TypeAdapter, with_config
from typing_extensions import TypedDict

from controller.api.errors import InvalidAmount
from controller.api.units import parse_quantity

__all__ = ["POD_ADAPTER", "Owner", "Pod", "PodObject", "pod_of"]

NO_LABELS: Final[Mapping[str, str]] = {}
SHARED: Final = 1 << 14  # label sets and owners; more of them than this only cost memory


class Owner(NamedTuple):
    """The controller of a pod, mostly a ReplicaSet."""

    kind: str
    name: str
    uid: str


class Pod(NamedTuple):
    """A pod.

    Times are Unix seconds; `ready_since` is None unless `ready`, `first_ready` is the earliest Ready time known of the pod,
    also while it is not Ready. `unscheduled` says that no node has room for it; such a pod is never Ready. `cpu_request`
    is in cores and `memory_request` in bytes for the whole pod, None where a container that counts has none. Labels are
    shared: never change them.
    """

    namespace: str
    name: str
    uid: str
    labels: Mapping[str, str]
    phase: str
    ready: bool
    deleting: bool
    start_time: float | None
    ready_since: float | None
    cpu_request: float | None
    memory_request: float | None
    owner: Owner | None
    created: float | None
    first_ready: float | None
    unscheduled: bool

    @property
    def template_hash(self) -> str | None:
        """Which revision of its Deployment or Rollout the pod is of, or None."""
        return self.labels.get("pod-template-hash") or self.labels.get("rollouts-pod-template-hash")


class _OwnerReference(TypedDict):
    kind: str
    name: str
    uid: str
    controller: NotRequired[bool | None]


class _PodMetadata(TypedDict):
    name: str
    namespace: NotRequired[str]
    resourceVersion: str
    uid: NotRequired[str]
    labels: NotRequired[dict[str, str] | None]
    creationTimestamp: NotRequired[str | None]
    deletionTimestamp: NotRequired[str | None]
    ownerReferences: NotRequired[list[_OwnerReference] | None]


@with_config(ConfigDict(coerce_numbers_to_str=True))
class _Amounts(TypedDict, total=False):
    cpu: str
    memory: str


class _Resources(TypedDict):
    requests: NotRequired[_Amounts | None]


class _Container(TypedDict):
    resources: NotRequired[_Resources | None]
    restartPolicy: NotRequired[str | None]


class _PodSpec(TypedDict):
    containers: NotRequired[list[_Container] | None]
    initContainers: NotRequired[list[_Container] | None]
    resources: NotRequired[_Resources | None]


class _Condition(TypedDict):
    type: str
    status: str
    reason: NotRequired[str | None]
    lastTransitionTime: NotRequired[str | None]


class _PodStatus(TypedDict):
    phase: NotRequired[str]
    startTime: NotRequired[str | None]
    conditions: NotRequired[list[_Condition] | None]


class PodObject(TypedDict):
    """What is parsed of a pod's JSON."""

    metadata: _PodMetadata
    spec: NotRequired[_PodSpec]
    status: NotRequired[_PodStatus]


POD_ADAPTER: Final = TypeAdapter(PodObject)


def pod_of(item: PodObject) -> Pod:
    """The pod that the API's object describes."""
    metadata, spec, status = item["metadata"], item.get("spec", {}), item.get("status", {})
    ready, ready_since, unscheduled = False, None, False
    for condition in status.get("conditions") or ():
        if condition["type"] == "Ready" and condition["status"] == "True":
            ready, ready_since = True, _unix(condition.get("lastTransitionTime"))
        elif condition["type"] == "PodScheduled" and condition["status"] == "False":
            unscheduled = condition.get("reason") == "Unschedulable"
    if unscheduled:
        ready, ready_since = False, None
    owner = None
    for reference in metadata.get("ownerReferences") or ():
        if reference.get("controller"):
            owner = _owner(reference["kind"], reference["name"], reference["uid"])
    labels = metadata.get("labels")
    return Pod(
        metadata.get("namespace", ""),
        metadata["name"],
        metadata.get("uid", ""),
        _labels(tuple(labels.items())) if labels else NO_LABELS,
        status.get("phase", "Pending"),
        ready,
        bool(metadata.get("deletionTimestamp")),
        _unix(status.get("startTime")),
        ready_since,
        _request(spec, "cpu"),
        _request(spec, "memory"),
        owner,
        _unix(metadata.get("creationTimestamp")),
        ready_since,
        unscheduled,
    )


def _request(spec: _PodSpec, resource: str) -> float | None:
    """HPA's rule: what the pod itself asks for, else the sum of the containers that run, all of which must say."""
    whole = _requested(spec.get("resources"), resource)
    if whole is not None:
        return whole
    total = 0.0
    sidecars = (each for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always")
    for container in chain(spec.get("containers") or (), sidecars):
        amount = _requested(container.get("resources"), resource)
        if amount is None:
            return None
        total += amount
    return total or None


def _requested(resources: _Resources | None, resource: str) -> float | None:
    requests = resources.get("requests") if resources else None
    text = (requests.get("cpu") if resource == "cpu" else requests.get("memory")) if requests else None
    return None if text is None else _number(text)


@lru_cache(maxsize=4096)
def _number(quantity: str) -> float | None:
    try:
        return float(parse_quantity(quantity))
    except InvalidAmount:
        return None  # no request is what a request that nobody can read amounts to


@lru_cache(maxsize=SHARED)
def _labels(pairs: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    return dict(pairs)


@lru_cache(maxsize=SHARED)
def _owner(kind: str, name: str, uid: str) -> Owner:
    return Owner(kind, name, uid)


def _unix(text: str | None) -> float | None:
    return datetime.fromisoformat(text).timestamp() if text else None
