"""HPA's arithmetic where its own tables do not reach: edges of grouping, the end of 64 bits, several autoscalers at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from controller.api import Behavior
from controller.engine import History
from controller.simulation.hpa import (
    Group,
    Limits,
    Pods,
    average_replicas,
    best,
    group,
    per_pod_replicas,
    per_pod_usage,
    remember,
    utilization_replicas,
    value_replicas,
    with_behavior,
)

NOW = 1000.0
TENTH = np.array([0.1])


def grouped(is_cpu: bool = True, window: float = 60.0, sampled_ago: float | None = 0.0, **pod: Any) -> Group:
    """The group of one pod, which is Ready and old unless said otherwise; ages are seconds."""
    started_ago, turned_ago = pod.pop("started_ago", 500.0), pod.pop("turned_ago", 400.0)
    flags = {"ended": False, "pending": False, "judged": True, "unready": False} | pod
    pods = Pods(
        of=np.array([0]),
        started_at=np.array([NOW - started_ago]),
        turned_at=np.array([NOW - turned_ago]),
        **{name: np.array([value]) for name, value in flags.items()},
    )
    seen = sampled_ago is not None
    sampled_at = np.array([NOW - (sampled_ago or 0.0)])
    return Group(int(group(pods, np.array([seen]), sampled_at, window, NOW, is_cpu=is_cpu)[0]))


def test_a_pod_that_ends_is_ignored_whatever_else_is_said_of_it() -> None:
    assert grouped(ended=True, pending=True, sampled_ago=None) is Group.IGNORED


def test_a_pending_pod_is_unready_even_without_a_sample_and_for_any_metric() -> None:
    assert grouped(pending=True, sampled_ago=None) is Group.UNREADY
    assert grouped(pending=True, is_cpu=False) is Group.UNREADY


def test_readiness_matters_for_cpu_only() -> None:
    assert grouped(unready=True, started_ago=10, turned_ago=5) is Group.UNREADY
    assert grouped(unready=True, started_ago=10, turned_ago=5, is_cpu=False) is Group.READY
    assert grouped(judged=False) is Group.UNREADY
    assert grouped(judged=False, is_cpu=False) is Group.READY
    assert grouped(judged=False, sampled_ago=None) is Group.MISSING


@pytest.mark.parametrize(("started_ago", "expected"), [(299.0, Group.UNREADY), (300.0, Group.READY)])
def test_the_start_is_over_exactly_after_the_initialization_period(started_ago: float, expected: Group) -> None:
    assert grouped(started_ago=started_ago, turned_ago=20) is expected


@pytest.mark.parametrize(("turned_ago", "expected"), [(59.0, Group.UNREADY), (60.0, Group.READY)])
def test_a_young_pod_counts_from_its_first_whole_window_on(turned_ago: float, expected: Group) -> None:
    assert grouped(started_ago=100, turned_ago=turned_ago) is expected


@pytest.mark.parametrize(("turned_ago", "expected"), [(471.0, Group.UNREADY), (470.0, Group.READY)])
def test_an_old_pod_that_is_not_ready_counts_if_it_ever_was(turned_ago: float, expected: Group) -> None:
    assert grouped(unready=True, started_ago=500, turned_ago=turned_ago) is expected


def replicas_of(
    groups: list[Group], usage: list[int], target: int, current: int, request: int = 100
) -> tuple[int, ...]:
    """Replicas, utilization and average of one autoscaler whose pods request the same."""
    reported = utilization_replicas(
        np.zeros(len(groups), np.intp),
        np.array(groups, np.int8),
        np.array(usage),
        np.full(len(groups), request),
        np.array([target]),
        np.array([current]),
        TENTH,
        TENTH,
    )
    assert reported.valid[0]
    return int(reported.replicas[0]), int(reported.utilization[0]), int(reported.average[0])


def test_the_ceiling_is_exact_where_doubles_are_not() -> None:
    # In doubles 145 / 70 * 14 is a little more than the 29 that it is.
    assert 145 / 70 * 14 > 29
    assert replicas_of([Group.READY] * 14, [145] * 14, 70, 14) == (29, 145, 145)


def test_a_silent_pod_that_may_be_above_its_request_is_taken_for_the_target() -> None:
    # 3 at 100 % and one at 200 % are 125 % of the wanted 200 %: 2.5 pods. With the one at 100 % it would be 2.
    assert replicas_of([Group.READY] * 3 + [Group.MISSING], [100, 100, 100, 0], 200, 4) == (3, 100, 100)


def test_pods_beyond_the_replicas_turn_no_overload_into_fewer() -> None:
    assert replicas_of([Group.READY, *[Group.UNREADY] * 4], [600, 0, 0, 0, 0], 50, 30) == (30, 600, 600)


def test_without_pods_without_requests_and_with_nobody_seen_the_current_number_stands() -> None:
    reported = utilization_replicas(
        np.array([1, 2]),
        np.array([Group.READY, Group.MISSING], np.int8),
        np.array([50, 0]),
        np.array([0, 100]),
        *(np.array([number] * 3) for number in (50, 4)),
        *[np.full(3, 0.1)] * 2,
    )
    assert reported.replicas.tolist() == [4, 4, 4]
    assert not reported.valid.any()


def test_memory_of_a_large_fleet_is_counted_to_the_byte() -> None:
    # 20 pods of 64 GiB in thousandths of a byte: one byte less than 55 % of the requests is 54 %.
    request = 64 * 2**30 * 1000
    usage = [request * 55 // 100] * 20
    assert replicas_of([Group.READY] * 20, usage, 50, 20, request)[1] == 55
    usage[0] -= 1000
    assert replicas_of([Group.READY] * 20, usage, 50, 20, request)[1] == 54


def test_an_average_is_cut_off_before_it_is_compared() -> None:
    reported = average_replicas(
        np.zeros(3, np.intp),
        np.zeros(3, np.int8),
        np.array([110, 110, 112]),
        np.array([100]),
        np.array([3]),
        TENTH,
        TENTH,
    )
    assert (int(reported.average[0]), int(reported.replicas[0])) == (110, 3)


def test_a_value_at_the_end_of_64_bits_asks_for_the_most_replicas_there_can_be() -> None:
    most = np.array([2**63 - 1])
    one = np.array([1])
    assert value_replicas(most, one, one, one, TENTH, TENTH)[0] == 2**31 - 1
    assert per_pod_replicas(most, one, one, TENTH, TENTH)[0] == 2**31 - 1
    assert per_pod_usage(most, np.array([0]))[0] == 2**63 - 1


def test_requests_per_pod_are_kedas_rule() -> None:
    rate, target, there = np.array([1000, 1000, 1000]), np.array([50, 50, 50]), np.array([10, 19, 0])
    # 19 pods have 52.6 each, within the tenth; without pods the tolerance has no say.
    assert per_pod_replicas(rate, target, there, *[np.full(3, 0.1)] * 2).tolist() == [20, 19, 20]


def test_the_larger_metric_decides_for_each_autoscaler() -> None:
    cpu, latency = np.array([5, 9, 2]), np.array([7, 3, 2])
    chosen = best([cpu, latency], [np.ones(3, np.bool_)] * 2, np.array([4, 4, 4]))
    assert chosen.replicas.tolist() == [7, 9, 2]
    assert chosen.metric.tolist() == [1, 0, 0]


def test_three_rivals_decide_one_cycle_of_two_targets() -> None:
    # 4 pods each; those of the first target use 90 % of a core, those of the second 20 %.
    of, now, current = np.repeat([0, 1], 4), 600.0, np.array([4, 4])
    nothing, old = np.zeros(8, np.bool_), np.zeros(8)
    pods = Pods(of, nothing, nothing, ~nothing, nothing, old, old)
    usage, requests = np.repeat([900, 200], 4), np.full(8, 1000)
    up = down = np.full(2, 0.1)
    limits = Limits.of([Behavior()] * 2, [1, 1], [50, 50])
    history = History.empty(2)

    ready = group(pods, ~nothing, np.full(8, now), 60.0, now, is_cpu=True)
    cpu = utilization_replicas(of, ready, usage, requests, np.array([60, 60]), current, up, down)
    assert cpu.replicas.tolist() == [6, 2]
    assert with_behavior(limits, history, now, current, cpu.replicas).replicas.tolist() == [6, 2]

    counted = group(pods, ~nothing, np.full(8, now), 60.0, now, is_cpu=False)
    latency = average_replicas(of, counted, np.full(8, 250), np.array([100, 100]), current, up, down)
    chosen = best([cpu.replicas, latency.replicas], [cpu.valid, latency.valid], current)
    left = with_behavior(limits, history, now, current, chosen.replicas)
    assert (chosen.replicas.tolist(), left.replicas.tolist()) == ([10, 10], [8, 8])
    history = remember(history, now, chosen.replicas, chosen.trusted, left.replicas - current)
    # The budget of the policies is used up for 15 seconds.
    assert with_behavior(limits, history, now + 14, left.replicas, chosen.replicas).replicas.tolist() == [8, 8]
    assert with_behavior(limits, history, now + 15, left.replicas, chosen.replicas).replicas.tolist() == [10, 10]

    keda = per_pod_replicas(np.array([300_000, 60_000]), np.array([40_000, 40_000]), current, up, down)
    assert with_behavior(limits, History.empty(2), now, current, keda).replicas.tolist() == [8, 2]
