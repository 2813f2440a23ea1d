"""The plant, behaviour by behaviour, at loads where the answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from controller.simulation import Judgement, Plant, PlantSettings, Second, Trace

EVEN = PlantSettings(imbalance=0.0)
MIB = 2**20


def steady(load: float, seconds: float = 3600.0) -> Trace:
    return Trace(np.array([0.0, seconds]), np.array([load, load]))


def pods(count: int, prefix: str = "p") -> list[tuple[str, str]]:
    return [("shop", f"{prefix}{number:03d}") for number in range(count)]


def run(settings: PlantSettings, load: float, count: int, seconds: float = 300.0, seed: int = 1) -> Plant:
    plant = Plant(settings, steady(load), seed)
    plant.set_pods(pods(count))
    plant.advance(seconds)
    return plant


def test_latency_is_that_of_the_queue_at_its_utilisation() -> None:
    second = run(EVEN, load=140.0, count=4).truth()[-1]
    assert second.latency_seconds == pytest.approx(0.040 + 0.020 * math.log(20.0) / (1.0 - 0.7), abs=1e-3)


def test_the_histogram_agrees_with_the_latency() -> None:
    plant = run(EVEN, load=140.0, count=4)
    snapshot = plant.snapshot()
    cumulative = snapshot.buckets.sum(axis=0)
    at_250_ms = cumulative[snapshot.settings.buckets.index(0.25)] / cumulative[-1]
    assert at_250_ms == pytest.approx(1.0 - math.exp(-(0.25 - 0.040) * 0.3 / 0.020), abs=0.005)
    mean = snapshot.latency_seconds.sum() / snapshot.requests.sum()
    assert mean == pytest.approx(0.040 + 0.020 / 0.3, rel=0.02)


def test_cpu_is_what_the_served_requests_cost() -> None:
    snapshot = run(EVEN, load=140.0, count=4).snapshot()
    assert snapshot.cpu_seconds.sum() == pytest.approx(0.020 * snapshot.requests.sum(), rel=0.01)


def test_cpu_never_exceeds_the_limit_in_overload() -> None:
    snapshot = run(EVEN, load=1000.0, count=2).snapshot()
    assert (snapshot.cpu_seconds <= 300.0 + 1e-6).all()
    assert (snapshot.cpu_seconds > 290.0).all()


def test_a_backlog_in_overload_waits_until_patience_ends_and_then_fails() -> None:
    plant = run(EVEN, load=200.0, count=2)
    seconds = plant.truth()
    assert seconds[3].latency_seconds > seconds[0].latency_seconds > 0.3
    assert seconds[-1].latency_seconds == EVEN.patience_seconds
    assert sum(s.failed for s in seconds[-60:]) == pytest.approx(60 * 100, rel=0.05)
    assert sum(s.failed for s in seconds[:8]) == 0


def test_further_pods_take_their_share_from_the_next_step_on() -> None:
    plant = run(EVEN, load=90.0, count=2, seconds=60.0)
    slow = plant.truth()[-1].latency_seconds
    plant.set_pods(pods(4))
    plant.advance(61.0)
    last = plant.truth()[-1]
    assert last.ready_pods == 4
    assert last.latency_seconds < slow / 2


def test_a_new_pod_starts_at_zero_with_memory_at_its_floor() -> None:
    plant = run(EVEN, load=80.0, count=2)
    plant.set_pods(pods(3))
    snapshot = plant.snapshot()
    assert snapshot.pods[2] == ("shop", "p002")
    assert snapshot.requests[2] == 0
    assert snapshot.cpu_seconds[2] == 0.0
    assert snapshot.memory_bytes[2] == 256 * MIB
    assert (snapshot.requests[:2] > 0).all()


def test_a_pod_that_is_gone_takes_its_series_with_it_and_starts_anew_under_the_same_name() -> None:
    plant = run(EVEN, load=80.0, count=2)
    plant.set_pods(pods(1))
    assert plant.snapshot().pods == (("shop", "p000"),)
    plant.set_pods(pods(2))
    assert plant.snapshot().requests[1] == 0


def test_pods_keep_their_counters_whatever_order_they_are_told_in() -> None:
    plant = run(EVEN, load=80.0, count=3)
    before = plant.snapshot()
    plant.set_pods(list(reversed(pods(4))))
    after = plant.snapshot()
    assert after.pods[:3] == before.pods
    assert after.requests[:3].tolist() == before.requests.tolist()


def test_requests_inside_a_pod_that_is_gone_have_failed() -> None:
    plant = run(EVEN, load=300.0, count=2, seconds=5.0)
    inside = plant.truth()[-1].backlog
    assert inside > 500
    plant.set_pods(pods(20, prefix="q"))
    plant.advance(6.0)
    assert plant.truth()[-1].failed == inside


def test_without_a_pod_every_request_fails() -> None:
    plant = Plant(EVEN, steady(50.0))
    plant.advance(10.0)
    seconds = plant.truth()
    assert sum(s.failed for s in seconds) == sum(s.arrivals for s in seconds) > 400
    assert seconds[-1].latency_seconds == EVEN.patience_seconds
    assert plant.snapshot().pods == ()


def test_without_load_nothing_happens() -> None:
    plant = run(EVEN, load=0.0, count=2, seconds=10.0)
    last = plant.truth()[-1]
    assert (last.arrivals, last.failed, last.latency_seconds, last.demand_pods) == (0, 0, 0.0, 1)
    assert plant.snapshot().cpu_seconds.tolist() == [0.0, 0.0]


def test_memory_rises_in_a_minute_and_falls_in_a_quarter_of_an_hour() -> None:
    load = Trace(np.array([0.0, 1000.0, 1001.0, 3000.0]), np.array([100.0, 100.0, 0.0, 0.0]))
    plant = Plant(EVEN, load)
    plant.set_pods(pods(4))
    floor, full = 256 * MIB, (256 + 64) * MIB

    def risen(now: float) -> float:
        plant.advance(now)
        return float((plant.snapshot().memory_bytes[0] - floor) / (full - floor))

    assert risen(60.0) == pytest.approx(1.0 - math.exp(-1.0), abs=0.01)
    assert risen(1000.0) == pytest.approx(1.0, abs=0.01)
    assert risen(1900.0) == pytest.approx(math.exp(-1.0), abs=0.01)


def test_pods_get_uneven_shares_of_the_load() -> None:
    requests = run(PlantSettings(imbalance=0.15), load=600.0, count=30, seconds=600.0).snapshot().requests
    spread = requests.std() / requests.mean()
    assert 0.10 < spread < 0.20


def test_the_demand_is_the_fewest_pods_that_hold_the_promise() -> None:
    demand = run(EVEN, load=600.0, count=5, seconds=1.0).truth()[-1].demand_pods
    enough = run(EVEN, load=600.0, count=demand).truth()[-1].latency_seconds
    too_few = run(EVEN, load=600.0, count=demand - 1).truth()[-1].latency_seconds
    assert enough <= 0.3 < too_few
    assert demand == math.ceil(600.0 / (50.0 * (1.0 - 0.020 * math.log(20.0) / 0.260)))


def test_slow_requests_are_those_beyond_the_promise() -> None:
    plant = run(EVEN, load=160.0, count=4)
    snapshot = plant.snapshot()
    within = snapshot.buckets[:, snapshot.settings.buckets.index(0.3)].sum()
    assert sum(s.slow for s in plant.truth()) == snapshot.requests.sum() - within > 0


def test_a_costlier_request_needs_more_pods_from_then_on() -> None:
    settings = PlantSettings(imbalance=0.0, cost_factor=lambda seconds: 1.6 if seconds >= 100.0 else 1.0)
    seconds = run(settings, load=140.0, count=5).truth()
    assert seconds[98].demand_pods < seconds[101].demand_pods
    assert seconds[98].latency_seconds < seconds[101].latency_seconds


def test_workers_bound_a_pod_although_its_cpu_is_idle() -> None:
    bound = run(PlantSettings(imbalance=0.0, workers=2.0), load=140.0, count=4)
    free = run(PlantSettings(imbalance=0.0, workers=64.0), load=140.0, count=4)
    assert bound.truth()[-1].latency_seconds > 1.0
    assert free.truth()[-1].latency_seconds < 0.3
    assert bound.snapshot().cpu_seconds.max() < 0.75 * 300.0


def test_a_slow_dependency_slows_requests_and_demands_no_pods() -> None:
    slow = run(PlantSettings(imbalance=0.0, dependency_seconds=0.2), load=100.0, count=4).truth()[-1]
    plain = run(EVEN, load=100.0, count=4).truth()[-1]
    assert slow.latency_seconds == pytest.approx(plain.latency_seconds + 0.2, abs=2e-3)
    assert slow.demand_pods == plain.demand_pods


def test_a_compressed_plant_is_the_same_plant_in_less_time() -> None:
    crowd = Trace(np.array([0.0, 100.0, 160.0, 400.0]), np.array([60.0, 60.0, 400.0, 60.0]))

    def truth(compression: float) -> list[Second]:
        plant = Plant(PlantSettings(imbalance=0.0, compression=compression), crowd)
        plant.set_pods(pods(4))
        plant.advance(400.0 / compression)
        return plant.truth()

    slow, quick = truth(1.0), truth(20.0)
    assert len(slow) == len(quick) == 400
    assert quick[-1].at == pytest.approx(20.0)
    assert [s.latency_seconds for s in quick] == pytest.approx([s.latency_seconds for s in slow], rel=1e-6)
    assert sum(s.arrivals for s in quick) == pytest.approx(sum(s.arrivals for s in slow) / 20.0, rel=0.1)


def test_the_same_seed_gives_the_same_run_and_another_seed_another() -> None:
    settings = PlantSettings()
    first, again, other = (run(settings, 160.0, 4, seed=seed).truth() for seed in (3, 3, 4))
    assert first == again
    assert [s.arrivals for s in first] != [s.arrivals for s in other]


def test_advancing_to_the_past_changes_nothing() -> None:
    plant = run(EVEN, load=100.0, count=3, seconds=10.0)
    plant.advance(4.0)
    assert plant.now == 10.0
    assert len(plant.truth()) == 10


def test_truth_can_be_read_from_where_one_stopped_reading() -> None:
    plant = run(EVEN, load=100.0, count=3, seconds=10.0)
    assert plant.truth(since=7) == plant.truth()[7:]


def test_a_snapshot_stays_as_it_was() -> None:
    plant = run(EVEN, load=100.0, count=3, seconds=10.0)
    snapshot = plant.snapshot()
    before = snapshot.requests.tolist()
    plant.advance(20.0)
    assert snapshot.requests.tolist() == before


def test_a_run_is_judged_by_its_requests_and_its_pods() -> None:
    plant = run(EVEN, load=600.0, count=5, seconds=60.0)
    plant.set_pods(pods(20))
    plant.advance(120.0)
    seconds = plant.truth()
    verdict = Judgement.of(seconds, EVEN)
    assert verdict.requests == sum(s.arrivals for s in seconds)
    assert verdict.slow_share == sum(s.slow for s in seconds) / verdict.requests
    assert verdict.slow_seconds_share == pytest.approx((60 + 500 / 20) / 120, abs=0.03)
    assert verdict.pod_seconds == 60 * 5 + 60 * 20
    assert verdict.demand_pod_seconds == 120 * 16
    assert verdict.most_pods == 20


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("service_seconds", 0.0, "service_seconds is 0.0; write a number above zero."),
        ("memory_floor", -1.0, "memory_floor is -1.0; write a number of zero or more."),
        ("compression", math.inf, "compression is inf; write a number above zero."),
        ("slo_quantile", 1.0, "slo_quantile is 1.0; write a share between 0 and 1."),
        ("imbalance", 0.7, "imbalance is 0.7; write a share below 0.5, or pods would get no load at all."),
        ("buckets", (0.1, math.inf), "write finite bounds above zero, +Inf is added."),
    ],
)
def test_a_setting_that_makes_no_sense_gets_a_sentence(name: str, value: object, sentence: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        PlantSettings(**{name: value})  # type: ignore[arg-type]
    assert sentence in str(caught.value)


def test_the_promise_is_always_a_bound_of_the_histogram() -> None:
    assert 0.275 in PlantSettings(slo_seconds=0.275).buckets
