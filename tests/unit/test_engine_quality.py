"""Which data is believed: one defect at a time."""

from __future__ import annotations

import math

import pytest

from controller.api import Reason
from controller.engine import DimensionRecord
from tests.engine_support import Case, Pod, Seen, decide, dimension, even, record, spec

PER_TARGET = dimension("queue", per="Target")


def only(case: Case) -> DimensionRecord:
    (dimension,) = record(case).dimensions
    return dimension


def test_a_dimension_with_a_good_sample_of_every_ready_pod_is_valid() -> None:
    seen = only(Case(spec(), even(3, 0.5)))
    assert seen.valid
    assert seen.covered == 3
    assert seen.value == 0.5


@pytest.mark.parametrize(
    ("sample", "why"),
    [
        (None, Reason.NO_DATA),
        (math.nan, Reason.NOT_A_NUMBER),
        (math.inf, Reason.INFINITE),
        (-math.inf, Reason.INFINITE),
        (-0.1, Reason.NEGATIVE),
        ((0.5, 90.5), Reason.STALE),
        ((0.5, math.nan), Reason.STALE),
    ],
)
def test_a_bad_sample_makes_its_dimension_invalid_and_names_the_defect(sample: Seen, why: Reason) -> None:
    for case in (Case(spec(), even(3, sample)), Case(spec(PER_TARGET), even(3), target={"queue": sample})):
        seen = only(case)
        assert seen.reason is why
        assert math.isnan(seen.value)
        assert math.isnan(seen.share)


def test_a_sample_as_old_as_the_limit_is_still_good() -> None:
    assert only(Case(spec(quality={"maxAge": "30s"}), even(2, (0.5, 30.0)))).valid
    assert only(Case(spec(quality={"maxAge": "30s"}), even(2, (0.5, 30.1)))).reason is Reason.STALE


def test_zero_is_a_good_value() -> None:
    assert only(Case(spec(), even(2, 0.0))).valid


def test_the_age_of_bad_data_is_named_before_its_value() -> None:
    assert only(Case(spec(), even(2, (math.nan, 1000.0)))).reason is Reason.STALE


def test_coverage_at_the_minimum_suffices() -> None:
    pods = (*even(8, 0.5), *even(2, None))
    seen = only(Case(spec(quality={"minCoverage": "80%"}), pods))
    assert seen.valid
    assert seen.covered == 8


def test_coverage_below_the_minimum_is_too_few_samples() -> None:
    seen = only(Case(spec(quality={"minCoverage": "80%"}), (*even(7, 0.5), *even(3, None))))
    assert seen.reason is Reason.TOO_FEW_SAMPLES
    assert seen.message == (
        "samples of only 7 of 10 Ready pods, 80 % are needed (quality.minCoverage); look whether the others are scraped"
    )


@pytest.mark.parametrize("count", range(1, 101))
def test_a_minimum_of_all_pods_is_not_missed_by_a_rounding(count: int) -> None:
    assert only(Case(spec(quality={"minCoverage": "100%"}), even(count, 0.5))).valid


def test_the_most_frequent_defect_names_the_dimension() -> None:
    pods = (*even(1, -1.0), *even(2, math.nan), *even(1, None))
    assert only(Case(spec(), pods)).reason is Reason.NOT_A_NUMBER


def test_samples_that_are_mostly_absent_are_too_few_whatever_else_is_wrong() -> None:
    seen = only(Case(spec(), (*even(5, 0.5), *even(4, None), *even(1, math.nan))))
    assert seen.reason is Reason.TOO_FEW_SAMPLES


def test_samples_of_pods_that_are_not_ready_do_not_count() -> None:
    pods = (*even(2, 0.5), Pod.of(9.0, ready=False))
    seen = only(Case(spec(), pods))
    assert (seen.value, seen.covered) == (0.5, 2)


def test_bad_samples_of_pods_that_are_not_ready_spoil_nothing() -> None:
    pods = (*even(2, 0.5), *(Pod.of(math.nan, ready=False),) * 8)
    assert only(Case(spec(), pods)).valid


def test_without_a_ready_pod_every_per_pod_dimension_is_invalid() -> None:
    assert only(Case(spec(), (Pod.of(0.5, ready=False),))).reason is Reason.NO_READY_PODS
    assert only(Case(spec(), current=3)).reason is Reason.NO_READY_PODS


def test_a_dimension_of_the_target_does_not_need_samples_of_pods() -> None:
    seen = only(Case(spec(PER_TARGET), even(3), target={"queue": 0.5}))
    assert seen.valid
    assert seen.covered is None


@pytest.mark.parametrize("why", [Reason.SOURCE_TIMEOUT, Reason.MISSING_REQUEST, Reason.NOT_ONE_SERIES])
def test_a_fault_of_the_whole_answer_outweighs_good_samples(why: Reason) -> None:
    assert only(Case(spec(), even(3, 0.5), faults={"cpu": why})).reason is why
    assert only(Case(spec(PER_TARGET), even(3), target={"queue": 0.5}, faults={"queue": why})).reason is why


def test_one_dimension_can_be_invalid_while_another_is_valid() -> None:
    valid = {
        each.name: each.valid
        for each in record(Case(spec(dimension("a"), dimension("b")), even(2, 0.5, None))).dimensions
    }
    assert valid == {"a": True, "b": False}


def test_each_scaler_has_its_own_limits() -> None:
    strict, lax = spec(quality={"maxAge": "10s"}), spec(quality={"maxAge": "60s"})
    decisions = decide(Case(strict, even(2, (0.5, 30.0))), Case(lax, even(2, (0.5, 30.0))))
    assert decisions.quality.valid[:, 0].tolist() == [False, True]


def test_columns_that_a_scaler_does_not_use_are_neither_valid_nor_missing() -> None:
    decisions = decide(Case(spec(), even(2, 0.5)), Case(spec(dimension("a"), dimension("b")), even(2, 0.5, 0.5)))
    assert decisions.quality.valid.tolist() == [[True, False], [True, True]]
    assert decisions.quality.reasons[0, 1] == -1


def test_a_young_pod_is_not_missed_while_it_has_no_sample() -> None:
    pods = (*even(2, 0.5), *(Pod.of(None, young=True),) * 8)
    seen = only(Case(spec(), pods))
    assert seen.valid
    assert seen.covered == 2


def test_a_bad_sample_of_a_young_pod_counts_against_its_dimension() -> None:
    pods = (*even(2, 0.5), *(Pod.of(math.nan, young=True),) * 8)
    assert only(Case(spec(), pods)).reason is Reason.NOT_A_NUMBER


def test_young_pods_alone_without_a_sample_are_no_data() -> None:
    assert only(Case(spec(), (Pod.of(None, young=True),) * 3)).reason is Reason.NO_DATA
