"""The proportional proposal, with unready and missing pods as HPA treats them (hpa.md A5 and A6)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from controller.api import Reason
from controller.engine.proportional import ceil
from tests.engine_support import Case, Pod, dimension, even, record, rule, rules, spec

LAX: dict[str, Any] = {"quality": {"minCoverage": "1%"}}
STRICT: dict[str, Any] = {"behavior": {"scaleUp": rules(tolerance="0"), "scaleDown": rules(tolerance="0")}}


def silent(count: int) -> tuple[Pod, ...]:
    return even(count, None)


def unready(count: int) -> tuple[Pod, ...]:
    return (Pod.of(9.0, ready=False),) * count


@pytest.mark.parametrize(
    ("value", "replicas"),
    [(2.0, 2), (2.0000001, 3), (1.1 * 10, 11), (110.00000000000001, 110), (0.0, 0), (1e308, 2**31)],
)
def test_part_of_a_pod_is_a_pod_but_the_dust_of_doubles_is_not(value: float, replicas: int) -> None:
    assert ceil(np.array([value]))[0] == pytest.approx(replicas, rel=1e-8)


def test_replicas_follow_the_magnitude() -> None:
    assert rule(Case(spec(), even(4, 1.5))) == (6, Reason.AS_PROPOSED)
    assert rule(Case(spec(), even(4, 0.5))) == (2, Reason.AS_PROPOSED)


def test_the_magnitude_is_held_at_the_users_target() -> None:
    assert rule(Case(spec(magnitude={"target": "0.5"}), even(4, 1.5)))[0] == 12


def test_forty_tasks_on_ten_pods_of_four_need_ten_pods() -> None:
    assert rule(Case(spec(dimension("queue", target=4, per="Target")), even(10), target={"queue": 4.0}))[0] == 10


def test_at_the_target_nothing_changes() -> None:
    assert rule(Case(spec(), even(4, 1.0))) == (4, Reason.AT_TARGET)


@pytest.mark.parametrize("value", [1.1, 0.9])
def test_the_edge_of_the_tolerance_belongs_to_it(value: float) -> None:
    assert rule(Case(spec(), even(100, value))) == (100, Reason.WITHIN_TOLERANCE)


@pytest.mark.parametrize(("value", "replicas"), [(1.101, 111), (0.899, 90)])
def test_beyond_the_tolerance_the_whole_difference_is_proposed(value: float, replicas: int) -> None:
    assert rule(Case(spec(), even(100, value))) == (replicas, Reason.AS_PROPOSED)


def test_each_direction_has_its_own_tolerance() -> None:
    lopsided = spec(behavior={"scaleUp": rules(tolerance="0.5"), "scaleDown": rules(tolerance="0.01")})
    assert rule(Case(lopsided, even(100, 1.4))) == (100, Reason.WITHIN_TOLERANCE)
    assert rule(Case(lopsided, even(100, 0.98))) == (98, Reason.AS_PROPOSED)


def test_no_tolerance_moves_at_the_slightest() -> None:
    assert rule(Case(spec(**STRICT), even(100, 1.001))) == (101, Reason.AS_PROPOSED)
    assert rule(Case(spec(**STRICT), even(100, 1.0))) == (100, Reason.AT_TARGET)


def test_going_up_pods_that_are_not_ready_count_as_idle() -> None:
    # 3 pods at 2.0 carry the load of 6; the 2 that start take part of it, and 6 it stays.
    assert rule(Case(spec(), (*even(3, 2.0), *unready(2)))) == (6, Reason.AS_PROPOSED)
    # 4 pods at 1.25 carry the load of 5, and 5 there are.
    assert rule(Case(spec(), (*even(4, 1.25), *unready(1)))) == (5, Reason.AT_TARGET)


def test_going_up_pods_without_samples_count_as_idle() -> None:
    assert rule(Case(spec(**LAX), (*even(3, 2.0), *silent(2)))) == (6, Reason.AS_PROPOSED)


def test_pods_that_start_do_not_turn_an_overload_into_scaling_down() -> None:
    # 4 at 1.5 are the load of 6; with 6 idle ones that is 0.6 a pod, which must not mean fewer.
    assert rule(Case(spec(), (*even(4, 1.5), *unready(6)))) == (10, Reason.AT_TARGET)


def test_an_overload_that_the_starting_pods_bring_within_the_tolerance_changes_nothing() -> None:
    assert rule(Case(spec(**LAX), (*even(9, 1.15), *silent(1)))) == (10, Reason.WITHIN_TOLERANCE)


def test_going_down_pods_without_samples_count_as_full() -> None:
    # 4 at 0.5 and 1 taken for 1.0.
    assert rule(Case(spec(**LAX), (*even(4, 0.5), *silent(1)))) == (3, Reason.AS_PROPOSED)
    # 8 at 0.85 alone are outside the tolerance; with 4 taken for 1.0 they are 0.9 a pod, its edge.
    assert rule(Case(spec(**LAX), (*even(8, 0.85), *silent(4)))) == (12, Reason.WITHIN_TOLERANCE)


def test_full_is_the_magnitude_that_is_held() -> None:
    half = spec(magnitude={"target": "0.5"}, **LAX)
    # 4 at 0.25 and 1 taken for 0.5, in units of 0.5: 2 + 1.
    assert rule(Case(half, (*even(4, 0.25), *silent(1)))) == (3, Reason.AS_PROPOSED)


def test_going_down_pods_that_are_not_ready_do_not_count() -> None:
    assert rule(Case(spec(), (*even(4, 0.5), *unready(4)), current=8)) == (2, Reason.AS_PROPOSED)


def test_what_was_seen_of_an_incomplete_pod_is_not_forgotten_going_down() -> None:
    two = spec(dimension("a"), dimension("b"), **LAX)
    pods = (*even(4, 0.3, 0.4), Pod.of(3.0, None))
    # 4 at 0.5 and one of at least 3.0: the average is 1.0, which turns the direction round.
    assert rule(Case(two, pods))[0] == 5


def test_surge_pods_do_not_turn_idleness_into_scaling_up() -> None:
    # 10 pods of a rollout for 5 replicas, one silent: 0.55 a pod asks for 6, more than there are to be.
    assert rule(Case(spec(**LAX), (*even(9, 0.5), *silent(1)), current=5)) == (5, Reason.AT_TARGET)


def test_silent_pods_change_nothing_at_the_target() -> None:
    assert rule(Case(spec(**LAX, **STRICT), (*even(4, 1.0), *silent(2)))) == (6, Reason.AT_TARGET)


def test_the_base_is_the_replicas_of_the_spec_not_the_pods_that_are_there() -> None:
    seen = record(Case(spec(), even(4, 0.95), current=7))
    assert (seen.current, seen.desired, seen.rule) == (7, 7, Reason.WITHIN_TOLERANCE)


def test_the_worst_pod_decides_where_the_user_says_so() -> None:
    pods = (*even(9, 0.5), Pod.of(2.0))
    assert rule(Case(spec(), pods))[0] == 7
    assert rule(Case(spec(magnitude={"aggregation": "Max"}), pods))[0] == 20
    assert rule(Case(spec(magnitude={"aggregation": "P95"}), pods))[0] == 14


def test_idle_proposes_nothing_and_the_minimum_stands() -> None:
    seen = record(Case(spec(minReplicas=2), even(4, 0.0)))
    assert (seen.proposed, seen.desired, seen.rule) == (0, 2, Reason.TOO_FEW_REPLICAS)


def test_an_absurd_magnitude_proposes_no_more_than_replicas_can_count() -> None:
    seen = record(Case(spec(dimension(target="1e-99"), magnitude={"target": "1e-99"}), even(3, 1e308)))
    assert 2**31 - 10 < seen.proposed < 2**31
    assert seen.desired == 1000


def young(count: int, seen: float | None) -> tuple[Pod, ...]:
    return (Pod.of(seen, young=True),) * count


def test_going_up_young_pods_count_as_much_as_is_seen_of_them() -> None:
    # 4 at 2.0 and 2 at 0.5 carry the load of 9.
    assert rule(Case(spec(), (*even(4, 2.0), *young(2, 0.5)))) == (9, Reason.AS_PROPOSED)
    assert rule(Case(spec(), (*even(4, 2.0), *young(2, None)))) == (8, Reason.AS_PROPOSED)


def test_going_down_young_pods_count_as_full_whatever_is_seen_of_them() -> None:
    # 4 at 0.5 and 2 that are taken for 1.0.
    assert rule(Case(spec(), (*even(4, 0.5), *young(2, 0.1)))) == (4, Reason.AS_PROPOSED)
    assert rule(Case(spec(), (*even(4, 0.5), *young(2, None)))) == (4, Reason.AS_PROPOSED)


def test_a_young_pod_above_its_target_counts_as_that() -> None:
    # 4 at 0.25 and one at 3.0 are 0.8 a pod; the young one's 3.0 is not lowered to 1.0.
    assert rule(Case(spec(), (*even(4, 0.25), *young(1, 3.0)))) == (4, Reason.AS_PROPOSED)


def test_overload_never_asks_for_fewer_replicas_while_pods_are_still_to_come() -> None:
    assert record(Case(spec(), even(5, 1.2), current=10)).proposed == 10


def test_surge_pods_of_a_rollout_never_turn_a_low_load_into_a_scale_up() -> None:
    assert record(Case(spec(), even(6, 0.84), current=5)).proposed == 5


def test_young_pods_hold_nothing_where_no_dimension_is_measured_per_pod() -> None:
    queue = spec(dimension("queue", "100", per="Target"))
    assert record(Case(queue, young(4, None), target={"queue": 50.0})).proposed == 2
