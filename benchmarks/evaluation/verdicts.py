"""What the numbers say: which goal is met, and where the law loses to a rival."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from benchmarks.evaluation import reference
from benchmarks.evaluation.contenders import OURS
from benchmarks.evaluation.days import ADVERSARIAL
from benchmarks.evaluation.loads import LOADS
from benchmarks.evaluation.pareto import BOUND, At, at_cost
from benchmarks.evaluation.results import Results
from benchmarks.evaluation.tables import case, mean, share

__all__ = [
    "CPU_RULE",
    "Judged",
    "Mark",
    "adversarial_goal",
    "avoidable",
    "blind_goal",
    "goals",
    "losses",
    "marks",
    "unmet",
]

#: The rival that no run may be worse than, and the one whose flips are the limit on restless days.
CPU_RULE: Final = "hpa-cpu"
MAX_RULE: Final = "hpa"
#: The adversarial day without anything done to it.
UNDISTURBED: Final = "none"
#: How far above the study's figures an adversarial case may be.
NEAR: Final = 1.1
#: What rounding makes of a small share (per cent).
ROUNDING: Final = 0.005


@dataclass(frozen=True, slots=True)
class Mark:
    """One load at one price: what every contender breaks there."""

    load: str
    mark: float
    at: dict[str, At]

    @property
    def title(self) -> str:
        """As in tables."""
        return f"{self.load} {self.mark:g} x"


@dataclass(frozen=True, slots=True)
class Judged:
    """A goal, what the law and HPA's CPU rule break, the clairvoyant bound, and whether the law is good enough."""

    goal: reference.Goal
    found: At
    rule: At
    bound: At | None

    @property
    def met(self) -> bool:
        """Whether the goal is met; what could not be read off is not."""
        return self.found.known and self.found.violations <= self.goal.violations + ROUNDING


def marks(results: Results) -> list[Mark]:
    """Everything that was run at equal pod-hours."""
    found = []
    for load in LOADS:
        runs = results.merged(f"pareto/{load.name}/")
        found += [
            Mark(load.name, mark, {name: at_cost(run, mark) for name, run in runs.items()})
            for mark in load.marks
            if runs
        ]
    return found


def goals(found: list[Mark]) -> list[Judged]:
    """The issue's goals at equal pod-hours, those whose load was run."""
    by_key = {(each.load, each.mark): each.at for each in found}
    return [
        Judged(goal, at[OURS], at[CPU_RULE], at.get(BOUND))
        for goal in reference.GOALS
        if (at := by_key.get((goal.load, goal.mark))) and OURS in at and CPU_RULE in at
    ]


def avoidable(at: dict[str, At], name: str, against: str = CPU_RULE) -> float:
    """Of the violations above the clairvoyant bound that a rival has, the share (per cent) that is left; NaN where not known."""
    if not {name, against, BOUND} <= at.keys():
        return math.nan
    bound = at[BOUND].violations
    above = at[against].violations - bound
    return 100.0 * (at[name].violations - bound) / above if above > 0 else math.nan


def losses(found: list[Mark], rival: str, title: str) -> Iterator[str]:
    """One sentence for every price at which the law is worse than a rival by more than the seeds differ, or flips more often."""
    for each in found:
        if not {OURS, rival} <= each.at.keys():
            continue
        ours, theirs = each.at[OURS], each.at[rival]
        spread = max(ours.spread, theirs.spread)
        if theirs.known and not ours.known:
            yield f"{each.title}: the law cannot be made to cost that, {title} breaks {share(theirs.violations)} %."
        if ours.violations - theirs.violations > max(spread, ROUNDING):
            yield (
                f"{each.title}: the law breaks {share(ours.violations)} %, {title} {share(theirs.violations)} % "
                f"({f'the seeds differ by +-{share(spread)}' if ours.seeds > 1 else 'one seed: the spread is not known'})."
            )
        if ours.flips > theirs.flips + 0.5:
            yield f"{each.title}: the law flips {ours.flips:.0f} times, {title} {theirs.flips:.0f} times."


def unmet(found: list[Mark], results: Results) -> Iterator[str]:
    """One sentence for every goal that was run and is not met."""
    for judged in goals(found):
        if not judged.met:
            yield (
                f"{judged.goal.load} at {judged.goal.mark:g} x: {share(judged.found.violations)} % instead of at most "
                f"{judged.goal.violations:g} %; HPA's CPU rule breaks {share(judged.rule.violations)} %{_bounded(judged)}."
            )
    for scenario in reference.BLIND_GOALS:
        result = (results.get(f"blind/{scenario}") or {}).get(OURS)
        met, words = blind_goal(scenario, result)
        if result is not None and not met:
            yield f"{scenario}: {case(result)} (violations % / pod-hours / flips / most pods) instead of {words}."
    cases = results.get(f"adversarial/{OURS}") or {}
    for name in ADVERSARIAL:
        for variant, result in cases.get(name, {}).items():
            met, study = adversarial_goal(cases, name, variant)
            if not met:
                yield (
                    f"{name}, {variant}: {share(mean(result['violations']))} % and {mean(result['pod_hours']):.0f} pod-hours, "
                    f"more than a tenth above the study's {share(study.violations)} % and {study.pod_hours:.0f}."
                )


def blind_goal(scenario: str, result: dict[str, Any] | None) -> tuple[bool, str]:
    """Whether the law keeps the goal of a blind signal (not without a result), and the goal in words."""
    goal = reference.BLIND_GOALS[scenario]
    most = f", at most {goal.most:.0f} pods" if goal.most else ""
    words = f"under {goal.violations:g} %, at most {goal.flips:.0f} flips{most}"
    met = (
        result is not None
        and mean(result["violations"]) < goal.violations
        and max(result["flips"]) <= goal.flips
        and (goal.most is None or max(result["most_pods"]) <= goal.most)
    )
    return met, words


def adversarial_goal(cases: dict[str, Any], case: str, name: str) -> tuple[bool, reference.Case]:
    """Whether a contender's violations and pod-hours are no more than a tenth above the study's, and those, its day being ours.

    `cases` holds the results by case and contender; the study's peak was a little lower, so pod-hours count relative to the
    undisturbed day's.
    """
    study, calm = reference.ADVERSARIAL[case, name], reference.ADVERSARIAL[UNDISTURBED, name]
    result = cases[case][name]
    as_large = mean(cases[UNDISTURBED][name]["pod_hours"]) / calm.pod_hours
    beside = replace(study, pod_hours=study.pod_hours * as_large)
    met = (
        mean(result["violations"]) <= NEAR * study.violations + ROUNDING
        and mean(result["pod_hours"]) <= NEAR * beside.pod_hours
    )
    return met, beside


def _bounded(judged: Judged) -> str:
    return f", the clairvoyant schedule {share(judged.bound.violations)} %" if judged.bound is not None else ""
