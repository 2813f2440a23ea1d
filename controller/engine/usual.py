"""What is usual: the median of each dimension over the window, or of the same hour of the last days.

The window is cut into sixty blocks (a minute each of an hour). A block keeps the mean of the normalized values that it saw, and the median
is that of the last sixty blocks that have ended; of fewer than half of them it says nothing. So a spike counts for one block, whatever the
cycle, and what lasts for half a window becomes usual. By the hour of day the median is that of the hour's means on the last seven days,
of three at least; the days are counted on the engine's clock, which may begin anywhere in a day.

Means are kept in half precision (three digits), of which a median is exact. A sample that is NaN is none, a block without a sample is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from controller.engine.batch import Flags, Floats, Ints, Scalers
from controller.engine.grouping import across, any_of
from controller.engine.learned import SIXTIETHS, WEEK, Halves, Learned

__all__ = ["MOST", "Turn", "among", "follow", "note", "put"]

#: Of the sixty blocks of a median at least so many have a sample, and of the seven days.
BLOCKS_ENOUGH, DAYS_ENOUGH = 30, 3
HOUR, HOURS_A_DAY = 3600.0, 24
#: No normalized value counts for more: sums stay far inside half precision.
MOST: Final = 1000.0
#: The bits of an infinite half: those of a number are not above, of NaN they are.
INFINITE: Final = int(np.array(np.inf, np.float16).view(np.uint16))

Order = NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Turn:
    """What became of the blocks this cycle: the `rows` (n,) whose running block has ended, its `slot` (n,) in their rings, and `emptied`
    (n, U), the slots of which nothing is known any more (None: none); `anew` (S,) says where everything begins anew."""

    rows: NDArray[np.intp]
    slot: Ints
    emptied: Flags | None
    anew: Flags


def follow(scalers: Scalers, learned: Learned, now: float) -> tuple[Floats, Turn, Learned]:
    """End the blocks and hours that are over; returns the median (S, D) of every dimension, what turned, and the state with it."""
    state = learned.copy()
    turn = _turn(scalers, state, now)
    rows = turn.rows
    if len(rows):
        state.means = put(state.means, turn, _mean(state.block_total[rows], state.block_samples[rows]))
        state.block_total, state.block_samples, state.block_median = (
            state.block_total.copy(),
            state.block_samples.copy(),
            state.block_median.copy(),
        )
        state.block_total[rows], state.block_samples[rows] = 0.0, 0
        state.block_median[rows] = _median(state.means[rows], BLOCKS_ENOUGH)
    if not any_of(scalers.anomaly.by_hour):
        if state.hours.shape[2]:
            state.hours = state.hours[:, :, :0]
            state.hour = np.full(len(state), -1, np.int64)
        return state.block_median, turn, state
    _follow_hours(scalers, state, now)
    by_hour = across(scalers.anomaly.by_hour, state.dimensions) & ~np.isnan(state.hour_median)
    return np.where(by_hour, state.hour_median, state.block_median), turn, state


def note(scalers: Scalers, normalized: Floats, state: Learned) -> None:
    """Add this cycle's normalized values (S, D) to the running blocks and hours of a state that nobody else holds."""
    known = ~np.isnan(normalized)
    values = np.where(known, normalized, 0.0)
    state.block_total, state.block_samples = state.block_total + values, state.block_samples + known.astype(np.int32)
    if any_of(scalers.anomaly.by_hour):
        known &= across(scalers.anomaly.by_hour, state.dimensions)
        state.hour_total = state.hour_total + np.where(known, values, 0.0)
        state.hour_samples = state.hour_samples + known.astype(np.int32)


def put(ring: Halves, turn: Turn, ended: Halves) -> Halves:
    """The ring (S, U) or (S, D, U) with what the blocks that `ended` came to, (n,) or (n, D), and without what is too old."""
    changed = ring.copy()
    changed[turn.rows, ..., turn.slot] = ended
    if turn.emptied is not None:
        emptied = turn.emptied if ring.ndim == 2 else turn.emptied[:, None, :]
        changed[turn.rows] = np.where(emptied, np.float16(np.nan), changed[turn.rows])
    return changed


def among(numbers: Halves, part: Floats | float, enough: int) -> Floats:
    """The number at `part` (0 the lowest, 1 the highest, linearly in between) of those along the last axis that are not NaN.

    `numbers` is (..., U), none of them negative, `part` is broadcast to the shape before; NaN where fewer than `enough` are known.
    """
    # The bits of halves that are not negative have the order of the numbers, and sorting integers takes a fraction of the time.
    order = np.sort(numbers.view(np.uint16), axis=-1)
    # Nearly always all are known, and then the places are nearly always alike.
    last = order.shape[-1] - 1
    if order[..., last].max(initial=0) <= INFINITE:
        return _between(order, last * part, last)
    known = np.count_nonzero(order <= INFINITE, axis=-1)
    lasts = np.maximum(known - 1, 0)
    return np.where(known >= enough, _between(order, lasts * part, lasts), np.nan)


def _turn(scalers: Scalers, state: Learned, now: float) -> Turn:
    """Which running blocks have ended by `now`; writes the numbers of those that run."""
    length = scalers.anomaly.window / SIXTIETHS
    anew = state.block_length != length
    if any_of(anew):
        state.blocks_from, state.block_length = np.where(anew, now, state.blocks_from), length
        before = np.where(anew, -1, state.block_number)
    else:
        before = state.block_number
    number = np.maximum((now - state.blocks_from) // length, before).astype(np.int64)
    rows = (number != before).nonzero()[0]
    state.block_number = number
    before, passed = before[rows], number[rows] - before[rows] - 1
    emptied = None
    if any_of(passed > 0) or any_of(anew):
        after = (np.arange(SIXTIETHS) - before[:, None] - 1) % SIXTIETHS
        emptied = (after < passed[:, None]) | anew[rows][:, None]
    return Turn(rows, before % SIXTIETHS, emptied, anew)


def _follow_hours(scalers: Scalers, state: Learned, now: float) -> None:
    """End the hour where it is over, and take the medians of the one that begins."""
    if not state.hours.shape[2]:
        state.hours = np.full((len(state), state.dimensions, WEEK), np.nan, np.float16)
    hour = int(now // HOUR)
    rows = (scalers.anomaly.by_hour & (state.hour != hour)).nonzero()[0]
    if not len(rows):
        return
    before = state.hour[rows]
    hours = state.hours[rows]
    ended = _mean(state.hour_total[rows], state.hour_samples[rows])
    hours[np.arange(len(rows)), :, before % WEEK] = ended
    passed = np.where(before < 0, WEEK, hour - before - 1)
    emptied = (np.arange(WEEK) - before[:, None] - 1) % WEEK < passed[:, None]
    hours[np.broadcast_to(emptied[:, None, :], hours.shape)] = np.nan
    state.hours, state.hour, state.hour_median = state.hours.copy(), state.hour.copy(), state.hour_median.copy()
    state.hours[rows], state.hour[rows] = hours, hour
    days = hours.reshape(*hours.shape[:2], -1, HOURS_A_DAY)[..., hour % HOURS_A_DAY]
    state.hour_median[rows] = _median(np.ascontiguousarray(days), DAYS_ENOUGH)
    state.hour_total, state.hour_samples = state.hour_total.copy(), state.hour_samples.copy()
    state.hour_total[rows], state.hour_samples[rows] = 0.0, 0


def _median(numbers: Halves, enough: int) -> Floats:
    return among(numbers, 0.5, enough)


def _mean(total: Floats, samples: NDArray[np.int32]) -> Halves:
    """The mean where there is a sample, else NaN."""
    return np.where(samples > 0, total / np.maximum(samples, 1), np.nan).astype(np.float16)


def _between(order: Order, position: Floats | float, last: NDArray[np.intp] | int) -> Floats:
    """The number at a position of the last axis, of which `last` is the last; linearly between two places."""
    low = np.floor(position).astype(np.intp)
    below, above = _at(order, low), _at(order, np.minimum(low + 1, last))
    return below + (above - below) * (position - low)


def _at(order: Order, place: NDArray[np.intp]) -> Floats:
    """The numbers at these places of the last axis."""
    single = place.ndim == 0
    found = order[..., int(place)] if single else np.take_along_axis(order, place[..., None], axis=-1)[..., 0]
    return np.ascontiguousarray(found).view(np.float16).astype(np.float64)
