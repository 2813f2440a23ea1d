"""Capacity: the load per pod at which the magnitude is its target, learned per dimension and solved for all together.

What grows with the load (CPU, a queue's length per pod, memory above its floor) is learned by regression through the origin with
forgetting:

    c = sum u^2 / sum u y                                  u load per pod, y the normalized value in the same window

A time grows as in a queue, from its floor f (in units of the target) at no load to infinity at full use:

    y = q(u/c),   q(v) = F r / (1 - r),   r = (1 - f) v,   F = f / (1 - f),   q(1) = 1

so each sample gives c = u (1 - f) (F + y) / y. Its logarithm is averaged, quickly where it falls and slowly where it rises, unless
the load is beyond it: an underload says little of where the queue ends. The load per pod at the target solves sum w (y/T)^p = 1: each
term is convex and grows, so Newton's method from the right, where one dimension alone is full, falls on the root without
overshooting. Source: reference/control_law.md, 1.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from controller.engine.batch import Flags, Floats, Scalers
from controller.engine.demand import forgets
from controller.engine.learned import Learned
from controller.engine.magnitude import LARGEST

__all__ = ["alone", "capacities", "flat", "learn_linear", "learn_queues", "normalized_at", "solve"]

#: Seconds after which a linear dimension's past counts 1/e, and a pod's memory's.
LINEAR: Final = 60.0
MEMORY: Final = 3600.0
#: The same for a queue's capacity, where it falls and where it rises.
FALLING: Final = 300.0
RISING: Final = 3600.0
#: The most that one sample may raise a known capacity, and the least of a time's excess that is told from none at all.
JUMPS, NOTHING = 10.0, 0.05
#: So many targets are no value of a pod that lives.
ABSURD: Final = 1e6
#: Below this a dimension shows more noise than load.
LITTLE: Final = 0.03
#: Beyond this many targets a time tells of a backlog, not of a queue in balance.
OVERLOAD: Final = 3.0
#: The shape of a queue is not read from a floor outside of this range.
FLAT: Final = (0.1, 0.9)
ROUNDS: Final = 6


def flat(scalers: Scalers, floor: Floats) -> Floats:
    """f (S, D): the floor in units of the target, as far as it may shape a queue."""
    return np.clip(floor / scalers.target, *FLAT)


def capacities(scalers: Scalers, squares: Floats, products: Floats, log_capacity: Floats) -> Floats:
    """The load per pod (S, D) at which each dimension alone is at its own target; infinite where it is not known."""
    with np.errstate(divide="ignore", invalid="ignore"):
        linear = squares / products
        found = np.where(scalers.queues, np.exp(log_capacity), linear)
    return np.where(np.isfinite(found) & (found > 0), found, np.inf)


def learn_linear(scalers: Scalers, load: Floats, y: Floats, learned: Learned, elapsed: Floats) -> tuple[Floats, Floats]:
    """The sums (S, D) of the regression after this cycle; nothing changes where load (S,) or y (S, D) say too little."""
    u = np.where(np.isfinite(load), load, 0.0)[:, None]
    tells = ~scalers.queues & (y > LITTLE) & (u > 0) & (y < ABSURD)
    # A capacity that grew tenfold between two looks is a counter that jumped.
    tells &= ~((learned.products > 0) & (u * learned.products > JUMPS * y * learned.squares))
    weight = np.where(tells, forgets(elapsed[:, None], np.where(scalers.memory, MEMORY, LINEAR)), 0.0)
    u, y = np.where(tells, u, 0.0), np.where(tells, y, 0.0)
    return learned.squares + weight * (u * u - learned.squares), learned.products + weight * (u * y - learned.products)


def learn_queues(
    scalers: Scalers,
    load: Floats,
    y: Floats,
    f: Floats,
    linear: Floats,
    learned: Learned,
    elapsed: Floats,
    dropped: Flags,
) -> Floats:
    """The logarithm of the capacities (S, D) of the queues; `linear` (S,) is the load per pod at the target without them."""
    u = load[:, None]
    enough = u > 0.05 * np.where(np.isfinite(linear), linear, 0.0)[:, None]
    tells = scalers.queues & (y >= 0) & (u > 0) & enough & ~dropped[:, None]
    # In an overload that CPU or memory know of, the backlog's age tells nothing of the queue.
    tells &= ~((y >= OVERLOAD) & (u > np.where(np.isfinite(linear), linear, np.inf)[:, None]))
    with np.errstate(divide="ignore", invalid="ignore"):
        bounded = np.clip(y, NOTHING, OVERLOAD)
        seen = np.log(u * (1 - f) * (f / (1 - f) + bounded) / bounded)
    tells &= np.isfinite(seen)
    before = np.where(np.isnan(learned.log_capacity), seen, learned.log_capacity)
    tells &= ~(seen > before + np.log(JUMPS))
    seen, before = np.where(tells, seen, 0.0), np.where(tells, before, 0.0)
    # More load than the capacity was held to be, and no delay to show for it: that is evidence as good as too much delay.
    memory = np.where((seen < before) | (u > np.exp(before)), FALLING, RISING)
    return np.where(tells, before + forgets(elapsed[:, None], memory) * (seen - before), learned.log_capacity)


def alone(scalers: Scalers, capacity: Floats, f: Floats, target: Floats) -> Floats:
    """The load per pod (S, D) at which each dimension alone brings the magnitude to `target` (S,); infinite where none does."""
    weight = np.where(scalers.used, np.minimum(scalers.weight, LARGEST), 1.0)
    y = target[:, None] * weight ** (-1.0 / scalers.norm[:, None])
    shape = f / (1 - f)
    with np.errstate(invalid="ignore"):
        v = np.where(scalers.queues, y / (shape + y) / (1 - f), y)
        found = np.where(y > scalers.cap, np.inf, v * capacity)
    return np.where(np.isnan(found), np.inf, found)


def normalized_at(scalers: Scalers, capacity: Floats, f: Floats, load: Floats) -> Floats:
    """The normalized values (S, D) to expect at a load per pod (S,); NaN where the capacity is not known."""
    v = load[:, None] / capacity
    r = np.minimum((1 - f) * v, 1 - 1e-9)
    y = np.where(scalers.queues, f / (1 - f) * r / (1 - r), v)
    return np.where(np.isfinite(capacity), np.minimum(y, scalers.cap), np.nan)


def solve(scalers: Scalers, far: Floats, f: Floats, capacity: Floats, target: Floats) -> Floats:
    """The load per pod (S,) at which the dimensions together bring the magnitude to `target` (S,); infinite if none is known.

    `far` (S, D) is what each does `alone`, infinite where a dimension does not count.
    """
    # Few dimensions and many scalers: reductions go down the columns of (D, S), which is many times as fast as along short rows.
    far = np.ascontiguousarray(far.T)
    finite = np.isfinite(far)
    u: Floats = far.min(axis=0)
    rows = np.flatnonzero((finite.sum(axis=0) > 1) & np.isfinite(scalers.norm))
    if not len(rows):
        return u
    finite, f = finite[:, rows], f.T[:, rows]
    power, weight = scalers.norm[rows], np.where(finite, np.minimum(scalers.weight.T[:, rows], LARGEST), 0.0)
    inverse = np.where(finite, 1.0 / capacity.T[:, rows], 0.0)
    # Of a queue r = (1 - f) u/c and y = f (u/c) / (1 - r); what is linear is the same with r = 0 and 1 for f.
    queues = scalers.queues.T[:, rows]
    steep = np.where(queues, (1 - f) * inverse, 0.0)
    scale = np.where(queues, f * inverse, inverse) / target[rows]
    squared = bool((power == 2).all())
    at = u[rows]
    for _ in range(ROUNDS):
        room = 1.0 - steep * at
        growth = scale / room
        y = growth * at
        terms = weight * (y if squared else y ** (power - 1))
        excess = (terms * y).sum(axis=0) - 1.0
        at = at - excess / (power * (terms * growth / room).sum(axis=0))
    u[rows] = at
    return u
