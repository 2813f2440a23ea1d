"""The chapters of docs/evaluation.md: tables and the sentences around them, all from the results."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from benchmarks.evaluation import days, reference, variants
from benchmarks.evaluation.contenders import CONTENDERS, OURS
from benchmarks.evaluation.loads import by_name
from benchmarks.evaluation.pareto import BOUND, At, at_cost
from benchmarks.evaluation.results import Results
from benchmarks.evaluation.tables import NOTHING, case, share, table, verdict
from benchmarks.evaluation.verdicts import CPU_RULE, Judged, Mark, adversarial_goal, avoidable, blind_goal, goals
from controller.simulation import SCENARIOS

__all__ = ["ablation", "adversarial", "blind", "bound", "further", "pareto", "sensitivity", "summary"]

TITLES = {each.name: each.title for each in days.BLIND_TEAM}


def summary(found: list[Mark], results: Results) -> list[str]:
    """The goals of the issue and whether they are met."""
    judged = {(each.goal.load, each.goal.mark): each for each in goals(found)}
    rows = [_judged(goal, judged.get((goal.load, goal.mark))) for goal in reference.GOALS]
    header = (
        "at equal pod-hours",
        "at most",
        "law",
        "HPA cpu (study)",
        "clairvoyant (study)",
        "flips law / HPA cpu",
        "",
    )
    lines = table(header, rows)
    rows = []
    for scenario in reference.BLIND_GOALS:
        result = (results.get(f"blind/{scenario}") or {}).get(OURS)
        met, words = blind_goal(scenario, result)
        rows.append([scenario, words, case(result) if result else NOTHING, verdict(met) if result else "not run"])
    lines += ["", *table(("blind signal", "goal", "law: violations % / pod-hours / flips / most", ""), rows, words=2)]
    return lines


def pareto(found: list[Mark]) -> list[str]:
    """Every contender on every load at equal pod-hours, and beside the study."""
    there = [each for each in CONTENDERS if any(each.name in mark.at for mark in found)]
    rows = [[mark.title, *(_cell(mark.at.get(each.name)) for each in there)] for mark in found]
    lines = [
        "Violations in % of the requests, in brackets the share beyond 10/3 of the promise (0.01 or more), +- half of what the seeds",
        "differ by where that is a twentieth or more, f flips in the counted time. - is outside of what the policy can be made to cost.",
        "",
        *table(("load, pod-hours", *(each.title for each in there)), rows),
        "",
        "Beside the study (its number in brackets):",
        "",
    ]
    rows = []
    for mark in found:
        study = reference.PARETO.get((mark.load, mark.mark))
        if study is None:
            continue
        pairs = (("hpa-cpu", study.hpa_cpu), ("keda", study.keda), (OURS, study.law), (BOUND, study.bound))
        rows.append(
            [mark.title]
            + [
                f"{_share(mark.at.get(name))} ({share(number) if number is not None else NOTHING})"
                for name, number in pairs
            ]
        )
    lines += table(("load, pod-hours", "HPA cpu", "KEDA rps", "law", "clairvoyant"), rows)
    return lines


def bound(found: list[Mark]) -> list[str]:
    """The share of the avoidable violations that is left."""
    rows = [
        [
            mark.title,
            _share(mark.at.get(BOUND)),
            _share(mark.at.get(CPU_RULE)),
            *(_per_cent(avoidable(mark.at, name)) for name in ("keda", OURS, "law-histogram")),
        ]
        for mark in found
    ]
    header = (
        "load, pod-hours",
        "bound %",
        "HPA cpu %",
        "left by KEDA",
        "left by the law",
        "left by the law, histogram",
    )
    return table(header, rows)


def blind(results: Results) -> list[str]:
    """The day of the blind signals."""
    lines = ["Violations % / pod-hours / flips / most pods; in brackets the study's.", ""]
    there = [scenario for scenario in days.BLIND if results.get(f"blind/{scenario}")]
    if not there:
        return []
    rows = []
    for each in days.BLIND_TEAM:
        cells = [(results.get(f"blind/{scenario}") or {}).get(each.name) for scenario in there]
        if any(cells):
            rows.append(
                [each.title, *(_beside(cell, scenario, each.name) for cell, scenario in zip(cells, there, strict=True))]
            )
    return lines + table(("policy", *there), rows) + ["", *_sentences(there)]


def further(results: Results) -> list[str]:
    """What else goes wrong, on the same day."""
    there = [scenario for scenario in days.FURTHER if results.get(f"blind/{scenario}")]
    rows = [
        [each.title, *(case(results.get(f"blind/{scenario}")[each.name]) for scenario in there)]
        for each in days.BLIND_TEAM
        if all(each.name in results.get(f"blind/{scenario}") for scenario in there)
    ]
    return [*table(("policy", *there), rows), "", *_sentences(there)] if there else []


def adversarial(results: Results) -> list[str]:
    """The adversarial cases, at equal pod-hours on the undisturbed day."""
    rivals, ours = results.get("adversarial/rivals") or {}, results.get(f"adversarial/{OURS}") or {}
    if not rivals and not ours:
        return []
    rows = []
    for name in days.ADVERSARIAL:
        cells = rivals.get(name, {}) | ours.get(name, {})
        row = [name]
        for each in days.HARD_TEAM:
            if each.name not in cells:
                row.append(NOTHING)
                continue
            text = case(cells[each.name])
            if (name, each.name) in reference.ADVERSARIAL:
                met, study = adversarial_goal(ours, name, each.name)
                text += f" ({share(study.violations)} / {study.pod_hours:.0f}: {verdict(met)})"
            row.append(text)
        rows.append(row)
    lines = [
        "Violations % / pod-hours / flips / most pods; in brackets the study's law, its pod-hours for a day as large, and whether",
        "ours is at most 10 % above.",
        "",
    ]
    return lines + table(("case", *(each.title for each in days.HARD_TEAM)), rows) + ["", *_sentences(days.ADVERSARIAL)]


def ablation(results: Results) -> list[str]:
    """The law without one of its parts."""
    found = results.merged("ablation/")
    marks = {name: by_name(name).marks[1] for name in found}
    rows = [
        [variant.name, *(_plain(at_cost(found[name][variant.name], mark)) for name, mark in marks.items())]
        for variant in variants.ABLATION
        if all(variant.name in found[name] for name in found)
    ]
    return table(("law", *(f"{name} {mark:g} x" for name, mark in marks.items())), rows)


def sensitivity(results: Results) -> list[str]:
    """Each constant halved and doubled, on the first 70 %; and those of the test of efficacy on the slow dependency."""
    found = (results.get("sensitivity") or {}) | (results.get("sensitivity/hours") or {})
    lines = []
    if found:
        marks = {name: by_name(name).marks[1] for name in found}
        names = list(next(iter(found.values())))
        rows = [
            [f"`{name}`" if "." in name else name]
            + [_plain(at_cost(found[load][name], mark)) for load, mark in marks.items()]
            for name in names
        ]
        lines += table(("constant", *(f"{name} {mark:g} x" for name, mark in marks.items())), rows)
    judged = results.get("sensitivity/efficacy") or {}
    if judged:
        rows = [[f"`{name}`" if "." in name else name, case(result)] for name, result in judged.items()]
        lines += ["", *table(("test of efficacy", "slow dependency: violations % / pod-hours / flips / most"), rows)]
    return lines


def _judged(goal: reference.Goal, found: Judged | None) -> list[str]:
    row = [f"{goal.load} at {goal.mark:g} x", f"{goal.violations:g} %"]
    if found is None:
        return [*row, NOTHING, f"{NOTHING} ({goal.rule:g} %)", NOTHING, NOTHING, "not run"]
    study = reference.PARETO[goal.load, goal.mark].bound
    return [
        *row,
        f"{share(found.found.violations)} %",
        f"{share(found.rule.violations)} % ({goal.rule:g} %)",
        f"{_share(found.bound)} % ({study:g} %)",
        f"{found.found.flips:.0f} / {found.rule.flips:.0f}" if found.found.known else NOTHING,
        verdict(found.met),
    ]


def _cell(at: At | None) -> str:
    if at is None or not at.known:
        return NOTHING
    far = f" ({share(at.far)})" if at.far >= 0.01 else ""
    spread = f" +-{share(at.spread)}" if at.spread >= max(0.005, 0.05 * at.violations) else ""
    return f"{share(at.violations)}{spread}{far} f{at.flips:.0f}"


def _plain(at: At) -> str:
    return f"{share(at.violations)} f{at.flips:.0f}" if at.known else NOTHING


def _share(at: At | None) -> str:
    return share(at.violations) if at is not None else NOTHING


def _per_cent(value: float) -> str:
    return f"{value:.0f} %" if value == value else NOTHING


def _beside(result: dict[str, Any] | None, scenario: str, name: str) -> str:
    if result is None:
        return NOTHING
    study = reference.BLIND.get((scenario, name))
    if study is None:
        return case(result)
    return f"{case(result)} ({share(study.violations)} / {study.pod_hours:.0f} / {study.flips:.0f} / {study.most:.0f})"


def _sentences(names: Iterable[str]) -> list[str]:
    return [f"* `{name}`: {SCENARIOS[name].sentence}" for name in names]
