"""Whether an answer is the expected one, and where it differs on purpose, whether it is the exact one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from tests import hpa_rules
from tests.conformance.facts import Case, Fact, Lacking
from tests.conformance.suites import answer

__all__ = ["Judgement", "Verdict", "judge"]


#: What is expected of these is the names of pods, in any order.
_GROUPS: Final = ("unready", "missing", "ignored")


class Verdict(StrEnum):
    """How a case ended."""

    PASSED = "passed"
    FAILED = "failed"
    DIFFERS = "differs on purpose"


@dataclass(frozen=True)
class Judgement:
    """How a case ended; `differences` has a line for each answer that is not the expected one."""

    case: Case
    verdict: Verdict
    differences: tuple[str, ...] = ()


def judge(case: Case) -> Judgement:
    """Run one case; raises MalformedFacts where no suite has its name."""
    try:
        given = answer(case)
    except (Lacking, TypeError, ValueError, AttributeError, LookupError, ArithmeticError) as error:
        # A case that cannot be read, or one that our code cannot bear: either way the others are still worth running.
        return Judgement(case, Verdict.FAILED, (f"it cannot be run: {type(error).__name__}: {error}".splitlines()[0],))
    unclear = _unclear(case.expected)
    if unclear:
        return Judgement(case, Verdict.FAILED, unclear)
    differences = _differences(case.expected, given)
    if not differences:
        return Judgement(case, Verdict.PASSED)
    if not case.is_artefact:
        return Judgement(case, Verdict.FAILED, differences)
    exact = _exact(case)
    if exact is None:
        nobody = f"nothing here knows the exact answers of suite {case.suite}"
        return Judgement(case, Verdict.FAILED, (*differences, nobody))
    inexact = tuple(f"exact: {line}" for line in _differences(exact, given))
    return Judgement(case, Verdict.FAILED if inexact else Verdict.DIFFERS, (*differences, *inexact))


def _differences(expected: dict[str, Any], given: dict[str, Any]) -> tuple[str, ...]:
    lines = []
    for key, wanted in expected.items():
        got = _given(key, wanted, given)
        if got != wanted:
            lines.append(f"{key}: expected {_shown(wanted)}, got {_shown(got)}")
    return tuple(lines)


def _unclear(expected: dict[str, Any]) -> tuple[str, ...]:
    """A line for each key whose expected value nothing can be compared with."""
    lines = []
    for key, wanted in expected.items():
        if key == "error_contains" and not isinstance(wanted, str):
            lines.append(f"{key}: {_shown(wanted)} is no text; write a part of the error's")
        elif key == "event" and not isinstance(wanted, dict):
            lines.append(f"{key}: {_shown(wanted)} is no object; write the fields that an event has to have")
        elif key in _GROUPS and not (isinstance(wanted, list) and all(isinstance(each, str) for each in wanted)):
            lines.append(f"{key}: {_shown(wanted)} is no list of pods; write their names, or [] for none")
    return tuple(lines)


def _given(key: str, wanted: Any, given: dict[str, Any]) -> Any:
    """What was given for a key that is expected; what it has to contain, or one of which it has to be, is looked for."""
    if key == "error_contains":
        return wanted if wanted in given.get("error", "") else given.get("error", "no error")
    if key == "event":
        events = given.get("events", [])
        return wanted if any(wanted.items() <= each.items() for each in events) else events
    if key in _GROUPS and key in given:
        return wanted if sorted(wanted) == sorted(given[key]) else given[key]
    return given.get(key, given.get("error"))


def _exact(case: Case) -> dict[str, Any] | None:
    """What whole-number arithmetic gives, by a second implementation; None where there is none."""
    inputs = case.inputs
    if case.suite == "rate_limit":
        replicas, why = hpa_rules.rate_limited(
            inputs["current_replicas"],
            inputs["desired_replicas"],
            inputs["min_replicas"],
            inputs["max_replicas"],
            _events(inputs),
            _plain(inputs["scale_up_rules"], hpa_rules.DEFAULT_UP),
            _plain(inputs["scale_down_rules"], hpa_rules.DEFAULT_DOWN),
        )
        return {"replicas": replicas, "reason": why}
    if case.suite == "policy_limit":
        default = hpa_rules.DEFAULT_UP if inputs["direction"] == "up" else hpa_rules.DEFAULT_DOWN
        rules = _plain(inputs["rules"], default)
        return {"limit": hpa_rules.limit(inputs["direction"], inputs["current_replicas"], _events(inputs), rules)}
    return None


def _events(inputs: Fact) -> list[hpa_rules.Remembered]:
    added = [(each["change"], each["seconds_ago"]) for each in inputs["scale_up_events"]]
    return added + [(-each["change"], each["seconds_ago"]) for each in inputs["scale_down_events"]]


def _plain(rules: Fact | None, default: hpa_rules.RulesOfOneDirection) -> hpa_rules.RulesOfOneDirection:
    if rules is None:
        return default
    policies = rules.get("policies")
    return hpa_rules.RulesOfOneDirection(
        default.policies
        if policies is None
        else tuple(hpa_rules.Policy(each["type"], each["value"], each["periodSeconds"]) for each in policies),
        rules.get("selectPolicy") or default.select,
    )


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
