"""The operator's two clocks: monotonic seconds for ages and windows, wall time only for what is written to or read from the API.

The pair is taken together, so that a time that the API server remembers can be placed on the monotonic clock: a wall clock that is set
back neither lengthens a cooldown nor forgets it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

__all__ = ["Clock", "Moment", "parse_time", "rfc3339"]


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant on both clocks, in seconds."""

    monotonic: float
    wall: float

    def monotonic_of(self, wall: float) -> float:
        """Where a wall-clock time of the past lies on the monotonic clock; a time in the future counts as now."""
        return self.monotonic - max(0.0, self.wall - wall)


@dataclass(frozen=True, slots=True)
class Clock:
    """Where the time comes from; tests pass their own functions."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time

    def now(self) -> Moment:
        """Both clocks, read together."""
        return Moment(self.monotonic(), self.wall())


def rfc3339(wall: float) -> str:
    """A wall-clock time as the API server writes it, the nearest whole second of UTC.

    The nearest, so that a time that was read from the API and placed on the monotonic clock is written as it was.
    """
    return datetime.fromtimestamp(round(wall), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> float:
    """The wall-clock seconds of a time that the API server wrote.

    Raises ValueError, also for a time without its zone, and for one before 1970, which is a time that was never set.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone; write UTC with a Z at the end")
    if moment.year < 1970:
        raise ValueError(f"{text!r} is before 1970; write when it was")
    return moment.timestamp()
