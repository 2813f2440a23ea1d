"""From the facts' JSON to what the simulator's HPA takes. The clock stands at NOW; `seconds_ago` is an age."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from controller.api import Behavior, ConditionStatus
from controller.simulation.hpa import (
    Autoscaler,
    Condition,
    Container,
    Fault,
    Memory,
    Metric,
    Phase,
    Pod,
    Recommendation,
    Sample,
    Scale,
    ScaleEvent,
    Settings,
    Status,
    Target,
    TargetType,
    World,
    complete,
)
from tests.conformance.facts import Fact

__all__ = [
    "NOW",
    "autoscaler",
    "events",
    "memory",
    "pods",
    "recommendations",
    "rules",
    "samples",
    "settings",
    "status",
    "world",
]

NOW: Final = 0.0

REQUEST: Final = "_request_milli"
POD_LEVEL: Final = "pod_level_"
USAGE: Final = "_milli"


def at(seconds_ago: float | None) -> float | None:
    return None if seconds_ago is None else NOW - seconds_ago


def pods(rows: Sequence[Fact]) -> list[Pod]:
    return [
        Pod(
            name=row["name"],
            phase=Phase(row.get("phase", Phase.RUNNING)),
            ready=row.get("ready"),
            started_at=at(row.get("start_seconds_ago")),
            turned_at=at(row.get("ready_transition_seconds_ago")),
            deleting=bool(row.get("deleting")),
            containers=[
                Container(each["name"], _amounts(each, REQUEST))
                for each in (
                    *row.get("containers", []),
                    *(each for each in row.get("init_containers", []) if each["restart_policy_always"]),
                )
            ],
            requests={
                name.removeprefix(POD_LEVEL): amount
                for name, amount in _amounts(row, REQUEST).items()
                if name.startswith(POD_LEVEL)
            },
        )
        for row in rows
    ]


def samples(rows: Sequence[Fact]) -> list[Sample]:
    return [
        Sample(
            row["pod"],
            NOW - row["seconds_ago"],
            row["window_seconds"],
            {each["name"]: _amounts(each, USAGE) for each in row["containers"]},
        )
        for row in rows
    ]


def settings(inputs: Fact) -> Settings:
    gates = inputs.get("feature_gates", Fact())
    flags: dict[str, Any] = {
        "tolerance": inputs.get("tolerance"),
        "initialization": inputs.get("cpu_initialization_period_seconds"),
        "readiness": inputs.get("initial_readiness_delay_seconds"),
        "downscale_window": inputs.get("downscale_stabilization_seconds"),
        "scale_up_factor": inputs.get("scale_up_limit_factor"),
        "scale_up_least": inputs.get("scale_up_limit_minimum"),
        "configurable_tolerance": gates.get("HPAConfigurableTolerance"),
        "scales_to_zero": gates.get("HPAScaleToZero"),
        "evaluates_at_zero": inputs.get("scale_from_zero_semantics") == "before-1.36",
        "pod_level_resources": inputs.get("pod_level_resources_enabled"),
    }
    return Settings(**{name: value for name, value in flags.items() if value is not None})


def rules(up: Fact | None, down: Fact | None) -> Behavior:
    """What counts of the rules as a user wrote them; the facts about policies have no flags."""
    return complete({"scaleUp": up, "scaleDown": down}, Settings())


def autoscaler(inputs: Fact) -> Autoscaler:
    behavior = inputs["behavior"]
    return Autoscaler(
        inputs["min_replicas"],
        inputs["max_replicas"],
        [_metric(row) for row in inputs["metrics"]],
        None if behavior is None else complete(behavior, settings(inputs)),
    )


def world(inputs: Fact) -> World:
    faults = inputs.get("faults", Fact())
    return World(
        scale=Scale(inputs["spec_replicas"], inputs["status_replicas"], faults.get("selector", "name=test-pod")),
        pods=pods(inputs["pods"]),
        samples=samples(inputs["pod_resource_metrics"]),
        by_pod=inputs.get("pods_metric_milli", {}),
        of_object=inputs.get("object_metric_milli"),
        outside=inputs.get("external_metric_milli", []),
        rivals=[each["name"] for each in inputs.get("other_autoscalers", []) if each["matches_own_pods"]],
        fault=Fault(
            metrics=frozenset(faults.get("metrics_error", [])),
            get_scale=bool(faults.get("get_scale_error")),
            update_scale=bool(faults.get("update_scale_error")),
            conflicts=faults.get("update_scale_conflicts", 0),
        ),
    )


def status(inputs: Fact) -> Status:
    """The status before the reconcile; the facts say nothing of the messages and metrics in it."""
    conditions = inputs.get("initial_conditions", [])
    return Status(
        current=inputs["spec_replicas"],
        desired=inputs["spec_replicas"],
        conditions=tuple(
            Condition(each["type"], ConditionStatus(each["status"]), each["reason"], "") for each in conditions
        ),
        last_scaled_at=at(inputs.get("last_scale_seconds_ago")),
    )


def memory(inputs: Fact) -> Memory:
    remembered = inputs["recommendations"]
    return Memory(None if remembered is None else recommendations(remembered))


def recommendations(rows: Sequence[Fact]) -> list[Recommendation]:
    return [Recommendation(row["replicas"], NOW - row["seconds_ago"]) for row in rows]


def events(rows: Sequence[Fact]) -> list[ScaleEvent]:
    return [ScaleEvent(row["change"], NOW - row["seconds_ago"], bool(row.get("outdated"))) for row in rows]


def _metric(row: Fact) -> Metric:
    target = row.get("target")
    return Metric(
        type=row["type"],
        name=row.get("name", ""),
        target=None if target is None else _target(target),
        container=row.get("container"),
    )


def _target(row: Fact) -> Target:
    kind = TargetType(row["type"])
    return Target(kind, row["percent"] if kind is TargetType.UTILIZATION else row["milli"])


def _amounts(row: dict[str, Any], suffix: str) -> dict[str, int]:
    return {
        key.removesuffix(suffix): amount for key, amount in row.items() if key.endswith(suffix) and amount is not None
    }
