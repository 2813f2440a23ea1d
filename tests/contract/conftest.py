"""The API servers that contract tests run against: the embedded one and, as the judge, the real one.

A case is written once and takes `api`; where the two disagree the embedded server is wrong.
"""

import json
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from controller.embedded import EmbeddedApiServer, WorkloadSettings
from tests.realparts.parts import PartLackingError, locate
from tests.realparts.pytest_plugin import lack

PATIENCE_SECONDS = 20.0

WIDGET_CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.contract.example.com"},
    "spec": {
        "group": "contract.example.com",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "kind": "Widget", "shortNames": ["wdg"], "categories": ["contract"]},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {
                    "status": {},
                    "scale": {
                        "specReplicasPath": ".spec.replicas",
                        "statusReplicasPath": ".status.replicas",
                        "labelSelectorPath": ".status.selector",
                    },
                },
                "additionalPrinterColumns": [
                    {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
                    {
                        "name": "Ready",
                        "type": "string",
                        "jsonPath": '.status.conditions[?(@.type=="Ready")].status',
                    },
                    {"name": "Mode", "type": "string", "jsonPath": ".spec.mode", "priority": 1},
                    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
                ],
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "required": ["spec"],
                        "properties": {
                            "spec": {
                                "type": "object",
                                "required": ["size"],
                                "properties": {
                                    "size": {
                                        "type": "integer",
                                        "minimum": 1,
                                        "maximum": 10,
                                        "description": "How big it is.",
                                    },
                                    "mode": {"type": "string", "enum": ["Fast", "Slow"], "default": "Fast"},
                                    "code": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 8, "minLength": 2},
                                    "port": {"x-kubernetes-int-or-string": True},
                                    "share": {"type": "number", "exclusiveMinimum": True, "minimum": 0},
                                    "note": {"type": "string", "nullable": True},
                                    "replicas": {"type": "integer"},
                                    "when": {"type": "string", "format": "date-time"},
                                    "anything": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                                    "limits": {"type": "object", "additionalProperties": {"type": "integer"}},
                                    "parts": {
                                        "type": "array",
                                        "minItems": 1,
                                        "maxItems": 2,
                                        "x-kubernetes-list-type": "map",
                                        "x-kubernetes-list-map-keys": ["id"],
                                        "items": {
                                            "type": "object",
                                            "required": ["id"],
                                            "properties": {
                                                "id": {"type": "string"},
                                                "weight": {"type": "integer", "default": 1},
                                            },
                                        },
                                    },
                                },
                            },
                            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                        },
                    }
                },
            }
        ],
    },
}


@dataclass(frozen=True)
class Answer:
    """Status, JSON body (None for text) and headers."""

    status: int
    body: Any
    headers: dict[str, str]

    @property
    def version(self) -> str:
        """The resourceVersion of the object or list."""
        return str(self.body["metadata"]["resourceVersion"])


@dataclass
class Api:
    """One API server: raw requests, watches and kubectl."""

    name: str
    url: str
    headers: dict[str, str]
    ca: Path | None
    kubeconfig: Path
    kubectl: Callable[..., subprocess.CompletedProcess[str]]
    forget: Callable[[], None]
    """Forgets past versions."""
    session: requests.Session = field(default_factory=requests.Session)

    def ask(self, method: str, path: str, body: Any = None, content_type: str = "", **query: Any) -> Answer:
        """One request; the body may be an object or text."""
        headers = {**self.headers, "Content-Type": content_type or "application/json"}
        if isinstance(query.get("accept"), str):
            headers["Accept"] = query.pop("accept")
        data = body if isinstance(body, str) or body is None else json.dumps(body)
        verify = str(self.ca) if self.ca else True
        answer = self.session.request(
            method, self.url + path, data=data, params=query, headers=headers, verify=verify, timeout=60
        )
        # The real server sends some JSON documents as text/plain.
        content = answer.json() if answer.text.startswith("{") else None
        return Answer(answer.status_code, content, dict(answer.headers))

    def get(self, path: str, **query: Any) -> Answer:
        return self.ask("GET", path, **query)

    def post(self, path: str, body: Any, **query: Any) -> Answer:
        return self.ask("POST", path, body, **query)

    def put(self, path: str, body: Any, **query: Any) -> Answer:
        return self.ask("PUT", path, body, **query)

    def delete(self, path: str, body: Any = None, **query: Any) -> Answer:
        return self.ask("DELETE", path, body, **query)

    def merge(self, path: str, patch: Any, **query: Any) -> Answer:
        """A JSON merge patch."""
        return self.ask("PATCH", path, patch, "application/merge-patch+json", **query)

    def json_patch(self, path: str, *operations: Any, **query: Any) -> Answer:
        """A JSON patch."""
        return self.ask("PATCH", path, list(operations), "application/json-patch+json", **query)

    def strategic(self, path: str, patch: Any, **query: Any) -> Answer:
        """A strategic merge patch."""
        return self.ask("PATCH", path, patch, "application/strategic-merge-patch+json", **query)

    @contextmanager
    def watch(self, path: str, *, seconds: int = 10, **query: Any) -> Iterator[Iterator[Any]]:
        """The events of a watch as they come; it ends by itself after some seconds."""
        params = {"watch": "true", "timeoutSeconds": seconds, **query}
        verify = str(self.ca) if self.ca else True
        with self.session.get(
            self.url + path, params=params, headers=self.headers, verify=verify, stream=True, timeout=30
        ) as answer:
            yield (json.loads(line) for line in answer.iter_lines(chunk_size=1) if line)

    def eventually(self, path: str, holds: Callable[[Answer], bool]) -> Answer:
        """The first answer for which the condition holds; fails with the last one when none comes in time."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not holds(answer := self.get(path)):
            assert time.monotonic() < deadline, f"{path} is still {answer}"
            time.sleep(0.05)
        return answer


@pytest.fixture(scope="session")
def embedded_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """The embedded server with its workloads, in a thread."""
    folder = tmp_path_factory.mktemp("embedded-api")
    with EmbeddedApiServer.in_thread(workloads=WorkloadSettings()) as server:
        kubeconfig = server.kubeconfig(folder / "kubeconfig")

        def kubectl(
            *args: str,
            input: str | None = None,  # noqa: A002 - the word subprocess.run uses
            check: bool = True,
        ) -> subprocess.CompletedProcess[str]:
            command = [_kubectl_binary(), f"--kubeconfig={kubeconfig}", f"--cache-dir={folder / 'cache'}", *args]
            return subprocess.run(command, input=input, capture_output=True, text=True, timeout=60, check=check)

        api = Api("embedded", server.url, {}, None, kubeconfig, kubectl, server.faults.compact)
        with api.session:
            yield _with_widgets(api)


@pytest.fixture(scope="session")
def real_api(request: pytest.FixtureRequest) -> Iterator[Api]:
    """The real control plane."""
    plane = request.getfixturevalue("control_plane")
    headers = {"Authorization": f"Bearer {plane.admin_token}"}

    def forget() -> None:
        """What etcd is told every five minutes by its API server."""
        gateway = f"{plane._etcd_url}/v3/kv"
        revision = requests.post(f"{gateway}/range", json={"key": "AA=="}, timeout=10).json()["header"]["revision"]
        answer = requests.post(f"{gateway}/compaction", json={"revision": revision, "physical": True}, timeout=10)
        answer.raise_for_status()

    api = Api("real", plane.url, headers, plane.ca, plane.kubeconfig, plane.kubectl, forget)
    with api.session:
        yield _with_widgets(api)


@pytest.fixture(params=["embedded", "real"])
def api(request: pytest.FixtureRequest) -> Api:
    """Each API server in turn, with the Widget CRD."""
    found: Api = request.getfixturevalue(f"{request.param}_api")
    return found


@pytest.fixture
def namespace(api: Api) -> Iterator[str]:
    """A namespace of the test's own."""
    name = f"contract-{uuid.uuid4().hex[:8]}"
    assert api.post("/api/v1/namespaces", {"metadata": {"name": name}}).status == 201
    yield name
    api.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture
def widgets(namespace: str) -> str:
    """The path of the test's own widgets."""
    return f"/apis/contract.example.com/v1/namespaces/{namespace}/widgets"


@pytest.fixture
def configmaps(namespace: str) -> str:
    """The path of the test's own ConfigMaps."""
    return f"/api/v1/namespaces/{namespace}/configmaps"


@pytest.fixture
def deployments(namespace: str) -> str:
    """The path of the test's own Deployments."""
    return f"/apis/apps/v1/namespaces/{namespace}/deployments"


def widget(name: str, **spec: Any) -> dict[str, Any]:
    """A Widget, valid unless `spec` says otherwise."""
    return {
        "apiVersion": "contract.example.com/v1",
        "kind": "Widget",
        "metadata": {"name": name},
        "spec": {"size": 1, **spec},
    }


def configmap(name: str, labels: dict[str, str] | None = None, **data: str) -> dict[str, Any]:
    """A ConfigMap."""
    metadata: dict[str, Any] = {"name": name, **({"labels": labels} if labels else {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def deployment(name: str, replicas: int = 0) -> dict[str, Any]:
    """A Deployment on the node that both servers have."""
    container = {"name": "app", "image": "app", "resources": {"requests": {"cpu": "100m"}}}
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"nodeName": "node-0", "containers": [container]}},
        },
    }


def _with_widgets(api: Api) -> Api:
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    assert api.post(path, WIDGET_CRD).status == 201
    api.eventually("/apis/contract.example.com/v1/widgets", lambda answer: answer.status == 200)
    # kubectl validates against what is published, which the real server does a moment later.
    api.eventually("/openapi/v3", lambda answer: "apis/contract.example.com/v1" in answer.body["paths"])
    return api


def _kubectl_binary() -> str:
    """The kubectl of the real parts, else the machine's."""
    try:
        return str(locate("api_server")["kubectl"])
    except PartLackingError as lacking:
        binary = shutil.which("kubectl")
        if binary is None:
            lack(f"there is no kubectl: {lacking}")
        return binary
