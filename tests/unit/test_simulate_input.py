"""Bad input of `compositescaler simulate`: one sentence on standard error, exit status 2, no traceback."""

from __future__ import annotations

import gzip
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.cli.main import main
from controller.cli.simulate.request import REFERENCE, Request, Stretch

Refused = Callable[..., str]


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Runs the command with these arguments, which it must refuse; returns the one sentence."""

    def simulate(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["compositescaler", "simulate", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert ended.value.code == 2
        assert said.out == ""
        assert said.err.count("\n") == 1
        assert said.err.startswith("compositescaler: ")
        return said.err

    return simulate


def test_a_trace_with_a_gap_is_refused_and_each_side_of_it_is_not(refused: Refused, tmp_path: Path) -> None:
    file = tmp_path / "load.csv"
    seconds = [60 * at for at in range(120) if not 40 <= at < 80]
    file.write_text("seconds,load\n" + "".join(f"{each},{'' if each == 600 else 5}\n" for each in seconds))
    said = refused("--trace", str(file), "--policy", "constant")
    assert "Nothing is known between 2340 s and 4800 s, and a row every 60 s is usual" in said
    assert "between 2340 s and 4800 s" in refused("--trace", str(file), "--start", "700", "--policy", "constant")
    for side in (Stretch(stop=2340.0), Stretch(start=4800.0)):
        assert Request.of(file=file, stretch=side).trace.duration == 2340.0


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("seconds,load\n0,1\n60,much\n", "Line 3 is '60,much'; both columns must be numbers"),
        ("seconds,load\n0,1\n60,-3\n", "The value of row 2 is -3; a load is zero or more"),
        ("seconds,load\n0,1\n60,inf\n", "The value of row 2 is inf; leave the row out"),
        ("seconds,load\n0,1\n", "A trace needs two moments or more, not 1"),
        ("seconds,load\n0,0\n60,0\n", "zero throughout"),
        ("seconds,load\n60,1\n0,2\n", "sort the rows"),
        ("seconds,rps\n0,1\n60,2\n", "None of the columns seconds, rps is called requests_per_second or load"),
        ("time,load\n0,1\n60,2\n", "The first column is called 'time'; call it 'seconds'"),
        ("seconds,load\n0,1\n60,2,3\n", "Line 3 has 3 columns, the header has 2"),
        ("seconds,load\n0,1\n5,2\n", "The trace lasts 5 s; at least 15 s are needed"),
        ("", "The first column is called ''"),
    ],
)
def test_a_trace_that_is_no_load_is_refused_with_what_is_wrong(
    refused: Refused, tmp_path: Path, content: str, says: str
) -> None:
    file = tmp_path / "load.csv"
    file.write_text(content, encoding="utf-8")
    assert says in refused("--trace", str(file), "--policy", "constant")


def test_a_file_that_is_not_there_a_folder_and_what_is_not_gzip_are_refused(refused: Refused, tmp_path: Path) -> None:
    plain = tmp_path / "load.csv.gz"
    plain.write_text("seconds,load\n0,1\n60,2\n", encoding="utf-8")
    assert "Not a gzipped file" in refused("--trace", str(plain))
    assert "No such file" in refused("--trace", str(tmp_path / "none.csv"))
    assert "Is a directory" in refused("--trace", str(tmp_path))
    plain.write_bytes(gzip.compress(b"seconds,load\n0,1\n")[:-9])
    assert "cannot be read as a CSV file" in refused("--trace", str(plain))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--policy", "magic"], "There is no policy 'magic'; write one of compositescaler, proportional, hpa, hpa-cpu"),
        (["--policy", "clairvoyant"], "There is no policy 'clairvoyant'; write one of"),
        (["--scenario", "earthquake"], "There is no scenario 'earthquake'; write one of cost-x1.6"),
        (["--day", "1"], "--day is 1, and the trace lasts 1 days; its only day is 0"),
        (["--day", "-1"], "--day is -1"),
        (["--seeds", "0"], "--seeds is 0; write 1 or more"),
        (["--peak", "0"], "--peak is 0; write a number of pods above 0 and up to 5000"),
        (["--peak", "nan"], "--peak is nan; write a number"),
        (["--peak", "1e30"], "--peak is 1e+30; write a number"),
        (["--part", "half"], "--part is 'half'; write tune"),
        (["--part", "test", "--day", "0"], "write one of them"),
        (["--start", "90000"], "The segment 90000..86400 s is not inside the trace, which is 0..86400 s"),
        (["--stop", "nan"], "is not inside the trace"),
    ],
)
def test_what_cannot_be_simulated_is_refused_with_what_to_write(
    refused: Refused, arguments: list[str], says: str
) -> None:
    assert says in refused(*arguments)


def manifest(**changes: Any) -> dict[str, Any]:
    return {**REFERENCE, "spec": {**REFERENCE["spec"], **changes}}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (yaml.safe_dump(manifest(maxReplicas=1)), "minReplicas must not be above maxReplicas"),
        (
            yaml.safe_dump(manifest(dimensions=[{"metric": "gpu", "target": "3"}])),
            "The metric gpu is not something that simulated pods have; write a dimension of one of the metrics cpu, memory",
        ),
        (
            yaml.safe_dump(manifest(dimensions=[{"query": "sum(depth)", "name": "depth", "target": "3"}])),
            "The query of the dimension depth is not something that simulated pods have",
        ),
        (
            yaml.safe_dump(manifest(dimensions=[{"metric": "latency", "target": "1s", "quantile": 0.5}])),
            "The dimension latency is of the quantile 0.5, and simulated pods show that of 0.95; write quantile: 0.95",
        ),
        (
            yaml.safe_dump(manifest(demand={"query": "sum(rate(x[1m]))"})),
            "The demand 'sum(rate(x[1m]))' is not simulated",
        ),
        ("kind: Deployment", "holds 0 objects of kind CompositeScaler; write a file with exactly one"),
        ("a: [", "line 1: this is not YAML"),
    ],
)
def test_a_manifest_that_cannot_be_simulated_is_refused_with_its_name(
    refused: Refused, tmp_path: Path, content: str, says: str
) -> None:
    file = tmp_path / "scaler.yaml"
    file.write_text(content, encoding="utf-8")
    sentence = refused("--manifest", str(file))
    assert says in sentence
    assert str(file) in sentence


def test_a_manifest_that_cannot_be_read_is_refused(refused: Refused, tmp_path: Path) -> None:
    assert "No such file" in refused("--manifest", str(tmp_path / "none.yaml"))
    assert "Is a directory" in refused("--manifest", str(tmp_path))
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\xff")
    assert "this is not YAML (it is no text)" in refused("--manifest", str(binary))


def test_a_rival_that_can_make_nothing_of_the_manifest_says_what_it_needs(refused: Refused, tmp_path: Path) -> None:
    file = tmp_path / "scaler.yaml"
    file.write_text(yaml.safe_dump(manifest(dimensions=[{"metric": "latency", "target": "250ms"}])), encoding="utf-8")
    assert "hpa-cpu needs a dimension of the metric cpu" in refused("--manifest", str(file), "--policy", "hpa-cpu")


def test_a_page_that_cannot_be_written_is_refused_before_anything_runs(refused: Refused, tmp_path: Path) -> None:
    assert "There is no folder" in refused("--html", str(tmp_path / "none" / "page.html"))
    assert "is a folder; write the name of a file" in refused("--html", str(tmp_path))


def test_a_million_rows_are_ready_to_run_within_ten_seconds(tmp_path: Path) -> None:
    file = tmp_path / "long.csv"
    file.write_text("seconds,load\n" + "".join(f"{60 * row},{100 + row % 1440}\n" for row in range(1_000_000)))
    began = time.process_time()
    request = Request.of(file=file, stretch=Stretch(day=600))
    assert time.process_time() - began < 10.0
    assert request.trace.duration == 86400.0


def test_more_than_can_be_simulated_is_refused_with_how_much_it_is(refused: Refused, tmp_path: Path) -> None:
    file = tmp_path / "far.csv"
    file.write_text("seconds,load\n0,1\n1e300,2\n")
    assert "days to simulate" in refused("--trace", str(file))
    file.write_text("seconds,load\n0,1\n86400,2\n")
    assert "That is 300,000 days to simulate" in refused("--trace", str(file), "--seeds", "100000")


@pytest.mark.parametrize(("scenario", "hours"), [("slow-dependency", "16"), ("zero-at-night", "6"), ("step-x50", "12")])
def test_a_scenario_that_cannot_happen_in_what_is_simulated_is_refused(
    refused: Refused, scenario: str, hours: str
) -> None:
    said = refused("--scenario", scenario, "--stop", "7200", "--policy", "constant")
    assert f"--scenario {scenario}: " in said
    assert f"which lasts only 2 h; write a trace or a stretch of more than {hours} h." in said
