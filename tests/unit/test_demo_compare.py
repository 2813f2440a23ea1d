"""Both responses of the demo side by side: what decided, and by which figures the runs are compared."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from controller.api import CompositeScaler, Response
from controller.cli.demo import Moment, Outlook, Verdict, run
from controller.cli.demo.panels import draw
from controller.cli.demo.stage import manifest
from controller.cli.demo.view import line, screen

LAW = Outlook(demand=412.0, ahead=455.0, per_pod=18.0)
CALM = Moment(
    t=1.0,
    load_rps=400.0,
    replicas_spec=12,
    replicas_ready=12,
    magnitude=0.8,
    dimensions=(),
    p95_seconds=0.15,
    slo_seconds=0.3,
    decision="",
    starting=False,
    outlook=LAW,
    requests=400,
    late=2,
    pod_seconds=12.0,
)
FORM = replace(CALM, outlook=Outlook(demand=412.0, ahead=455.0), late=40)


def run_of(moment: Moment, peak: float = 400.0) -> list[Moment]:
    return [replace(moment, t=float(t), load_rps=peak) for t in range(1, 6)]


def shown(moment: Moment) -> str:
    console = Console(record=True, width=100, force_terminal=True, file=io.StringIO())
    console.print(screen([moment], "The demo", 90.0, 100))
    return console.export_text()


def test_the_law_has_decided_where_it_knew_what_a_pod_takes() -> None:
    assert LAW.response == "Capacity"
    assert Outlook(demand=412.0, ahead=455.0).response == "Proportional"


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (CALM, "Capacity (demand 412 rps, 455 ahead, 18.0 a pod at the target)"),
        (FORM, "Proportional (by the magnitude)"),
    ],
)
def test_the_screen_and_the_lines_say_which_response_decided_and_by_what(moment: Moment, text: str) -> None:
    assert text in shown(moment)
    assert text in line(moment)


def test_the_screen_does_not_say_what_decided_before_anything_was() -> None:
    assert "no decision yet" in shown(replace(CALM, outlook=None))


def test_the_verdict_counts_late_requests_and_the_time_that_pods_were_there() -> None:
    verdict = Verdict.of(run_of(CALM))
    assert (verdict.requests, verdict.late, verdict.pod_seconds) == (2000, 10, 60.0)
    assert verdict.late_share == 0.005


def test_a_run_without_a_request_was_late_with_none() -> None:
    assert Verdict.of([replace(CALM, requests=0, late=0)]).late_share == 0.0


@pytest.mark.parametrize("response", list(Response))
def test_the_manifest_of_the_demo_is_valid_and_asks_for_the_response(response: Response) -> None:
    scaler = CompositeScaler.parse(yaml.safe_load(manifest(response)))
    assert scaler.spec.magnitude.response is response


def test_the_manifests_of_the_demo_differ_in_the_response_and_its_default_hold_alone() -> None:
    law, form = (manifest(each).splitlines() for each in (Response.CAPACITY, Response.PROPORTIONAL))
    differing = [(a.split(":")[0].strip(), b.split(":")[0].strip()) for a, b in zip(law, form, strict=True) if a != b]
    assert differing == [("magnitude", "magnitude"), ("stabilizationWindowSeconds", "stabilizationWindowSeconds")]


def ticks(svg: str) -> list[str]:
    return re.findall(r'<text class="n"[^>]*>([^<]*)</text>', svg)


def test_runs_that_are_shown_beside_each_other_share_their_axes() -> None:
    small, large = run_of(CALM), run_of(replace(CALM, magnitude=3.0, p95_seconds=2.0), peak=4000.0)
    both = [*small, *large]
    assert ticks(draw(small, 38.5, "seconds")) != ticks(draw(large, 38.5, "seconds"))
    assert ticks(draw(small, 38.5, "seconds", beside=both)) == ticks(draw(large, 38.5, "seconds", beside=both))


def test_the_demand_ahead_is_drawn_where_the_law_decided_and_nowhere_else() -> None:
    assert "demand ahead" in draw(run_of(CALM), 38.5, "seconds")
    assert "demand ahead" not in draw(run_of(FORM), 38.5, "seconds")


def test_a_comparison_writes_both_pictures_with_their_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = {Response.CAPACITY: run_of(CALM), Response.PROPORTIONAL: run_of(FORM)}
    monkeypatch.setattr("controller.cli.demo.run._mind_signals", lambda: None)
    monkeypatch.setattr("controller.cli.demo.run._record", lambda console, seed, response: runs[response])
    assert run.compare(tmp_path / "new", 1) == 0
    said = capsys.readouterr().out
    for name, caption in (
        ("demo.svg", "response Capacity: 0.50% of the requests late or failed, 0.2 pod-hours, 0 changes of replicas"),
        ("demo-proportional.svg", "response Proportional: 10.00% of the requests late or failed, 0.2 pod-hours"),
    ):
        assert caption in (tmp_path / "new" / name).read_text()
        assert caption in said


@pytest.mark.parametrize(("response", "status"), [(Response.CAPACITY, 1), (Response.PROPORTIONAL, 0)])
def test_a_comparison_fails_where_the_default_response_broke_the_promise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, response: Response, status: int
) -> None:
    runs = {each: run_of(CALM) for each in Response} | {response: run_of(replace(CALM, p95_seconds=0.5))}
    monkeypatch.setattr("controller.cli.demo.run._mind_signals", lambda: None)
    monkeypatch.setattr("controller.cli.demo.run._record", lambda console, seed, response: runs[response])
    assert run.compare(tmp_path, 1) == status
