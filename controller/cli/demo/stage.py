"""The demo's stage: a cluster, a metrics source and a Deployment under load, all in this process, and the operator in its own.

Everything listens on loopback and lives in one temporary folder; leaving the stage stops all of it. What is shown is not its business.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from prometheus_client.parser import text_string_to_metric_families

from controller.api import GROUP, PLURAL, VERSION, Response, crd
from controller.embedded import EmbeddedApiServer, EmbeddedMetricsSource, WorkloadSettings
from controller.simulation import Plant, PlantRunner, PlantSettings, flash_crowd, render

__all__ = ["FASTER", "LENGTH", "Stage", "manifest", "stage"]

#: So many seconds of the trace pass in one. The manifest's durations are shorter by the same factor.
FASTER: Final = 12.0
#: The part of the trace that is played, in its own seconds, and the load at its peak in requests per second.
PLAYED: Final = (420.0, 1560.0)
PEAK: Final = 600.0
LENGTH: Final = (PLAYED[1] - PLAYED[0]) / FASTER

#: The range of the rates, and the time between two scrapes: a quarter of it, as administrators set it (seconds).
WINDOW: Final = 3.0
SCRAPE: Final = WINDOW / 4

NAMESPACE: Final = "shop"
NAME: Final = "checkout"

#: Twelve pods are more than the calm needs: no scaler starts a pod faster than this crowd comes.
FEWEST: Final = 12

#: For how long replicas stay up (seconds): a twelfth of what each response does by default. The law's own hold adapts itself, but is
#: as long as it says wherever it runs; hence the window that stands for it is written: 150 s after a scale-up. HPA's is 300 s.
HELD: Final = {Response.CAPACITY: 13, Response.PROPORTIONAL: 25}

#: How long the operator may take to start, and to stop (seconds).
STARTS_WITHIN: Final = 30.0
STOPS_WITHIN: Final = 8.0


def manifest(response: Response) -> str:
    """What a user would write, with durations a twelfth of the usual ones (a cooldown of 5 s for 1 min)."""
    return f"""\
apiVersion: {GROUP}/{VERSION}
kind: CompositeScaler
metadata: {{name: {NAME}, namespace: {NAMESPACE}}}
spec:
  scaleTargetRef: {{kind: Deployment, name: {NAME}}}
  minReplicas: {FEWEST}
  maxReplicas: 40
  dimensions:
    - {{metric: cpu, target: 50%}}
    - {{metric: memory, target: 80%, floor: 50%}}
    - {{metric: latency, target: 200ms, floor: 100ms}}
  magnitude: {{response: {response}}}
  quality: {{maxAge: 6s}}
  behavior:
    scaleUp:
      policies: [{{type: Percent, value: 100, periodSeconds: 1}}, {{type: Pods, value: 4, periodSeconds: 1}}]
    scaleDown:
      stabilizationWindowSeconds: {HELD[response]}
      policies: [{{type: Percent, value: 100, periodSeconds: 1}}]
  cooldown: {{scaleDown: 5s}}
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """What runs: read the cluster, the plant's truth and the operator's metrics through it."""

    api: EmbeddedApiServer
    plant: Plant
    kubeconfig: Path
    operator_log: Path
    operator: subprocess.Popen[bytes]

    def deployment(self) -> dict[str, Any]:
        """The target as the API server has it."""
        return self._get(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{NAME}")

    def scaler(self) -> dict[str, Any]:
        """The CompositeScaler as the API server has it."""
        return self._get(f"/apis/{GROUP}/{VERSION}/namespaces/{NAMESPACE}/{PLURAL}/{NAME}")

    def gauges(self) -> dict[str, dict[str, float]]:
        """The operator's own gauges of the scaler: name, then dimension (or "") to value."""
        found: dict[str, dict[str, float]] = {}
        port = self._operator_port()
        if port is None:
            return found
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.labels.get("name") == NAME:
                    found.setdefault(sample.name, {})[sample.labels.get("dimension", "")] = sample.value
        return found

    def ready_pods(self) -> list[tuple[str, str]]:
        """(namespace, name) of every Ready pod that is not being deleted."""
        return _ready(self._get(f"/api/v1/namespaces/{NAMESPACE}/pods"))

    def _get(self, path: str) -> dict[str, Any]:
        return _call(self.api.url, "GET", path)

    def _operator_port(self) -> int | None:
        for line in self.operator_log.read_text().splitlines():
            if "listening on port " in line:
                return int(line.split("listening on port ")[1].split(";")[0])
        return None


@contextmanager
def stage(folder: Path, seed: int, response: Response) -> Iterator[Stage]:
    """Set everything up, wait until the operator watches, then let the load begin; stop it all at the end."""
    settings = PlantSettings(compression=FASTER)
    plant = Plant(settings, flash_crowd().segment(*PLAYED).scaled(peak=PEAK), seed)
    workloads = WorkloadSettings(startup_seconds=2.5, startup_jitter_seconds=0.5, seed=seed)
    with (
        EmbeddedApiServer.in_thread(workloads=workloads) as api,
        EmbeddedMetricsSource(lambda: render(plant.snapshot()), interval_seconds=SCRAPE).in_thread() as source,
    ):
        _create_objects(api.url, manifest(response))
        kubeconfig = api.kubeconfig(folder / "kubeconfig")
        runner = PlantRunner(plant, lambda: _ready(_call(api.url, "GET", f"/api/v1/namespaces/{NAMESPACE}/pods")),
                             time.monotonic, tick=0.05)  # fmt: skip
        _until(
            lambda: len(_ready(_call(api.url, "GET", f"/api/v1/namespaces/{NAMESPACE}/pods"))) >= 8,
            "eight pods are Ready",
        )
        with runner:
            # The operator meets a Deployment that has run for a while: its first samples cover their window.
            _until(lambda: plant.now >= WINDOW + SCRAPE, "the load has run for a window")
            with _operator(folder, kubeconfig, source.url) as (process, log):
                yield Stage(api, plant, kubeconfig, log, process)


@contextmanager
def _operator(folder: Path, kubeconfig: Path, source: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """The real operator as its own process, as a user would start it."""
    configuration = {
        "interval": "1s",
        "evaluationDelay": "0s",
        "listen": "127.0.0.1:0",
        "logFormat": "console",
        "sources": {"default": {"url": source, "window": f"{WINDOW:g}s", "timeout": "3s"}},
    }
    file, log = folder / "configuration.yaml", folder / "operator.log"
    file.write_text(yaml.safe_dump(configuration))
    command = [sys.executable, "-m", "controller", "run", "--config", str(file), "--kubeconfig", str(kubeconfig)]
    with log.open("wb") as output:
        # In a session of its own: Ctrl-C reaches us alone, and we stop it in order.
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)  # noqa: S603
    try:
        _until(lambda: "synced" in log.read_text() or process.poll() is not None, "the operator has started")
        if process.poll() is not None:
            raise RuntimeError(f"the operator ended by itself:\n{log.read_text()[-2000:]}")
        yield process, log
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOPS_WITHIN)
        if process.poll() is None:
            process.kill()
            process.wait()


def _create_objects(url: str, scaler: str) -> None:
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    _call(url, "POST", crds, crd.custom_resource_definition())
    _call(url, "POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    _call(url, "POST", f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments", _deployment())
    _call(url, "POST", f"/apis/{GROUP}/{VERSION}/namespaces/{NAMESPACE}/{PLURAL}", yaml.safe_load(scaler))


def _deployment() -> dict[str, Any]:
    labels = {"app": NAME}
    requests = {"cpu": "1", "memory": "512Mi"}
    container = {"name": "app", "image": "example/checkout:1", "resources": {"requests": requests, "limits": requests}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {
            "replicas": FEWEST,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def _ready(pods: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (pod["metadata"]["namespace"], pod["metadata"]["name"])
        for pod in pods["items"]
        if "deletionTimestamp" not in pod["metadata"]
        and any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", []))
    ]


def _call(url: str, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url + path, data, {"Content-Type": "application/json"}, method=method)  # noqa: S310
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
        found: dict[str, Any] = json.load(answer)
        return found


def _until(condition: Any, what: str) -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"not within {STARTS_WITHIN:g} s: {what}")
        time.sleep(0.05)
