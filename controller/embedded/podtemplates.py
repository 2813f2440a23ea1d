"""What the stand-in controllers make: a Deployment's ReplicaSet, a ReplicaSet's pod, the status of a pod that runs."""

import copy
import hashlib

from controller.embedded.objects import Object, Owner, dig, encode, timestamp

__all__ = [
    "HASH_LABEL",
    "REVISION",
    "is_deleting",
    "is_ready",
    "new_pod",
    "new_replica_set",
    "running_status",
    "template_hash",
]

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
_SAFE = "bcdfghjklmnpqrstvwxz2456789"
_READY_CONDITIONS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")


def template_hash(template: Object) -> str:
    """Ten characters that name a pod template: equal templates, equal names."""
    number = int.from_bytes(hashlib.sha256(encode(template)).digest()[:8], "big")
    letters = []
    for _ in range(10):
        number, place = divmod(number, len(_SAFE))
        letters.append(_SAFE[place])
    return "".join(letters)


def is_ready(pod: Object) -> bool:
    """Whether the pod's Ready condition is true and nobody has deleted it."""
    conditions = dig(pod, "status", "conditions") or []
    return not is_deleting(pod) and any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def is_deleting(obj: Object) -> bool:
    return bool(dig(obj, "metadata", "deletionTimestamp"))


def _owned_by(owner: Object) -> list[Owner]:
    metadata = owner["metadata"]
    return [
        {
            "apiVersion": "apps/v1",
            "kind": owner["kind"],
            "name": metadata["name"],
            "uid": metadata["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]


def new_replica_set(deployment: Object, revision: int) -> Object:
    """The ReplicaSet of a Deployment's present template, still without pods."""
    metadata, spec = deployment["metadata"], deployment["spec"]
    mark = template_hash(spec["template"])
    template, selector = copy.deepcopy(spec["template"]), copy.deepcopy(spec["selector"])
    labels = template.setdefault("metadata", {}).setdefault("labels", {})
    labels[HASH_LABEL] = mark
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), HASH_LABEL: mark}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{metadata['name']}-{mark}",
            "namespace": metadata["namespace"],
            "labels": dict(labels),
            "annotations": {REVISION: str(revision)},
            "ownerReferences": _owned_by(deployment),
        },
        "spec": {"replicas": 0, "selector": selector, "template": template},
    }


def new_pod(replica_set: Object, node: str) -> Object:
    """One pod of a ReplicaSet, bound to the template's node or else to the given one."""
    metadata, template = replica_set["metadata"], copy.deepcopy(replica_set["spec"]["template"])
    spec = template["spec"]
    spec.setdefault("nodeName", node)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            **(template.get("metadata") or {}),
            "generateName": f"{metadata['name']}-",
            "namespace": metadata["namespace"],
            "ownerReferences": _owned_by(replica_set),
        },
        "spec": spec,
    }


def running_status(pod: Object, address: str) -> Object:
    """The status of a pod whose containers have just become ready."""
    now, created = timestamp(), pod["metadata"]["creationTimestamp"]
    containers = [
        {
            "name": container["name"],
            "image": container["image"],
            "imageID": "",
            "containerID": f"embedded://{pod['metadata']['uid']}/{container['name']}",
            "ready": True,
            "started": True,
            "restartCount": 0,
            "state": {"running": {"startedAt": now}},
            "lastState": {},
        }
        for container in pod["spec"]["containers"]
    ]
    return {
        **(pod.get("status") or {}),
        "phase": "Running",
        "startTime": created,
        "podIP": address,
        "podIPs": [{"ip": address}],
        "hostIP": "127.0.0.1",
        "conditions": [
            {
                "type": kind,
                "status": "True",
                "lastProbeTime": None,
                "lastTransitionTime": created if kind == "PodScheduled" else now,
            }
            for kind in _READY_CONDITIONS
        ],
        "containerStatuses": containers,
    }
