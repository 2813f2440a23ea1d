"""Workloads under load on real parts: Deployments on the control plane, plants as their pods' behaviour, Prometheus scraping them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

from controller.simulation import MetricsServer, Plant, PlantRunner, PlantSettings, Trace, serve
from tests.realparts.controlplane import NODE, ControlPlane

ROOT = Path(__file__).parents[2]
NAMESPACE = "shop"
NAME = "checkout"


def deployment(replicas: int, namespace: str = NAMESPACE, node: str | None = NODE) -> dict[str, Any]:
    """A Deployment whose pods the simulated kubelet runs, with the plant's requests; without a node its pods wait for a scheduler."""
    labels = {"app": NAME}
    container = {
        "name": "app",
        "image": "checkout:1",
        "resources": {"requests": {"cpu": "1", "memory": "512Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}},
    }
    place = {} if node is None else {"nodeName": node}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {**place, "containers": [container]}},
        },
    }


def install(cluster: ControlPlane, *namespaces: str) -> None:
    """CRD and RBAC as shipped, by kubectl, and the namespaces."""
    cluster.kubectl("apply", "-f", str(ROOT / "crds" / "compositescalers.yaml"))
    cluster.kubectl("wait", "--for=condition=Established", "crd/compositescalers.compositescaler.io", "--timeout=20s")
    cluster.kubectl("apply", "-f", str(ROOT / "manifests" / "base" / "namespace.yaml"))
    cluster.kubectl("apply", "-f", str(ROOT / "manifests" / "base" / "rbac.yaml"))
    for namespace in namespaces or (NAMESPACE,):
        cluster.kubectl("create", "namespace", namespace)


def session(cluster: ControlPlane) -> requests.Session:
    """A connection to the API server as its administrator: one TLS handshake for many looks."""
    found = requests.Session()
    # A bundle in the environment would take the place of the cluster's authority.
    found.trust_env = False
    found.verify = str(cluster.ca)
    found.headers["Authorization"] = f"Bearer {cluster.admin_token}"
    return found


class Pods:
    """Asks the API server which pods of a namespace are Ready."""

    def __init__(self, cluster: ControlPlane, namespace: str = NAMESPACE) -> None:
        self._namespace = namespace
        self._url = f"{cluster.url}/api/v1/namespaces/{namespace}/pods"
        self._session = session(cluster)

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def ready(self) -> list[tuple[str, str]]:
        """(namespace, name) of every Ready pod that is not being deleted."""
        answer = self._session.get(self._url, timeout=5)
        answer.raise_for_status()
        return [
            (self._namespace, pod["metadata"]["name"])
            for pod in answer.json()["items"]
            if "deletionTimestamp" not in pod["metadata"]
            and any(
                each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", [])
            )
        ]


class Load:
    """The plant in front of a namespace: its thread, and the endpoint that Prometheus scrapes."""

    def __init__(
        self, cluster: ControlPlane, trace: Trace, settings: PlantSettings, seed: int = 1, namespace: str = NAMESPACE
    ) -> None:
        self.plant = Plant(settings, trace, seed)
        self.server: MetricsServer = serve(self.plant)
        self._pods = Pods(cluster, namespace)
        # A tenth of a scrape's interval: what is scraped is as old as that.
        self.runner = PlantRunner(self.plant, self._pods.ready, time.monotonic, tick=0.1)

    def close(self) -> None:
        """Stop serving metrics."""
        self.server.close()
        self._pods.close()

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
