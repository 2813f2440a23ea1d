"""The adaptive hold: never fewer replicas than were needed lately, and "lately" grows when a scale-down was regretted.

What is needed is remembered for 60 s after a scale-down and 120 s after a scale-up, times a patience of 1 to 4: it doubles when a scale-up
follows a scale-down within 150 s times the patience, and fades back within an hour. The last change is taken from what the target has, so
that a hand on `kubectl scale` counts too. It takes the place of HPA's fixed window of 300 s where `behavior.scaleDown` is not written.
Source: the law's study, 1 (4).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from controller.engine.batch import Floats, Ints
from controller.engine.demand import forgets
from controller.engine.grouping import any_of
from controller.engine.learned import BLOCKS, Learned

__all__ = ["Hold", "remember", "watch"]

#: Seconds for which what is needed is remembered: after a scale-down, and otherwise.
AFTER_DOWN, OTHERWISE = 60.0, 120.0
#: A scale-up so soon (seconds, times the patience) after a scale-down is a regret.
REGRET: Final = 150.0
MOST_PATIENCE: Final = 4.0
#: The patience fades with this time constant (seconds).
FADES: Final = 3600.0
#: Length of a block of the ring (seconds): `BLOCKS` of them are longer than the longest hold.
BLOCK: Final = 15.0


@dataclass(frozen=True, slots=True)
class Hold:
    """`seconds` (S,) that the hold lasts, the `most` (S,) replicas, unrounded, that were needed in them, and the state with this cycle
    in its ring."""

    seconds: Floats
    most: Floats
    learned: Learned


def watch(learned: Learned, current: Ints, now: float, elapsed: Floats) -> Learned:
    """Look whether the replicas changed since the last cycle, and whether that was a regret; returns the state that knows."""
    known = learned.replicas >= 0
    patience = 1.0 + (learned.patience - 1.0) * (1.0 - np.where(known, forgets(elapsed, FADES), 0.0))
    changed = known & (current != learned.replicas)
    state = learned.copy()
    state.patience, state.replicas = patience, current
    if not any_of(changed):
        return state
    change = np.where(changed, np.sign(current - learned.replicas), 0)
    regret = (change > 0) & (learned.direction < 0) & (now - learned.changed_at < REGRET * patience)
    state.direction = np.where(changed, change, learned.direction).astype(np.int8)
    state.changed_at = np.where(changed, now, learned.changed_at)
    state.patience = np.where(regret, np.minimum(MOST_PATIENCE, 2 * patience), patience)
    return state


def remember(needed: Floats, learned: Learned, now: float) -> Hold:
    """Put what is needed now (S,) into the ring and read off the most of the hold; NaN is not remembered."""
    number = int(now // BLOCK)
    column = number % BLOCKS
    need, block = learned.need.copy(), learned.block.copy()
    if block[column] != number:
        need[:, column], block[column] = np.nan, number
    # Rounded up, for a float32 is a little too small as often as too large.
    need[:, column] = np.nextafter(np.fmax(need[:, column], needed.astype(np.float32)), np.float32(np.inf))
    seconds = np.where(learned.direction < 0, AFTER_DOWN, OTHERWISE) * learned.patience
    # A block counts as long as its end is within the hold: what is held is held for at least so long.
    ages = np.where(block >= 0, now - (block + 1) * BLOCK, np.inf)
    lately = (ages < seconds.max(initial=0.0)).nonzero()[0]
    held = np.where(ages[lately] < seconds[:, None], need[:, lately], np.nan)
    most = np.fmax(np.fmax.reduce(held, axis=1, initial=np.nan), needed)
    state = learned.copy()
    state.need, state.block = need, block
    return Hold(seconds, most, state)
