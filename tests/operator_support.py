"""What the tests of `controller.operator` share: an API server with the CRD, scalers as the API server has them, and a clock that is told
what time it is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
import yaml

from controller.api import Spec, Status
from controller.embedded import EmbeddedApiServer, WorkloadSettings
from controller.kube import Client, PodCache, Resource, Selector, Target
from controller.operator.clock import Clock, Moment
from controller.operator.scalers import Key, Scaler, ScalerStore
from controller.operator.targets import Aimed

__all__ = ["DEPLOYMENTS", "WALL", "Api", "Time", "aimed", "connected", "manifest", "scaler", "scaler_of", "serving"]

#: 2026-01-01T00:00:00Z
WALL = 1767225600.0

CRD = yaml.safe_load((Path(__file__).parents[1] / "crds" / "compositescalers.yaml").read_text(encoding="utf-8"))
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
NAMESPACE = "default"
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment", namespaced=True, scalable=True)


@dataclass
class Time:
    """Both clocks of the operator; `pass_` moves them together, a test that sets one makes it jump."""

    monotonic: float = 1000.0
    wall: float = WALL

    @property
    def clock(self) -> Clock:
        """What the operator reads."""
        return Clock(lambda: self.monotonic, lambda: self.wall)

    @property
    def now(self) -> Moment:
        """Both clocks now."""
        return self.clock.now()

    def pass_(self, seconds: float) -> Moment:
        """Let time go by; returns the new now."""
        self.monotonic += seconds
        self.wall += seconds
        return self.now


def manifest(
    name: str = "web",
    *,
    uid: str = "",
    generation: int = 1,
    status: dict[str, Any] | None = None,
    annotations: dict[str, str] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    """A CompositeScaler as the API server sends it; what is given of the spec replaces the defaults. Annotations are of our group."""
    return {
        "apiVersion": "compositescaler.io/v1alpha1",
        "kind": "CompositeScaler",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "uid": uid or f"uid-{name}",
            "generation": generation,
            "resourceVersion": "1",
            "annotations": {f"compositescaler.io/{name}": value for name, value in (annotations or {}).items()},
        },
        "spec": {
            "scaleTargetRef": {"kind": "Deployment", "name": name},
            "maxReplicas": 20,
            "dimensions": [{"metric": "cpu", "target": "70%"}],
            **spec,
        },
        **({} if status is None else {"status": status}),
    }


def scaler(obj: dict[str, Any] | None = None) -> Scaler:
    """What the store makes of an object."""
    store = ScalerStore()
    store.upsert(obj or manifest())
    return store.all()[0]


def scaler_of(
    spec: Spec | None, name: str = "web", *, uid: str = "", generation: int = 1, status: Status | None = None
) -> Scaler:
    """A scaler with this spec."""
    return Scaler((NAMESPACE, name), uid or f"uid-{name}", generation, "1", spec, None, status or Status())


def aimed(of: Scaler, replicas: int = 4) -> Aimed:
    """The scaler with its target, a Deployment."""
    assert of.spec is not None
    namespace, name = of.key[0], of.spec.scale_target_ref.name
    selector = Selector.of({"matchLabels": {"app": name}})
    target = Target(namespace, name, f"uid-of-{name}", replicas, replicas, selector, 1, "1")
    return Aimed(of, DEPLOYMENTS, target, PodCache().group(namespace, selector))


@dataclass
class Api:
    """An API server that serves CompositeScalers, and a plain way to look at it and to change it."""

    server: EmbeddedApiServer
    folder: Path
    session: requests.Session = field(default_factory=requests.Session)

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """One request that must succeed; returns the object."""
        content = "application/merge-patch+json" if method == "PATCH" else "application/json"
        answer = self.session.request(method, self.server.url + path, json=body, headers={"Content-Type": content})
        assert answer.status_code < 300, answer.text
        return answer.json()

    def path(self, key: Key) -> str:
        """Where a CompositeScaler is."""
        return f"/apis/compositescaler.io/v1alpha1/namespaces/{key[0]}/compositescalers/{key[1]}"

    def create(self, obj: dict[str, Any]) -> dict[str, Any]:
        """Create a CompositeScaler; returns it as the server has it."""
        metadata = obj["metadata"]
        annotations = metadata.get("annotations") or {}
        fresh = {**obj, "metadata": {"name": metadata["name"], "namespace": NAMESPACE, "annotations": annotations}}
        created: dict[str, Any] = self.send("POST", self.path((NAMESPACE, "")).rstrip("/"), fresh)
        return created

    def get(self, name: str) -> dict[str, Any]:
        """A CompositeScaler as it is now."""
        found: dict[str, Any] = self.send("GET", self.path((NAMESPACE, name)))
        return found

    def deploy(self, name: str, replicas: int = 3, kind: str = "deployments") -> dict[str, Any]:
        """Create a Deployment, or another workload, whose pods carry the label app=<name>."""
        labels = {"app": name}
        spec = {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "app", "image": "app:1"}]},
            },
            **({"serviceName": name} if kind == "statefulsets" else {}),
        }
        path = f"/apis/apps/v1/namespaces/{NAMESPACE}/{kind}"
        created: dict[str, Any] = self.send("POST", path, {"metadata": {"name": name}, "spec": spec})
        return created

    def events(self, name: str) -> list[tuple[str, str, str]]:
        """Type, reason and message of every Event about a CompositeScaler, one that was repeated as often as that."""
        found = self.send("GET", f"/api/v1/namespaces/{NAMESPACE}/events")["items"]
        return [
            (each["type"], each["reason"], each["message"])
            for each in sorted(found, key=lambda each: int(each["metadata"]["resourceVersion"]))
            if each["involvedObject"]["name"] == name
            for _ in range(each["count"])
        ]

    def writes(self, path: str) -> int:
        """How many PATCH requests to a path there were."""
        return sum(each.method == "PATCH" and each.path.startswith(path) for each in list(self.server.requests))


@contextmanager
def serving(folder: Path, workloads: WorkloadSettings | None = None) -> Iterator[Api]:
    """A running API server that serves CompositeScalers; with `workloads` its Deployments have pods."""
    with EmbeddedApiServer.in_thread(workloads=workloads) as server:
        api = Api(server, folder)
        server.kubeconfig(folder / "kubeconfig")
        api.send("POST", DEFINITIONS, CRD)
        with api.session:
            yield api


@asynccontextmanager
async def connected(api: Api) -> AsyncIterator[Client]:
    """A client of it."""
    client = await Client.connect(api.folder / "kubeconfig")
    try:
        yield client
    finally:
        await client.close()
