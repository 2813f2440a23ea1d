"""What a person does: the real kubectl in front of each server."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.contract.conftest import Api, deployment, widget

CRD = Path(__file__).parents[2] / "crds" / "compositescalers.yaml"

SCALER = {
    "apiVersion": "compositescaler.io/v1alpha1",
    "kind": "CompositeScaler",
    "metadata": {"name": "web"},
    "spec": {
        "scaleTargetRef": {"kind": "Deployment", "name": "web"},
        "maxReplicas": 20,
        "dimensions": [{"metric": "cpu", "target": "70%"}],
    },
}


class Kubectl:
    """kubectl in one namespace."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._api, self._namespace = api, namespace

    def __call__(self, *args: str, manifest: Any = None, check: bool = True) -> subprocess.CompletedProcess[str]:
        text = json.dumps(manifest) if manifest is not None else None
        return self._api.kubectl(f"--namespace={self._namespace}", *args, input=text, check=check)


@pytest.fixture
def kubectl(api: Api, namespace: str) -> Kubectl:
    return Kubectl(api, namespace)


@pytest.fixture
def scalers(kubectl: Kubectl) -> Kubectl:
    """kubectl where the project's CRD is installed."""
    kubectl("apply", "-f", str(CRD))
    kubectl("wait", "--for=condition=Established", "--timeout=20s", "crd/compositescalers.compositescaler.io")
    return kubectl


def test_apply_creates_then_changes_then_leaves_alone(kubectl: Kubectl) -> None:
    web = deployment("web")
    assert kubectl("apply", "-f", "-", manifest=web).stdout == "deployment.apps/web created\n"
    web["spec"]["template"]["spec"]["containers"][0]["image"] = "app:2"
    assert kubectl("apply", "-f", "-", manifest=web).stdout == "deployment.apps/web configured\n"
    assert kubectl("apply", "-f", "-", manifest=web).stdout == "deployment.apps/web unchanged\n"


def test_apply_takes_away_what_the_manifest_no_longer_has(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", manifest=widget("one", mode="Slow", limits={"a": 1}))
    kubectl("apply", "-f", "-", manifest=widget("one"))
    spec = json.loads(kubectl("get", "widget", "one", "-o", "json").stdout)["spec"]
    assert spec == {"size": 1, "mode": "Fast"}


def test_apply_refuses_an_unknown_field(kubectl: Kubectl) -> None:
    answer = kubectl("apply", "-f", "-", manifest=widget("one", colour="red"), check=False)
    assert answer.returncode == 1
    assert 'strict decoding error: unknown field "spec.colour"' in answer.stderr


def test_apply_shows_each_refused_field(kubectl: Kubectl) -> None:
    answer = kubectl("apply", "-f", "-", manifest=widget("one", size=99, mode="Odd"), check=False)
    assert answer.returncode == 1
    assert 'The Widget "one" is invalid' in answer.stderr
    assert "* spec.size: Invalid value: 99: spec.size in body should be less than or equal to 10" in answer.stderr
    assert '* spec.mode: Unsupported value: "Odd": supported values: "Fast", "Slow"' in answer.stderr


def test_a_dry_run_on_the_server_changes_nothing(kubectl: Kubectl) -> None:
    answer = kubectl("apply", "--dry-run=server", "-f", "-", manifest=widget("one"))
    assert answer.stdout == "widget.contract.example.com/one created (server dry run)\n"
    assert kubectl("get", "widgets", "--ignore-not-found").stdout == ""


def test_get_shows_the_columns_of_the_crd(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", manifest=widget("one", size=7))
    header, row = kubectl("get", "wdg").stdout.splitlines()
    assert header.split() == ["NAME", "SIZE", "READY", "AGE"]
    assert row.split()[:2] == ["one", "7"]
    assert "MODE" in kubectl("get", "wdg", "-o", "wide").stdout


def test_get_by_category_and_by_selector(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", manifest=widget("one"))
    kubectl("label", "widget", "one", "a=b")
    assert kubectl("get", "contract", "-l", "a=b", "-o", "name").stdout == "widget.contract.example.com/one\n"
    assert kubectl("get", "wdg", "-l", "a!=b", "-o", "name").stdout == ""
    assert kubectl("get", "wdg", "--field-selector=metadata.name=one", "-o", "name").stdout != ""


def test_get_in_small_pages_shows_everything(kubectl: Kubectl) -> None:
    for number in range(5):
        kubectl("create", "-f", "-", manifest=widget(f"w-{number}"))
    answer = kubectl("get", "wdg", "--chunk-size=2", "-o", "name").stdout.splitlines()
    assert answer == [f"widget.contract.example.com/w-{number}" for number in range(5)]


def test_get_watch_shows_changes(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", manifest=widget("one"))
    answer = kubectl("get", "wdg", "-w", "--request-timeout=1s", check=False)
    assert [line.split()[0] for line in answer.stdout.splitlines()] == ["NAME", "one"]


def test_a_missing_object_is_named(kubectl: Kubectl) -> None:
    answer = kubectl("get", "widget", "none", check=False)
    assert 'Error from server (NotFound): widgets.contract.example.com "none" not found' in answer.stderr


def test_scale_changes_the_replicas(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", manifest=deployment("web"))
    assert kubectl("scale", "deployment/web", "--replicas=2").stdout == "deployment.apps/web scaled\n"
    assert kubectl("get", "deployment", "web", "-o", "jsonpath={.spec.replicas}").stdout == "2"


def test_scale_of_a_custom_resource_obeys_its_precondition(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", manifest=widget("one", replicas=1))
    refused = kubectl("scale", "widget/one", "--current-replicas=5", "--replicas=2", check=False)
    assert refused.returncode == 1
    kubectl("scale", "widget/one", "--current-replicas=1", "--replicas=2")
    assert kubectl("get", "widget", "one", "-o", "jsonpath={.spec.replicas}").stdout == "2"


@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        ("merge", '{"spec": {"replicas": 3}}'),
        ("strategic", '{"spec": {"replicas": 3}}'),
        ("json", '[{"op": "replace", "path": "/spec/replicas", "value": 3}]'),
    ],
)
def test_patch_takes_every_format(kubectl: Kubectl, kind: str, patch: str) -> None:
    kubectl("create", "-f", "-", manifest=deployment("web"))
    assert kubectl("patch", "deployment", "web", "--type", kind, "-p", patch).stdout == "deployment.apps/web patched\n"
    assert kubectl("get", "deployment", "web", "-o", "jsonpath={.spec.replicas}").stdout == "3"


def test_patch_reaches_the_status(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", manifest=widget("one"))
    kubectl("patch", "widget", "one", "--subresource=status", "--type=merge", "-p", '{"status": {"a": "b"}}')
    assert kubectl("get", "widget", "one", "-o", "jsonpath={.status.a}").stdout == "b"


def test_describe_shows_spec_and_events(kubectl: Kubectl, namespace: str) -> None:
    kubectl("create", "-f", "-", manifest=widget("one", size=4))
    uid = kubectl("get", "widget", "one", "-o", "jsonpath={.metadata.uid}").stdout
    involved = {
        "apiVersion": "contract.example.com/v1",
        "kind": "Widget",
        "name": "one",
        "namespace": namespace,
        "uid": uid,
    }
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "one.1"},
        "involvedObject": involved,
        "reason": "Grown",
        "message": "It has grown",
        "type": "Normal",
        "source": {"component": "contract"},
        "lastTimestamp": "2026-01-02T03:04:05Z",
        "firstTimestamp": "2026-01-02T03:04:05Z",
        "count": 1,
    }
    kubectl("create", "-f", "-", manifest=event)
    text = kubectl("describe", "widget", "one").stdout
    assert "Size:  4" in text
    assert "Grown" in text
    assert "It has grown" in text
    assert "Grown" in kubectl("get", "events").stdout
    assert "It has grown" in kubectl("events", "--for", "widget/one").stdout


def test_describe_of_a_deployment_shows_its_replica_set(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", manifest=deployment("web", replicas=1))
    kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    text = kubectl("describe", "deployment", "web").stdout
    assert "1 desired | 1 updated | 1 total | 1 available | 0 unavailable" in text
    assert "NewReplicaSet:" in text
    assert "(1/1 replicas created)" in text


def test_a_new_image_is_rolled_out(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", manifest=deployment("web", replicas=2))
    kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    kubectl("set", "image", "deployment/web", "app=app:2")
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    images = kubectl("get", "rs", "-o", "jsonpath={range .items[*]}{.spec.replicas}={..image} {end}").stdout.split()
    assert sorted(images) == ["0=app", "2=app:2"]


def test_wait_sees_a_condition(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", manifest=deployment("web", replicas=1))
    answer = kubectl("wait", "--for=condition=Available", "--timeout=30s", "deployment/web")
    assert answer.stdout == "deployment.apps/web condition met\n"


def test_explain_describes_a_field(kubectl: Kubectl) -> None:
    text = kubectl("explain", "widgets.spec.size").stdout
    assert "FIELD: size <integer>" in text
    assert "How big it is." in text


def test_delete_waits_until_the_object_is_gone(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", manifest=widget("one"))
    assert kubectl("delete", "widget", "one").stdout.startswith('widget.contract.example.com "one" deleted')
    assert kubectl("get", "widgets", "-o", "name").stdout == ""


def test_delete_of_a_deployment_takes_its_pods_along(api: Api, kubectl: Kubectl, namespace: str) -> None:
    kubectl("create", "-f", "-", manifest=deployment("web", replicas=1))
    kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    kubectl("delete", "deployment", "web")
    api.eventually(f"/api/v1/namespaces/{namespace}/pods", lambda answer: answer.body["items"] == [])


def test_delete_all_empties_a_namespace_of_a_kind(kubectl: Kubectl) -> None:
    for name in ("one", "two"):
        kubectl("create", "-f", "-", manifest=widget(name))
    kubectl("delete", "widgets", "--all")
    assert kubectl("get", "widgets", "-o", "name").stdout == ""


def test_the_compositescaler_is_applied_and_shown_with_its_columns(scalers: Kubectl) -> None:
    assert scalers("apply", "-f", "-", manifest=SCALER).stdout == "compositescaler.compositescaler.io/web created\n"
    header, row = scalers("get", "csc").stdout.splitlines()
    assert header.split()[:5] == ["NAME", "TARGET", "MIN", "MAX", "REPLICAS"]
    assert row.split()[:4] == ["web", "web", "1", "20"]
    text = scalers("describe", "csc", "web").stdout
    assert re.search(r"Max Replicas: +20\n", text)


def test_the_compositescaler_is_explained(scalers: Kubectl, api: Api) -> None:
    api.eventually("/openapi/v3", lambda answer: "apis/compositescaler.io/v1alpha1" in answer.body["paths"])
    assert "FIELD: maxReplicas <integer>" in scalers("explain", "csc.spec.maxReplicas").stdout
    assert "maxReplicas\t<integer> -required-" in scalers("explain", "csc.spec").stdout


def test_a_rule_across_fields_refuses_a_compositescaler(scalers: Kubectl) -> None:
    wrong = {**SCALER, "spec": {**SCALER["spec"], "minReplicas": 30}}  # type: ignore[dict-item]
    answer = scalers("apply", "-f", "-", manifest=wrong, check=False)
    assert answer.returncode == 1
    assert "minReplicas must not be above maxReplicas" in answer.stderr
