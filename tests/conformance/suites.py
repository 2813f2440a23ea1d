"""What our code answers to the inputs of a case, suite by suite, in the words of the facts.

HPA's tables test parts of its controller; each suite here calls the part of the simulator's HPA, or of the engine, that does the same.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from controller.api import Behavior, Direction
from controller.engine import History, reason
from controller.engine.behavior import rate_limits, recent_change
from controller.simulation.hpa import (
    Group,
    Limits,
    Memory,
    Metric,
    MetricFailed,
    NoRequest,
    Scale,
    Seen,
    Status,
    Target,
    TargetType,
    Tolerance,
    World,
    clamp_without_behavior,
    group_pods,
    limit_with_behavior,
    per_pod_usage,
    propose,
    reconcile,
    requests_of,
    stabilize_without_behavior,
    with_behavior,
)
from tests.conformance import translation
from tests.conformance.facts import Case, Fact, MalformedFacts
from tests.conformance.translation import NOW

__all__ = ["answer"]

Answer = dict[str, Any]


def answer(case: Case) -> Answer:
    """What comes out for a case, in the keys of its suite; raises MalformedFacts where no suite has its name."""
    suite = case.suite if case.suite in _SUITES else f"{case.suite.partition('_')[0]}_"
    if suite not in _SUITES:
        known = ", ".join(each + "*" if each.endswith("_") else each for each in _SUITES)
        raise MalformedFacts(f"{case.file}: no suite is called {case.suite!r}; write one of {known}")
    return _SUITES[suite](case.inputs)


def _limits(behavior: Behavior, minimum: int = 0, maximum: int = 2**31 - 1) -> Limits:
    return Limits.of([behavior], [minimum], [maximum])


def _scaled(inputs: Fact) -> History:
    return Memory(
        [], translation.events(inputs["scale_up_events"]), translation.events(inputs["scale_down_events"])
    ).history()


def _clamp_without_behavior(inputs: Fact) -> Answer:
    replicas, why = clamp_without_behavior(
        _limits(Behavior(), inputs["min_replicas"], inputs["max_replicas"]),
        np.array([inputs["current_replicas"]]),
        np.array([inputs["desired_replicas"]]),
        inputs["scale_up_limit_factor"],
        inputs["scale_up_limit_minimum"],
    )
    return {"replicas": int(replicas[0]), "reason": str(reason(int(why[0])))}


def _policy_limit(inputs: Fact) -> Answer:
    up = inputs["direction"] == "up"
    direction = Direction.UP if up else Direction.DOWN
    behavior = translation.rules(inputs["rules"] if up else None, None if up else inputs["rules"])
    limit = rate_limits(
        _limits(behavior).rules(direction), direction, _scaled(inputs), NOW, np.array([inputs["current_replicas"]])
    )
    return {"limit": int(limit[0])}


def _rate_limit(inputs: Fact) -> Answer:
    behavior = translation.rules(inputs["scale_up_rules"], inputs["scale_down_rules"])
    replicas, why = limit_with_behavior(
        _limits(behavior, inputs["min_replicas"], inputs["max_replicas"]),
        _scaled(inputs),
        NOW,
        np.array([inputs["current_replicas"]]),
        np.array([inputs["desired_replicas"]]),
    )
    return {"replicas": int(replicas[0]), "reason": str(reason(int(why[0])))}


def _scale_event_history(inputs: Fact) -> Answer:
    up, written = inputs["direction"] == "up", inputs["rules"]
    stored = translation.events(inputs["stored_events"])
    memory = Memory([], stored if up else [], [] if up else stored)
    change = recent_change(memory.history(), NOW, np.array([inputs["change_query_period_seconds"]], np.float64))
    behavior = None if written is None else translation.rules(written if up else None, None if up else written)
    memory.scaled(inputs["previous_replicas"], inputs["new_replicas"], behavior, NOW)
    after = memory.scale_ups if up else memory.scale_downs
    return {
        "change_in_period_before": abs(int(change[0])),
        "stored_events_after": [{"change": each.change, "outdated": each.outdated} for each in after],
    }


def _stabilize_without_behavior(inputs: Fact) -> Answer:
    memory, wanted = Memory(translation.recommendations(inputs["recommendations"])), inputs["desired_replicas"]
    window = inputs["downscale_stabilization_seconds"]
    replicas = stabilize_without_behavior(memory.history(), NOW, np.array([wanted]), window)
    memory.recommend(wanted, NOW, window)
    return {"replicas": int(replicas[0]), "recommendations_stored": len(memory.recommendations or ())}


def _stabilize_with_behavior(inputs: Fact) -> Answer:
    memory, wanted = Memory(translation.recommendations(inputs["recommendations"])), inputs["desired_replicas"]
    up, down = inputs["scale_up_stabilization_seconds"], inputs["scale_down_stabilization_seconds"]
    limits = _limits(Behavior())
    limits = dataclasses.replace(
        limits,
        up=dataclasses.replace(limits.up, window=np.array([up], np.float64)),
        down=dataclasses.replace(limits.down, window=np.array([down], np.float64)),
    )
    current = np.array([inputs["current_replicas"]])
    replicas = with_behavior(limits, memory.history(), NOW, current, np.array([wanted])).stabilized
    memory.recommend(wanted, NOW, max(up, down))
    stored = [each.replicas for each in memory.recommendations or ()]
    return {"replicas": int(replicas[0]), "recommendations_after": stored}


def _reconcile(inputs: Fact) -> Answer:
    autoscaler, world, settings = (
        translation.autoscaler(inputs),
        translation.world(inputs),
        translation.settings(inputs),
    )
    memory, before = translation.memory(inputs), translation.status(inputs)
    outcome = reconcile(autoscaler, world, before, memory, settings, NOW)
    status = outcome.status
    utilizations = [each.utilization for each in status.metrics if each and each.utilization is not None]
    again = reconcile(autoscaler, world, status, memory, settings, NOW).status
    return {
        "desired_replicas": status.desired,
        "scale_updated": outcome.scaled_to is not None,
        "error": outcome.error is not None,
        "conditions": _conditions(status),
        "reported_cpu_utilization": utilizations[0] if utilizations else None,
        "events": [{"type": each.type, "reason": each.reason, "message": each.message} for each in outcome.events],
        # What the facts tell of the status before has to be as it was, and what they do not tell must not change by itself.
        "status_write_expected": again != status
        or outcome.scaled_to is not None
        or ("initial_conditions" in inputs and not _same(before, status)),
    }


def _same(before: Status, after: Status) -> bool:
    kept = (before.current, before.desired, before.last_scaled_at) == (
        after.current,
        after.desired,
        after.last_scaled_at,
    )
    return kept and _conditions(before) == _conditions(after)


def _conditions(status: Status) -> list[dict[str, str]]:
    return [{"type": each.type, "status": each.status, "reason": each.reason} for each in status.conditions]


def _proposed(inputs: Fact, metric: Metric, world: World) -> Answer:
    tolerance = Tolerance(inputs["tolerance"]["scale_up"], inputs["tolerance"]["scale_down"])
    try:
        proposed = propose(metric, world, tolerance, translation.settings(_without_tolerance(inputs)), NOW)
    except MetricFailed as failed:
        return {"error": failed.message}
    return {
        "replicas": proposed.replicas,
        "utilization_percent": proposed.status.utilization,
        "average_milli": proposed.status.average,
        "value_milli": proposed.status.value,
    }


def _without_tolerance(inputs: Fact) -> Fact:
    return Fact({name: value for name, value in inputs.items() if name != "tolerance"})


def _resource(inputs: Fact) -> Answer:
    container = inputs["container"]
    kind = "Resource" if container is None else "ContainerResource"
    target = Target(TargetType.UTILIZATION, inputs["target_utilization_percent"])
    world = World(
        Scale(inputs["current_replicas"], inputs["current_replicas"], "name=test-pod"),
        pods=translation.pods(inputs["pods"]),
        samples=translation.samples(inputs["samples"]),
    )
    return _proposed(inputs, Metric(kind, "cpu", target, container), world)


def _pods_metric(inputs: Fact) -> Answer:
    world = World(
        Scale(inputs["current_replicas"], inputs["current_replicas"], "name=test-pod"),
        pods=translation.pods(inputs["pods"]),
        by_pod=inputs["pod_values_milli"],
    )
    return _proposed(inputs, Metric("Pods", "qps", Target(TargetType.AVERAGE_VALUE, inputs["target_milli"])), world)


def _one_value(kind: str, per_pod: bool) -> Callable[[Fact], Answer]:
    def give(inputs: Fact) -> Answer:
        replicas = inputs["status_replicas" if per_pod else "current_replicas"]
        amount = inputs["target_average_milli" if per_pod else "target_milli"]
        is_object = kind == "Object"
        world = World(
            Scale(replicas, replicas, "name=test-pod"),
            pods=[] if per_pod else translation.pods(inputs["pods"]),
            of_object=inputs["value_milli"] if is_object else None,
            outside=[] if is_object else inputs["values_milli"],
        )
        target = Target(TargetType.AVERAGE_VALUE if per_pod else TargetType.VALUE, amount)
        return _proposed(inputs, Metric(kind, "qps", target), world)

    return give


def _group_pods(inputs: Fact) -> Answer:
    rows, resource = translation.pods(inputs["pods"]), inputs["resource"]
    seen = {
        each["pod"]: Seen(each["value_milli"], NOW - each["seconds_ago"], each["window_seconds"])
        for each in inputs["samples"]
    }
    groups = group_pods(rows, seen, resource, translation.settings(inputs), NOW)
    members = {which: [pod.name for pod, its in zip(rows, groups, strict=True) if its == which] for which in Group}
    return {
        "ready_count": len(members[Group.READY]),
        "unready": members[Group.UNREADY],
        "missing": members[Group.MISSING],
        "ignored": members[Group.IGNORED],
    }


def _calculate_requests(inputs: Fact) -> Answer:
    rows = translation.pods(inputs["pods"])
    try:
        requests = requests_of(rows, inputs["resource"], inputs["container"], inputs["pod_level_resources_enabled"])
    except NoRequest as error:
        return {"error": str(error)}
    return {"requests_milli": dict(zip([pod.name for pod in rows], requests, strict=True))}


def _per_pod_usage(inputs: Fact) -> Answer:
    usage = per_pod_usage(np.array([inputs["usage_milli"]]), np.array([inputs["status_replicas"]]))
    return {"average_milli": int(usage[0])}


#: By name, or by the beginning of the name where that ends with an underscore.
_SUITES: Final[Mapping[str, Callable[[Fact], Answer]]] = {
    "clamp_without_behavior": _clamp_without_behavior,
    "policy_limit": _policy_limit,
    "rate_limit": _rate_limit,
    "scale_event_history": _scale_event_history,
    "stabilize_without_behavior": _stabilize_without_behavior,
    "stabilize_with_behavior": _stabilize_with_behavior,
    "controller": _reconcile,
    "controller_": _reconcile,
    "resource_": _resource,
    "pods_metric": _pods_metric,
    "object_metric": _one_value("Object", per_pod=False),
    "object_metric_per_pod": _one_value("Object", per_pod=True),
    "external_metric": _one_value("External", per_pod=False),
    "external_metric_per_pod": _one_value("External", per_pod=True),
    "group_pods": _group_pods,
    "calculate_requests": _calculate_requests,
    "per_pod_usage": _per_pod_usage,
}
