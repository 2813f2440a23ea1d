"""The order of the stages, and what forbids what."""

from __future__ import annotations

import math

import numpy as np
import pytest

from controller.api import Reason
from controller.engine import Decisions, Stage, evaluate, reason
from tests.engine_support import (
    NOW,
    Case,
    Pod,
    Seen,
    batch,
    decide,
    dimension,
    even,
    record,
    rule,
    rules,
    spec,
    wanting,
)

TWO = (dimension("a"), dimension("b"))
BAD: list[Seen] = [None, math.nan, math.inf, -1.0, (0.1, 1e6)]


def limited(decisions: Decisions) -> Reason:
    return reason(int(decisions.limited[0]))


@pytest.mark.parametrize("bad", BAD)
def test_nothing_scales_down_while_a_dimension_is_missing(bad: Seen) -> None:
    assert rule(Case(spec(*TWO), even(4, 0.1, bad))) == (4, Reason.PARTIAL_METRICS)


@pytest.mark.parametrize("bad", BAD)
def test_valid_dimensions_scale_up_while_another_is_missing(bad: Seen) -> None:
    assert rule(Case(spec(*TWO), even(4, 2.0, bad))) == (8, Reason.AS_PROPOSED)


@pytest.mark.parametrize("bad", BAD)
def test_a_dimension_to_be_ignored_while_missing_does_not_hold_the_others(bad: Seen) -> None:
    assert rule(Case(spec(TWO[0], dimension("b", onMissing="Ignore")), even(4, 0.5, bad))) == (2, Reason.AS_PROPOSED)


@pytest.mark.parametrize("how", ["Hold", "Ignore"])
def test_without_any_valid_dimension_nothing_moves(how: str) -> None:
    assert rule(Case(spec(dimension(onMissing=how)), even(4, math.nan))) == (4, Reason.NO_VALID_METRIC)


def test_a_fault_of_the_source_forbids_scaling_down() -> None:
    case = Case(spec(*TWO), even(4, 0.1, 0.1), faults={"b": Reason.SOURCE_UNREACHABLE})
    assert rule(case) == (4, Reason.PARTIAL_METRICS)


def test_a_missing_request_forbids_scaling_down_and_says_what_to_do() -> None:
    cpu = {"metric": "cpu", "target": "50%"}
    case = Case(spec(cpu, dimension("b")), even(4, math.nan, 0.1), faults={"cpu": Reason.MISSING_REQUEST})
    assert rule(case) == (4, Reason.PARTIAL_METRICS)
    assert "a container of a pod has no cpu request" in record(case).sentence


@pytest.mark.parametrize(
    ("pods", "why"), [((), Reason.NO_PODS), ((Pod.of(0.0, ready=False),) * 3, Reason.NO_READY_PODS)]
)
def test_without_ready_pods_nothing_moves(pods: tuple[Pod, ...], why: Reason) -> None:
    assert rule(Case(spec(), pods, current=3)) == (3, why)


def test_without_ready_pods_a_value_of_the_target_does_not_move_anything_either() -> None:
    case = Case(spec(dimension("queue", per="Target")), current=3, target={"queue": 100.0})
    assert rule(case) == (3, Reason.NO_PODS)


def test_a_dimension_that_may_not_scale_down_asks_for_more_all_the_same() -> None:
    up_only = dimension("a", scaleDown=False)
    assert rule(Case(spec(up_only), even(4, 2.0))) == (8, Reason.AS_PROPOSED)
    assert rule(Case(spec(up_only), even(4, 0.1))) == (4, Reason.UP_ONLY)


def test_one_valid_dimension_that_may_scale_down_is_enough_to_do_so() -> None:
    mixed = (dimension("a", scaleDown=False), dimension("b", onMissing="Ignore"))
    assert rule(Case(spec(*mixed), even(4, 0.3, 0.4))) == (2, Reason.AS_PROPOSED)
    assert rule(Case(spec(*mixed), even(4, 0.3, None))) == (4, Reason.UP_ONLY)


def test_a_target_at_zero_is_paused_whatever_its_minimum_and_its_load() -> None:
    for pods in ((), even(3, 9.0)):
        case = Case(spec(minReplicas=2), pods, current=0)
        assert rule(case) == (0, Reason.SCALING_DISABLED)
        assert record(case).stages[Stage.BOUNDED] == 0
        assert limited(decide(case)) is Reason.DESIRED_WITHIN_RANGE


def test_more_replicas_than_the_maximum_come_down_at_once() -> None:
    slow = {"scaleDown": rules(("Pods", 1, 60), window=300)}
    for seen in (0.1, 1.0, 5.0, None):
        case = Case(spec(maximum=5, behavior=slow), even(10, seen))
        assert rule(case) == (5, Reason.TOO_MANY_REPLICAS)


def test_fewer_replicas_than_the_minimum_come_up_at_once() -> None:
    slow = {"scaleUp": rules(("Pods", 1, 60), window=300)}
    for seen in (0.1, 1.0, None):
        case = Case(spec(minReplicas=8, behavior=slow), even(2, seen))
        assert rule(case) == (8, Reason.TOO_FEW_REPLICAS)


def test_the_bounds_belong_to_the_range() -> None:
    assert rule(wanting(20, 10, maximum=20)) == (20, Reason.AS_PROPOSED)
    assert rule(wanting(5, 10, minReplicas=5)) == (5, Reason.AS_PROPOSED)


def test_every_stage_is_kept_and_the_last_that_changed_the_number_is_the_rule() -> None:
    case = wanting(
        90,
        10,
        maximum=15,
        behavior={"scaleUp": rules(("Percent", 100, 15), window=60), "scaleDown": rules()},
        recommendations=[(50, 30)],
    )
    seen = record(case)
    assert list(seen.stages.items()) == [
        (Stage.TRUSTED, 90),
        (Stage.TOLERATED, 90),
        (Stage.STABILIZED, 50),
        (Stage.COOLED, 50),
        (Stage.RATE_LIMITED, 20),
        (Stage.GUARDED, 20),
        (Stage.BOUNDED, 15),
        (Stage.OVERRIDDEN, 15),
    ]
    assert (seen.rule, seen.limited) == (Reason.TOO_MANY_REPLICAS, Reason.TOO_MANY_REPLICAS)


def test_what_is_remembered_is_the_number_before_the_window() -> None:
    held = wanting(3, 10, behavior={"scaleUp": rules(), "scaleDown": rules(window=300)}, recommendations=[(10, 15)])
    assert decide(held).recommendation.tolist() == [3]


def test_within_the_tolerance_the_present_number_is_remembered() -> None:
    assert decide(Case(spec(), even(100, 1.05))).recommendation.tolist() == [100]


def test_on_missing_data_the_present_number_is_remembered() -> None:
    assert decide(Case(spec(*TWO), even(4, 0.1, None))).recommendation.tolist() == [4]


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (10, Reason.DESIRED_WITHIN_RANGE),
        (12, Reason.DESIRED_WITHIN_RANGE),
        (18, Reason.SCALE_UP_LIMIT),
        (30, Reason.SCALE_UP_LIMIT),
        (8, Reason.DESIRED_WITHIN_RANGE),
        (2, Reason.SCALE_DOWN_LIMIT),
    ],
)
def test_the_condition_says_which_limit_changed_the_number(wanted: int, why: Reason) -> None:
    slow = {"scaleUp": rules(("Pods", 5, 15), tolerance="0"), "scaleDown": rules(("Pods", 5, 15), tolerance="0")}
    assert limited(decide(wanting(wanted, 10, maximum=25, behavior=slow))) is why


def test_the_bound_is_named_where_it_and_the_rate_stop_at_the_same_number() -> None:
    slow = {"scaleUp": rules(("Pods", 5, 15)), "scaleDown": rules(("Pods", 5, 15))}
    assert limited(decide(wanting(30, 10, maximum=15, behavior=slow))) is Reason.TOO_MANY_REPLICAS
    assert limited(decide(wanting(1, 10, minReplicas=5, behavior=slow))) is Reason.TOO_FEW_REPLICAS


def test_no_scalers_at_all_are_decided_without_a_murmur() -> None:
    decisions = decide()
    assert len(decisions) == 0
    assert decisions.desired.shape == decisions.rule.shape == decisions.recommendation.shape == (0,)


def test_scalers_with_and_without_pods_are_decided_together() -> None:
    cases = (Case(spec(), current=3), Case(spec(), even(2, 2.0)), Case(spec(), current=0), Case(spec(), even(2, 0.5)))
    assert decide(*cases).desired.tolist() == [3, 4, 0, 1]


def test_replicas_are_whole_numbers_of_64_bits() -> None:
    decisions = decide(Case(spec(), even(2, 2.0)))
    for array in (decisions.proposed, decisions.desired, decisions.recommendation, *decisions.replicas.values()):
        assert array.dtype == np.int64


def test_evaluating_changes_none_of_its_inputs() -> None:
    scalers, samples, history = batch(Case(spec(*TWO), even(4, 2.0, None), recommendations=[(3, 1)], changes=[(1, 1)]))
    arrays = (scalers.target, samples.current, samples.values, samples.ages, samples.faults, history.recommendations)
    before = [array.copy() for array in arrays]
    evaluate(scalers, samples, history, NOW)
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)
