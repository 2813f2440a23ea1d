"""Floors that are learned: the value of a dimension without load (`floor: Auto`).

Of each Auto dimension the value x (in units of its target) is regressed on the load per pod l, with forgetting (4 h) and outliers
cut back to three mean deviations; memory takes the intercept. A pseudo-sample at no load stands for what is known beforehand: most
of a pod's memory is there without load, and half of the first latency. A time is no straight line in the load, so it takes the
lowest value seen, which rises only slowly. Confidence is the product of how long it was watched and how far the load moved
meanwhile; the floor in use goes where the evidence points with a time constant of ten minutes over the confidence: what is not
known moves nothing. Source: reference/traces_and_figures.md, C.3 and C.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from controller.engine.batch import Flags, Floats, Scalers
from controller.engine.capacity import ABSURD
from controller.engine.demand import forgets
from controller.engine.learned import Learned

__all__ = ["UNREACHABLE", "Floors", "first", "learn", "unreachable"]

#: A dimension whose floor is this share of its target, or more, cannot be brought to it by pods.
UNREACHABLE: Final = 0.95
#: The most that a floor may be of the target: of a time, and of anything else.
HIGHEST_OF_TIME, HIGHEST = 0.6, 1.0
#: What is known beforehand: the share of the first value that is there without load.
PRIOR_OF_TIME, PRIOR = 0.5, 0.8
#: The weight (minutes) of the pseudo-sample, and how long what was seen is remembered (seconds).
PRIOR_MINUTES: Final = 5.0
REMEMBERED: Final = 4 * 3600.0
#: The lowest value follows a lower one in minutes and a higher one in half a day.
SINKS, RISES = 120.0, 12 * 3600.0
#: So many minutes of watching, and a spread of the load of this share of its mean, are full confidence.
MINUTES, SPREAD = 30.0, 0.3
MOVES: Final = 600.0
#: A floor that is off by this share of the target is another floor: `since` starts anew.
ANOTHER: Final = 0.05


@dataclass(frozen=True, slots=True)
class Floors:
    """The state after this cycle, fields as in `Learned`, and the `confidence` (S, D) from 0 to 1."""

    weight: Floats
    load: Floats
    loads: Floats
    value: Floats
    product: Floats
    spread: Floats
    lowest: Floats
    floor: Floats
    anchor: Floats
    since: Floats
    confidence: Floats


def first(scalers: Scalers, values: Floats) -> Floats:
    """The floor in units of the target (S, D) to begin with, from the first values (S, D) in units of the target."""
    # A latency of nothing is that of no request.
    values = np.where(scalers.queues & (values <= 0), np.nan, values)
    known = np.where(scalers.queues, PRIOR_OF_TIME, PRIOR) * np.minimum(values, 1.0)
    return np.where(scalers.learns_floor & np.isfinite(values), known, np.nan)


def unreachable(scalers: Scalers, floor: Floats) -> Flags:
    """Where a floor (S, D), in the dimension's unit, leaves no room below the target."""
    return scalers.used & (floor >= UNREACHABLE * scalers.target)


def learn(scalers: Scalers, values: Floats, load: Floats, learned: Learned, now: float, elapsed: Floats) -> Floors:
    """One step: `values` (S, D) in units of the target and the `load` per pod (S,), NaN where unknown."""
    if not scalers.fixed.learns_floor and np.isnan(learned.floor).all():
        return _as_written(scalers, learned)
    x = np.where(values < ABSURD, values, np.nan)
    per_pod, seconds = load[:, None], np.minimum(elapsed, 60.0)[:, None]
    floor = learned.floor
    new = np.isnan(floor)
    if new.any():
        floor = np.where(new, first(scalers, x), floor)
    tells = scalers.learns_floor & (x > 0) & (np.isfinite(per_pod) & (per_pod > 0))
    fades = 1.0 - np.where(tells, forgets(seconds, REMEMBERED), 0.0)

    intercept, slope = _line(learned, floor)
    with np.errstate(invalid="ignore"):
        miss = np.where(tells, x - (intercept + slope * per_pod), 0.0)
        bound = 3 * learned.spread / np.maximum(learned.weight, 1e-9)
        cut = np.minimum(np.maximum(miss, -bound), bound)
        robust = np.where(learned.weight > MINUTES, x - miss + cut, x)
    weight = np.where(tells, seconds / 60.0, 0.0)
    per_pod, robust = np.where(tells, per_pod, 0.0), np.where(tells, robust, 0.0)
    after = Floors(
        weight=fades * learned.weight + weight,
        load=fades * learned.load + weight * per_pod,
        loads=fades * learned.loads + weight * per_pod * per_pod,
        value=fades * learned.value + weight * robust,
        product=fades * learned.product + weight * per_pod * robust,
        # Never nothing: values that were all alike must still be allowed to change.
        spread=fades * learned.spread + weight * np.maximum(np.abs(miss), 0.005),
        lowest=_lowest(learned.lowest, x, tells, seconds),
        floor=floor,
        anchor=learned.anchor,
        since=learned.since,
        confidence=floor,
    )
    confidence = _confidence(after)
    found = np.where(scalers.queues, after.lowest, _line(after, floor)[0])
    found = np.minimum(np.maximum(found, 0.0), np.where(scalers.queues, HIGHEST_OF_TIME, HIGHEST))
    pace = forgets(seconds, MOVES / np.maximum(confidence, 1e-9))
    moved = np.where(tells & np.isfinite(found), floor + pace * (found - floor), floor)
    another = np.isfinite(moved) & ~(np.abs(moved - learned.anchor) <= ANOTHER)
    return Floors(
        weight=after.weight,
        load=after.load,
        loads=after.loads,
        value=after.value,
        product=after.product,
        spread=after.spread,
        lowest=after.lowest,
        floor=moved,
        anchor=np.where(another, moved, learned.anchor),
        since=np.where(another, now, learned.since),
        confidence=np.where(scalers.learns_floor, confidence, np.where(scalers.used, 1.0, np.nan)),
    )


def _as_written(scalers: Scalers, learned: Learned) -> Floors:
    """The state as it was, where no floor is learned."""
    return Floors(
        weight=learned.weight,
        load=learned.load,
        loads=learned.loads,
        value=learned.value,
        product=learned.product,
        spread=learned.spread,
        lowest=learned.lowest,
        floor=learned.floor,
        anchor=learned.anchor,
        since=learned.since,
        confidence=np.where(scalers.used, 1.0, np.nan),
    )


def _line(sums: Learned | Floors, prior: Floats) -> tuple[Floats, Floats]:
    """Intercept and slope (S, D) of the regression with the pseudo-sample (no load, `prior`)."""
    n = sums.weight + PRIOR_MINUTES
    value = sums.value + PRIOR_MINUTES * np.where(np.isnan(prior), 0.0, prior)
    mean_l, mean_x = sums.load / n, value / n
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = (sums.product / n - mean_l * mean_x) / (sums.loads / n - mean_l * mean_l)
    # Memory that falls while the load rises is another story (caches, start-up), not a floor above what is seen.
    slope = np.maximum(np.where(np.isfinite(slope), slope, 0.0), 0.0)
    return mean_x - slope * mean_l, slope


def _confidence(sums: Floors) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = sums.load / sums.weight
        relative = np.sqrt(np.maximum(sums.loads / sums.weight - mean * mean, 0.0)) / mean
    relative = np.where(np.isnan(relative), 0.0, relative) / SPREAD
    watched = -np.expm1(-sums.weight / MINUTES)
    return np.where(sums.weight > 0, watched * np.minimum(np.maximum(relative, 0.1), 1.0), 0.0)


def _lowest(lowest: Floats, x: Floats, tells: Flags, seconds: Floats) -> Floats:
    before = np.where(np.isnan(lowest), x, lowest)
    pace = forgets(seconds, np.where(x < before, SINKS, RISES))
    return np.where(tells, before + pace * (x - before), lowest)
