"""The vector and its length, at points where the answer is known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from controller.engine.magnitude import norm, normalize
from tests.engine_support import Case, Pod, decide, dimension, even, record, spec


def y(value: float, target: float = 1.0, floor: float = 0.0, cap: float = math.inf) -> float:
    return float(normalize(*(np.array(each) for each in (value, target, floor, cap))))


def magnitude(*values: float, **fields: Any) -> float:
    dimensions = [dimension(f"d{at}") for at in range(len(values))]
    return record(Case(spec(*dimensions, **fields), even(1, *values))).magnitude


def shares(case: Case) -> list[float]:
    return [each.share for each in record(case).dimensions]


def test_a_dimension_is_zero_at_its_floor_and_one_at_its_target() -> None:
    assert y(30.0, target=80.0, floor=30.0) == 0.0
    assert y(80.0, target=80.0, floor=30.0) == 1.0
    assert y(55.0, target=80.0, floor=30.0) == 0.5


def test_below_the_floor_is_idle_not_negative() -> None:
    assert y(10.0, target=80.0, floor=30.0) == 0.0


def test_the_cap_ends_what_a_dimension_may_ask_for() -> None:
    assert y(2.9, cap=3.0) == 2.9
    assert y(50.0, cap=3.0) == 3.0


def test_what_was_not_seen_stays_unseen() -> None:
    assert math.isnan(y(math.nan, cap=3.0))


def test_latency_is_capped_at_three_times_its_target_unless_said_otherwise() -> None:
    latency = {"metric": "latency", "target": "100ms"}
    assert record(Case(spec(latency), even(1, 10.0))).magnitude == 3.0
    assert record(Case(spec(latency | {"cap": 5}), even(1, 10.0))).magnitude == 5.0


@pytest.mark.parametrize(
    ("norm", "expected"), [(1, 7.0), (2, 5.0), ("Infinity", 4.0), ("1.5", (3**1.5 + 8) ** (2 / 3))]
)
def test_the_norm_is_the_users(norm: int | str, expected: float) -> None:
    assert magnitude(3.0, 4.0, magnitude={"norm": norm}) == pytest.approx(expected, rel=1e-15)


def test_the_norm_is_two_unless_said_otherwise() -> None:
    assert magnitude(3.0, 4.0) == 5.0


def test_weights_multiply_the_powers() -> None:
    heavy = spec(dimension("a", weight=4), dimension("b", weight=1))
    assert record(Case(heavy, even(1, 3.0, 8.0))).magnitude == 10.0


def test_shares_are_parts_of_the_sum_of_powers() -> None:
    assert shares(Case(spec(dimension("a"), dimension("b")), even(1, 3.0, 4.0))) == pytest.approx([0.36, 0.64])


def test_with_an_infinite_norm_the_largest_dimension_has_the_whole_share() -> None:
    infinite = spec(dimension("a"), dimension("b", weight=9), magnitude={"norm": "Infinity"})
    assert shares(Case(infinite, even(1, 4.0, 3.0))) == [1.0, 0.0]


def test_without_load_the_magnitude_and_all_shares_are_zero() -> None:
    idle = record(Case(spec(dimension("a"), dimension("b")), even(3, 0.0, 0.0)))
    assert idle.magnitude == 0.0
    assert [each.share for each in idle.dimensions] == [0.0, 0.0]
    assert idle.dominant is None


def test_the_norm_is_taken_of_each_pod_before_pods_are_averaged() -> None:
    pods = (Pod.of(3.0, 4.0), Pod.of(0.0, 1.0))
    assert record(Case(spec(dimension("a"), dimension("b")), pods)).magnitude == 3.0


@pytest.mark.parametrize(("aggregation", "expected"), [("Mean", 4.0), ("Max", 10.0), ("P95", 4.0 + 0.85 * 6.0)])
def test_pods_are_aggregated_as_the_user_says(aggregation: str, expected: float) -> None:
    pods = tuple(Pod.of(value) for value in (1.0, 10.0, 1.0, 4.0))
    got = record(Case(spec(magnitude={"aggregation": aggregation}), pods)).magnitude
    assert got == pytest.approx(expected, rel=1e-15)


def test_with_one_hot_pod_the_maximum_shows_that_pods_values_and_shares() -> None:
    hot = spec(dimension("a"), dimension("b"), magnitude={"aggregation": "Max"})
    a, b = record(Case(hot, (Pod.of(0.1, 0.1), Pod.of(3.0, 4.0), Pod.of(1.0, 0.0)))).dimensions
    assert (a.value, b.value) == (3.0, 4.0)
    assert (a.share, b.share) == pytest.approx((0.36, 0.64))


def test_a_value_of_the_target_counts_for_every_pod() -> None:
    mixed = spec(dimension("a"), dimension("queue", target=10, per="Target"))
    seen = record(Case(mixed, (Pod.of(0.0), Pod.of(3.0)), target={"queue": 40.0}))
    assert seen.magnitude == pytest.approx((4.0 + 5.0) / 2)
    assert seen.dimensions[1].value == 40.0


def test_an_invalid_dimension_is_left_out_of_the_norm() -> None:
    assert magnitude(3.0, math.nan) == 3.0


def test_a_pod_without_a_sample_of_a_valid_dimension_is_left_out_of_the_average() -> None:
    pods = (*even(4, 1.0, 0.0), Pod.of(None, 9.0))
    assert record(Case(spec(dimension("a"), dimension("b")), pods)).magnitude == 1.0


def test_pods_that_are_not_ready_are_left_out_of_the_average() -> None:
    assert record(Case(spec(), (Pod.of(2.0), Pod.of(0.0, ready=False)))).magnitude == 2.0


def test_nothing_valid_has_no_magnitude() -> None:
    assert math.isnan(magnitude(math.nan))
    assert math.isnan(record(Case(spec(), current=2)).magnitude)


def test_weights_as_large_as_a_double_do_not_overflow() -> None:
    heavy = spec(dimension("a", weight=1e308), dimension("b", weight=1e308), magnitude={"norm": 1})
    seen = record(Case(heavy, even(2, 1e308, 1e308)))
    assert math.isfinite(seen.magnitude)
    assert [each.share for each in seen.dimensions] == [0.5, 0.5]


def test_the_norm_of_nothing_is_nothing() -> None:
    length, parts = norm(np.empty((0, 2)), np.empty((0, 2)), np.empty(0))
    assert (length.shape, parts.shape) == ((0,), (0, 2))


def test_every_number_is_a_double() -> None:
    found = decide(Case(spec(dimension("a"), dimension("b")), even(2, 1.0, 2.0))).magnitude
    for array in (found.pod, found.total, found.values, found.normalized, found.shares):
        assert array.dtype == np.float64
