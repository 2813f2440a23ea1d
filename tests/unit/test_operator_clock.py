"""The two clocks: what is written to the API, and where a time from the API lies on the monotonic clock."""

from __future__ import annotations

import pytest

from controller.operator.clock import Clock, Moment, parse_time, rfc3339
from tests.operator_support import WALL, Time


@pytest.mark.parametrize("seconds", [-0.49, -1e-7, 0.0, 0.49])
def test_a_time_is_written_as_the_nearest_whole_second_of_utc(seconds: float) -> None:
    assert rfc3339(WALL + seconds) == "2026-01-01T00:00:00Z"


@pytest.mark.parametrize("text", ["2026-01-01T00:00:00Z", "2026-01-01T02:30:00+02:30", "2026-01-01T00:00:00.000000Z"])
def test_a_time_is_read_with_its_zone(text: str) -> None:
    assert parse_time(text) == WALL


@pytest.mark.parametrize("text", ["yesterday", "", "2026-01-01T00:00:00"])
def test_a_time_that_cannot_be_read_or_has_no_zone_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"Invalid isoformat|has no time zone"):
        parse_time(text)


def test_a_past_time_lies_as_far_back_on_the_monotonic_clock() -> None:
    assert Moment(monotonic=50.0, wall=WALL).monotonic_of(WALL - 70.0) == -20.0


def test_a_time_in_the_future_counts_as_now() -> None:
    assert Moment(monotonic=50.0, wall=WALL).monotonic_of(WALL + 3600.0) == 50.0


def test_both_clocks_are_read_together() -> None:
    time = Time()
    clock = time.clock
    time.pass_(15.0)
    assert clock.now() == Moment(1015.0, WALL + 15.0)


def test_the_default_clock_is_the_machines() -> None:
    first, second = Clock().now(), Clock().now()
    assert second.monotonic >= first.monotonic
    assert second.wall > WALL
