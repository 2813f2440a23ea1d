"""What the law promises whatever was seen, in whatever order."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.engine import Decisions, Learned, LoadKind, evaluate
from controller.engine.magnitude import norm
from tests.engine_support import NOW, Case, Pod, batch, dimension, rules
from tests.law_support import CPU, LATENCY, MEMORY, columns, normalized_at, solved, web
from tests.property.engine_cases import NORMS

SHARED = ("at", "block")
RATES = st.one_of(st.floats(0.0, 200.0), st.floats(0.0, 200.0), st.sampled_from([0.0, math.nan, math.inf, -1.0, 1e9]))
SPECS = (
    web(CPU, MEMORY, LATENCY),
    web(CPU, LATENCY, {"metric": "memory", "target": "80%"}, magnitude={"aggregation": "Max", "norm": 3}),
    web({"metric": "latency", "target": "300ms"}, magnitude={"norm": "Infinity"}),
    web(CPU, {"name": "queue", "query": "q", "target": "5", "onMissing": "Ignore"}, maximum=9),
    web(CPU, maximum=1),
    web(CPU, LATENCY, magnitude={"response": "Proportional"}, efficacy={"action": "Observe"}),
    web(CPU, behavior={"scaleDown": rules(window=60)}),
)


@st.composite
def seen(draw: st.DrawFn, which: int, current: int) -> Case:
    """One moment of one scaler: good numbers mostly, and anything else."""
    of_spec = SPECS[which]
    value = st.one_of(
        st.floats(0.0, 3.0), st.floats(0.0, 3.0), st.sampled_from([0.0, math.nan, math.inf, -1.0, 1e308, None])
    )
    pods = st.builds(
        Pod,
        st.tuples(*(value for _ in of_spec.dimensions)),
        ready=st.sampled_from([True, True, True, False]),
        young=st.sampled_from([False, False, True]),
        newest=RATES,
        served=RATES,
        waited=RATES,
    )
    return Case(
        of_spec,
        draw(st.lists(pods, max_size=4)),
        current=draw(st.sampled_from([current, current, current + 1, max(current - 1, 0)])),
        arrivals=draw(st.one_of(st.just(math.nan), RATES)),
        startup=draw(st.sampled_from([math.nan, 0.0, 30.0, 600.0])),
        window=draw(st.sampled_from([60.0, 60.0, 120.0, 600.0])),
        kind=draw(st.sampled_from(LoadKind)),
    )


class Story:
    """Some moments of some scalers: what was seen of each, and when; no dataclass, which Hypothesis would print with all its specs."""

    def __init__(self, moments: list[tuple[float, list[Case]]]) -> None:
        self.moments = moments

    def __repr__(self) -> str:
        # Without the specs, which say little and fill pages, and never more than a reader reads.
        told = "\n".join(
            f"{now - NOW:g} s: "
            + "; ".join(
                f"{case.current} replicas, {case.arrivals:g}/s, {case.kind.name}, {case.pods}" for case in cases
            )
            for now, cases in self.moments
        )
        return told[:5000]

    def of(self, row: int) -> Story:
        """The same for one scaler alone."""
        return Story([(now, [cases[row]]) for now, cases in self.moments])

    def decisions(self) -> list[Decisions]:
        """What is decided at every moment, with what was learned before."""
        learned, decisions = None, []
        for now, cases in self.moments:
            decisions.append(evaluate(*batch(*cases), now, learned))
            learned = decisions[-1].learned
        return decisions


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Some moments of some scalers, with seconds in between."""
    specs = draw(st.lists(st.sampled_from(range(len(SPECS))), min_size=1, max_size=3))
    now, moments = NOW, []
    for _ in range(draw(st.integers(1, 8))):
        now += draw(st.sampled_from([0.0, 1.0, 15.0, 15.0, 15.0, 60.0, 3600.0]))
        moments.append((now, [draw(seen(each, draw(st.integers(0, 12)))) for each in specs]))
    return Story(moments)


def row_of(state: Learned, row: int, width: int) -> Learned:
    return state.take(np.array([row]), width)


@given(stories())
@settings(max_examples=60)
def test_a_scaler_alone_decides_as_in_a_batch(story: Story) -> None:
    together = story.decisions()
    for row in range(len(story.moments[0][1])):
        for both, one in zip(together, story.of(row).decisions(), strict=True):
            assert one.desired[0] == both.desired[row]
            assert one.rule[0] == both.rule[row]
            width = one.learned.dimensions
            mine, theirs = row_of(one.learned, 0, width), row_of(both.learned, row, width)
            for each in dataclasses.fields(mine):
                np.testing.assert_array_equal(getattr(mine, each.name), getattr(theirs, each.name), each.name)


@given(stories())
@settings(max_examples=60)
def test_nothing_is_decided_out_of_bounds_and_nothing_unknown_lowers(story: Story) -> None:
    for decisions, (_, cases) in zip(story.decisions(), story.moments, strict=True):
        for row, case in enumerate(cases):
            desired = int(decisions.desired[row])
            if case.replicas == 0:
                assert desired == 0
                continue
            assert case.spec.min_replicas <= desired <= case.spec.max_replicas
            if desired < min(case.replicas, case.spec.max_replicas):
                assert decisions.quality.valid[row].any()
                blocked = decisions.scalers.used[row] & decisions.scalers.blocks[row] & ~decisions.quality.valid[row]
                assert not blocked.any()
                assert np.isfinite(decisions.law.demand[row]) or not decisions.law.used[row]


@given(stories())
@settings(max_examples=60)
def test_what_is_learned_stays_usable_whatever_was_seen(story: Story) -> None:
    state = story.decisions()[-1].learned
    for name in ("squares", "products", "covariance", "variance", "noise", "hotness", "taught", "weight"):
        assert np.isfinite(getattr(state, name)).all(), name
    for name in ("log_capacity", "log_established", "kept", "floor", "lowest", "startup"):
        assert not np.isinf(getattr(state, name)).any(), name
    assert ((state.patience >= 1) & (state.patience <= 4)).all()
    assert not (state.floor < 0).any()
    assert not (state.floor > 1).any()


@given(stories())
@settings(max_examples=30)
def test_nothing_that_goes_in_is_changed(story: Story) -> None:
    learned = story.decisions()[-1].learned
    before = {each.name: getattr(learned, each.name).copy() for each in dataclasses.fields(learned)}
    now, cases = story.moments[-1]
    first = evaluate(*batch(*cases), now + 15, learned)
    for name, was in before.items():
        np.testing.assert_array_equal(getattr(learned, name), was, name)
    again = evaluate(*batch(*cases), now + 15, learned)
    np.testing.assert_array_equal(first.desired, again.desired)
    for each in dataclasses.fields(learned):
        np.testing.assert_array_equal(getattr(first.learned, each.name), getattr(again.learned, each.name), each.name)


@given(
    NORMS,
    st.lists(st.tuples(st.floats(1.0, 1e4), st.floats(0.1, 10.0), st.booleans()), min_size=1, max_size=6),
    st.floats(0.3, 2.5),
    st.sampled_from(["30ms", "90ms", "200ms", "270ms"]),
)
def test_the_solved_load_brings_the_magnitude_to_its_target(
    power: object, parts: list[tuple[float, float, bool]], target: float, floor: str
) -> None:
    queue = {"metric": "latency", "target": "300ms", "floor": floor, "cap": 1e9}
    scalers = columns(
        *(
            (queue if queues else dimension()) | {"name": f"d{at}", "weight": weight}
            for at, (_, weight, queues) in enumerate(parts)
        ),
        magnitude={"norm": power},
    )
    capacity = [each for each, _, _ in parts]
    load = np.array([solved(scalers, capacity, target)])
    total, _ = norm(normalized_at(scalers, np.array([capacity]), scalers.floor, load), scalers.weight, scalers.norm)
    assert total[0] == pytest.approx(target, rel=5e-3)
