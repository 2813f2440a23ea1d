"""What restraint promises, for anything that a source, a cluster or a user may come up with."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from controller.api import Direction, OnMissing, Reason
from controller.engine import Decisions, Stage, code, evaluate, reason, record_of
from controller.engine.behavior import rate_limits
from tests import hpa_rules
from tests.engine_support import NOW, Case, Pod, Seen, batch, decide, dimension, spec, wanting
from tests.property.engine_cases import GARBAGE, behaviors, tame, wild


def plain(case: Case, direction: Direction) -> hpa_rules.RulesOfOneDirection:
    written = case.spec.rules(direction)
    policies = tuple(hpa_rules.Policy(each.type, each.value, each.period_seconds) for each in written.policies)
    return hpa_rules.RulesOfOneDirection(policies, written.select_policy, written.window_seconds)


histories = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 400)), max_size=6)
events = st.lists(st.tuples(st.integers(-15, 15), st.integers(0, 200)), max_size=6)


@given(st.integers(0, 80), st.integers(1, 40), st.integers(0, 39), st.integers(0, 40), behaviors(), histories, events)
def test_windows_and_policies_do_what_hpas_rules_say(
    wanted: int,
    minimum: int,
    above: int,
    room: int,
    behavior: dict[str, dict[str, object]],
    recommendations: list[tuple[int, float]],
    changes: list[tuple[int, float]],
) -> None:
    current, maximum = minimum + min(above, room), minimum + room
    exact = {direction: written | {"tolerance": "0"} for direction, written in behavior.items()}
    case = wanting(
        wanted,
        current,
        maximum,
        minReplicas=minimum,
        behavior=exact,
        recommendations=recommendations,
        changes=changes,
    )
    up, down = plain(case, Direction.UP), plain(case, Direction.DOWN)
    stabilized = hpa_rules.stabilized(current, wanted, recommendations, up.window, down.window)
    expected = hpa_rules.rate_limited(current, stabilized, minimum, maximum, changes, up, down)
    decisions = decide(case)
    assert decisions.proposed[0] == wanted
    assert decisions.replicas[Stage.STABILIZED][0] == stabilized
    assert (int(decisions.desired[0]), str(reason(int(decisions.limited[0])))) == expected


@given(wild())
def test_the_result_is_always_within_the_bounds_unless_paused(case: Case) -> None:
    (desired,) = decide(case).desired
    if case.replicas == 0:
        assert desired == 0
    else:
        assert case.spec.min_replicas <= desired <= case.spec.max_replicas


@given(wild())
def test_the_result_is_always_within_the_rate_policies(case: Case) -> None:
    current = min(max(case.replicas, case.spec.min_replicas), case.spec.max_replicas)
    (desired,) = decide(dataclasses.replace(case, current=current)).desired
    most = hpa_rules.limit("up", current, case.changes, plain(case, Direction.UP))
    least = hpa_rules.limit("down", current, case.changes, plain(case, Direction.DOWN))
    assert min(least, current) <= desired <= max(most, current)


@given(wild())
def test_the_policies_alone_allow_what_the_plain_rules_allow(case: Case) -> None:
    scalers, samples, history = batch(case)
    for direction, name, extreme in ((Direction.UP, "up", max), (Direction.DOWN, "down", min)):
        limit = rate_limits(scalers.rules(direction), direction, history, NOW, samples.current)
        expected = hpa_rules.limit(name, case.replicas, case.changes, plain(case, direction))
        assert limit[0] == extreme(expected, case.replicas)


@given(wild())
def test_each_stage_only_moves_towards_the_present_number_except_the_bounds(case: Case) -> None:
    decisions = decide(case)
    current, number = case.replicas, int(decisions.proposed[0])
    for stage in (each for each in Stage if each not in (Stage.BOUNDED, Stage.OVERRIDDEN)):
        after = int(decisions.replicas[stage][0])
        assert min(number, current) <= after <= max(number, current)
        number = after


@given(wild())
def test_the_rule_is_that_of_the_last_stage_that_changed_the_number(case: Case) -> None:
    decisions = decide(case)
    expected = Reason.AT_TARGET if decisions.proposed[0] == case.replicas else Reason.AS_PROPOSED
    number = decisions.proposed[0]
    for stage in Stage:
        why, after = int(decisions.reasons[stage][0]), decisions.replicas[stage][0]
        if after != number:
            assert why >= 0
        if why >= 0:
            # Only what cannot be measured and what is paused is named without a change: there was no proposal.
            named = {Reason.NO_PODS, Reason.NO_READY_PODS, Reason.NO_VALID_METRIC, Reason.SCALING_DISABLED}
            assert after != number or reason(why) in named
            expected = reason(why)
        number = after
    assert reason(int(decisions.rule[0])) is expected
    assert decisions.desired[0] == number


@given(wild())
def test_every_decision_can_be_told(case: Case) -> None:
    seen = record_of(decide(case), 0)
    assert seen.sentence.count("\n") == 0
    assert (f"scaling from {seen.current} to {seen.desired}" in seen.sentence) == (seen.current != seen.desired)
    assert all(each.valid or each.message for each in seen.dimensions)


@given(wild())
def test_while_a_dimension_to_hold_for_is_missing_nothing_scales_down(case: Case) -> None:
    decisions = decide(case)
    missing = [
        at
        for at, each in enumerate(case.spec.dimensions)
        if not decisions.quality.valid[0, at] and each.on_missing is OnMissing.HOLD
    ]
    if missing:
        assert decisions.desired[0] >= min(case.replicas, case.spec.max_replicas)


def garbled(case: Case, at: int, garbage: list[Seen]) -> Case:
    """The case with every sample of one dimension replaced by garbage."""
    pods = [
        Pod((*pod.seen[:at], garbage[row % len(garbage)], *pod.seen[at + 1 :]), pod.ready)
        for row, pod in enumerate(case.pods)
    ]
    name = case.spec.dimensions[at].name
    return dataclasses.replace(case, pods=pods, target={**case.target, name: garbage[0]})


rubbish = st.lists(
    st.one_of(st.none(), GARBAGE, st.tuples(st.floats(0.0, 1e308), st.just(1e6))), min_size=1, max_size=4
)


@given(st.one_of(tame(), wild()), st.data(), rubbish)
def test_a_dimension_of_garbage_never_lowers_the_number(case: Case, data: st.DataObject, garbage: list[Seen]) -> None:
    at = data.draw(st.integers(0, len(case.spec.dimensions) - 1))
    decisions = decide(garbled(case, at, garbage))
    assert not decisions.quality.valid[0, at]
    assert math.isnan(decisions.magnitude.values[0, at])
    if case.spec.dimensions[at].on_missing is OnMissing.HOLD or len(case.spec.dimensions) == 1:
        assert decisions.desired[0] >= min(case.replicas, case.spec.max_replicas)


@given(wild(), st.data(), rubbish)
def test_a_dimension_of_garbage_to_be_ignored_counts_as_if_it_were_not_there(
    case: Case, data: st.DataObject, garbage: list[Seen]
) -> None:
    at = data.draw(st.integers(0, len(case.spec.dimensions) - 1))
    ignored = [
        each.model_copy(update={"on_missing": OnMissing.IGNORE}) if row == at else each
        for row, each in enumerate(case.spec.dimensions)
    ]
    rest = [each for row, each in enumerate(ignored) if row != at]
    if not rest:
        return
    name = case.spec.dimensions[at].name
    case = dataclasses.replace(case, faults={key: why for key, why in case.faults.items() if key != name})
    with_garbage = dataclasses.replace(
        garbled(case, at, garbage), spec=case.spec.model_copy(update={"dimensions": tuple(ignored)})
    )
    without = dataclasses.replace(
        case,
        spec=case.spec.model_copy(update={"dimensions": tuple(rest)}),
        pods=[Pod(pod.seen[:at] + pod.seen[at + 1 :], pod.ready) for pod in case.pods],
    )
    one, other = decide(with_garbage), decide(without)
    assert one.magnitude.total[0] == pytest.approx(other.magnitude.total[0], rel=1e-12, nan_ok=True)
    assert one.desired[0] == other.desired[0]


def struck(case: Case, pods: set[int], dimensions: set[int], value: Seen) -> Case:
    """The case with some samples replaced."""
    return dataclasses.replace(
        case,
        pods=[
            Pod(tuple(value if at in dimensions else seen for at, seen in enumerate(pod.seen))) if row in pods else pod
            for row, pod in enumerate(case.pods)
        ],
    )


@given(tame(quality={"minCoverage": "1%"}), st.data(), st.one_of(st.none(), GARBAGE))
def test_pods_of_garbage_never_lead_to_fewer_replicas_than_idle_pods_would(
    case: Case, data: st.DataObject, bad: Seen
) -> None:
    pods = data.draw(st.sets(st.integers(0, len(case.pods) - 1), min_size=1))
    everything = set(range(len(case.spec.dimensions)))
    garbage, zeros = (decide(struck(case, pods, everything, value)).desired[0] for value in (bad, 0.0))
    assert garbage >= zeros


@given(tame(quality={"minCoverage": "1%"}), st.data(), st.one_of(st.none(), GARBAGE))
def test_samples_of_garbage_never_lead_further_down_than_zeros_would(
    case: Case, data: st.DataObject, bad: Seen
) -> None:
    pods = data.draw(st.sets(st.integers(0, len(case.pods) - 1), min_size=1))
    dimensions = data.draw(st.sets(st.integers(0, len(case.spec.dimensions) - 1), min_size=1))
    garbage, zeros = (decide(struck(case, pods, dimensions, value)).desired[0] for value in (bad, 0.0))
    assert garbage >= min(case.replicas, zeros)


def assert_identical(one: Decisions, row: int, alone: Decisions) -> None:
    pairs: list[tuple[NDArray[Any], NDArray[Any]]] = [
        (one.proposed, alone.proposed),
        (one.desired, alone.desired),
        (one.rule, alone.rule),
        (one.limited, alone.limited),
        (one.recommendation, alone.recommendation),
        (one.magnitude.total, alone.magnitude.total),
        *((one.replicas[stage], alone.replicas[stage]) for stage in Stage),
        *((one.reasons[stage], alone.reasons[stage]) for stage in Stage),
    ]
    for numbers, number in pairs:
        np.testing.assert_array_equal(numbers[row], number[0], strict=True)
    tables: list[tuple[NDArray[Any], NDArray[Any]]] = [
        (one.magnitude.values, alone.magnitude.values),
        (one.magnitude.normalized, alone.magnitude.normalized),
        (one.magnitude.shares, alone.magnitude.shares),
        (one.quality.valid, alone.quality.valid),
        (one.quality.reasons, alone.quality.reasons),
    ]
    for many, single in tables:
        np.testing.assert_array_equal(many[row, : single.shape[1]], single[0], strict=True)


@given(st.lists(wild(most_dimensions=10), max_size=5))
def test_a_batch_of_many_decides_for_each_exactly_what_it_decides_alone(cases: list[Case]) -> None:
    together = decide(*cases)
    for row, case in enumerate(cases):
        assert_identical(together, row, decide(case))
        assert record_of(together, row).sentence == record_of(decide(case), 0).sentence


@given(st.lists(wild(), min_size=2, max_size=5), st.data())
def test_the_order_of_the_scalers_changes_nothing(cases: list[Case], data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(cases))))
    one, other = decide(*cases), decide(*(cases[at] for at in order))
    for row, at in enumerate(order):
        assert (other.desired[row], other.rule[row]) == (one.desired[at], one.rule[at])
        np.testing.assert_array_equal(other.magnitude.total[row], one.magnitude.total[at])


huge = st.one_of(st.floats(0.0, 1.7e308), st.sampled_from([0.0, 5e-324, 1e-308, 1e154, 1e308, 1.7976931348623157e308]))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["1e-99", "1e-30", "1", "1e30", "1e99"]),
            st.one_of(st.floats(1e-308, 1e308), st.sampled_from([5e-324, 1e-308, 1.0, 1e308])),
        ),
        min_size=1,
        max_size=4,
    ),
    st.data(),
    st.sampled_from([1, "1.5", 2, 7, "1000000", "Infinity"]),
    st.sampled_from(["Mean", "P95", "Max"]),
    st.sampled_from(["1e-99", "1", "1e99"]),
)
def test_numbers_as_large_or_as_small_as_doubles_go_overflow_nowhere(
    extremes: list[tuple[str, float]], data: st.DataObject, norm: int | str, aggregation: str, hold: str
) -> None:
    # Warnings are errors in these tests, so an overflow that numpy notices fails here.
    of_spec = [dimension(f"d{at}", target, weight=weight) for at, (target, weight) in enumerate(extremes)]
    pods = data.draw(st.lists(st.tuples(*(huge for _ in extremes)), min_size=1, max_size=5))
    seen: list[Pod] = [Pod(values) for values in pods]
    if data.draw(st.booleans()):
        seen[0] = Pod((*seen[0].seen[:-1], None))
    magnitude = {"norm": norm, "aggregation": aggregation, "target": hold}
    case = Case(spec(*of_spec, magnitude=magnitude, quality={"minCoverage": "1%"}, maximum=2**31 - 1), seen)
    decisions = decide(case)
    found = decisions.magnitude
    for array in (found.pod, found.total, found.values, found.normalized, found.shares):
        assert array.dtype == np.float64
        assert not np.isinf(array).any()
    valid = decisions.quality.valid[0]
    if np.isfinite(found.total[0]):
        assert np.isfinite(found.shares[0, valid]).all()
        assert np.isfinite(found.values[0, valid]).all()
        # Below, doubles lose their digits one by one.
        if found.total[0] > 1e-290:
            assert found.shares[0, valid].sum() == pytest.approx(1.0)
    assert 1 <= decisions.desired[0] <= 2**31 - 1
    record_of(decisions, 0)


@given(wild(), st.floats(0.0, 1e9))
def test_only_ages_matter_not_what_the_clock_says(case: Case, shift: float) -> None:
    scalers, samples, history = batch(case)
    # Whole seconds, so that adding to the clock does not round.
    offset, whole = float(round(shift)), NOW
    moved = dataclasses.replace(
        history,
        recommended_at=np.round(history.recommended_at) + offset,
        changed_at=np.round(history.changed_at) + offset,
    )
    still = dataclasses.replace(
        history, recommended_at=np.round(history.recommended_at), changed_at=np.round(history.changed_at)
    )
    one, other = evaluate(scalers, samples, still, whole), evaluate(scalers, samples, moved, whole + offset)
    assert one.desired[0] == other.desired[0]
    assert one.rule[0] == other.rule[0]


def test_the_codes_of_reasons_fit_their_arrays() -> None:
    assert max(code(each) for each in Reason) < np.iinfo(np.int16).max
