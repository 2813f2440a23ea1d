"""The grid of evaluation moments, with a clock that only moves when something takes time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

import pytest

from controller.operator.loop import Grid


class EnoughError(BaseException):
    """Ends a run as a cancellation does."""


@dataclass
class World:
    """A clock, a sleep and cycles of given durations; every start is noted."""

    durations: Iterable[float]
    now: float = 1000.0
    starts: list[float] = field(default_factory=list)
    overslept: float = 0.0

    def __post_init__(self) -> None:
        self._left = iter(self.durations)

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += seconds + self.overslept

    async def work(self) -> None:
        duration = next(self._left, None)
        if duration is None:
            raise EnoughError
        self.starts.append(self.now)
        self.now += duration

    def grid(self, work: Callable[[], Awaitable[None]] | None = None) -> Grid:
        return Grid(15.0, work or self.work, self.clock, self.sleep)


async def run(grid: Grid) -> None:
    with pytest.raises(EnoughError):
        await grid.run()


async def test_the_first_cycle_starts_at_once_and_the_others_on_the_grid() -> None:
    world = World([2.0, 0.5, 14.9])
    await run(world.grid())
    assert world.starts == [1000.0, 1015.0, 1030.0]


async def test_a_slow_cycle_skips_the_moments_that_it_missed_and_they_are_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World([31.0, 1.0, 46.0, 1.0])
    grid = world.grid()
    await run(grid)
    assert world.starts == [1000.0, 1045.0, 1060.0, 1120.0]
    assert grid.overruns == 2 + 3
    assert "the cycle ended 31.0 s after its moment and missed 2 moment(s) of the 15 s grid" in caplog.text


async def test_a_cycle_that_ends_at_the_next_moment_has_not_missed_it() -> None:
    world = World([15.0, 30.0, 1.0])
    grid = world.grid()
    await run(grid)
    assert world.starts == [1000.0, 1015.0, 1045.0]
    assert grid.overruns == 1


async def test_a_sleep_that_lasts_too_long_does_not_shift_the_grid() -> None:
    world = World([1.0, 1.0, 1.0], overslept=0.25)
    grid = world.grid()
    await run(grid)
    assert world.starts == [1000.0, 1015.25, 1030.25]
    assert grid.overruns == 0


async def test_a_loop_that_was_blocked_while_asleep_counts_what_it_missed_too() -> None:
    world = World([1.0, 1.0, 1.0], overslept=40.0)
    grid = world.grid()
    await run(grid)
    assert world.starts == [1000.0, 1055.0, 1100.0]
    assert grid.overruns == 2 + 2


async def test_a_cycle_that_fails_is_logged_and_the_next_one_runs(caplog: pytest.LogCaptureFixture) -> None:
    world = World([1.0, 1.0])

    async def work() -> None:
        await world.work()
        raise RuntimeError("no luck")

    grid = world.grid(work)
    await run(grid)
    assert world.starts == [1000.0, 1015.0]
    assert grid.failures == 2
    assert "no luck" in caplog.text


async def test_start_and_end_of_the_last_cycle_are_known() -> None:
    world = World([2.0, 3.0])
    grid = world.grid()
    assert (grid.last_started, grid.last_finished) == (None, None)
    await run(grid)
    assert (grid.last_started, grid.last_finished) == (1030.0, 1030.0), (
        "the third was cancelled, and does not count as one that hangs"
    )


async def test_a_cancelled_grid_ends_in_the_middle_of_a_cycle() -> None:
    began = asyncio.Event()

    async def work() -> None:
        began.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(Grid(15.0, work, asyncio.get_running_loop().time).run())
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
