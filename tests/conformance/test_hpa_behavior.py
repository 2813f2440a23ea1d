"""The engine's restraint against the facts of Kubernetes' own test tables for `behavior` (tests/conformance/data, Apache-2.0).

The plain re-implementation that the property tests compare the engine with has to pass them, too.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from controller.api import Direction
from controller.engine import History, Scalers, evaluate, reason
from controller.engine.behavior import rate_limits
from tests import hpa_rules
from tests.engine_support import NOW, batch, dimension, spec, wanting

Fact = dict[str, Any]

FACTS: list[Fact] = json.loads((Path(__file__).parent / "data" / "hpa_behavior.json").read_text())["cases"]


def facts(suite: str) -> list[Any]:
    # Whole-number arithmetic is intended where doubles make HPA one pod off.
    mine = [each for each in FACTS if each["suite"] == suite and each.get("artifact") != "float64"]
    assert mine
    return [pytest.param(each, id=each["name"]) for each in mine]


def behavior(up: Fact | None, down: Fact | None, *, windows: bool = True) -> Fact:
    """As a manifest has it; the proposals here are exact, so there is no tolerance."""
    written: Fact = {"scaleUp": {"tolerance": "0"} | (up or {}), "scaleDown": {"tolerance": "0"} | (down or {})}
    if not windows:
        for rules in written.values():
            rules["stabilizationWindowSeconds"] = 0
    return written


def plain(rules: Fact | None, default: hpa_rules.RulesOfOneDirection) -> hpa_rules.RulesOfOneDirection:
    if rules is None:
        return default
    policies = tuple(hpa_rules.Policy(each["type"], each["value"], each["periodSeconds"]) for each in rules["policies"])
    return hpa_rules.RulesOfOneDirection(policies, rules["selectPolicy"])


def events(inputs: Mapping[str, Any]) -> list[tuple[int, float]]:
    added = [(each["change"], each["seconds_ago"]) for each in inputs["scale_up_events"]]
    removed = [(-each["change"], each["seconds_ago"]) for each in inputs["scale_down_events"]]
    return added + removed


@pytest.mark.parametrize("fact", facts("rate_limit"))
def test_replicas_move_as_far_as_hpas_policies_let_them(fact: Fact) -> None:
    inputs, expected = fact["inputs"], fact["expected"]
    minimum, maximum, current = inputs["min_replicas"], inputs["max_replicas"], inputs["current_replicas"]
    case = wanting(
        inputs["desired_replicas"],
        current,
        maximum,
        behavior=behavior(inputs["scale_up_rules"], inputs["scale_down_rules"], windows=False),
        changes=events(inputs),
    )
    scalers, samples, history = batch(case)
    # The manifest has no minimum of 0 yet; the arithmetic does.
    scalers = dataclasses.replace(scalers, min_replicas=np.array([minimum]))
    decisions = evaluate(scalers, samples, history, NOW)
    assert (decisions.desired[0], reason(int(decisions.limited[0]))) == (expected["replicas"], expected["reason"])


@pytest.mark.parametrize("fact", facts("rate_limit"))
def test_the_plain_rules_move_as_far_as_hpas(fact: Fact) -> None:
    inputs, expected = fact["inputs"], fact["expected"]
    replicas, why = hpa_rules.rate_limited(
        inputs["current_replicas"],
        inputs["desired_replicas"],
        inputs["min_replicas"],
        inputs["max_replicas"],
        events(inputs),
        plain(inputs["scale_up_rules"], hpa_rules.DEFAULT_UP),
        plain(inputs["scale_down_rules"], hpa_rules.DEFAULT_DOWN),
    )
    assert (replicas, why) == (expected["replicas"], expected["reason"])


@pytest.mark.parametrize("fact", facts("stabilize_with_behavior"))
def test_replicas_are_stabilized_as_hpa_does(fact: Fact) -> None:
    inputs, expected = fact["inputs"], fact["expected"]
    windows = {
        "scaleUp": {"stabilizationWindowSeconds": inputs["scale_up_stabilization_seconds"]},
        "scaleDown": {"stabilizationWindowSeconds": inputs["scale_down_stabilization_seconds"]},
    }
    remembered = [(each["replicas"], each["seconds_ago"]) for each in inputs["recommendations"]]
    unlimited = {"policies": [{"type": "Pods", "value": 1000, "periodSeconds": 15}]}
    case = wanting(
        inputs["desired_replicas"],
        inputs["current_replicas"],
        behavior=behavior(windows["scaleUp"] | unlimited, windows["scaleDown"] | unlimited),
        recommendations=remembered,
    )
    assert evaluate(*batch(case), NOW).desired[0] == expected["replicas"]
    assert (
        hpa_rules.stabilized(
            inputs["current_replicas"],
            inputs["desired_replicas"],
            remembered,
            inputs["scale_up_stabilization_seconds"],
            inputs["scale_down_stabilization_seconds"],
        )
        == expected["replicas"]
    )


@pytest.mark.parametrize("fact", facts("policy_limit"))
def test_the_policies_allow_as_much_as_hpas(fact: Fact) -> None:
    inputs = fact["inputs"]
    up = inputs["direction"] == "up"
    written = behavior(inputs["rules"] if up else None, None if up else inputs["rules"])
    scalers = Scalers.of([spec(dimension(), behavior=written)])
    direction = Direction.UP if up else Direction.DOWN
    current = np.array([inputs["current_replicas"]])
    limit = rate_limits(scalers.rules(direction), direction, History.empty(1), NOW, current)
    assert limit[0] == fact["expected"]["limit"]
    of_direction = plain(inputs["rules"], hpa_rules.DEFAULT_UP)
    assert hpa_rules.limit(inputs["direction"], int(current[0]), [], of_direction) == fact["expected"]["limit"]
