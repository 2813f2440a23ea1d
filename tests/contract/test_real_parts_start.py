"""The real parts work on this machine: the ground under every other contract and e2e test."""

from __future__ import annotations

import json
import time
import urllib.error
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TypeVar

import pytest

from tests.realparts.controlplane import NODE, ControlPlane
from tests.realparts.prometheus import PrometheusServer, QueryError
from tests.realparts.pytest_plugin import require
from tests.realparts.stages import STARTUP_ANNOTATION

pytestmark = pytest.mark.real

_Answer = TypeVar("_Answer")


def test_a_deployment_of_three_replicas_has_three_ready_pods(control_plane: ControlPlane) -> None:
    control_plane.kubectl("create", "namespace", "three-replicas")
    _apply_deployment(control_plane, "three-replicas", replicas=3)
    ready = _eventually(lambda: _ready_pods(control_plane, "three-replicas"), lambda count: count == 3)
    assert ready == 3


def test_a_pod_runs_before_it_is_ready_for_as_long_as_its_annotation_says(control_plane: ControlPlane) -> None:
    control_plane.kubectl("create", "namespace", "slow-start")
    _apply_deployment(control_plane, "slow-start", replicas=1, startup="8760h")
    # It is Pending first, for a moment on a busy machine.
    phase = _eventually(
        lambda: _pods(control_plane, "slow-start", "{.items[*].status.phase}"), lambda seen: seen not in ("", "Pending")
    )
    assert phase == "Running"
    assert _ready_pods(control_plane, "slow-start") == 0


def test_rbac_refuses_a_service_account_what_its_role_does_not_grant(control_plane: ControlPlane) -> None:
    control_plane.kubectl("create", "namespace", "refused")
    control_plane.kubectl("create", "serviceaccount", "reader", "--namespace=refused")
    control_plane.kubectl("create", "role", "reader", "--verb=list", "--resource=pods", "--namespace=refused")
    control_plane.kubectl(
        "create", "rolebinding", "reader", "--role=reader", "--serviceaccount=refused:reader", "--namespace=refused"
    )
    as_reader = f"--kubeconfig={control_plane.service_account_kubeconfig('refused', 'reader')}"

    allowed = control_plane.kubectl(as_reader, "get", "pods", "--namespace=refused")
    refused = control_plane.kubectl(as_reader, "get", "secrets", "--namespace=refused", check=False)

    assert allowed.returncode == 0
    assert 'User "system:serviceaccount:refused:reader" cannot list resource "secrets"' in refused.stderr


def test_without_controllers_an_object_stays_as_it_was_written(api_server: ControlPlane) -> None:
    api_server.kubectl("create", "namespace", "untouched")
    _apply_deployment(api_server, "untouched", replicas=2)
    written = json.loads(
        api_server.kubectl("get", "deployment", "web", "--namespace=untouched", "--output=json").stdout
    )
    assert written["status"] == {}
    assert api_server.kubectl("get", "nodes", "--output=name").stdout == ""


def test_a_restarted_api_server_keeps_its_address_objects_and_tokens(api_server: ControlPlane) -> None:
    api_server.kubectl("create", "namespace", "survivor")
    api_server.stop_apiserver()
    during_outage = api_server.kubectl("get", "namespace", "survivor", check=False)
    api_server.start_apiserver()

    assert during_outage.returncode != 0
    assert api_server.kubectl("get", "namespace", "survivor", "--output=name").stdout.strip() == "namespace/survivor"


def test_the_audit_log_has_a_request_before_its_answer_is_seen() -> None:
    require("api_server")
    with ControlPlane(controllers=False, audit_log=True) as audited:
        audited.kubectl("get", "configmap", "looked-for", check=False)
        names = [json.loads(line)["objectRef"].get("name") for line in _lines_about(audited, "configmaps")]
    assert "looked-for" in names


def test_prometheus_scrapes_a_server_and_answers_a_query(
    prometheus_factory: Callable[..., PrometheusServer],
) -> None:
    with _metrics_server("answer 42\n") as address:
        prometheus = prometheus_factory([address], "200ms")
        series = _eventually(lambda: prometheus.query("answer"), bool)
    assert series[0]["metric"] == {"__name__": "answer", "instance": address, "job": "test"}
    assert float(series[0]["value"][1]) == 42


def test_prometheus_comes_back_from_an_outage_with_its_samples(
    prometheus_factory: Callable[..., PrometheusServer],
) -> None:
    with _metrics_server("answer 42\n") as address:
        prometheus = prometheus_factory({"mine": [address]}, "200ms")
        before = float(_eventually(lambda: prometheus.query('answer{job="mine"}'), bool)[0]["value"][0])

    prometheus.stop()
    with pytest.raises(urllib.error.URLError):
        prometheus.query("answer")
    prometheus.start()

    assert prometheus.query('answer{job="mine"}', time=before)


def test_prometheus_evaluates_the_rules_it_is_given(prometheus_factory: Callable[..., PrometheusServer]) -> None:
    group = {"name": "group", "rules": [{"record": "twice", "expr": "vector(21) * 2"}]}
    prometheus = prometheus_factory(rules=[group], scrape_interval="200ms")
    series = _eventually(lambda: prometheus.query("twice"), bool)
    assert float(series[0]["value"][1]) == 42


def test_a_query_that_prometheus_refuses_raises_with_its_words(
    prometheus_factory: Callable[..., PrometheusServer],
) -> None:
    with pytest.raises(QueryError, match="parse error"):
        prometheus_factory().query("sum(")


def _eventually(look: Callable[[], _Answer], enough: Callable[[_Answer], bool], seconds: float = 30.0) -> _Answer:
    """What `look` returned when it was enough, or at the end of the time."""
    deadline = time.monotonic() + seconds
    while not enough(seen := look()) and time.monotonic() < deadline:
        time.sleep(0.1)  # real servers have no fake clock
    return seen


def _apply_deployment(plane: ControlPlane, namespace: str, *, replicas: int, startup: str | None = None) -> None:
    labels = {"app": "web"}
    template = {
        "metadata": {"labels": labels, "annotations": {} if startup is None else {STARTUP_ANNOTATION: startup}},
        "spec": {"nodeName": NODE, "containers": [{"name": "web", "image": "web"}]},
    }
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }
    plane.kubectl("apply", "--filename=-", input=json.dumps(deployment))


def _pods(plane: ControlPlane, namespace: str, jsonpath: str) -> str:
    return plane.kubectl("get", "pods", f"--namespace={namespace}", f"--output=jsonpath={jsonpath}").stdout


def _ready_pods(plane: ControlPlane, namespace: str) -> int:
    return _pods(plane, namespace, '{.items[*].status.conditions[?(@.type=="Ready")].status}').split().count("True")


def _lines_about(plane: ControlPlane, resource: str) -> list[str]:
    lines = plane.audit_log_path.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if f'"resource":"{resource}"' in line]


class _Handler(BaseHTTPRequestHandler):
    body = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing: a scrape per second is not news."""


@contextmanager
def _metrics_server(exposition: str) -> Iterator[str]:
    handler = type("Handler", (_Handler,), {"body": exposition.encode()})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
