"""The report over a folder of facts: what it counts, what it shows, and how it ends."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.__main__ import main
from tests.conformance.facts import DATA, FILES

BEHAVIOR, CALCULATOR = FILES


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in FILES:
        shutil.copy(DATA / name, tmp_path)
    return tmp_path


def change(folder: Path, name: str, suite: str, /, **changes: Any) -> None:
    """Put something else into the first case of a suite."""
    path = folder / name
    document = json.loads(path.read_text())
    case = next(each for each in document["cases"] if each["suite"] == suite)
    for key, value in changes.items():
        case[key] = case[key] | value if isinstance(value, dict) else value
    path.write_text(json.dumps(document))


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    return printed.err


def test_our_copy_of_the_facts_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].split() == ["suite", "passed", "failed", "differs", "on", "purpose"]
    assert next(line.split() for line in printed if line.startswith("rate_limit")) == ["rate_limit", "33", "0", "2"]
    assert "  replicas: expected 111, got 110" in printed


def test_a_case_with_another_answer_is_shown_with_its_inputs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(folder, CALCULATOR, "pods_metric", expected={"replicas": 7})
    assert main([str(folder)]) == 1
    printed = capsys.readouterr().out
    assert "failed: pods_metric | scale down\n" in printed
    assert '\n  pod_values_milli = {"test-pod-0": 12000' in printed
    assert "replicas: expected 7, got 3" in printed


def test_another_name_of_a_controller_suite_is_still_the_controller(folder: Path) -> None:
    change(folder, BEHAVIOR, "controller", suite="controller_of_tomorrow")
    change(folder, CALCULATOR, "resource_tolerance", suite="resource_of_tomorrow")
    assert main([str(folder)]) == 0


def test_an_artefact_is_no_excuse_for_an_answer_that_is_not_the_exact_one(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(folder, CALCULATOR, "pods_metric", expected={"replicas": 7}, artifact="float64")
    assert main([str(folder)]) == 1
    assert "nothing here knows the exact answers of suite pods_metric" in capsys.readouterr().out


def test_a_case_that_lacks_an_input_fails_and_the_others_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(folder, CALCULATOR, "per_pod_usage", inputs={"status_replicas": "three"})
    change(folder, BEHAVIOR, "controller", inputs={"pods": [{"phase": "Running"}]})
    assert main([str(folder)]) == 1
    printed = capsys.readouterr().out
    assert "it cannot be run: Lacking: 'name' is lacking; write it into the case" in printed
    assert "per_pod_usage | zero replicas returns zero" in printed


@pytest.mark.parametrize(
    ("name", "suite", "expected", "sentence"),
    [
        (
            CALCULATOR,
            "group_pods",
            {"unready": -1},
            "unready: -1 is no list of pods; write their names, or [] for none",
        ),
        (CALCULATOR, "group_pods", {"missing": ["a", 3]}, 'missing: ["a", 3] is no list of pods; write their names'),
        (CALCULATOR, "pods_metric", {"unready": ["a"]}, 'unready: expected ["a"], got null'),
        (CALCULATOR, "pods_metric", {"error_contains": 3}, "error_contains: 3 is no text; write a part of the error's"),
        (BEHAVIOR, "controller", {"event": "Rescaled"}, 'event: "Rescaled" is no object; write the fields'),
    ],
)
def test_an_expectation_that_nothing_compares_with_fails_in_a_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, suite: str, expected: dict[str, Any], sentence: str
) -> None:
    change(folder, name, suite, expected=expected)
    assert main([str(folder)]) == 1
    assert sentence in capsys.readouterr().out


def test_status_that_says_the_same_as_before_is_not_written(folder: Path) -> None:
    settled = [
        {"type": "AbleToScale", "status": "True", "reason": "ReadyForNewScale"},
        {"type": "ScalingActive", "status": "True", "reason": "ValidMetricFound"},
        {"type": "ScalingLimited", "status": "False", "reason": "DesiredWithinRange"},
    ]
    path = folder / BEHAVIOR
    document = json.loads(path.read_text())
    case = next(each for each in document["cases"] if each["name"] == "TestToleranceCM")
    case["inputs"]["initial_conditions"] = settled
    case["expected"]["status_write_expected"] = False
    path.write_text(json.dumps(document))
    assert main([str(folder)]) == 0
    settled[0]["reason"] = "SucceededRescale"
    path.write_text(json.dumps(document))
    assert main([str(folder)]) == 1


def test_an_unknown_suite_is_named_with_those_that_are_known(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(folder, BEHAVIOR, "controller", suite="knative")
    assert main([str(folder)]) == 2
    printed = one_line(capsys)
    assert "no suite is called 'knative'" in printed
    assert "controller_*" in printed


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "is no JSON"),
        ("[]", "is not of format 1"),
        ('{"format": 2, "cases": []}', "is not of format 1"),
        ('{"format": 1, "cases": [3]}', "case 0 is no object"),
        ('{"format": 1, "cases": [{"suite": 3}]}', "'suite' is 3; write text"),
        (
            json.dumps({"format": 1, "cases": [{"suite": "a", "name": "b", "inputs": {}, "expected": {}}] * 2}),
            "twice; give each its own name",
        ),
    ],
)
def test_a_file_that_is_not_of_the_format_is_refused_in_one_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str], text: str, sentence: str
) -> None:
    (folder / CALCULATOR).write_text(text)
    assert main([str(folder)]) == 2
    assert sentence in one_line(capsys)


def test_a_folder_or_file_that_is_not_there_is_refused_in_one_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(folder / "nowhere")]) == 2
    assert "is no folder" in one_line(capsys)
    (folder / CALCULATOR).unlink()
    assert main([str(folder)]) == 2
    assert "cannot be read" in one_line(capsys)
