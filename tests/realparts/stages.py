"""What the simulated kubelet (kwok) does with nodes and pods, as its `Stage` objects.

A pod is Running at once but not Ready, and Ready after the start-up time: a process that starts slowly, which is
what an autoscaler has to wait for. Nodes beat their hearts, pods of Jobs complete, deleted pods disappear.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from textwrap import dedent
from typing import Final

STARTUP_ANNOTATION: Final = "tests.compositescaler.io/startup"
"""On a pod template: its own start-up time as a Go duration ("30s"); "8760h" is a pod that never becomes Ready."""

_Expression = Mapping[str, object]
_READY: Final = '.status.conditions.[] | select( .type == "Ready" ) | .status'
_NOT_DELETED: Final[_Expression] = {"key": ".metadata.deletionTimestamp", "operator": "DoesNotExist"}

_NODE_CONDITIONS: Final = """
    {{ $now := Now }}
    conditions:
    {{ range NodeConditions }}
    - type: {{ .type | Quote }}
      status: {{ .status | Quote }}
      reason: {{ .reason | Quote }}
      message: {{ .message | Quote }}
      lastHeartbeatTime: {{ $now | Quote }}
      lastTransitionTime: {{ or $.metadata.creationTimestamp $now | Quote }}
    {{ end }}
"""

_NODE_SIZE: Final = """
    capacity: {cpu: 1k, memory: 1Ti, pods: 1M}
    allocatable: {cpu: 1k, memory: 1Ti, pods: 1M}
    addresses:
    - {type: InternalIP, address: {{ NodeIP | Quote }}}
    - {type: Hostname, address: {{ NodeName | Quote }}}
    phase: Running
"""

_POD_STARTED: Final = """
    {{ $now := Now }}
    phase: Running
    startTime: {{ $now | Quote }}
    hostIP: {{ NodeIPWith .spec.nodeName | Quote }}
    podIP: {{ PodIPWith .spec.nodeName (or .spec.hostNetwork false) (or .metadata.uid "") (or .metadata.name "") (or .metadata.namespace "") | Quote }}
    conditions:
    - {type: Initialized, status: "True", lastTransitionTime: {{ $now | Quote }}}
    - {type: ContainersReady, status: "False", reason: ContainersNotReady, lastTransitionTime: {{ $now | Quote }}}
    - {type: Ready, status: "False", reason: ContainersNotReady, lastTransitionTime: {{ $now | Quote }}}
    containerStatuses:
    {{ range .spec.containers }}
    - name: {{ .name | Quote }}
      image: {{ .image | Quote }}
      ready: false
      started: true
      restartCount: 0
      state: {running: {startedAt: {{ $now | Quote }}}}
    {{ end }}
"""  # noqa: E501 - one template call cannot be broken

_POD_READY: Final = """
    {{ $now := Now }}
    conditions:
    - {type: ContainersReady, status: "True", reason: null, lastTransitionTime: {{ $now | Quote }}}
    - {type: Ready, status: "True", reason: null, lastTransitionTime: {{ $now | Quote }}}
    containerStatuses:
    {{ range .spec.containers }}
    - name: {{ .name | Quote }}
      image: {{ .image | Quote }}
      ready: true
      started: true
      restartCount: 0
      state: {running: {startedAt: {{ or $.status.startTime $now | Quote }}}}
    {{ end }}
"""

_POD_COMPLETED: Final = """
    {{ $now := Now }}
    phase: Succeeded
    containerStatuses:
    {{ range .spec.containers }}
    - name: {{ .name | Quote }}
      image: {{ .image | Quote }}
      ready: false
      started: false
      restartCount: 0
      state:
        terminated: {exitCode: 0, reason: Completed, startedAt: {{ $now | Quote }}, finishedAt: {{ $now | Quote }}}
    {{ end }}
"""


def stages(*, pod_startup_seconds: float, pod_startup_jitter_seconds: float) -> str:
    """The file for kwok's `--config`; a pod is Ready after the start-up time plus a uniform part of the jitter."""
    startup = round(pod_startup_seconds * 1000)
    of_the_pod = {"expressionFrom": f'.metadata.annotations["{STARTUP_ANNOTATION}"]'}
    ready_delay = {
        "durationMilliseconds": startup,
        "durationFrom": of_the_pod,
        # kwok draws uniformly between the two durations, and takes this one where it is the shorter: hence
        # of_the_pod again.
        "jitterDurationMilliseconds": startup + round(pod_startup_jitter_seconds * 1000),
        "jitterDurationFrom": of_the_pod,
    }
    heartbeat_delay = {"durationMilliseconds": 20_000, "jitterDurationMilliseconds": 25_000}
    of_a_job = {"key": ".metadata.ownerReferences.[].kind", "operator": "In", "values": ["Job"]}
    documents = [
        _stage("node-initialize", "Node", [_is_not(_READY, "True")], _status(_NODE_CONDITIONS, _NODE_SIZE)),
        _stage("node-heartbeat", "Node", [_is(_READY, "True")], _status(_NODE_CONDITIONS), heartbeat_delay),
        _stage("pod-start", "Pod", [_NOT_DELETED, _is(".status.phase", "Pending")], _status(_POD_STARTED)),
        _stage(
            "pod-ready",
            "Pod",
            [_NOT_DELETED, _is(".status.phase", "Running"), _is_not(_READY, "True")],
            _status(_POD_READY),
            ready_delay,
        ),
        _stage(
            "pod-complete",
            "Pod",
            [_NOT_DELETED, _is(".status.phase", "Running"), _is(_READY, "True"), of_a_job],
            _status(_POD_COMPLETED),
        ),
        _stage("pod-delete", "Pod", [{"key": ".metadata.deletionTimestamp", "operator": "Exists"}], {"delete": True}),
    ]
    return "\n---\n".join(json.dumps(document, indent=2) for document in documents)


def _stage(
    name: str,
    kind: str,
    when: Sequence[_Expression],
    then: Mapping[str, object],
    delay: Mapping[str, object] | None = None,
) -> dict[str, object]:
    spec = {"resourceRef": {"apiGroup": "v1", "kind": kind}, "selector": {"matchExpressions": list(when)}, "next": then}
    if delay is not None:
        spec["delay"] = delay
    return {"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "Stage", "metadata": {"name": name}, "spec": spec}


def _status(*templates: str) -> dict[str, object]:
    # Strategic, so that a later stage changes the conditions it names and keeps the others.
    template = "\n".join(dedent(text).strip("\n") for text in templates)
    return {"patches": [{"subresource": "status", "root": "status", "type": "strategic", "template": template}]}


def _is(key: str, value: str) -> _Expression:
    return {"key": key, "operator": "In", "values": [value]}


def _is_not(key: str, value: str) -> _Expression:
    return {"key": key, "operator": "NotIn", "values": [value]}
