"""HPA's reconcile where its own tables do not reach: what is said, what is remembered from one to the next, and refused writes."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from pydantic import ValidationError

from controller.api import ConditionStatus, Direction
from controller.simulation.hpa import (
    Autoscaler,
    Condition,
    Container,
    Event,
    Fault,
    Memory,
    Metric,
    NoRequest,
    Outcome,
    Pod,
    Recommendation,
    Sample,
    Scale,
    Settings,
    Status,
    Target,
    TargetType,
    World,
    complete,
    is_selector,
    reconcile,
    requests_of,
    usage_by_pod,
)

CPU = Metric("Resource", "cpu", Target(TargetType.UTILIZATION, 50))
QUEUE = Metric("External", "queue", Target(TargetType.VALUE, 1000))


def world(replicas: int, percent: int, **fields: Any) -> World:
    """So many Ready pods that use so many percent of their request."""
    names = [f"web-{at}" for at in range(replicas)]
    return World(
        Scale(replicas, replicas, "app=web"),
        pods=[
            Pod(name, started_at=-1000, turned_at=-900, containers=[Container("app", {"cpu": 100})]) for name in names
        ],
        samples=[Sample(name, 0.0, 15.0, {"app": {"cpu": percent}}) for name in names],
        **fields,
    )


def run(
    seen: World,
    *metrics: Metric,
    behavior: dict[str, Any] | None = None,
    memory: Memory | None = None,
    now: float = 0.0,
    minimum: int = 1,
    maximum: int = 100,
    settings: Settings | None = None,
) -> Outcome:
    settings = settings or Settings()
    written = None if behavior is None else complete(behavior, settings)
    spec = Autoscaler(minimum, maximum, metrics or (CPU,), written)
    before = Status(seen.scale.spec, seen.scale.spec)
    return reconcile(spec, seen, before, Memory([]) if memory is None else memory, settings, now)


def reasons(outcome: Outcome) -> dict[str, str]:
    return {each.type: each.reason for each in outcome.status.conditions}


def test_the_event_of_a_rescale_tells_the_new_size_and_the_metric() -> None:
    assert run(world(4, 100)).events == (
        Event(
            "Normal",
            "SuccessfulRescale",
            "New size: 8; reason: cpu resource utilization (percentage of request) above target",
        ),
    )
    assert run(world(4, 10)).events == (
        Event("Normal", "SuccessfulRescale", "New size: 1; reason: All metrics below target"),
    )
    assert run(world(4, 10), maximum=3).events == (
        Event("Normal", "SuccessfulRescale", "New size: 3; reason: Current number of replicas above Spec.MaxReplicas"),
    )


def test_without_metrics_eighty_percent_of_cpu_is_held() -> None:
    spec = Autoscaler(1, 100, ())
    outcome = reconcile(spec, world(4, 120), Status(4, 4), Memory([]), Settings(), 0.0)
    assert outcome.scaled_to == 6


def test_the_larger_of_two_metrics_names_the_reason() -> None:
    outcome = run(world(4, 60, outside=[1500, 500]), CPU, QUEUE)
    assert outcome.scaled_to == 8
    assert outcome.events[0].message == "New size: 8; reason: external metric queue above target"


def test_four_conflicts_are_borne_and_five_are_not() -> None:
    assert run(world(4, 100, fault=Fault(conflicts=4))).scaled_to == 8
    refused = run(world(4, 100, fault=Fault(conflicts=5)))
    assert (refused.scaled_to, refused.status.desired) == (None, 4)
    assert reasons(refused)["AbleToScale"] == "FailedUpdateScale"
    assert refused.events[0].reason == "FailedRescale"
    assert "somebody else wrote it" in str(refused.error)


def test_a_metric_that_fails_is_told_as_a_warning_and_forbids_fewer_replicas() -> None:
    silent = world(4, 10, fault=Fault(frozenset({"External"})))
    outcome = run(silent, CPU, QUEUE)
    assert outcome.scaled_to is None
    assert [each.reason for each in outcome.events] == ["FailedGetExternalMetric", "FailedComputeMetricsReplicas"]
    assert reasons(outcome)["ScalingActive"] == "FailedGetExternalMetric"
    assert "1 of 2 metrics are invalid" in str(outcome.error)


def test_a_metric_without_a_target_of_its_kind_says_which_it_needs() -> None:
    outcome = run(world(4, 10), Metric("Pods", "rate", Target(TargetType.VALUE, 5)), QUEUE)
    assert "no metrics returned" in outcome.events[0].message
    outcome = run(world(4, 10, by_pod={"web-0": 3}), Metric("Pods", "rate", Target(TargetType.VALUE, 5)))
    assert "Pods metric rate needs a target of type AverageValue and has one of type Value" in str(outcome.error)


def test_after_a_restart_nothing_is_scaled_down_for_one_window() -> None:
    memory = Memory()
    assert run(world(8, 10), memory=memory, now=0.0).scaled_to is None
    assert run(world(8, 10), memory=memory, now=300.0).scaled_to is None
    outcome = run(world(8, 10), memory=memory, now=301.0)
    assert outcome.scaled_to == 2


def test_with_a_behavior_what_was_added_in_the_period_is_used_up() -> None:
    memory, slow = Memory([]), {"scaleUp": {"policies": [{"type": "Pods", "value": 2, "periodSeconds": 60}]}}
    assert run(world(4, 100), behavior=slow, memory=memory, now=0.0).scaled_to == 6
    held = run(world(6, 100), behavior=slow, memory=memory, now=59.0)
    assert (held.scaled_to, reasons(held)["ScalingLimited"]) == (None, "ScaleUpLimit")
    assert run(world(6, 100), behavior=slow, memory=memory, now=60.0).scaled_to == 8


def test_scaling_to_zero_is_remembered_in_the_condition_and_undone_by_the_metric() -> None:
    memory = Memory([])
    asleep = run(world(4, 0, outside=[0]), QUEUE, minimum=0, memory=memory, now=0.0)
    assert (asleep.scaled_to, reasons(asleep)["ScaledToZero"]) == (0, "ScaledToZero")
    spec = Autoscaler(0, 100, (QUEUE,))
    again = reconcile(spec, World(Scale(0, 0, "app=web"), outside=[2500]), asleep.status, memory, Settings(), 15.0)
    assert (again.scaled_to, reasons(again)["ScaledToZero"]) == (3, "NotScaledToZero")


def test_what_was_not_written_in_a_behavior_comes_from_the_controller() -> None:
    settings = Settings(tolerance=0.05, downscale_window=120)
    up, down = (complete({"scaleUp": None}, settings).rules(direction) for direction in Direction)
    assert (up.window_seconds, up.tolerance_value, len(up.policies)) == (0, 0.05, 2)
    assert (down.window_seconds, down.tolerance_value, len(down.policies)) == (120, 0.05, 1)


def test_the_tolerance_of_a_behavior_counts_only_where_the_gate_is_open() -> None:
    exact = {"scaleUp": {"tolerance": 0.01}}
    assert run(world(50, 51), behavior=exact).scaled_to == 51
    closed = Settings(configurable_tolerance=False)
    assert run(world(50, 51), behavior=exact, settings=closed).scaled_to is None


def test_a_behavior_that_the_api_refuses_is_refused() -> None:
    with pytest.raises(ValidationError, match="periodSeconds"):
        complete({"scaleUp": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 0}]}}, Settings())


@pytest.mark.parametrize(
    "selector",
    ["app=web", "app==web,tier!=db", "app in (a, b)", "app notin (a)", "example.com/app", "!app", "cores > 3", "app="],
)
def test_label_selectors_of_every_kind_are_selectors(selector: str) -> None:
    assert is_selector(selector)


@pytest.mark.parametrize("selector", ["cheddar cheese", "=web", "app in a", "app=web,", "app=(web)", "cores > many"])
def test_what_is_no_label_selector_is_refused(selector: str) -> None:
    assert not is_selector(selector)
    outcome = run(dataclasses.replace(world(4, 100), scale=Scale(4, 4, selector)))
    assert outcome.scaled_to is None
    assert reasons(outcome)["ScalingActive"] == "InvalidSelector"
    assert outcome.events[0].reason == "InvalidSelector"


def test_a_target_whose_scale_cannot_be_read_changes_nothing_but_one_condition() -> None:
    outcome = run(world(4, 100, fault=Fault(get_scale=True)))
    (condition,) = outcome.status.conditions
    assert (condition.type, condition.status, condition.reason) == (
        "AbleToScale",
        ConditionStatus.FALSE,
        "FailedGetScale",
    )
    assert outcome.status.desired == 4


def test_an_entry_exactly_as_old_as_its_window_keeps_its_place() -> None:
    memory = Memory([Recommendation(7, 0.0)])
    memory.recommend(5, 300.0, window=300)
    assert [each.replicas for each in memory.recommendations or ()] == [7, 5]
    memory.recommend(4, 300.5, window=300)
    assert [each.replicas for each in memory.recommendations or ()] == [4, 5]

    minute = complete({"scaleUp": {"policies": [{"type": "Pods", "value": 2, "periodSeconds": 60}]}}, Settings())
    memory.scaled(1, 3, minute, 0.0)
    memory.scaled(3, 4, minute, 60.0)
    assert [each.change for each in memory.scale_ups] == [2, 1]
    memory.scaled(4, 9, minute, 60.5)
    assert [each.change for each in memory.scale_ups] == [5, 1]


def test_a_recommendation_is_kept_while_the_longer_of_both_windows_needs_it() -> None:
    memory = Memory([])
    slow = {"scaleUp": {"stabilizationWindowSeconds": 600}, "scaleDown": {"stabilizationWindowSeconds": 60}}
    run(world(4, 25), behavior=slow, memory=memory, now=0.0)
    run(world(4, 100), behavior=slow, memory=memory, now=300.0)
    assert [each.replicas for each in memory.recommendations or ()] == [2, 8]
    assert run(world(4, 100), behavior=slow, memory=memory, now=599.0).scaled_to is None
    assert run(world(4, 100), behavior=slow, memory=memory, now=600.0).scaled_to == 8


def test_what_hpa_scaled_to_zero_stays_there_when_no_metric_is_left_that_lives_without_pods() -> None:
    asleep = Status(0, 0, (Condition("ScaledToZero", ConditionStatus.TRUE, "ScaledToZero", ""),))
    outcome = reconcile(Autoscaler(0, 9, (CPU,)), World(Scale(0, 0, "app=web")), asleep, Memory([]), Settings(), 0.0)
    assert (outcome.scaled_to, outcome.error, reasons(outcome)["ScalingActive"]) == (None, None, "ScalingDisabled")


def test_a_value_cannot_be_shared_by_pods_that_are_not_there() -> None:
    outcome = run(World(Scale(3, 3, "app=web"), outside=[9000]), QUEUE)
    assert outcome.scaled_to is None
    assert "no pods returned by selector" in str(outcome.error)


def test_a_pod_of_which_one_container_was_not_measured_has_no_sample() -> None:
    partly = Sample("web-0", 0.0, 15.0, {"app": {"cpu": 500}, "proxy": {}})
    whole = Sample("web-1", 0.0, 15.0, {"app": {"cpu": 50}, "proxy": {"cpu": 5}})
    assert {pod: seen.amount for pod, seen in usage_by_pod([partly, whole], "cpu", None).items()} == {"web-1": 55}
    assert {pod: seen.amount for pod, seen in usage_by_pod([partly, whole], "cpu", "app").items()} == {
        "web-0": 500,
        "web-1": 50,
    }


def test_requests_of_the_pod_go_before_those_of_its_containers_where_the_gate_is_open() -> None:
    pod = Pod("web-0", containers=[Container("app", {"cpu": 100})], requests={"cpu": 800})
    assert requests_of([pod], "cpu", None, pod_level=True) == [800]
    assert requests_of([pod], "cpu", None, pod_level=False) == [100]
    assert requests_of([pod], "cpu", "app", pod_level=True) == [100]
    with pytest.raises(NoRequest, match="missing pod-level request for memory in Pod web-0"):
        requests_of([pod], "memory", None, pod_level=True)
