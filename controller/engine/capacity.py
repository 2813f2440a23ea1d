"""Capacity: the load per pod at which the magnitude is its target, learned per dimension and solved for all together.

What grows with the load (CPU, a queue's length per pod, memory above its floor) is learned by regression through the origin with
forgetting:

    c = sum u^2 / sum u y                                  u load per pod, y the normalized value in the same window

A time grows as in a queue, from its floor f (in units of the target) at no load to infinity at full use:

    y = q(u/c),   q(v) = F r / (1 - r),   r = (1 - f) v,   F = f / (1 - f),   q(1) = 1

so each sample gives c = u (1 - f) (F + y) / y, from a load that is a fifth or more of the highest of late. Its logarithm is averaged,
quickly where it falls and slowly where it rises, unless the load is beyond it: an underload says little of where the queue ends. The
load per pod at the target solves sum w (y/T)^p = 1: each term is convex and grows, so Newton's method from the right, where one
dimension alone is full, falls on the root without overshooting. Source: the law's study, 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from controller.engine.batch import Flags, Floats, Scalers
from controller.engine.demand import forgets
from controller.engine.grouping import across, all_of, any_of
from controller.engine.learned import Learned

__all__ = [
    "Believed",
    "alone",
    "believe",
    "capacities",
    "flat",
    "learn_linear",
    "learn_queues",
    "linear",
    "solve",
    "unexplained",
]

#: Seconds after which a linear dimension's past counts 1/e, and a pod's memory's.
LINEAR: Final = 60.0
MEMORY: Final = 3600.0
#: The same for a queue's capacity, where it falls and where it rises.
FALLING: Final = 300.0
RISING: Final = 3600.0
#: The most that one sample may raise a known capacity, and the least of a time's excess that is told from none at all.
JUMPS, NOTHING = 10.0, 0.1
#: The load per pod that is one to learn from, as a share of the most there was lately, which fades with this time constant (seconds).
LOADED, FADES = 0.2, 12 * 3600.0
#: No load per pod is so many times the highest of late.
IMPLAUSIBLE: Final = 1000.0
#: So many targets are no value of a pod that lives.
ABSURD: Final = 1e6
#: Less is no load of a pod (requests/s, cores).
LEAST: Final = 1e-9
#: Below this a dimension shows more noise than load.
LITTLE: Final = 0.1
#: Beyond this many targets a time tells of a backlog, not of a queue in balance.
OVERLOAD: Final = 3.0
#: The shape of a queue is not read from a floor outside of this range.
FLAT: Final = (0.1, 0.9)
ROUNDS: Final = 6
#: A dimension with so much of its target is nearly full, and no queue is fuller than this.
FULL, ALMOST = 0.8, 0.99
_LOG_JUMPS: Final = float(np.log(JUMPS))


def flat(scalers: Scalers, floor: Floats) -> Floats:
    """f (S, D): the floor in units of the target, as far as it may shape a queue."""
    return np.minimum(np.maximum(floor / scalers.target, FLAT[0]), FLAT[1])


def linear(squares: Floats, products: Floats) -> Floats:
    """The load per pod (S, D) at which each dimension that grows with the load is at its own target; infinite where it is not known."""
    found = squares / products
    return np.where(found > 0, found, np.inf)


def capacities(scalers: Scalers, known: Floats, log_capacity: Floats) -> Floats:
    """The same (S, D) of all dimensions: what is `linear` as it is `known`, the queues by the logarithm of theirs."""
    if not scalers.fixed.queues:
        return known
    found = np.where(scalers.queues, np.exp(log_capacity), known)
    return np.where(found > 0, found, np.inf)


@dataclass(frozen=True, slots=True)
class Believed:
    """The `load` per pod (S,) that may be one, else NaN, and whether it is `enough` (S,) to learn from: of an idle pod, what it uses for
    itself would be booked on its few requests. The `peak` (S,) is the highest of late, before and `after` this load.
    """

    load: Floats
    enough: Flags
    peak: Floats
    after: Floats


def believe(load: Floats, learned: Learned, elapsed: Floats) -> Believed:
    """Hold the load per pod (S,) against the highest of late."""
    peak = learned.peak * (1.0 - forgets(elapsed, FADES))
    doubtful = (peak > 0) & ~(load <= IMPLAUSIBLE * peak)
    believed = np.where(doubtful, np.nan, load)
    # What is not believed is believed in the end: each time it is seen, the highest of late may be twice as high.
    highest = np.fmax(peak, np.where(doubtful, np.minimum(load, 2 * peak), load))
    return Believed(believed, believed >= LOADED * peak, peak, highest)


def learn_linear(
    scalers: Scalers, believed: Believed, y: Floats, before: Floats, learned: Learned, elapsed: Floats
) -> tuple[Floats, Floats]:
    """The sums (S, D) of the regression after this cycle, `before` (S, D) being what it gave so far; nothing changes where the load or
    y (S, D) say too little."""
    width = y.shape[1]
    u = across(believed.load, width)
    known = learned.products > 0
    # A dimension that should be half full and is nearly empty contradicts what is known of it, however little it shows.
    contradicts = u >= before / 2
    enough = (y > LITTLE) & across(believed.enough, width)
    tells = enough | (y > np.where(scalers.memory, 1.0, 0.5)) | contradicts
    tells &= scalers.fixed.linear & (u > LEAST) & (u < np.inf) & (y < ABSURD)
    # One sample moves a capacity tenfold at the most and weighs as much as four: a counter that jumped is soon forgotten.
    y = np.maximum(y, u / (JUMPS * before))
    lever = np.where(known, np.minimum(1.0, 2.0 * np.sqrt(learned.squares) / u), 1.0)
    memory = np.where(scalers.memory, MEMORY, LINEAR)
    weight = np.where(tells, forgets(across(elapsed, width), memory), 0.0)
    u, y = np.where(tells, lever * u, 0.0), np.where(tells, lever * y, 0.0)
    squares = learned.squares + weight * (u * u - learned.squares)
    products = learned.products + weight * (u * y - learned.products)
    # More than the whole capacity, and the dimension is not full: the capacity is another one, from now on.
    refuted = tells & contradicts & (u > lever * before) & (y < lever)
    if any_of(refuted):
        products = np.where(refuted, squares * np.where(refuted, y, 1.0) / np.where(refuted, u, 1.0), products)
    return squares, products


def unexplained(scalers: Scalers, load: Floats, y: Floats, known: Floats) -> Flags:
    """Where (S, D) CPU is nearly full and the load per pod (S,) accounts for less than half of that by the capacities `known` (S, D)."""
    full = scalers.fixed.linear & ~scalers.proves & ~scalers.memory & (y >= FULL) & (known < np.inf)
    return full & (2 * across(load, y.shape[1]) < y * known)


def learn_queues(
    scalers: Scalers,
    believed: Believed,
    y: Floats,
    f: Floats,
    linear: Floats,
    learned: Learned,
    elapsed: Floats,
    dropped: Flags,
) -> Floats:
    """The logarithm of the capacities (S, D) of the queues; `linear` (S,) is the load per pod at the target without them."""
    if not scalers.fixed.queues:
        return learned.log_capacity
    load, width = believed.load, y.shape[1]
    u, rest = across(load, width), 1 - f
    most, shows, known = np.log(u), y > NOTHING, ~np.isnan(learned.log_capacity)
    # Half of the delay that this load should have, where it should have some: an overload that is over was learned from.
    full = np.minimum(rest * np.exp(most - learned.log_capacity), ALMOST)
    expected = f / rest * full / (1 - full)
    eased = (expected > 2 * NOTHING) & (2 * y < expected)
    others = np.isfinite(linear)
    enough = (load > 0) & (load > 0.05 * np.where(others, linear, 0.0)) & ~dropped
    tells = scalers.queues & (y >= 0) & across(enough, width) & (across(believed.enough, width) | (y > 1) | eased)
    # In an overload that CPU or memory know of, the backlog's age tells nothing of the queue.
    tells &= ~((y >= OVERLOAD) & across(others & (load > linear), width))
    bounded = np.minimum(np.maximum(y, NOTHING), OVERLOAD)
    seen = np.log(u * rest * (f / rest + bounded) / bounded)
    # Next to no delay says that the queue ends further up, not where.
    tells &= np.isfinite(seen) & (known | shows)
    before = np.where(known, learned.log_capacity, seen)
    highest = before + _LOG_JUMPS
    seen = np.minimum(np.where(shows, seen, np.maximum(seen, before)), highest)
    # More load than the capacity was held to be, and no delay to show for it: that is evidence as good as too much delay.
    beyond = (most > before) & (y < 1)
    before = np.where(beyond, np.minimum(most, highest), before)
    memory = np.where((seen < before) | beyond | eased, FALLING, RISING)
    after = before + forgets(across(elapsed, width), memory) * (seen - before)
    return np.where(tells, after, learned.log_capacity)


def alone(scalers: Scalers, f: Floats, target: Floats) -> Floats:
    """The load per pod (S, D) at which each dimension alone brings the magnitude to `target` (S,), in units of its capacity.

    That may be infinite and is never 0: with a weight of next to nothing there is no such load.
    """
    y = across(target, f.shape[1]) * scalers.fixed.alone
    v = y
    if scalers.fixed.queues:
        rest = 1 - f
        v = np.where(scalers.queues, y / (f / rest + y) / rest, y)
    return np.where((y <= scalers.cap) & (v < np.inf), v, np.inf)


def solve(scalers: Scalers, far: Floats, f: Floats, capacity: Floats, target: Floats) -> Floats:
    """The load per pod (S,) at which the dimensions together bring the magnitude to `target` (S,); infinite if none is known.

    `far` (S, D) is the load at which each does it `alone`, infinite where a dimension does not count.
    """
    # Few dimensions and many scalers: reductions go down the columns of (D, S), which is many times as fast as along short rows.
    far = np.ascontiguousarray(far.T)
    finite = np.isfinite(far)
    u: Floats = np.minimum.reduce(far, axis=0)
    together = (np.add.reduce(finite, axis=0) > 1) & scalers.fixed.finite
    some = together.nonzero()[0]
    if not len(some):
        return u
    # Where all rows are meant nothing has to be picked.
    rows: NDArray[np.intp] | slice = slice(None) if len(some) == len(u) else some
    # A capacity of next to nothing overflows, and a step of Newton's with it is none.
    finite = finite[:, rows]
    power, weight = scalers.norm[rows], np.where(finite, scalers.fixed.weight.T[:, rows], 0.0)
    inverse = np.where(finite, 1.0 / capacity.T[:, rows], 0.0)
    at = u[rows]
    # Of a queue r = (1 - f) u/c and y = f (u/c) / (1 - r); what is linear is the same with r = 0 and 1 for f.
    queues = scalers.queues.T[:, rows] & finite
    steep: Floats | None = None
    scale = inverse / target[rows]
    if any_of(queues):
        f = f.T[:, rows]
        steep = np.where(queues, (1 - f) * inverse, 0.0)
        scale = np.where(queues, f * inverse, inverse) / target[rows]
    squared = scalers.fixed.squares or all_of(power == 2)
    growth = scale
    for _ in range(ROUNDS):
        if steep is not None:
            room = 1.0 - steep * at
            growth = scale / room
        y = growth * at
        terms = weight * (y if squared else y ** (power - 1))
        excess = np.add.reduce(terms * y, axis=0) - 1.0
        slope = terms * growth if steep is None else terms * growth / room
        at = at - excess / (power * np.add.reduce(slope, axis=0))
    u[rows] = at
    return u
