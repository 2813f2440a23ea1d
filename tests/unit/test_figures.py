"""Figures of merit: each on a record where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from controller.simulation.figures import Figures, Spread
from controller.simulation.fleet import Record


def record(syncs: int = 4, runs: int = 1, **columns: float | list[float]) -> Record:
    """Syncs of 100 requests, 4 pods there and serving, 2 needed; `columns` overwrite."""
    made = Record.empty(syncs, runs)
    usual = {
        "arrivals": 100.0, "ready": 60.0, "demand": 30.0, "most_ready": 4.0, "most_demand": 2.0, "replicas": 4.0,
        "over": 15.0, "over_seconds": 15.0,
    }  # fmt: skip
    for name, value in {**usual, **columns}.items():
        getattr(made, name)[:] = np.reshape(value, (-1, 1))
    return made


def test_violations_are_requests_that_were_late_or_failed_of_all_requests() -> None:
    figures = Figures.of(
        record(late=[10.0, 0.0, 0.0, 0.0], very_late=[4.0, 0.0, 0.0, 0.0], failed=[0.0, 6.0, 0.0, 0.0])
    )
    assert figures.violations.tolist() == [4.0]
    assert figures.far_violations.tolist() == [2.5]


def test_a_busy_sync_weighs_more_than_a_quiet_one() -> None:
    figures = Figures.of(record(arrivals=[1000.0, 0.0, 0.0, 0.0], late=[100.0, 0.0, 0.0, 0.0]))
    assert figures.violations.tolist() == [10.0]


def test_pod_hours_count_pods_that_start_too_and_are_compared_with_the_oracle_s() -> None:
    figures = Figures.of(record(syncs=240, starting=30.0))
    assert figures.pod_hours.tolist() == [6.0]
    assert figures.oracle_pod_hours.tolist() == [2.0]
    assert figures.cost.tolist() == [3.0]


def test_theta_and_tau_are_means_over_time() -> None:
    figures = Figures.of(record(under=[3.0, 0.0, 0.0, 0.0], under_seconds=[6.0, 0.0, 0.0, 0.0]))
    assert figures.under[0] == pytest.approx(5.0)
    assert figures.under_time[0] == pytest.approx(10.0)
    assert figures.over.tolist() == [100.0]
    assert figures.over_time.tolist() == [100.0]


def test_overshoot_is_how_far_the_most_pods_exceed_the_most_that_were_needed() -> None:
    figures = Figures.of(
        record(most_ready=[4.0, 9.0, 4.0, 4.0], most_demand=[2.0, 2.0, 6.0, 2.0], replicas=[4, 12, 9, 4])
    )
    assert figures.overshoot.tolist() == [0.5]
    assert figures.most_pods.tolist() == [12.0]


def test_the_warm_up_is_not_counted_and_a_spell_that_began_in_it_counts_from_its_end() -> None:
    made = record(
        late=[50.0, 0.0, 0.0, 1.0],
        slow_seconds=[15.0, 15.0, 0.0, 0.0],
        slow_spell=[15.0, 30.0, 0.0, 0.0],
        replicas=[9.0, 4.0, 5.0, 4.0],
    )
    figures = Figures.of(made, warmup_seconds=15.0)
    assert figures.violations[0] == pytest.approx(100.0 / 300.0)
    assert figures.longest_spell.tolist() == [15.0]
    assert (figures.actions.tolist(), figures.flips.tolist()) == ([2.0], [1.0])
    assert Figures.of(made).longest_spell.tolist() == [30.0]


def test_a_warm_up_as_long_as_the_run_is_refused_with_both() -> None:
    with pytest.raises(ValueError, match=r"warm-up of 60 s is not shorter than the run of 60 s; write fewer seconds"):
        Figures.of(record(), warmup_seconds=60.0)


def test_without_a_request_there_is_no_violation() -> None:
    assert Figures.of(record(arrivals=0.0)).violations.tolist() == [0.0]


def test_the_spread_is_over_the_runs_that_are_asked_for() -> None:
    made = record(runs=3)
    made.late[0] = (4.0, 8.0, 400.0)
    of_two = Figures.of(made).spread(np.array([0, 1]))
    assert of_two["violations"] == Spread(1.5, 1.0, 2.0)
    assert str(of_two["violations"]) == "1.5 +-0.5"
    assert str(of_two["cost"]) == "2"
