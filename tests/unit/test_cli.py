"""The command line: what it prints, and that bad input is one sentence and exit status 2."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import yaml

GOOD = {
    "apiVersion": "compositescaler.io/v1alpha1",
    "kind": "CompositeScaler",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {
        "scaleTargetRef": {"kind": "Deployment", "name": "web"},
        "maxReplicas": 9,
        "dimensions": [{"metric": "cpu", "target": "70%"}],
    },
}
BAD = {**GOOD, "spec": {**GOOD["spec"], "minReplicas": 10}}  # type: ignore[dict-item]


def run(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "controller", *arguments], input=text, capture_output=True, text=True, timeout=60
    )


def test_both_names_of_the_command_are_installed() -> None:
    names = {each.name for each in entry_points(group="console_scripts") if each.value == "controller.cli:main"}
    assert names == {"compositescaler", "kubectl-compositescaler"}


def test_the_crd_that_is_printed_is_the_committed_one() -> None:
    committed = (Path(__file__).parents[2] / "crds" / "compositescalers.yaml").read_text()
    assert run("crd").stdout == committed


def test_a_good_manifest_is_said_to_be_valid() -> None:
    found = run("check", "-", text=yaml.safe_dump(GOOD))
    assert (found.returncode, found.stdout) == (0, "-: shop/web is valid\n")


@pytest.mark.parametrize("document", [BAD, {"kind": "List", "apiVersion": "v1", "items": [GOOD, BAD]}])
def test_a_bad_manifest_is_a_sentence_and_status_2_in_a_list_too(document: dict[str, object]) -> None:
    found = run("check", "-", text=yaml.safe_dump(document))
    assert found.returncode == 2
    assert "minReplicas must not be above maxReplicas" in found.stderr


def test_an_annotation_that_cannot_be_read_is_a_sentence_and_status_2() -> None:
    metadata = {"name": "web", "namespace": "shop", "annotations": {"compositescaler.io/paused": "yes"}}
    found = run("check", "-", text=yaml.safe_dump({**GOOD, "metadata": metadata}))
    assert found.returncode == 2
    assert 'compositescaler.io/paused]: must be "true" or "false" (got "yes")' in found.stderr


def test_a_file_without_a_scaler_is_not_called_valid() -> None:
    found = run("check", "-", text="kind: Deployment")
    assert (found.returncode, found.stderr) == (2, "there is no CompositeScaler in -\n")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a: [", b"sources: {}"])
def test_a_configuration_that_cannot_be_read_is_a_sentence_and_status_2(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "configuration.yaml"
    file.write_bytes(content)
    found = run("run", "--config", str(file))
    assert found.returncode == 2
    assert found.stderr.startswith("compositescaler: ")
    assert "Traceback" not in found.stderr


def test_the_examples_are_valid_among_other_manifests() -> None:
    examples = sorted(str(each) for each in (Path(__file__).parents[2] / "manifests").rglob("*.yaml"))
    found = run("check", *examples)
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.count("is valid") >= 3
