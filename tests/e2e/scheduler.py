"""What a scheduler does with the pods of one namespace on a node that is too small: those that fit are bound, the others are told so.

The control plane of the tests has no scheduler of its own; a pod that names no node waits for this one.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import UTC, datetime
from typing import Self

from tests.e2e.workbench import Api, Json
from tests.realparts.controlplane import NODE


class Scheduler:
    """Looks every fifth of a second, in a thread; `room` is how many pods the node takes. Use it as a context manager."""

    def __init__(self, api: Api, namespace: str, room: int) -> None:
        self._api = api
        self._pods = f"/api/v1/namespaces/{namespace}/pods"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)
        self.room = room

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._api.close()

    def _run(self) -> None:
        while not self._stop.wait(0.2):
            self._step()

    def _step(self) -> None:
        pods = [each for each in self._api.get(self._pods)["items"] if "deletionTimestamp" not in each["metadata"]]
        room = self.room - sum("nodeName" in each["spec"] for each in pods)
        waiting = sorted((each["metadata"] for each in pods if "nodeName" not in each["spec"]), key=_age)
        told = {each["metadata"]["name"] for each in pods if each["status"].get("conditions")}
        for name in (each["name"] for each in waiting):
            # A pod that went in the meantime needs no node.
            with suppress(AssertionError):
                if room > 0:
                    room -= 1
                    self._api.create(f"{self._pods}/{name}/binding", _binding(name))
                elif name not in told:
                    self._api.merge(f"{self._pods}/{name}/status", {"status": {"conditions": [_no_room()]}})


def _age(metadata: Json) -> tuple[str, str]:
    """To sort by: the oldest first."""
    return metadata["creationTimestamp"], metadata["name"]


def _binding(name: str) -> Json:
    node = {"apiVersion": "v1", "kind": "Node", "name": NODE}
    return {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": node}


def _no_room() -> dict[str, str]:
    return {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/1 nodes are available: 1 Insufficient cpu.",
        "lastTransitionTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
