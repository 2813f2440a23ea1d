"""One cluster, its metrics and the operator, for many small cases at once, each in a namespace of its own.

"embedded" runs without anything installed: the embedded API server and metrics source. "real" takes the real control plane with the
shipped role, and adds a real Prometheus for whatever a real one can be made to say. What a case is about is in `bad_input`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import requests
import yaml

from controller.embedded import EmbeddedApiServer, EmbeddedMetricsSource, WorkloadSettings
from tests.e2e.cluster import ROOT, until
from tests.e2e.operator_process import OperatorProcess
from tests.realparts.controlplane import ControlPlane
from tests.realparts.processes import free_ports
from tests.realparts.prometheus import PrometheusServer
from tests.realparts.pytest_plugin import require
from tests.realparts.stages import STARTUP_ANNOTATION

Json = dict[str, Any]

DEPLOYMENTS = "/apis/apps/v1/{}deployments"
SCALERS = "/apis/compositescaler.io/v1alpha1/{}compositescalers"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
CRD = f"{CRDS}/compositescalers.compositescaler.io"

#: Seconds: a fiftieth of what users have, so that a whole clean window fits into a test.
INTERVAL, WINDOW, MAX_AGE = 1.0, 4, 2


class Api:
    """Raw requests to an API server as its administrator; what it refuses is an AssertionError."""

    def __init__(self, url: str, token: str = "", ca: Path | None = None) -> None:
        self._url = url
        self._session = requests.Session()
        # A bundle in the environment would take the place of the cluster's authority.
        self._session.trust_env = False
        self._session.verify = str(ca) if ca else True
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def get(self, path: str) -> Json:
        """One object or list."""
        return self._ask("GET", path)

    def create(self, path: str, body: Json) -> Json:
        """POST."""
        return self._ask("POST", path, body)

    def merge(self, path: str, patch: Json) -> Json:
        """A JSON merge patch."""
        return self._ask("PATCH", path, patch, "application/merge-patch+json")

    def status(self, method: str, path: str, body: Json | None = None) -> int:
        """Only the status of the answer, whatever it is."""
        return self._session.request(method, self._url + path, json=body, timeout=30).status_code

    def _ask(self, method: str, path: str, body: Json | None = None, kind: str = "application/json") -> Json:
        answer = self._session.request(method, self._url + path, json=body, headers={"Content-Type": kind}, timeout=30)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        found: Json = answer.json()
        return found


class Exposition:
    """What is scraped: lines by the name of their case, changed from the test's thread while others read."""

    def __init__(self) -> None:
        self._lines: dict[str, tuple[str, ...]] = {}
        self._lock = threading.Lock()

    def put(self, name: str, *lines: str) -> None:
        """Replace what a case exposes."""
        with self._lock:
            self._lines[name] = lines

    def text(self) -> str:
        """Everything, as a scrape sees it."""
        with self._lock:
            return "".join(f"{line}\n" for lines in self._lines.values() for line in lines)

    @contextmanager
    def served(self) -> Iterator[int]:
        """The port at which Prometheus may scrape it."""
        exposition = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(exposition.text().encode())

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Stay silent."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, name="exposition")
            thread.start()
            try:
                yield server.server_address[1]
            finally:
                server.shutdown()
                thread.join()


@dataclass
class Workbench:
    """Everything that a case may touch.

    `source` is the metrics source named default; `quiet` another, which can stop scraping; `closed` has a port at which nobody listens.
    `prometheus` is None on the embedded bench.
    """

    api: Api
    exposition: Exposition
    source: EmbeddedMetricsSource
    quiet: EmbeddedMetricsSource
    closed: int
    operator: OperatorProcess
    embedded: EmbeddedApiServer | None
    control_plane: ControlPlane | None
    prometheus: PrometheusServer | None
    closing: ExitStack = field(default_factory=ExitStack)

    def deploy(self, namespace: str, name: str = "checkout", *, replicas: int = 5, **overrides: Any) -> None:
        """A Deployment; `requests`, `paused` and `startup` differ where a case wants it."""
        labels = {"app": name}
        container: Json = {"name": "app", "image": "app:1"}
        if overrides.get("requests", True):
            container["resources"] = {"requests": {"cpu": "500m", "memory": "100Mi"}}
        metadata: Json = {"labels": labels}
        if "startup" in overrides:
            metadata["annotations"] = {STARTUP_ANNOTATION: overrides["startup"]}
        spec: Json = {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": metadata, "spec": {"nodeName": "node-0", "containers": [container]}},
        }
        if overrides.get("paused"):
            spec["paused"] = True
        body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}
        self.api.create(DEPLOYMENTS.format(f"namespaces/{namespace}/"), body)

    def names(self, path: str, namespace: str) -> list[str]:
        """The names of the objects of a kind in a namespace."""
        return [each["metadata"]["name"] for each in self.api.get(path.format(f"namespaces/{namespace}/"))["items"]]

    def pods(self, namespace: str) -> list[Json]:
        """The pods of a namespace, by name."""
        return sorted(
            self.api.get(f"/api/v1/namespaces/{namespace}/pods")["items"], key=lambda each: each["metadata"]["name"]
        )

    def set_ready(self, namespace: str, ready: bool) -> None:
        """What a readiness probe would write."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": now}
        for pod in self.pods(namespace):
            path = f"/api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}/status"
            self.api.merge(path, {"status": {"conditions": [condition]}})

    def wait_for_pods(self, namespaces: int) -> None:
        """Wait until every Deployment that is not paused has its pods Ready; `namespaces` scales the patience."""

        def complete() -> bool:
            return all(
                each["spec"].get("paused")
                or "annotations" in each["spec"]["template"]["metadata"]
                or each.get("status", {}).get("readyReplicas", 0) == each["spec"]["replicas"]
                for each in self.api.get(DEPLOYMENTS.format(""))["items"]
            )

        until(complete, 20 + namespaces, "every pod is Ready")

    def install(self, crd: Json) -> None:
        """Create the CRD, or change it to this one, and wait until the API server serves it."""
        if self.api.status("GET", CRD) == 404:
            self.api.create(CRDS, crd)
        else:
            self.api.merge(CRD, {"spec": crd["spec"]})
        until(lambda: self.api.status("GET", SCALERS.format("")) == 200, 20, "the CRD is served")

    def by_case(self, path: str) -> dict[tuple[str, str], Json]:
        """All objects of a kind, by namespace and name."""
        return {
            (each["metadata"]["namespace"], each["metadata"]["name"]): each
            for each in self.api.get(path.format(""))["items"]
        }


def shipped_crd() -> Json:
    """The CRD of this version."""
    found: Json = yaml.safe_load((ROOT / "crds" / "compositescalers.yaml").read_text())
    return found


def old_crd() -> Json:
    """A CRD from before there was a schema: it lets everything in."""
    crd = shipped_crd()
    (version,) = crd["spec"]["versions"]
    version["schema"]["openAPIV3Schema"] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version.pop("additionalPrinterColumns")
    return crd


@contextmanager
def workbench(kind: str, folder: Path) -> Iterator[Workbench]:
    """The bench "embedded" or "real"; the operator is not started yet, and no CRD is there."""
    exposition = Exposition()
    with ExitStack() as stack:
        (closed,) = free_ports(1)
        source = EmbeddedMetricsSource(exposition.text, interval_seconds=0.5)
        quiet = EmbeddedMetricsSource(exposition.text, interval_seconds=0.5)
        for each in (source, quiet):
            stack.enter_context(each.in_thread())
        patient = {"timeout": "3s", "window": "2s", "maxBytes": "1Mi"}
        sources: Json = {
            "default": {"url": source.url, **patient},
            "slow": {"url": source.url, **patient, "timeout": "500ms"},
            "quiet": {"url": quiet.url, **patient},
            "closed": {"url": f"http://127.0.0.1:{closed}", **patient},
        }
        embedded = plane = prometheus = None
        if kind == "embedded":
            settings = WorkloadSettings(startup_seconds=0.2)
            embedded = stack.enter_context(EmbeddedApiServer.in_thread(workloads=settings))
            api, kubeconfig = Api(embedded.url), embedded.kubeconfig(folder / "kubeconfig")
        else:
            require("control_plane")
            require("prometheus")
            plane = stack.enter_context(ControlPlane(pod_startup_seconds=0.2))
            api = Api(plane.url, plane.admin_token, plane.ca)
            for file in ("namespace.yaml", "rbac.yaml"):
                plane.kubectl("apply", "-f", str(ROOT / "manifests" / "base" / file))
            kubeconfig = plane.service_account_kubeconfig("compositescaler", "compositescaler")
            port = stack.enter_context(exposition.served())
            prometheus = stack.enter_context(PrometheusServer([f"127.0.0.1:{port}"], "500ms"))
            sources["prometheus"] = {"url": prometheus.url, **patient}
        stack.callback(api.close)
        configuration = {"interval": f"{INTERVAL:g}s", "evaluationDelay": "0s", "sources": sources}
        operator = OperatorProcess(folder, kubeconfig, configuration)
        bench = Workbench(api, exposition, source, quiet, closed, operator, embedded, plane, prometheus)
        with bench.closing:
            try:
                yield bench
            finally:
                operator.__exit__()
