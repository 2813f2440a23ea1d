"""Stand-ins for the deployment controller and the kubelet: Deployments get ReplicaSets and pods, pods start and end.

Each change in the store marks what it concerns; one pass in the event loop brings that to its wanted state, which may mark more.
StatefulSets are stored, not run. There is no scheduler: a pod without a node is given the one of the settings.
"""

import copy
import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from controller.embedded.lifecycle import DeleteOptions, Lifecycle
from controller.embedded.objects import Object, dig, timestamp
from controller.embedded.podtemplates import (
    REVISION,
    is_deleting,
    is_ready,
    new_pod,
    new_replica_set,
    running_status,
    template_hash,
)
from controller.embedded.resources import Catalog, Resource
from controller.embedded.rollouts import RolloutRules, SetState, plan_rollout, resolve_bounds
from controller.embedded.store import Change, Entry, Key, Store

__all__ = ["Scheduler", "WorkloadSettings", "Workloads"]

_SLICE = 20
_NOW = DeleteOptions(grace_seconds=0)


class Scheduler(Protocol):
    """The part of an event loop that is needed; tests bring one with a clock of their own."""

    def call_later(self, delay: float, callback: Callable[[], object], /) -> Any:
        """Calls back after that many seconds."""


@dataclass(frozen=True)
class WorkloadSettings:
    """How pods behave.

    From its creation to Ready a pod takes `startup_seconds` give or take, uniformly, `startup_jitter_seconds`; from its deletion until
    it is gone `termination_seconds`. `seed` makes the jitter repeatable. `node` is created, and pods without a node go there.
    """

    startup_seconds: float = 1.0
    startup_jitter_seconds: float = 0.0
    termination_seconds: float = 0.0
    seed: int = 0
    node: str = "node-0"


class Workloads:
    """Runs the Deployments, ReplicaSets and pods of one store."""

    def __init__(
        self, store: Store, catalog: Catalog, lifecycle: Lifecycle, scheduler: Scheduler, settings: WorkloadSettings
    ) -> None:
        self._store = store
        self._lifecycle = lifecycle
        self._scheduler = scheduler
        self._settings = settings
        self._random = random.Random(settings.seed)  # noqa: S311 - jitter, not secrets
        self._node = _resource(catalog, "", "nodes")
        self._pod = _resource(catalog, "", "pods")
        self._replica_set = _resource(catalog, "apps", "replicasets")
        self._deployment = _resource(catalog, "apps", "deployments")
        self._reconcilers: dict[str, Callable[[Entry], None]] = {
            self._deployment.storage: self._reconcile_deployment,
            self._replica_set.storage: self._reconcile_replica_set,
        }
        self._marked: dict[tuple[str, Key], None] = {}
        self._pass_ordered = False
        self._births: dict[str, int] = {}

    def start(self) -> None:
        """Takes over what is in the store, and from now on whatever changes in it."""
        if not self._store.collection("nodes").get("", self._settings.node):
            self._lifecycle.create(self._node, "", _ready_node(self._settings.node))
        self._store.listen(self._on_change)
        for storage in ("pods", *self._reconcilers):
            for entry in self._store.collection(storage).scan():
                self._on_change(storage, Change("ADDED", entry, None))

    def _on_change(self, storage: str, change: Change) -> None:
        if storage in self._reconcilers:
            self._mark(storage, change.entry.key)
        if storage == "pods":
            self._on_pod(change)
        if storage in ("pods", self._replica_set.storage):
            owner = _controller(change.entry.obj)
            for resource in (self._replica_set, self._deployment):
                if owner and owner["kind"] == resource.kind:
                    self._mark(resource.storage, (change.entry.key[0], owner["name"]))

    def _on_pod(self, change: Change) -> None:
        """What a kubelet would do."""
        pod, settings = change.entry, self._settings
        uid = pod.obj["metadata"]["uid"]
        if change.type == "DELETED":
            self._births.pop(uid, None)
            return
        if change.type == "ADDED":
            self._births[uid] = pod.revision
            spread = self._random.uniform(-1, 1) * settings.startup_jitter_seconds
            delay = max(0.0, settings.startup_seconds + spread)
            self._scheduler.call_later(delay, lambda: self._start_pod(pod.key, uid))
        if is_deleting(pod.obj) and not (change.previous and is_deleting(change.previous.obj)):
            delay = min(settings.termination_seconds, pod.obj["metadata"].get("deletionGracePeriodSeconds", 0))
            self._scheduler.call_later(delay, lambda: self._end_pod(pod.key, uid))

    def _start_pod(self, key: Key, uid: str) -> None:
        pod = self._living_pod(key, uid)
        if pod is None or is_deleting(pod.obj):
            return
        if not pod.obj["spec"].get("nodeName"):
            bound = copy.deepcopy(pod.obj)
            bound["spec"]["nodeName"] = self._settings.node
            pod = self._lifecycle.update(self._pod, pod, bound)
        number = self._births[uid]
        address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        self._write_status(self._pod, pod, running_status(pod.obj, address))

    def _end_pod(self, key: Key, uid: str) -> None:
        pod = self._living_pod(key, uid)
        if pod:
            self._lifecycle.delete(self._pod, pod, _NOW)

    def _living_pod(self, key: Key, uid: str) -> Entry | None:
        pod = self._store.collection("pods").get(*key)
        return pod if pod and pod.obj["metadata"]["uid"] == uid else None

    def _mark(self, storage: str, key: Key) -> None:
        self._marked[storage, key] = None
        self._order_pass()

    def _pass(self) -> None:
        # In slices, so that a thousand Deployments do not keep the server from answering.
        self._pass_ordered = False
        for storage, key in list(islice(self._marked, _SLICE)):
            del self._marked[storage, key]
            entry = self._store.collection(storage).get(*key)
            if entry and not is_deleting(entry.obj):
                self._reconcilers[storage](entry)
        if self._marked:
            self._order_pass()

    def _order_pass(self) -> None:
        if not self._pass_ordered:
            self._pass_ordered = True
            self._scheduler.call_later(0, self._pass)

    def _reconcile_replica_set(self, entry: Entry) -> None:
        owned = self._owned(entry, "pods")
        active = [pod for pod in owned if not is_deleting(pod.obj)]
        wanted = entry.obj["spec"]["replicas"]
        for _ in range(wanted - len(active)):
            self._lifecycle.create(self._pod, entry.key[0], new_pod(entry.obj, self._settings.node))
        # Pods that serve nobody go first, then the youngest: they have the least to lose.
        active.sort(key=lambda pod: (is_ready(pod.obj), -self._births[pod.obj["metadata"]["uid"]]))
        for pod in active[: max(0, len(active) - wanted)]:
            self._lifecycle.delete(self._pod, pod)
        pods = [pod.obj for pod in self._owned(entry, "pods") if not is_deleting(pod.obj)]
        ready = sum(is_ready(pod) for pod in pods)
        status = {
            "replicas": len(pods),
            "fullyLabeledReplicas": len(pods),
            "readyReplicas": ready,
            "availableReplicas": ready,
            "observedGeneration": entry.obj["metadata"]["generation"],
        }
        self._write_status(self._replica_set, entry, _without_zeros(status, keep="replicas"))

    def _reconcile_deployment(self, entry: Entry) -> None:
        name = f"{entry.key[1]}-{template_hash(entry.obj['spec']['template'])}"
        sets = sorted(self._owned(entry, self._replica_set.storage), key=lambda each: _revision(each.obj))
        new = next((each for each in sets if each.key[1] == name), None)
        paused = bool(entry.obj["spec"].get("paused"))
        if new is None and not paused:
            revision = max((_revision(each.obj) for each in sets), default=0) + 1
            new = self._lifecycle.create(self._replica_set, entry.key[0], new_replica_set(entry.obj, revision))
        old = [each for each in sets if each is not new]
        if new is None:
            # Paused before the template's ReplicaSet was made: the newest old one takes its part.
            new = old.pop() if old else None
        if new:
            self._roll(entry.obj, new, old)
            self._write_revision(entry, new)
        current = self._store.collection(self._deployment.storage).get(*entry.key)
        assert current is not None
        self._write_status(self._deployment, current, self._deployment_status(current, name))

    def _roll(self, deployment: Object, new: Entry, old: list[Entry]) -> None:
        spec = deployment["spec"]
        bounds = dig(spec, "strategy", "rollingUpdate") or {}
        surge, unavailable = resolve_bounds(
            spec["replicas"], bounds.get("maxSurge", "25%"), bounds.get("maxUnavailable", "25%")
        )
        recreate = dig(spec, "strategy", "type") == "Recreate"
        rules = RolloutRules(surge, unavailable, recreate, bool(spec.get("paused")))
        states = [_state(each.obj) for each in old]
        for_new, for_old = plan_rollout(spec["replicas"], rules, _state(new.obj), states)
        for each, replicas in zip((new, *old), (for_new, *for_old), strict=True):
            if each.obj["spec"]["replicas"] != replicas:
                scaled = copy.deepcopy(each.obj)
                scaled["spec"]["replicas"] = replicas
                self._lifecycle.update(self._replica_set, each, scaled)

    def _write_revision(self, deployment: Entry, new: Entry) -> None:
        annotations = deployment.obj["metadata"].get("annotations") or {}
        revision = str(_revision(new.obj))
        if annotations.get(REVISION) != revision:
            marked = copy.deepcopy(deployment.obj)
            marked["metadata"]["annotations"] = {**annotations, REVISION: revision}
            self._lifecycle.update(self._deployment, deployment, marked)

    def _deployment_status(self, entry: Entry, new_name: str) -> Object:
        sets = self._owned(entry, self._replica_set.storage)
        statuses = {each.key[1]: each.obj.get("status") or {} for each in sets}
        total = {key: sum(s.get(key, 0) for s in statuses.values()) for key in ("replicas", "readyReplicas")}
        desired = entry.obj["spec"]["replicas"]
        available = total["readyReplicas"]
        counts = {
            "observedGeneration": entry.obj["metadata"]["generation"],
            "replicas": total["replicas"],
            "updatedReplicas": statuses.get(new_name, {}).get("replicas", 0),
            "readyReplicas": total["readyReplicas"],
            "availableReplicas": available,
            "unavailableReplicas": max(0, desired - available),
        }
        present = dig(entry.obj, "status", "conditions") or []
        enough = available >= desired - resolve_bounds(desired, "25%", "25%")[1]
        done = counts["updatedReplicas"] == desired == available == total["replicas"]
        return {
            **_without_zeros(counts),
            "conditions": [
                _condition(present, "Available", enough, "MinimumReplicasAvailable", "MinimumReplicasUnavailable"),
                _condition(present, "Progressing", True, "NewReplicaSetAvailable" if done else "ReplicaSetUpdated", ""),
            ],
        }

    def _owned(self, owner: Entry, storage: str) -> list[Entry]:
        """What names this object as an owner, in one collection."""
        collection = self._store.collection(storage)
        keys = [key for kind, key in self._store.dependents(owner.obj["metadata"]["uid"]) if kind == storage]
        return [entry for key in keys if (entry := collection.get(*key))]

    def _write_status(self, resource: Resource, entry: Entry, status: Object) -> None:
        self._lifecycle.update(resource, entry, {"metadata": {}, "status": status}, part="status")


def _resource(catalog: Catalog, group: str, plural: str) -> Resource:
    resource = catalog.find(group, "v1", plural)
    assert resource is not None
    return resource


def _controller(obj: Object) -> Object | None:
    owners = obj["metadata"].get("ownerReferences") or ()
    return next((owner for owner in owners if owner.get("controller")), None)


def _revision(replica_set: Object) -> int:
    return int(dig(replica_set, "metadata", "annotations", REVISION) or 0)


def _state(replica_set: Object) -> SetState:
    status = replica_set.get("status") or {}
    return SetState(replica_set["spec"]["replicas"], status.get("replicas", 0), status.get("availableReplicas", 0))


def _without_zeros(counts: dict[str, int], keep: str = "") -> Object:
    """Kubernetes leaves out counts of zero; clients must not rely on them."""
    return {key: count for key, count in counts.items() if count or key == keep}


def _condition(present: list[Object], kind: str, holds: bool, reason: str, otherwise: str) -> Object:
    """The condition, with the times of the present one as far as nothing has changed."""
    condition = {"type": kind, "status": str(holds), "reason": reason if holds else otherwise}
    now = timestamp()
    before = next((each for each in present if each["type"] == kind), {"lastTransitionTime": now})
    if all(before.get(key) == value for key, value in condition.items()):
        return before
    same_status = before.get("status") == condition["status"]
    moved = before["lastTransitionTime"] if same_status else now
    return {**condition, "message": "", "lastUpdateTime": now, "lastTransitionTime": moved}


def _ready_node(name: str) -> Object:
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "lastTransitionTime": timestamp()}
    capacity = {"cpu": "1k", "memory": "1Ti", "pods": "100k"}
    status = {"capacity": capacity, "allocatable": capacity, "conditions": [ready]}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": {}, "status": status}
