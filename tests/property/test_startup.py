"""The start-up times of all scalers at once are those of each scaler alone, by the plain rule."""

from __future__ import annotations

from statistics import median

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from controller.operator.startup import LATELY, LONGEST, NEWEST, startup_times

WALL = 1_000_000.0
#: Seconds since a pod became Ready, all different (of two that came at once either is the newer), and what it took.
STARTS = st.lists(
    st.tuples(st.floats(-10.0, 2 * LATELY), st.floats(-10.0, 2 * LONGEST)),
    max_size=25,
    unique_by=lambda start: start[0],
)


def plainly(starts: list[tuple[float, float]]) -> float:
    believed = sorted((ago, taken) for ago, taken in starts if ago < LATELY and 0 <= taken <= LONGEST)
    return median(taken for _, taken in believed[:NEWEST]) if believed else np.nan


@given(st.lists(STARTS, max_size=6))
def test_every_scaler_gets_the_median_of_its_own_newest_starts(scalers: list[list[tuple[float, float]]]) -> None:
    # Binary fractions keep the differences of large numbers exact.
    exact = [[(round(ago * 64) / 64, round(taken * 64) / 64) for ago, taken in starts] for starts in scalers]
    exact = [list({ago: (ago, taken) for ago, taken in starts}.values()) for starts in exact]
    of = np.repeat(np.arange(len(exact)), [len(starts) for starts in exact])
    ready = WALL - np.array([ago for starts in exact for ago, _ in starts])
    created = ready - np.array([taken for starts in exact for _, taken in starts])
    found = startup_times(of, created, ready, len(exact), WALL)
    np.testing.assert_equal(found, np.array([plainly(starts) for starts in exact], np.float64))
