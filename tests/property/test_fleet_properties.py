"""What holds in a fleet for every load and every sequence of pods."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.simulation import Trace
from controller.simulation.figures import directions
from controller.simulation.fleet import Fleet, FleetSettings, Noise, Record, Seen, Variant, reference_plant

LOADS = st.lists(st.floats(0.0, 500.0), min_size=2, max_size=5)
SIZES = st.lists(st.integers(0, 12), min_size=1, max_size=12)
PLANTS = st.sampled_from(
    (
        reference_plant(),
        replace(reference_plant(), workers=3.0),
        replace(reference_plant(), cost_factor=lambda seconds: 1.6 if seconds > 60.0 else 1.0),
        replace(reference_plant(), dependency_seconds=lambda seconds: 0.2 if seconds > 60.0 else 0.0),
    )
)
VARIANTS = st.sampled_from((None, Variant(cost=2.0), Variant(cost=1.5, rollout_at=45.0, rollout_seconds=60.0)))
WORKLOADS = st.builds(
    FleetSettings,
    plant=PLANTS,
    variant=VARIANTS,
    startup_seconds=st.sampled_from((0.0, 30.0)),
    scrape_seconds=st.sampled_from((15, 30)),
    delay_seconds=st.sampled_from((0.0, 5.0, 13.0)),
    leak_per_hour=st.sampled_from((0.0, 0.05)),
    noise=st.sampled_from((None, Noise(0.3, 5))),
)


def trace_of(loads: list[float], seconds: float = 180.0) -> Trace:
    return Trace(np.linspace(0.0, seconds, len(loads)), np.array(loads))


def run(subject: Fleet, sizes: list[list[int]]) -> list[Seen]:
    """Advance sync by sync, with these numbers of pods after each, and keep what was seen."""
    seen = []
    for size in sizes:
        subject.advance()
        seen.append(subject.seen())
        subject.scale(np.array(size))
    return seen


@settings(max_examples=60)
@given(WORKLOADS, LOADS, SIZES, st.integers(0, 100))
def test_every_request_that_arrived_is_served_failed_or_inside(
    chosen: FleetSettings, loads: list[float], sizes: list[int], seed: int
) -> None:
    subject = Fleet(chosen, [trace_of(loads)], [seed], sizes[0])
    run(subject, [[size] for size in sizes])
    record = subject.record
    done = (record.served + record.failed).sum(dtype=np.float64) + subject.backlog[0]
    assert abs(done - record.arrivals.sum(dtype=np.float64)) <= 1e-5 * done
    assert (record.failed >= 0.0).all()
    assert (record.very_late <= record.late + 1e-3).all()
    assert (record.late <= record.served * (1.0 + 1e-6)).all()


@settings(max_examples=30)
@given(WORKLOADS, LOADS, st.lists(st.lists(st.integers(0, 12), min_size=3, max_size=3), min_size=1, max_size=12))
def test_runs_in_lockstep_are_exactly_the_same_runs_one_by_one(
    chosen: FleetSettings, loads: list[float], sizes: list[list[int]]
) -> None:
    traces = [trace_of(loads), trace_of(loads[::-1]), trace_of(loads)]
    seeds = [1, 1, 2]
    together = Fleet(chosen, traces, seeds, sizes[0])
    seen = run(together, sizes)
    for row in range(3):
        alone = Fleet(chosen, [traces[row]], [seeds[row]], sizes[0][row])
        of_alone = run(alone, [[size[row]] for size in sizes])
        for field in fields(Record):
            of_all, of_one = getattr(together.record, field.name)[:, row], getattr(alone.record, field.name)[:, 0]
            assert of_all.tolist() == of_one.tolist(), field.name
        for one, every in zip(of_alone, seen, strict=True):
            mine = every.scaler == row
            for name in ("cpu", "memory", "latency", "served_newest", "waited", "covered", "ready_since", "young"):
                np.testing.assert_array_equal(getattr(every, name)[mine], getattr(one, name), name)
            for name in ("arrivals_newest", "arrivals_window", "startup", "age", "current"):
                np.testing.assert_array_equal(getattr(every, name)[row : row + 1], getattr(one, name), name)


@settings(max_examples=40)
@given(PLANTS, LOADS, st.integers(1, 10), st.integers(1, 10), st.integers(0, 100))
def test_more_pods_never_break_the_promise_more_often(
    plant: object, loads: list[float], few: int, further: int, seed: int
) -> None:
    chosen = FleetSettings(plant=plant)  # type: ignore[arg-type]
    trace = trace_of(loads)
    subject = Fleet(chosen, [trace, trace], [seed, seed], [few, few + further])
    while not subject.finished:
        subject.advance()
    record = subject.record
    # What is still inside at the end has not broken the promise yet.
    broken = (record.late + record.failed).sum(axis=0, dtype=np.float64) + subject.backlog
    assert broken[1] <= broken[0] * (1.0 + 1e-5) + 1e-3


@settings(max_examples=40)
@given(WORKLOADS, LOADS, SIZES)
def test_what_is_shown_is_never_negative_and_cpu_never_above_its_limit(
    chosen: FleetSettings, loads: list[float], sizes: list[int]
) -> None:
    subject = Fleet(chosen, [trace_of(loads)], [0], sizes[0])
    for seen in run(subject, [[size] for size in sizes]):
        for name in ("cpu", "memory", "latency", "served_newest", "served_window", "waited", "arrivals_window"):
            shown = getattr(seen, name)
            assert (shown[np.isfinite(shown)] >= -1e-9).all(), name
        assert (seen.cpu[np.isfinite(seen.cpu)] <= chosen.plant.cpu_limit + 1e-9).all()
        assert (np.diff(seen.scaler) >= 0).all()
        assert len(seen.scaler) == seen.current.sum()


@given(st.lists(st.integers(0, 5), min_size=2, max_size=30))
def test_actions_and_flips_are_those_that_a_person_would_count(replicas: list[int]) -> None:
    moves = [after - before for before, after in pairwise(replicas) if after != before]
    turned = sum(one * other < 0 for one, other in pairwise(moves))
    actions, flips = directions(np.array(replicas, np.float32)[:, None])
    assert (actions.tolist(), flips.tolist()) == ([len(moves)], [turned])
