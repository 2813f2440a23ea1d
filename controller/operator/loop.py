"""The grid of evaluation moments: every `interval` seconds of the monotonic clock, never two at once, never a moment made up.

A cycle that takes longer than the interval skips the moments that it missed, and they are counted.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

__all__ = ["Grid"]

logger = logging.getLogger(__name__)


@dataclass
class Grid:
    """Runs `work` at each moment of the grid until it is cancelled; an error of one cycle is logged and the next one runs."""

    interval: float
    work: Callable[[], Awaitable[None]]
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    overruns: int = 0
    failures: int = 0
    last_started: float | None = None
    last_finished: float | None = None

    async def run(self) -> None:
        """Run for ever."""
        moment = self.clock()
        while True:
            self.last_started = self.clock()
            try:
                await self.work()
            except Exception:
                # One bad cycle must not end the operator; what it left undone, the next one sees again.
                self.failures += 1
                logger.exception("the cycle failed; the next one starts as planned")
            finally:
                self.last_finished = self.clock()
            # A cycle that ends at a moment of the grid has not missed it.
            missed = max(0, math.ceil((self.last_finished - moment) / self.interval) - 1)
            if missed > 0:
                self.overruns += missed
                logger.warning(
                    "the cycle ended %.1f s after its moment and missed %d moment(s) of the %g s grid",
                    self.last_finished - moment,
                    missed,
                    self.interval,
                )
            moment += (missed + 1) * self.interval
            await self.sleep(max(0.0, moment - self.clock()))
