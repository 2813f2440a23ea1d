"""A workload under load on real parts: a Deployment on the control plane, the plant as its pods' behaviour, Prometheus scraping it."""

from __future__ import annotations

import json
import ssl
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from controller.simulation import MetricsServer, Plant, PlantRunner, PlantSettings, Trace, serve
from tests.realparts.controlplane import ControlPlane

ROOT = Path(__file__).parents[2]
NAMESPACE = "shop"
NAME = "checkout"


def deployment(replicas: int) -> dict[str, Any]:
    """A Deployment whose pods the simulated kubelet runs, with the plant's requests."""
    labels = {"app": NAME}
    container = {
        "name": "app",
        "image": "checkout:1",
        "resources": {"requests": {"cpu": "1", "memory": "512Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"nodeName": "node-0", "containers": [container]}},
        },
    }


def install(cluster: ControlPlane) -> None:
    """CRD and RBAC as shipped, by kubectl, and the namespaces."""
    cluster.kubectl("apply", "-f", str(ROOT / "crds" / "compositescalers.yaml"))
    cluster.kubectl("wait", "--for=condition=Established", "crd/compositescalers.compositescaler.io", "--timeout=20s")
    cluster.kubectl("apply", "-f", str(ROOT / "manifests" / "base" / "namespace.yaml"))
    cluster.kubectl("apply", "-f", str(ROOT / "manifests" / "base" / "rbac.yaml"))
    cluster.kubectl("create", "namespace", NAMESPACE)


class Pods:
    """Asks the API server which pods of the namespace are Ready."""

    def __init__(self, cluster: ControlPlane) -> None:
        self._url = f"{cluster.url}/api/v1/namespaces/{NAMESPACE}/pods"
        self._headers = {"Authorization": f"Bearer {cluster.admin_token}"}
        self._tls = ssl.create_default_context(cafile=str(cluster.ca))

    def ready(self) -> list[tuple[str, str]]:
        """(namespace, name) of every Ready pod that is not being deleted."""
        request = urllib.request.Request(self._url, headers=self._headers)
        with urllib.request.urlopen(request, timeout=5, context=self._tls) as answer:
            pods = json.load(answer)["items"]
        return [
            (NAMESPACE, pod["metadata"]["name"])
            for pod in pods
            if "deletionTimestamp" not in pod["metadata"]
            and any(
                each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", [])
            )
        ]


class Load:
    """The plant in front of the cluster: its thread, and the endpoint that Prometheus scrapes."""

    def __init__(self, cluster: ControlPlane, trace: Trace, settings: PlantSettings, seed: int = 1) -> None:
        self.plant = Plant(settings, trace, seed)
        self.server: MetricsServer = serve(self.plant)
        self.runner = PlantRunner(self.plant, Pods(cluster).ready, time.monotonic, tick=0.2)

    @property
    def target(self) -> str:
        """host:port for Prometheus."""
        return f"127.0.0.1:{self.server.port}"


def until(condition: Callable[[], bool], seconds: float, what: str) -> float:
    """Wait for something that the cluster does; returns how long it took."""
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > seconds:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(0.1)
    return time.monotonic() - started
