"""The L1 anomaly against a plain reckoning of the same definition: whatever the times, the gaps, the settings and the neighbours."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.engine import Learned, Scalers
from controller.engine.anomaly import watch
from tests.engine_support import dimension, spec
from tests.naive_anomaly import NaiveAnomaly, Verdict

#: Seconds between cycles: the usual, a late one, some at once, a gap, and one that spans whole windows.
PAUSES = st.sampled_from([15.0, 15.0, 15.0, 15.0, 14.0, 30.0, 31.5, 61.0, 0.0, 200.0, 1900.0, 9000.0])
WINDOWS = {"30m": 1800.0, "1h": 3600.0, "2h": 7200.0}
SETTINGS = st.builds(
    lambda window, percentile, season: {"window": window, "percentile": percentile, "season": season},
    st.sampled_from(list(WINDOWS)),
    st.sampled_from([50, 90.0, 99.9, 100]),
    st.sampled_from(["None", "None", "HourOfDay"]),
)


@dataclass(frozen=True)
class Stretch:
    """Some cycles that are alike: how many, how far apart, at which level and how noisy, and how often a dimension has no sample."""

    cycles: int
    pause: float
    level: float
    noise: float
    missing: float


#: Long enough for thresholds to be known and for breaches to last.
STRETCHES = st.builds(
    Stretch,
    cycles=st.integers(1, 260),
    pause=PAUSES,
    level=st.sampled_from([0.0, 0.3, 0.5, 0.9, 3.0, 1e300]),
    noise=st.sampled_from([0.0, 0.05, 0.3]),
    missing=st.sampled_from([0.0, 0.0, 0.02, 0.5, 1.0]),
)


@dataclass(frozen=True)
class Course:
    """One scaler: how many dimensions it has, its settings at first and from the middle on, and what it shows."""

    dimensions: int
    first: dict[str, Any]
    then: dict[str, Any]
    stretches: list[Stretch]
    seed: int

    def setting(self, cycle: int) -> dict[str, Any]:
        return self.first if cycle < 300 else self.then


COURSES = st.builds(
    Course,
    dimensions=st.integers(1, 3),
    first=SETTINGS,
    then=st.one_of(SETTINGS, st.none()),
    stretches=st.lists(STRETCHES, min_size=1, max_size=6),
    seed=st.integers(0, 2**16),
).map(lambda course: course if course.then else dataclasses.replace(course, then=course.first))


def shown(course: Course, cycle: int, chance: np.random.Generator) -> list[float]:
    """What one scaler shows in a cycle."""
    for stretch in course.stretches:
        if cycle < stretch.cycles:
            break
        cycle -= stretch.cycles
    y = np.abs(stretch.level + stretch.noise * chance.standard_normal(course.dimensions))
    return [math.nan if chance.random() < stretch.missing else float(each) for each in y]


def scalers_of(courses: list[Course], cycle: int) -> Scalers:
    return Scalers.of(
        [spec(*(dimension(f"d{at}") for at in range(each.dimensions)), anomaly=each.setting(cycle)) for each in courses]
    )


def verdict(found: Any, row: int, dimensions: int) -> Verdict:
    return Verdict(
        medians=tuple(found.median[row, :dimensions].tolist()),
        parts=tuple(found.parts[row, :dimensions].tolist()),
        score=float(found.score[row]),
        threshold=float(found.threshold[row]),
        since=float(found.since[row]),
        detected=bool(found.detected[row]),
    )


def same(one: Verdict, other: Verdict) -> None:
    for each in dataclasses.fields(Verdict):
        np.testing.assert_array_equal(getattr(one, each.name), getattr(other, each.name), each.name)


@given(st.lists(COURSES, min_size=1, max_size=3), st.floats(0.0, 1e6), st.integers(0, 2**16))
@settings(max_examples=60, deadline=None)
def test_it_is_exactly_what_a_plain_reckoning_of_the_same_definition_says(
    courses: list[Course], now: float, order: int
) -> None:
    pauses = [stretch.pause for stretch in courses[0].stretches for _ in range(stretch.cycles)]
    plain = [NaiveAnomaly(each.dimensions) for each in courses]
    chances = [np.random.default_rng(each.seed) for each in courses]
    mixed = np.random.default_rng(order)
    scalers = scalers_of(courses, 0)
    learned = Learned.empty(*scalers.used.shape)
    rows = list(range(len(courses)))
    for cycle, pause in enumerate(pauses):
        now += pause
        if cycle % 97 == 50 or cycle == 300:
            # Rows move, and the batch becomes wider and narrower again.
            shuffled = mixed.permutation(len(courses)).tolist()
            learned = learned.take(np.array([rows.index(each) for each in shuffled]), 3 + cycle % 2)
            rows = shuffled
            scalers = scalers_of([courses[each] for each in rows], cycle)
            learned = learned.take(np.arange(len(rows)), scalers.used.shape[1])
        seen = [shown(courses[at], cycle, chances[at]) for at in range(len(courses))]
        y = np.full(scalers.used.shape, np.nan)
        for row, at in enumerate(rows):
            y[row, : courses[at].dimensions] = seen[at]
        found, learned = watch(scalers, y, np.full(len(rows), 60.0), learned, now)
        for row, at in enumerate(rows):
            of = courses[at].setting(cycle)
            expected = plain[at].see(
                seen[at],
                now,
                WINDOWS[of["window"]],
                of["percentile"],
                of["season"] == "HourOfDay",
                60.0,
            )
            same(verdict(found, row, courses[at].dimensions), expected)
