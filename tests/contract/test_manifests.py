"""The CRD and every good and bad manifest against an API server: the real one and the embedded one."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
import yaml

from controller.api import (
    CompositeScaler,
    IneffectiveDimension,
    Learned,
    LearnedCapacity,
    LearnedFloor,
    PodCounts,
    Status,
)
from controller.api.crd import custom_resource_definition
from controller.embedded import EmbeddedApiServer
from tests.contract.manifests import BadManifest, bad_manifests, good_manifests
from tests.realparts.controlplane import ControlPlane
from tests.realparts.parts import find, locate
from tests.realparts.pytest_plugin import require

CRD = Path(__file__).parents[2] / "crds" / "compositescalers.yaml"
NAME = "compositescalers.compositescaler.io"


class Api(Protocol):
    """An API server with kubectl in front."""

    def kubectl(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run kubectl as administrator; an exception if it fails and `check`."""


class EmbeddedApi:
    """The embedded server with the same kubectl in front."""

    def __init__(self, binary: str, kubeconfig: Path) -> None:
        self._command = [binary, f"--kubeconfig={kubeconfig}", f"--cache-dir={kubeconfig.parent}"]

    def kubectl(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*self._command, *args], capture_output=True, text=True, timeout=60, check=check)


@pytest.fixture(scope="module", params=["embedded", "real"])
def api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Every API server that has to behave the same, with the CRD in it."""
    if request.param == "real":
        control_plane: ControlPlane = request.getfixturevalue("api_server")
        apply_crd(control_plane)
        yield control_plane
        control_plane.kubectl("delete", "compositescalers", "--all", "--all-namespaces")
        return
    with EmbeddedApiServer.in_thread() as server:
        kubeconfig = server.kubeconfig(tmp_path_factory.mktemp("embedded") / "kubeconfig")
        embedded = EmbeddedApi(any_kubectl(), kubeconfig)
        apply_crd(embedded)
        yield embedded


def any_kubectl() -> str:
    """The pinned kubectl if it is built, else the one installed here."""
    installed = shutil.which("kubectl")
    if installed is None or find("kubectl") is not None:
        require("api_server")
        return str(locate("api_server")["kubectl"])
    return installed


def apply_crd(api: Api) -> None:
    api.kubectl("apply", "-f", str(CRD))
    api.kubectl("wait", "--for=condition=Established", "--timeout=30s", f"crd/{NAME}")


def stored(api: Api, name: str) -> Any:
    return json.loads(api.kubectl("get", "csc", name, "-o", "json").stdout)


def test_the_crd_is_established_with_a_structural_schema(api: Api) -> None:
    crd = json.loads(api.kubectl("get", "crd", NAME, "-o", "json").stdout)
    conditions = {each["type"]: each["status"] for each in crd["status"]["conditions"]}
    assert conditions["Established"] == "True"
    assert conditions.get("NonStructuralSchema", "False") == "False"


@pytest.mark.parametrize("path", good_manifests(), ids=lambda path: path.stem)
def test_a_good_manifest_is_accepted_and_read_back_with_its_meaning(api: Api, path: Path) -> None:
    api.kubectl("apply", "-f", str(path))
    written = CompositeScaler.parse(yaml.safe_load(path.read_text(encoding="utf-8")))
    assert CompositeScaler.parse(stored(api, path.stem)).spec == written.spec


@pytest.mark.parametrize("manifest", bad_manifests(), ids=lambda manifest: manifest.path.stem)
def test_a_bad_manifest_is_refused_with_a_sentence_that_names_field_and_remedy(api: Api, manifest: BadManifest) -> None:
    answer = api.kubectl("apply", "-f", str(manifest.path), check=False)
    assert answer.returncode != 0, f"accepted: {answer.stdout}"
    assert not manifest.unsaid(answer.stderr), answer.stderr


def test_defaults_are_shown_and_those_of_an_unwritten_behavior_are_not(api: Api) -> None:
    api.kubectl("apply", "-f", str(good_manifests()[0].with_name("smallest.yaml")))
    spec = stored(api, "smallest")["spec"]
    assert spec["minReplicas"] == 1
    assert spec["magnitude"] == {"norm": 2, "target": "1", "aggregation": "Mean", "response": "Capacity"}
    assert spec["quality"] == {"maxAge": "90s", "minCoverage": "80%"}
    assert spec["cooldown"] == {"scaleUp": "0s", "scaleDown": "60s"}
    assert spec["dimensions"][0] == {
        "metric": "cpu",
        "target": "70%",
        "weight": 1,
        "onMissing": "Hold",
        "scaleDown": True,
    }
    assert spec["efficacy"] == {"authority": 1.5, "action": "Hold"}
    assert spec["anomaly"] == {"window": "1h", "percentile": 99.9, "season": "None", "action": "Observe"}
    assert "behavior" not in spec
    assert "demand" not in spec


def test_a_direction_of_behavior_that_is_begun_is_completed_with_the_defaults_of_an_hpa(api: Api) -> None:
    api.kubectl("apply", "-f", str(good_manifests()[0].with_name("same-metric-twice.yaml")))
    assert stored(api, "same-metric-twice")["spec"]["behavior"] == {
        "scaleDown": {
            "stabilizationWindowSeconds": 300,
            "selectPolicy": "Disabled",
            "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
            "tolerance": "0.1",
        }
    }


def test_what_was_learned_is_stored_whole_so_that_it_survives_a_restart(api: Api) -> None:
    api.kubectl("apply", "-f", str(good_manifests()[0].with_name("smallest.yaml")))
    since, until = "2026-11-21T15:00:00Z", "2026-11-21T15:15:00Z"
    status = Status(
        pods=PodCounts(ready=3, total=5, waiting_for_nodes=2),
        learned=Learned(
            floors=(LearnedFloor(name="memory", value="412Mi", confidence="87%", since=since),),
            capacities=(LearnedCapacity(name="cpu", load_per_pod="48 requests/s"),),
            load_per_pod="41.3 requests/s",
            demand="Arrivals",
            established="40 requests/s",
            gain="0.8",
            startup="28s",
            ineffective=(IneffectiveDimension(name="latency", since=since, until=until),),
        ),
    )
    patch = json.dumps({"status": status.manifest()})
    api.kubectl("patch", "csc", "smallest", "--subresource=status", "--type=merge", "-p", patch)
    assert Status.parse(stored(api, "smallest")["status"]) == status


def test_kubectl_get_shows_the_promised_columns(api: Api) -> None:
    api.kubectl("apply", "-f", str(good_manifests()[0].with_name("smallest.yaml")))
    narrow = api.kubectl("get", "csc").stdout.splitlines()[0].split()
    wide = api.kubectl("get", "csc", "-o", "wide").stdout.splitlines()[0].split()
    promised = [
        "NAME",
        "TARGET",
        "MIN",
        "MAX",
        "REPLICAS",
        "DESIRED",
        "MAGNITUDE",
        "READY",
        "ACTIVE",
        "LAST-SCALE",
        "AGE",
    ]
    assert narrow == promised
    assert wide == [*promised, "DOMINANT", "REASON"]


def unbounded(schema: Any) -> Any:
    """The schema as an API server before 1.34 counts its cost: the length of an int-or-string is not looked at."""
    if isinstance(schema, dict):
        drop = "maxLength" if "x-kubernetes-int-or-string" in schema else None
        return {key: unbounded(value) for key, value in schema.items() if key != drop}
    return [unbounded(each) for each in schema] if isinstance(schema, list) else schema


def test_the_rules_fit_the_cost_budget_of_older_api_servers(api_server: ControlPlane) -> None:
    # A name of its own, because --dry-run checks the schema of a new CRD in full.
    crd = unbounded(custom_resource_definition())
    crd["metadata"]["name"] = "compositescalers.older.compositescaler.io"
    crd["spec"]["group"] = "older.compositescaler.io"
    answer = api_server.kubectl("create", "--dry-run=server", "-f", "-", input=json.dumps(crd), check=False)
    assert answer.returncode == 0, answer.stderr
