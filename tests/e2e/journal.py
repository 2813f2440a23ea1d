"""What happened to the workloads, sampled while the story runs: the facts that the tests are about."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from itertools import pairwise
from typing import Any

from tests.e2e.cluster import NAME, NAMESPACE, session
from tests.realparts.controlplane import ControlPlane

#: The operator's metrics: name to sorted labels to value.
Metrics = dict[str, dict[tuple[tuple[str, str], ...], float]]


@dataclass(frozen=True, slots=True)
class Entry:
    """One look: seconds since the journal began, replicas wanted, there and Ready, the scaler's status, and the operator's gauges of it.

    The gauges are by name and by the label that tells them apart; there are none while nobody serves them.
    """

    at: float
    replicas: int
    pods: int
    ready: int
    status: dict[str, Any]
    gauges: Mapping[str, Mapping[str, float]]

    def condition(self, kind: str) -> tuple[str, str]:
        """(status, reason) of a condition; Unknown while nobody has written it."""
        for each in self.status.get("conditions", []):
            if each["type"] == kind:
                return each["status"], each["reason"]
        return "Unknown", ""

    def gauge(self, name: str, label: str = "") -> float | None:
        """One of the operator's gauges, None where it has no such series."""
        return self.gauges.get(f"compositescaler_{name}", {}).get(label)

    @property
    def decision(self) -> dict[str, Any]:
        """`status.lastDecision`, {} before the first."""
        found: dict[str, Any] = self.status.get("lastDecision", {})
        return found


@dataclass
class Journal:
    """Looks every fifth of a second at every namespace, in a thread, and keeps what it saw; marks name the chapters.

    `metrics` asks the operator; where it does not answer there are no gauges.
    """

    cluster: ControlPlane
    metrics: Callable[[], Metrics]
    entries: dict[str, list[Entry]] = field(default_factory=dict)
    marks: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._began = time.monotonic()
        self._stop = threading.Event()
        self._session = session(self.cluster)
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Stop looking; `look` still can."""
        self._stop.set()
        self._thread.join()

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    @property
    def now(self) -> float:
        """Seconds since the journal began."""
        return time.monotonic() - self._began

    def mark(self, name: str) -> None:
        """Note when a chapter begins."""
        self.marks[name] = self.now

    def between(self, first: str, last: str | None = None, namespace: str = NAMESPACE) -> list[Entry]:
        """What was seen from one mark to another, or to the end."""
        end = self.marks[last] if last is not None else float("inf")
        return [each for each in self.entries.get(namespace, ()) if self.marks[first] <= each.at < end]

    def latest(self, namespace: str = NAMESPACE) -> Entry:
        """The last look."""
        return self.entries[namespace][-1]

    def settled(self, seconds: float, namespace: str = NAMESPACE) -> list[Entry]:
        """The looks at a count that had stood for so long, and at the next look still did, while the operator was there all the time."""
        found, since, before = [], 0.0, None
        for each, following in pairwise(self.entries[namespace]):
            if each.replicas != before or not each.gauges:
                since, before = each.at, each.replicas
            if each.at - since >= seconds and following.replicas == each.replicas:
                found.append(each)
        return found

    def look(self) -> dict[str, Entry]:
        """One look at every namespace, now."""
        # In this order: a count that the status or the gauges tell of was written before, so the next look sees it.
        targets = self._get("/apis/apps/v1/deployments")
        scalers = self._get("/apis/compositescaler.io/v1alpha1/compositescalers")
        gauges = self._gauges()
        return {
            namespace: Entry(
                self.now,
                target["spec"]["replicas"],
                target.get("status", {}).get("replicas", 0),
                target.get("status", {}).get("readyReplicas", 0),
                scalers.get(namespace, {}).get("status", {}),
                gauges.get(namespace, {}),
            )
            for namespace, target in targets.items()
        }

    def _run(self) -> None:
        while not self._stop.wait(0.2):
            for namespace, entry in self.look().items():
                self.entries.setdefault(namespace, []).append(entry)

    def _gauges(self) -> dict[str, dict[str, dict[str, float]]]:
        """By namespace; empty while the operator is away."""
        try:
            metrics = self.metrics()
        except (OSError, HTTPException):
            return {}
        found: dict[str, dict[str, dict[str, float]]] = {}
        for name, series in metrics.items():
            for labels, value in series.items():
                own = dict(labels)
                if own.pop("name", "") == NAME:
                    namespace = own.pop("namespace")
                    found.setdefault(namespace, {}).setdefault(name, {})["".join(own.values())] = value
        return found

    def _get(self, path: str) -> dict[str, dict[str, Any]]:
        """The objects of our name in a list, by namespace."""
        answer = self._session.get(self.cluster.url + path, timeout=5)
        answer.raise_for_status()
        items = answer.json()["items"]
        return {each["metadata"]["namespace"]: each for each in items if each["metadata"]["name"] == NAME}
