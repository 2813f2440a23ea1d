"""How long pods take to start: which starts count, and what becomes of many."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from controller.operator.startup import LATELY, LONGEST, NEWEST, startup_times
from tests.operator_support import WALL


def times(*scalers: list[tuple[float, float]]) -> NDArray[np.float64]:
    """The start-up times of scalers whose pods became Ready so many seconds ago after so many seconds."""
    pods = [(row, ago, taken) for row, of_scaler in enumerate(scalers) for ago, taken in of_scaler]
    ready = WALL - np.array([ago for _, ago, _ in pods], np.float64)
    taken = np.array([taken for _, _, taken in pods], np.float64)
    return startup_times(np.array([row for row, _, _ in pods], np.intp), ready - taken, ready, len(scalers), WALL)


def test_the_start_up_time_is_the_median_of_the_starts() -> None:
    np.testing.assert_allclose(times([(60, 30), (70, 300), (80, 28)], [(60, 40), (70, 50)], [(5, 7)]), [30, 45, 7])


def test_a_scaler_without_a_start_has_none() -> None:
    np.testing.assert_equal(times([], [(60, 30)], []), [np.nan, 30.0, np.nan])
    assert times().shape == (0,)


def test_only_the_newest_starts_count() -> None:
    new, old = [(60.0 + at, 20.0) for at in range(NEWEST)], [(1000.0 + at, 90.0) for at in range(30)]
    np.testing.assert_allclose(times(old + new, new[:-1] + old), [20, 20])
    np.testing.assert_allclose(times(new[:4] + old), [90])


@pytest.mark.parametrize(
    "start",
    [
        (LATELY, 30.0),
        (60.0, LONGEST + 1.0),
        (60.0, -1.0),
        (60.0, np.nan),
        (np.nan, 30.0),
    ],
)
def test_a_start_that_is_long_ago_too_long_or_unknown_does_not_count(start: tuple[float, float]) -> None:
    np.testing.assert_equal(times([start]), [np.nan])
    np.testing.assert_allclose(times([start, (61.0, 25.0)]), [25])


@pytest.mark.parametrize("start", [(LATELY - 1.0, 30.0), (60.0, LONGEST), (60.0, 0.0), (-2.0, 30.0)])
def test_a_start_at_the_edge_of_what_is_believed_counts(start: tuple[float, float]) -> None:
    np.testing.assert_allclose(times([start]), [start[1]])
