"""What the metrics show of a fleet: values known in advance, what is late, and what is not there yet."""

from __future__ import annotations

import numpy as np
import pytest

from controller.embedded.promql.quantiles import bucket_quantile
from controller.simulation.fleet import Fleet, FleetSettings, Seen, quantile_of_histogram, reference_plant
from tests.unit.test_fleet import fleet, run, steady

QUICK = FleetSettings(startup_seconds=0.0, startup_spread=0.0)
MIB = 2**20


def settled(settings: FleetSettings = QUICK, load: float = 140.0, pods: int = 4) -> Seen:
    return run(fleet(load, pods, settings=settings), 40).seen()


def test_a_steady_fleet_shows_its_cpu_requests_memory_and_latency() -> None:
    seen = settled()
    assert seen.scaler.tolist() == [0] * 4
    assert seen.cpu == pytest.approx(np.full(4, 0.7), rel=0.05)
    assert seen.served_window == pytest.approx(np.full(4, 35.0), rel=0.05)
    assert seen.waited / seen.served_window == pytest.approx(np.full(4, 0.040 + 0.020 / 0.3), rel=0.01)
    assert seen.memory == pytest.approx(np.full(4, 512 * MIB * (0.70 + 0.25 * 0.7)), rel=0.01)
    true = 0.040 + 0.020 * np.log(20.0) / 0.3
    assert 0.2 <= seen.latency[0] <= 0.25
    assert 0.2 <= true <= 0.25
    assert seen.arrivals_window[0] == pytest.approx(140.0, rel=0.05)
    assert seen.answered.all()


@pytest.mark.parametrize("seed", range(5))
def test_the_newest_scrape_is_between_the_delay_and_an_interval_older(seed: int) -> None:
    seen = run(fleet(100.0, 3, seed=seed), 10).seen()
    assert 5.0 <= seen.age[0] < 20.0


def test_rates_follow_a_step_only_as_fast_as_the_scrapes_and_the_window() -> None:
    subject = Fleet(QUICK, [steady(100.0)], [3], 4)
    run(subject, 10)
    before = subject.seen()
    subject.scale(np.array([8]))
    run(subject, 1)
    old = subject.seen()
    assert old.served_window[0] > 0.8 * before.served_window[0]
    run(subject, 6)
    assert subject.seen().served_window[0] == pytest.approx(12.5, rel=0.1)


def test_a_pod_shows_nothing_until_two_scrapes_then_too_little_and_at_last_what_the_others_show() -> None:
    subject = run(fleet(100.0, 4, settings=QUICK), 10)
    subject.scale(np.array([5]))
    shares = []
    for _ in range(6):
        run(subject, 1)
        seen = subject.seen()
        assert seen.young[-1] == (seen.now - seen.ready_since[-1] < 60.0)
        shares.append(float(seen.served_window[-1] / seen.served_window[0]))
    assert np.isnan(shares[0])
    known = [share for share in shares if share == share]
    assert known[0] < 0.75
    assert known == sorted(known)
    assert known[-1] == pytest.approx(1.0)


def test_a_rate_over_its_coverage_is_the_mean_of_the_scrapes_that_there_are() -> None:
    subject = run(fleet(100.0, 4, settings=QUICK), 10)
    subject.scale(np.array([5]))
    run(subject, 3)
    seen = subject.seen()
    assert seen.covered[-1] < 1.0
    assert seen.served_window[-1] / seen.covered[-1] == pytest.approx(20.0, rel=0.2)


def test_a_pod_that_is_not_ready_has_no_sample_at_all() -> None:
    subject = run(fleet(100.0, 4), 10)
    subject.scale(np.array([6]))
    run(subject, 1)
    seen = subject.seen()
    assert seen.ready.tolist() == [True] * 4 + [False] * 2
    for shown in (seen.cpu, seen.memory, seen.latency, seen.served_newest, seen.ready_since):
        assert np.isnan(shown[4:]).all()
        assert np.isfinite(shown[:4]).all()


def test_without_requests_latency_is_zero_and_known() -> None:
    seen = settled(load=0.0)
    assert seen.latency.tolist() == [0.0] * 4
    assert seen.arrivals_window.tolist() == [0.0]


def test_in_overload_latency_and_waiting_rise_and_cpu_stays_at_its_limit() -> None:
    seen = settled(load=300.0)
    assert seen.latency[0] > 5.0
    assert seen.cpu.max() <= 1.0 + 1e-9
    assert seen.served_window[0] == pytest.approx(50.0, rel=0.02)
    assert seen.arrivals_window[0] == pytest.approx(300.0, rel=0.05)


def test_in_a_gap_nothing_is_answered_and_afterwards_everything_is() -> None:
    settings = FleetSettings(gaps=lambda now: 100.0 <= now < 200.0)
    subject = run(fleet(100.0, 4, settings=settings), 10)
    seen = subject.seen()
    assert not seen.answered.any()
    for shown in (seen.cpu, seen.memory, seen.latency, seen.served_window, seen.arrivals_newest, seen.arrivals_window):
        assert np.isnan(shown).all()
    assert seen.ready.all()
    run(subject, 5)
    assert np.isfinite(subject.seen().cpu).all()


def test_scrapes_every_30_seconds_show_the_same_rates_later() -> None:
    settings = FleetSettings(scrape_seconds=30, delay_seconds=13.0)
    ages = set()
    subject = fleet(140.0, 4, settings=settings)
    for _ in range(30):
        run(subject, 1)
        ages.add(float(subject.seen().age[0]))
    assert len(ages) == 2
    assert min(ages) >= 13.0
    assert max(ages) == min(ages) + 15.0
    assert subject.seen().served_window == pytest.approx(np.full(4, 35.0), rel=0.05)


def test_memory_rises_within_minutes_and_falls_slowly() -> None:
    floor = reference_plant().memory_floor
    subject = run(fleet(150.0, 4, settings=QUICK), 40)
    full = subject.seen().memory[0]
    subject.scale(np.array([40]))
    run(subject, 8)
    seen = subject.seen()
    assert floor < seen.memory[-1] < seen.memory[0] < full
    assert seen.memory[0] - floor > 0.8 * (full - floor)


def test_leaking_memory_grows_by_the_pod_s_own_age() -> None:
    plain = run(fleet(0.0, 2, settings=QUICK), 40).seen().memory[0]
    leaking = FleetSettings(startup_seconds=0.0, startup_spread=0.0, leak_per_hour=0.05)
    subject = run(fleet(0.0, 2, settings=leaking), 36)
    subject.scale(np.array([3]))
    run(subject, 4)
    memory = subject.seen().memory
    assert memory[0] == pytest.approx(1.0 * plain * (1.0 + 0.05 * (1.0 + 600.0 / 3600.0)), rel=0.003)
    assert plain < memory[2] < 1.001 * plain


def test_the_start_up_time_is_unknown_at_first_and_then_the_median_that_was_measured() -> None:
    subject = run(fleet(50.0, 2), 2)
    assert np.isnan(subject.seen().startup).all()
    subject.scale(np.array([9]))
    run(subject, 6)
    seen = subject.seen()
    measured = (seen.ready_since - seen.created)[seen.created >= 0.0]
    assert seen.startup[0] == pytest.approx(float(np.median(measured)))


@pytest.mark.parametrize("share", [0.5, 0.95, 0.999])
def test_the_quantile_of_a_histogram_is_prometheus_own(share: float) -> None:
    bounds = np.array([0.1, 0.25, 0.5, 1.0])
    counts = np.array([[10.0, 50.0, 90.0, 99.0, 100.0], [100.0, 100.0, 100.0, 100.0, 100.0], [0.0, 0.0, 3.0, 3.0, 3.0]])
    for row, value in zip(counts, quantile_of_histogram(share, bounds, counts), strict=True):
        expected, _ = bucket_quantile(share, list(zip([*bounds.tolist(), float("inf")], row.tolist(), strict=True)))
        assert value == pytest.approx(expected)


def test_the_quantile_of_no_request_is_zero() -> None:
    assert quantile_of_histogram(0.95, np.array([0.1, 1.0]), np.zeros((1, 3))).tolist() == [0.0]
