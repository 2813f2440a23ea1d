"""What the magnitude promises, for any numbers."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from controller.engine import Decisions, evaluate
from controller.engine.magnitude import norm
from tests.engine_support import NOW, Case, Pod, batch, decide, dimension, record, rule, rules, spec
from tests.property.engine_cases import tame

#: Doubles that went through a few operations agree to this much.
CLOSE = 1e-9
#: Below, doubles lose their digits one by one.
TINY = 1e-290
STRICT = {"scaleUp": rules(tolerance="0"), "scaleDown": rules(tolerance="0")}


def same(one: Decisions, other: Decisions) -> None:
    np.testing.assert_allclose(one.magnitude.total, other.magnitude.total, rtol=CLOSE, atol=TINY, equal_nan=True)
    np.testing.assert_array_equal(one.proposed, other.proposed)
    np.testing.assert_array_equal(one.desired, other.desired)
    np.testing.assert_array_equal(one.rule, other.rule)


@given(tame(weights=st.floats(1.0, 10.0), caps=False), st.floats(0.0, 1.0))
def test_a_magnitude_of_at_most_one_means_every_dimension_is_at_or_below_its_target(case: Case, calm: float) -> None:
    pods = [Pod(tuple(calm * value for value in pod.seen if isinstance(value, float))) for pod in case.pods]
    seen = record(dataclasses.replace(case, pods=pods))
    assume(seen.magnitude <= 1)
    for each in seen.dimensions:
        assert each.normalized <= 1 + CLOSE
    if len(pods) == 1:
        assert all(each.value <= each.target * (1 + CLOSE) for each in seen.dimensions)


@given(tame())
def test_the_shares_add_up_to_the_whole_unless_there_is_no_load(case: Case) -> None:
    seen = record(case)
    assert all(0 <= each.share <= 1 + CLOSE for each in seen.dimensions)
    total = sum(each.share for each in seen.dimensions)
    if seen.magnitude == 0:
        assert total == 0
    elif seen.magnitude > TINY:
        assert total == pytest.approx(1.0, rel=CLOSE)


@given(tame(), st.lists(st.floats(1e-9, 1e9), min_size=4, max_size=4))
def test_the_unit_of_a_dimension_changes_nothing(case: Case, units: list[float]) -> None:
    scalers, samples, history = batch(case)
    factor = np.array(units[: scalers.used.shape[1]])
    in_other_units = evaluate(
        dataclasses.replace(scalers, target=scalers.target * factor, floor=scalers.floor * factor),
        dataclasses.replace(samples, values=samples.values * factor),
        history,
        NOW,
    )
    same(evaluate(scalers, samples, history, NOW), in_other_units)


@given(tame(), st.data(), st.floats(0.0, 10.0))
def test_a_larger_value_never_means_a_smaller_magnitude_or_fewer_replicas(
    case: Case, data: st.DataObject, by: float
) -> None:
    scalers, samples, history = batch(case)
    pod = data.draw(st.integers(0, len(case.pods) - 1))
    at = data.draw(st.integers(0, scalers.used.shape[1] - 1))
    raised = samples.values.copy()
    raised[pod, at] += by * scalers.target[0, at]
    before = evaluate(scalers, samples, history, NOW)
    after = evaluate(scalers, dataclasses.replace(samples, values=raised), history, NOW)
    assert after.magnitude.total[0] >= before.magnitude.total[0] * (1 - CLOSE) - TINY
    assert after.proposed[0] >= before.proposed[0]
    assert after.desired[0] >= before.desired[0]


@given(
    st.lists(st.integers(0, 5_000), min_size=1, max_size=40),
    st.integers(1, 2_000),
    st.sampled_from([1, "1.5", 2, 7, "Infinity"]),
)
def test_one_dimension_of_weight_one_and_floor_zero_is_hpas_usage_ratio(
    usages: list[int], target: int, p: int | str
) -> None:
    # In thousandths, so that what HPA's formula gives is known exactly: ceil(sum / target).
    case = Case(
        spec(dimension(target=f"{target}m"), magnitude={"norm": p}, behavior=STRICT, maximum=10**9),
        [Pod.of(usage / 1000) for usage in usages],
    )
    seen = record(case)
    assert seen.magnitude == pytest.approx(sum(usages) / len(usages) / target, rel=CLOSE)
    assert seen.proposed == -(-sum(usages) // target)
    assert seen.dimensions[0].share == (1.0 if sum(usages) else 0.0)


@given(tame(), st.data())
def test_the_order_of_the_pods_changes_nothing(case: Case, data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(case.pods))
    same(decide(case), decide(dataclasses.replace(case, pods=shuffled)))


@given(tame(), st.data())
def test_the_order_of_the_dimensions_changes_nothing(case: Case, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(case.spec.dimensions))))
    reordered = Case(
        case.spec.model_copy(update={"dimensions": tuple(case.spec.dimensions[at] for at in order)}),
        [Pod(tuple(pod.seen[at] for at in order)) for pod in case.pods],
    )
    same(decide(case), decide(reordered))
    before = {each.name: each.share for each in record(case).dimensions}
    after = {each.name: each.share for each in record(reordered).dimensions}
    assert after == pytest.approx(before, rel=CLOSE, abs=CLOSE)


@given(
    # Smaller numbers vanish in the textbook's powers, though not in ours.
    st.lists(st.tuples(st.one_of(st.just(0.0), st.floats(1e-30, 1e6)), st.floats(1e-3, 1e3)), min_size=1, max_size=16),
    st.sampled_from([1.0, 1.5, 2.0, 7.0, math.inf]),
)
def test_the_norm_is_the_textbooks(entries: list[tuple[float, float]], p: float) -> None:
    y, weight = (np.array([column]) for column in zip(*entries, strict=True))
    length, shares = norm(y, weight, np.array([p]))
    if p == math.inf:
        assert length[0] == max(value for value, _ in entries)
        return
    terms = [w * value**p for value, w in entries]
    assert length[0] == pytest.approx(math.fsum(terms) ** (1 / p), rel=1e-12, abs=TINY)
    if math.fsum(terms) > TINY:
        assert shares[0] == pytest.approx([term / math.fsum(terms) for term in terms], rel=1e-9, abs=1e-300)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=16), st.floats(1.0, 1000.0))
def test_a_norm_of_any_power_lies_between_the_largest_and_the_sum(values: list[float], p: float) -> None:
    y = np.array([values])
    length = norm(y, np.ones_like(y), np.array([p]))[0][0]
    assert max(values) * (1 - CLOSE) - TINY <= length <= math.fsum(values) * (1 + CLOSE)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=60))
def test_p95_is_numpys_percentile(values: list[float]) -> None:
    case = Case(spec(magnitude={"aggregation": "P95"}), [Pod.of(value) for value in values])
    assert record(case).magnitude == pytest.approx(float(np.percentile(values, 95)), rel=1e-12, abs=TINY)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=60))
def test_max_is_the_largest_and_mean_lies_between_the_extremes(values: list[float]) -> None:
    pods = [Pod.of(value) for value in values]
    assert record(Case(spec(magnitude={"aggregation": "Max"}), pods)).magnitude == max(values)
    mean = record(Case(spec(), pods)).magnitude
    assert min(values) * (1 - CLOSE) - TINY <= mean <= max(values) * (1 + CLOSE)


@given(st.integers(1, 200), st.integers(0, 60))
def test_the_edges_of_the_tolerance_belong_to_it_whatever_the_numbers(pods: int, percent: int) -> None:
    tolerance = {"scaleUp": rules(tolerance=f"{percent}e-2"), "scaleDown": rules(tolerance=f"{percent}e-2")}
    for value in (f"{100 + percent}", f"{100 - percent}"):
        held = Case(spec(dimension(target=100), behavior=tolerance), [Pod.of(float(value))] * pods)
        assert rule(held)[0] == pods
