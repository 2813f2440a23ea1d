"""The evaluation program: what it counts, how it compares, and what it says where the law loses."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.evaluation import reference, variants
from benchmarks.evaluation.__main__ import main
from benchmarks.evaluation.contenders import CONTENDERS, OURS, settings_of, team
from benchmarks.evaluation.days import ADVERSARIAL, BLIND, FURTHER
from benchmarks.evaluation.document import render
from benchmarks.evaluation.loads import COPIED, LOADS, Lacking, cut, open_trace
from benchmarks.evaluation.pareto import At, at_cost, begin
from benchmarks.evaluation.results import Results
from benchmarks.evaluation.tasks import all_tasks
from benchmarks.evaluation.verdicts import Mark, adversarial_goal, avoidable, losses
from controller.simulation import SCENARIOS, Trace, simulate

MAY_NOT_BE_COPIED = {"wc98_requests", "nasa_http_requests"}


def result(cost: list[float], violations: list[float]) -> dict[str, Any]:
    """A policy at several prices, one seed."""
    rows = {"cost": cost, "violations": violations, "far": [0.0] * len(cost), "flips": [4.0] * len(cost)}
    return {name: [[value] for value in values] for name, values in rows.items()}


def at(violations: float, *, spread: float = 0.0, flips: float = 0.0) -> At:
    """Figures at a price."""
    return At(violations, spread, 0.0, flips, seeds=3)


def test_violations_between_two_prices_are_read_off_in_logarithms() -> None:
    read = at_cost(result([1.1, 1.1 * 1.21], [2.0, 0.5]), 1.1 * 1.1)
    assert read.violations == pytest.approx(1.0)
    assert read.flips == pytest.approx(4.0)


def test_a_price_that_no_factor_reaches_has_no_number() -> None:
    run = result([1.1, 1.5], [2.0, 0.5])
    assert not at_cost(run, 1.05).known
    assert not at_cost(run, 1.6).known


def test_the_seeds_of_a_price_give_its_spread() -> None:
    run = {
        name: [[value, value * 2] if name == "violations" else [value, value] for value in column]
        for name, column in (
            ("cost", [1.0, 2.0]),
            ("violations", [4.0, 1.0]),
            ("far", [0.1, 0.1]),
            ("flips", [3.0, 3.0]),
        )
    }
    read = at_cost(run, 2.0)
    assert read.violations == pytest.approx(1.5)
    assert read.spread == pytest.approx(0.5)


def test_a_loss_beyond_the_spread_of_the_seeds_is_said_and_one_within_it_is_not() -> None:
    worse = Mark("some", 1.2, {OURS: at(1.4, spread=0.1), "keda": at(1.0, spread=0.1)})
    level = Mark("some", 1.2, {OURS: at(1.1, spread=0.3), "keda": at(1.0)})
    assert list(losses([worse], "keda", "KEDA")) == [
        "some 1.2 x: the law breaks 1.40 %, KEDA 1.00 % (the seeds differ by +-0.10)."
    ]
    assert list(losses([level], "keda", "KEDA")) == []


def test_more_flips_than_the_rival_and_a_price_that_the_law_does_not_reach_are_losses() -> None:
    restless = Mark("some", 1.2, {OURS: at(0.5, flips=9), "keda": at(1.0, flips=3)})
    dear = Mark("some", 1.2, {OURS: at(math.nan), "keda": at(1.0)})
    assert list(losses([restless], "keda", "KEDA")) == ["some 1.2 x: the law flips 9 times, KEDA 3 times."]
    assert list(losses([dear], "keda", "KEDA")) == [
        "some 1.2 x: the law cannot be made to cost that, KEDA breaks 1.00 %."
    ]


def test_an_adversarial_case_may_be_a_tenth_above_the_study_on_a_day_as_large() -> None:
    calm, step = reference.ADVERSARIAL["none", OURS], reference.ADVERSARIAL["step-x50", OURS]

    def cases(violations: float, pod_hours: float) -> dict[str, Any]:
        return {
            "none": {OURS: {"violations": [calm.violations], "pod_hours": [2 * calm.pod_hours]}},
            "step-x50": {OURS: {"violations": [violations], "pod_hours": [2 * pod_hours]}},
        }

    assert adversarial_goal(cases(1.09 * step.violations, 1.09 * step.pod_hours), "step-x50", OURS)[0]
    assert not adversarial_goal(cases(1.2 * step.violations, step.pod_hours), "step-x50", OURS)[0]
    assert not adversarial_goal(cases(step.violations, 1.2 * step.pod_hours), "step-x50", OURS)[0]


def test_what_is_left_of_the_avoidable_counts_from_the_clairvoyant_bound() -> None:
    assert avoidable({"hpa-cpu": at(3.0), OURS: at(1.5), "clairvoyant": at(1.0)}, OURS) == pytest.approx(25.0)


@pytest.mark.parametrize(
    "load", [load for load in LOADS if load.file not in MAY_NOT_BE_COPIED], ids=lambda load: load.name
)
def test_a_copied_trace_is_counted_in_its_last_part_only_and_tuned_on_before_it(load: Any) -> None:
    trace = open_trace(load.file, None)
    boundary = trace.start + 0.7 * trace.duration
    part = cut(load, None, 1000.0)
    assert max(segment.peak for segment in part.segments) >= 999.0
    if load.starts:
        assert part.warmup >= 12 * 3600.0
        assert min(load.starts) * 86400.0 >= boundary - trace.start - 60.0
        assert all(start * 86400.0 + part.segments[0].duration <= boundary for start in load.tuning)
    else:
        assert part.warmup == pytest.approx(0.7 * trace.duration, rel=0.01)
        assert cut(load, None, 1000.0, tuning=True).segments[0].duration == pytest.approx(
            0.7 * trace.duration, rel=0.01
        )


def test_the_repository_holds_only_traces_that_may_be_copied_and_names_them_in_its_notice() -> None:
    here = {path.name.removesuffix(".csv.gz") for path in COPIED.iterdir()}
    assert here == {load.file for load in LOADS} - MAY_NOT_BE_COPIED
    notice = (COPIED.parents[2] / "NOTICE").read_text()
    assert all(f"{COPIED.parent.name}/traces/{name.split('_')[0]}" in notice for name in here)


def test_a_trace_that_may_not_be_copied_is_said_to_be_lacking() -> None:
    with pytest.raises(Lacking, match=r"wc98_requests\.csv\.gz may not be copied.*TRACES=DIR"):
        open_trace("wc98_requests", None)


def test_every_constant_of_a_variant_is_one_of_the_engine() -> None:
    names = {name for variant in variants.ABLATION for name in variant.constants}
    for name in (*names, *variants.SENSITIVITY, *variants.EFFICACY):
        assert variants.value_of(name) is not None


def test_a_changed_constant_changes_its_own_run_alone_and_is_put_back() -> None:
    ramp = Trace(np.array([0.0, 1800.0, 3600.0]), np.array([200.0, 200.0, 1000.0]))
    chosen = (variants.Variant(variants.AS_IT_IS), variants.Variant("still", {"demand.GAIN_LIMIT": 0.0}))
    before = variants.value_of("demand.GAIN_LIMIT")

    def pods(variant: tuple[variants.Variant, ...]) -> Any:
        fleet = begin(settings_of(False), [ramp] * len(variant), [1] * len(variant))
        policy = team([each.contender for each in variant], fleet, [1.0] * len(variant))
        with variants.around(variant)(policy, [each.name for each in variant]) as changed:
            return simulate(fleet, changed).replicas

    together, alone = pods(chosen), pods(chosen[:1])
    assert np.array_equal(together[:, 0], alone[:, 0])
    assert together[200:, 1].sum() < together[200:, 0].sum()
    assert variants.value_of("demand.GAIN_LIMIT") == before


def test_every_goal_and_figure_of_the_study_has_something_that_is_run() -> None:
    marks = {(load.name, mark) for load in LOADS for mark in load.marks}
    assert set(reference.PARETO) <= marks
    assert {(goal.load, goal.mark) for goal in reference.GOALS} <= marks
    assert {case for case, _ in reference.ADVERSARIAL} == set(ADVERSARIAL)
    assert set(reference.BLIND_GOALS) <= set(BLIND)
    assert {*ADVERSARIAL, *BLIND, *FURTHER} <= set(SCENARIOS)
    names = [task.name for task in all_tasks()]
    assert len(names) == len(set(names))
    assert {f"pareto/{load.name}/{OURS}" for load in LOADS} <= set(names)
    assert OURS in {each.name for each in CONTENDERS}


def test_a_quick_evaluation_writes_a_document_that_says_what_is_lacking_and_can_be_written_anew(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = ["--results", str(tmp_path / "results.json"), "--document-to", str(tmp_path)]
    assert main(["--quick", *asked]) == 0
    page, picture = tmp_path / "evaluation.md", tmp_path / "evaluation" / "pareto.svg"
    first = page.read_text(), picture.read_bytes()
    said = capfd.readouterr().out
    assert "blind/none: left out: wc98_requests.csv.gz may not be copied" in said
    assert "Left out, blind/none" in first[0]
    assert "| autothrottle_bursty 1.35 x |" in first[0]
    law = at_cost(
        json.loads((tmp_path / "results.json").read_text())["tasks"]["pareto/autothrottle_bursty/law"]["result"][OURS],
        1.35,
    )
    assert 0.1 < law.violations < 5.0
    assert main(["--document", *asked]) == 0
    assert (page.read_text(), picture.read_bytes()) == first


def test_results_that_are_not_there_are_called_not_run(tmp_path: Path) -> None:
    page = render(Results(tmp_path / "none.json"))
    assert "not run" in page
    assert "| crane_diurnal at 1.2 x | 1 % | - |" in page


def test_results_of_different_code_are_said_to_be_so(tmp_path: Path) -> None:
    results = Results(tmp_path / "results.json")
    results.keep("blind/none", {}, None, 2.0, "then")
    assert "different states of the code" not in render(results)
    results.keep("blind/workers", {}, None, 2.0, "now")
    page = render(results)
    assert "different states of the code" in page
    assert "Incomplete: 2 of " in page


def test_results_of_an_earlier_run_are_kept_where_a_trace_is_lacking_now(tmp_path: Path) -> None:
    results = Results(tmp_path / "results.json")
    results.keep("blind/none", {"law": 1}, None, 2.0, "now")
    results.keep("blind/none", None, "there is no trace", 0.0, "now")
    assert Results(tmp_path / "results.json").get("blind/none") == {"law": 1}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--traces", "nowhere"], "nowhere is no folder; write --traces DIR"),
        (["--only", "nothing"], "No task has nothing in its name; write a part of one, such as ablation"),
    ],
)
def test_bad_input_is_answered_with_one_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith(sentence)
    assert said.count("\n") == 1
