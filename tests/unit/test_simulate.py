"""`compositescaler simulate`: the same load for every policy, a table, JSON and a page of it."""

from __future__ import annotations

import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from controller.cli.main import main
from controller.cli.simulate.request import OFFERED, REFERENCE, Request, Stretch
from controller.cli.simulate.runs import Outcome, Progress, play
from controller.cli.simulate.table import as_json, cells, duration_text, show
from controller.simulation import SCENARIOS, Trace

Run = Callable[..., tuple[str, str]]
SHORT = ("--stop", "420", "--seeds", "2")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command with these arguments to its end; what it said on both streams."""

    def simulate(*arguments: str) -> tuple[str, str]:
        monkeypatch.setattr(sys, "argv", ["compositescaler", "simulate", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert ended.value.code in (0, None), said.err
        return said.out, said.err

    return simulate


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    """Ten minutes of the packaged day under two rivals and a constant, two seeds."""
    request = Request.of(policies=("hpa-cpu", "keda", "constant"), seeds=2, stretch=Stretch(stop=600.0))
    return play(request, Console(file=StringIO()))[0]


def test_the_table_has_a_row_for_each_policy_and_one_for_the_oracle(run: Run) -> None:
    out, _ = run(*SHORT)
    for name in ("compositescaler", "hpa", "hpa-cpu", "oracle"):
        assert re.search(rf"^ {name} +│", out, re.MULTILINE), out
    for title in ("violations %", "pod-hours", "x oracle's", "actions", "flips", "overshoot %", "most pods"):
        assert title in out
    assert "How to read it:" in out
    assert "2 seeds" in out


def test_on_a_narrow_terminal_no_number_is_cut_off(outcome: Outcome) -> None:
    request = Request.of(policies=outcome.policies, seeds=2, stretch=Stretch(stop=600.0))
    texts = []
    for width in (80, 200):
        said = StringIO()
        show(Console(file=said, width=width), request, [outcome])
        texts.append(said.getvalue())
    for policy in outcome.policies:
        for text in cells(outcome, policy):
            assert all(text in shown for shown in texts), text


def test_every_policy_and_seed_sees_the_same_load(outcome: Outcome) -> None:
    arrivals = outcome.record.arrivals
    for seed in range(2):
        of_seed = arrivals[:, seed::2]
        assert (of_seed == of_seed[:, :1]).all()
    assert (arrivals[:, 0] != arrivals[:, 1]).any()


def test_every_run_begins_with_as_many_pods_as_the_load_needs(outcome: Outcome) -> None:
    assert set(outcome.record.replicas[0].tolist()) == {float(outcome.record.most_demand[0, 0])}


def test_json_holds_each_figure_for_every_seed(run: Run) -> None:
    out, _ = run(*SHORT, "--policy", "hpa-cpu", "--policy", "constant", "--scenario", "slow-start", "--json")
    found = json.loads(out)
    assert (found["seeds"], found["peakPods"]) == (2, 30.0)
    (scenario,) = found["scenarios"]
    assert scenario["name"] == "slow-start"
    assert [each["name"] for each in scenario["policies"]] == ["hpa-cpu", "constant"]
    figures = scenario["policies"][1]["figures"]
    assert figures["mostPods"] == {"mean": 100.0, "least": 100.0, "most": 100.0, "seeds": [100.0, 100.0]}
    assert figures["podHours"]["mean"] > scenario["policies"][0]["figures"]["podHours"]["mean"]


def test_the_same_command_gives_the_same_numbers(run: Run) -> None:
    arguments = (*SHORT, "--policy", "hpa-cpu", "--json")
    assert run(*arguments) == run(*arguments)


def test_the_page_draws_every_policy_and_asks_nothing_of_the_network(run: Run, tmp_path: Path) -> None:
    page = tmp_path / "simulation.html"
    run(*SHORT, "--policy", "compositescaler", "--policy", "hpa", "--scenario", "none", "--html", str(page))
    text = page.read_text(encoding="utf-8")
    links = set(re.findall(r"https?://[^\"' <]+", text))
    assert links == {"http://www.w3.org/2000/svg"}  # a name of XML, which nothing is fetched from
    assert not re.search(r"<(script|link|img)|@import|url\(", text)
    (drawn,) = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    words = [element.text for element in ElementTree.fromstring(drawn).iter() if element.text]
    for title in ("Load, requests per second", "Pods that are wanted", "Magnitude, our policies alone"):
        assert title in words
    assert words.count("compositescaler") == 3
    assert words.count("hpa") == 2
    assert "oracle" in words


def test_a_page_without_a_policy_of_ours_has_no_magnitude(run: Run, tmp_path: Path) -> None:
    page = tmp_path / "simulation.html"
    run(*SHORT, "--policy", "hpa-cpu", "--scenario", "slow-start", "--html", str(page))
    assert "Magnitude, our policies alone" not in page.read_text(encoding="utf-8")


def test_scenarios_get_a_table_each(run: Run) -> None:
    out, _ = run(*SHORT, "--policy", "keda", "--scenario", "slow-start", "--scenario", "rough")
    assert out.count("│") > 2
    for name in ("slow-start", "rough"):
        assert f"{name}: {SCENARIOS[name].sentence}" in out


def test_the_list_names_every_policy_and_scenario_with_its_sentence(run: Run) -> None:
    out, _ = run("--list")
    for name in (*OFFERED, *SCENARIOS):
        assert re.search(rf"^{re.escape(name)} ", out, re.MULTILINE), name


def test_a_manifest_s_bounds_hold(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "web.yaml"
    changed = {**REFERENCE, "spec": {**REFERENCE["spec"], "maxReplicas": 5}}
    file.write_text("kind: Service\n---\n" + yaml.safe_dump(changed), encoding="utf-8")
    out, _ = run(*SHORT, "--manifest", str(file), "--policy", "compositescaler", "--policy", "hpa", "--json")
    for each in json.loads(out)["scenarios"][0]["policies"]:
        assert each["figures"]["mostPods"]["most"] <= 5


def test_the_peak_is_the_oracle_s_at_the_busiest_moment() -> None:
    request = Request.of(policies=("constant",), seeds=1, peak_pods=12.0)
    assert play(request, Console(file=StringIO()))[0].record.most_demand.max() == 12


def test_a_trace_with_gaps_is_read_across_them(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "gaps.csv"
    file.write_text("seconds,load\n0,10\n60,\n300,20\n330,\n600,10\n", encoding="utf-8")
    out, _ = run("--trace", str(file), "--policy", "constant", "--seeds", "1", "--json")
    assert json.loads(out)["seconds"] == 600.0


def three_days() -> Trace:
    """A load that is 1, 2 and 3 on its days."""
    return Trace.parse(["seconds,load", "0,1", "86399,1", "86400,2", "172799,2", "172800,3", "259200,3"])


@pytest.mark.parametrize(
    ("stretch", "hours", "first"),
    [
        (Stretch(), 72.0, 1 / 3),
        (Stretch(day=1), 24.0, 2 / 3),
        (Stretch(start=86400.0, stop=90000.0), 1.0, 1.0),
        (Stretch(part="tune"), 50.4, 1 / 3),
        (Stretch(part="test"), 21.6, 1.0),
    ],
)
def test_a_stretch_is_cut_out_and_scaled(stretch: Stretch, hours: float, first: float) -> None:
    found = stretch.of(three_days(), peak=600.0)
    assert found.duration == pytest.approx(3600.0 * hours)
    assert found.values[0] == pytest.approx(600.0 * first, rel=1e-6)


def test_tune_and_test_have_one_scale_and_a_day_has_its_own() -> None:
    trace = three_days()
    assert Stretch(part="tune").of(trace, peak=600.0).peak == pytest.approx(600.0)
    assert Stretch(day=0).of(trace, peak=600.0).peak == 600.0
    assert Stretch(part="tune").of(trace, peak=600.0).at(0.0) == pytest.approx(200.0)


def test_progress_is_silent_for_two_seconds_and_then_speaks_seldom() -> None:
    now, said = [0.0], StringIO()
    progress = Progress(100, Console(file=said), clock=lambda: now[0])
    for second in range(1, 31):
        now[0] = float(second)
        progress.step()
    progress.end()
    assert said.getvalue().splitlines() == [
        "simulated 2%, 98 s left",
        "simulated 12%, 88 s left",
        "simulated 22%, 78 s left",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"), [(45.0, "45 s"), (1680.0, "28 min"), (3600.0, "1 h"), (86400.0, "24 h"), (2.6e6, "30.1 days")]
)
def test_lengths_of_time_are_written_for_people(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_json_and_the_table_show_the_same_runs(outcome: Outcome) -> None:
    request = Request.of(policies=outcome.policies, seeds=2, stretch=Stretch(stop=600.0))
    (scenario,) = as_json(request, [outcome])["scenarios"]
    means = [each["figures"]["podHours"]["mean"] for each in scenario["policies"]]
    assert means == [outcome.spread(policy)["pod_hours"].mean for policy in outcome.policies]
