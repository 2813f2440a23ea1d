"""What happened to the workload, sampled while the story runs: the facts that the tests are about."""

from __future__ import annotations

import json
import ssl
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.cluster import NAME, NAMESPACE
from tests.realparts.controlplane import ControlPlane


@dataclass(frozen=True, slots=True)
class Entry:
    """One look: seconds since the journal began, replicas wanted and Ready, and the scaler's status."""

    at: float
    replicas: int
    ready: int
    status: dict[str, Any]

    def condition(self, kind: str) -> tuple[str, str]:
        """(status, reason) of a condition; Unknown while nobody has written it."""
        for each in self.status.get("conditions", []):
            if each["type"] == kind:
                return each["status"], each["reason"]
        return "Unknown", ""


@dataclass
class Journal:
    """Looks every fifth of a second, in a thread, and keeps what it saw; marks name the chapters."""

    cluster: ControlPlane
    entries: list[Entry] = field(default_factory=list)
    marks: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._began = time.monotonic()
        self._stop = threading.Event()
        self._tls = ssl.create_default_context(cafile=str(self.cluster.ca))
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Stop looking."""
        self._stop.set()
        self._thread.join()

    @property
    def now(self) -> float:
        """Seconds since the journal began."""
        return time.monotonic() - self._began

    def mark(self, name: str) -> None:
        """Note when a chapter begins."""
        self.marks[name] = self.now

    def between(self, first: str, last: str | None = None) -> list[Entry]:
        """What was seen from one mark to another, or to the end."""
        end = self.marks[last] if last is not None else float("inf")
        return [each for each in self.entries if self.marks[first] <= each.at < end]

    def latest(self) -> Entry:
        """The last look."""
        return self.entries[-1]

    def _run(self) -> None:
        while not self._stop.wait(0.2):
            target = self._get(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{NAME}")
            scaler = self._get(f"/apis/compositescaler.io/v1alpha1/namespaces/{NAMESPACE}/compositescalers/{NAME}")
            self.entries.append(
                Entry(
                    self.now,
                    target["spec"]["replicas"],
                    target.get("status", {}).get("readyReplicas", 0),
                    scaler.get("status", {}),
                )
            )

    def _get(self, path: str) -> dict[str, Any]:
        request = urllib.request.Request(
            self.cluster.url + path, headers={"Authorization": f"Bearer {self.cluster.admin_token}"}
        )
        with urllib.request.urlopen(request, timeout=5, context=self._tls) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
