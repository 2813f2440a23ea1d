"""The fleet: what its pods serve, who comes and goes, and that it is the plant in the mean."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from controller.simulation import InvalidTrace, Judgement, Plant, Trace
from controller.simulation.fleet import Fleet, FleetSettings, Noise, Variant, reference_plant

STEADY = FleetSettings()


def steady(load: float, seconds: float = 600.0) -> Trace:
    return Trace(np.array([0.0, seconds]), np.array([load, load]))


def ramp(start: float, stop: float, seconds: float = 600.0) -> Trace:
    return Trace(np.array([0.0, seconds]), np.array([start, stop]))


def fleet(load: float, pods: int, *, seconds: float = 600.0, settings: FleetSettings = STEADY, seed: int = 1) -> Fleet:
    return Fleet(settings, [steady(load, seconds)], [seed], pods)


def run(subject: Fleet, syncs: int | None = None) -> Fleet:
    for _ in range(subject.syncs if syncs is None else syncs):
        subject.advance()
    return subject


def broken(subject: Fleet) -> float:
    """The share of the requests that broke the promise."""
    record = subject.record
    return float((record.late + record.failed).sum() / record.arrivals.sum())


@pytest.mark.parametrize(("start", "stop", "pods"), [(160.0, 160.0, 4), (90.0, 190.0, 4), (220.0, 220.0, 4)])
def test_a_constant_number_of_pods_breaks_the_promise_as_often_as_in_the_plant(
    start: float, stop: float, pods: int
) -> None:
    trace, plants = ramp(start, stop, 300.0), []
    for seed in range(4):
        plant = Plant(reference_plant(), trace, seed)
        plant.set_pods([("shop", f"p{number}") for number in range(pods)])
        plant.advance(300.0)
        plants.append(Judgement.of(plant.truth(), reference_plant()).slow_share)
    subject = run(Fleet(STEADY, [trace] * 4, range(4), pods))
    record = subject.record
    fleets = (record.late + record.failed).sum(axis=0) / record.arrivals.sum(axis=0)
    spread = 3.0 * max(float(np.std(plants)), 0.0005)
    assert abs(fleets.mean() - np.mean(plants)) < spread, (fleets, plants)


def test_the_same_seed_gets_the_same_requests_whatever_its_pods() -> None:
    trace = steady(100.0)
    subject = run(Fleet(STEADY, [trace] * 3, [1, 1, 2], [2, 9, 2]))
    arrivals = subject.record.arrivals
    assert arrivals[:, 0].tolist() == arrivals[:, 1].tolist()
    assert arrivals[:, 0].tolist() != arrivals[:, 2].tolist()


def test_the_kth_pod_of_a_seed_takes_as_long_to_start_under_every_policy() -> None:
    early = fleet(50.0, 2)
    late = fleet(50.0, 2)
    run(late, 4)
    for subject in (early, late):
        subject.scale(np.array([6]))
        run(subject, 8)
    waits = []
    for subject in (early, late):
        seen = subject.seen()
        waits.append(sorted((seen.ready_since - seen.created)[seen.created >= 0.0].round(6).tolist()))
    assert waits[0] == waits[1]
    assert 6.0 <= min(waits[0]) < max(waits[0]) <= 54.0


def test_pods_that_start_are_paid_for_and_serve_nothing_until_they_are_ready() -> None:
    subject = run(fleet(50.0, 2), 2)
    subject.scale(np.array([5]))
    run(subject, 1)
    record = subject.record
    assert record.replicas[-1, 0] == 5
    assert record.ready[-1, 0] == 2 * 15
    assert record.starting[-1, 0] == 3 * 15
    run(subject, 5)
    assert subject.record.ready[-1, 0] == 5 * 15


def test_those_that_go_first_are_not_ready_and_then_the_youngest() -> None:
    subject = run(fleet(50.0, 3), 2)
    subject.scale(np.array([6]))
    run(subject, 6)
    subject.scale(np.array([8]))
    seen = subject.seen()
    assert seen.ready.tolist() == [True] * 6 + [False] * 2
    subject.scale(np.array([5]))
    assert sorted(subject.seen().ready_since.tolist()) == sorted(seen.ready_since[:6].tolist())[:5]


def test_without_a_pod_every_request_fails_and_the_next_pod_starts_without_a_backlog() -> None:
    subject = run(fleet(50.0, 0), 4)
    record = subject.record
    assert record.failed.sum() == record.arrivals.sum() > 0.0
    assert record.late.sum() == 0.0
    assert subject.backlog.tolist() == [0.0]
    assert len(subject.seen().scaler) == 0


def test_in_overload_a_backlog_waits_until_patience_ends_and_then_fails() -> None:
    subject = run(fleet(150.0, 2), 1)
    assert subject.record.failed.sum() == pytest.approx(0.0)
    assert subject.backlog[0] == pytest.approx(15.0 * 50.0, rel=0.2)
    run(subject, 10)
    assert subject.backlog[0] == pytest.approx(10.0 * 100.0, rel=0.05)
    assert float(subject.record.failed[-4:].sum()) == pytest.approx(4 * 15 * 50.0, rel=0.1)
    assert broken(subject) > 0.95


def test_a_new_pod_helps_with_the_backlog() -> None:
    settings = FleetSettings(startup_seconds=0.0, startup_spread=0.0)
    subject = run(fleet(120.0, 2, settings=settings), 2)
    assert subject.backlog[0] > 100.0
    subject.scale(np.array([8]))
    run(subject, 1)
    assert subject.backlog[0] == 0.0


def test_a_second_is_slow_when_more_than_the_promised_share_is_late() -> None:
    # The oracle's utilisation for one pod is 0.77 of 50 requests per second.
    assert run(fleet(38.0, 1)).record.slow_seconds.sum() == 0.0
    assert run(fleet(39.0, 1)).record.slow_seconds.sum() == 600.0


def test_the_longest_spell_is_counted_across_syncs() -> None:
    trace = Trace(np.array([0.0, 60.0, 60.5, 200.0, 200.5, 600.0]), np.array([20.0, 20.0, 45.0, 45.0, 20.0, 20.0]))
    record = run(Fleet(STEADY, [trace], [1], 1)).record
    assert record.slow_spell.max() == pytest.approx(140.0, abs=1.5)
    assert record.slow_spell.max() == record.slow_seconds.sum()


def test_the_demand_is_that_of_the_oracle() -> None:
    record = run(fleet(100.0, 5)).record
    assert set((record.demand / 15.0).ravel().tolist()) == {3.0}
    assert record.over[0, 0] == pytest.approx(15 * 2 / 3)
    assert record.under.sum() == 0.0


def test_noise_is_drawn_anew_after_its_seconds() -> None:
    noisy = FleetSettings(noise=Noise(0.3, 120))
    rates = fleet(1000.0, 1, settings=noisy).loads.block(0)[0][0]
    assert len(set(rates.tolist())) == 1
    quick = fleet(1000.0, 1, settings=FleetSettings(noise=Noise(0.3, 5))).loads.block(0)[0][0]
    assert len(set(quick.tolist())) == 3


def test_a_rollout_replaces_every_pod_one_after_the_other() -> None:
    settings = FleetSettings(variant=Variant(cost=1.5, rollout_at=60.0, rollout_seconds=120.0))
    subject = run(fleet(80.0, 10, settings=settings), 8)
    young = subject.seen().young
    assert 0 < young.sum() < 10
    subject.scale(np.array([12]))
    run(subject, 15)
    seen = subject.seen()
    assert (seen.ready_since >= 60.0).all()
    run(subject, 8)
    seen = subject.seen()
    assert seen.cpu.sum() == pytest.approx(80.0 * 0.020 * 1.5, rel=0.1)


def test_one_slow_pod_has_its_own_cpu_and_latency_and_is_never_the_youngest() -> None:
    settings = FleetSettings(variant=Variant(cost=lambda now: 2.0 if now >= 60.0 else 1.0))
    subject = run(fleet(80.0, 4, settings=settings), 3)
    assert len(set(subject.seen().cpu.round(9).tolist())) == 1
    subject.scale(np.array([2]))
    subject.scale(np.array([4]))
    run(subject, 12)
    seen = subject.seen()
    assert seen.cpu[0] == pytest.approx(2.0 * seen.cpu[1], rel=0.01)
    assert seen.latency[0] > seen.latency[1]


def test_traces_of_different_length_are_refused_with_both_lengths() -> None:
    with pytest.raises(InvalidTrace, match=r"equally long, not 300 s, 600 s; cut segments"):
        Fleet(STEADY, [steady(1.0), steady(1.0, 300.0)], [1, 1])


def test_a_trace_shorter_than_a_sync_is_refused() -> None:
    with pytest.raises(InvalidTrace, match=r"lasts 10 s; at least 15 s"):
        Fleet(STEADY, [steady(1.0, 10.0)], [1])


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"startup_seconds": -1.0}, "startup_seconds is -1.0; write a number of zero or more"),
        ({"delay_seconds": float("nan")}, "delay_seconds is nan; write a number of zero or more"),
        ({"scrape_seconds": 20}, "scrape_seconds is 20; write a whole multiple of 15"),
        ({"window_seconds": 20.0}, "window_seconds is 20.0 and holds fewer than two scrapes; write 30 or more"),
        ({"noise": Noise(0.1, 7)}, "noise.seconds is 7; write a divisor of 3600"),
        ({"plant": replace(reference_plant(), compression=2.0)}, "leave step_seconds and compression at 1"),
    ],
)
def test_settings_that_make_no_sense_get_one_sentence(wrong: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        FleetSettings(**wrong)  # type: ignore[arg-type]
