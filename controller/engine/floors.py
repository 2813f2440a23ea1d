"""Floors that are learned: the value of a dimension without load (`floor: Auto`).

Of each Auto dimension the value x (in units of its target) is regressed on the load per pod l, with forgetting (4 h) and outliers
cut back to three mean deviations; memory takes the intercept. A pseudo-sample at no load stands for what is known beforehand: most
of a pod's memory is there without load, and half of the first latency. A time is no straight line in the load, so it takes the
lowest value seen, which rises only slowly. Confidence is the product of how long it was watched and how far the load moved
meanwhile; the floor in use goes where the evidence points with a time constant of ten minutes over the confidence: what is not
known moves nothing. Source: the plant's study, C.3 and C.4.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from controller.engine.batch import Flags, Floats, Scalers
from controller.engine.capacity import ABSURD
from controller.engine.demand import forgets
from controller.engine.grouping import across, all_of, any_of
from controller.engine.learned import Learned

__all__ = ["UNREACHABLE", "first", "learn", "unreachable"]

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


def first(scalers: Scalers, values: Floats) -> Floats:
    """The floor in units of the target (S, D) to begin with, from the first values (S, D) in units of the target."""
    # A latency of nothing is that of no request.
    values = np.where(scalers.queues & (values <= 0), np.nan, values)
    known = np.where(scalers.queues, PRIOR_OF_TIME, PRIOR) * np.minimum(values, 1.0)
    return np.where(scalers.learns_floor & np.isfinite(values), known, np.nan)


def unreachable(scalers: Scalers, floor: Floats) -> Flags:
    """Where a floor (S, D), in the dimension's unit, leaves no room below the target."""
    return scalers.used & (floor >= UNREACHABLE * scalers.target)


def learn(
    scalers: Scalers, values: Floats, load: Floats, learned: Learned, now: float, elapsed: Floats
) -> tuple[Learned, Floats]:
    """One step: `values` (S, D) in units of the target and the `load` per pod (S,), NaN where unknown.

    Returns the state after it and the confidence (S, D) in each floor, from 0 to 1: that in a written one is full.
    """
    if not scalers.fixed.learns_floor and all_of(np.isnan(learned.floor)):
        return learned, scalers.fixed.certain
    width = values.shape[1]
    per_pod, seconds = across(load, width), across(np.minimum(elapsed, 60.0), width)
    floor = learned.floor
    new = np.isnan(floor)
    if any_of(new):
        floor = np.where(new, first(scalers, np.where(values < ABSURD, values, np.nan)), floor)
        new = np.isnan(floor)
    prior = np.where(new, 0.0, floor)
    tells = scalers.learns_floor & (values > 0) & (values < ABSURD) & (per_pod > 0) & (per_pod < np.inf)
    fades = 1.0 - np.where(tells, forgets(seconds, REMEMBERED), 0.0)

    intercept, slope = _line(learned.weight, learned.load, learned.loads, learned.value, learned.product, prior)
    miss = np.where(tells, values - (intercept + slope * per_pod), 0.0)
    bound = 3 * learned.spread / np.maximum(learned.weight, 1e-9)
    cut = np.minimum(np.maximum(miss, -bound), bound)
    robust = np.where(tells, np.where(learned.weight > MINUTES, values - miss + cut, values), 0.0)
    minutes, per_pod = np.where(tells, seconds / 60.0, 0.0), np.where(tells, per_pod, 0.0)

    weight = fades * learned.weight + minutes
    load = minutes * per_pod
    loads = fades * learned.loads + load * per_pod
    value = fades * learned.value + minutes * robust
    product = fades * learned.product + load * robust
    load = fades * learned.load + load
    lowest = _lowest(learned.lowest, values, tells, seconds)
    confidence = _confidence(weight, load, loads)
    found = np.where(scalers.queues, lowest, _line(weight, load, loads, value, product, prior)[0])
    found = np.minimum(np.maximum(found, 0.0), np.where(scalers.queues, HIGHEST_OF_TIME, HIGHEST))
    pace = forgets(seconds, MOVES / np.maximum(confidence, 1e-9))
    moved = np.where(tells & np.isfinite(found), floor + pace * (found - floor), floor)
    anchor, since = learned.anchor, learned.since
    another = np.isfinite(moved) & ~(np.abs(moved - anchor) <= ANOTHER)
    if any_of(another):
        anchor, since = np.where(another, moved, anchor), np.where(another, now, since)
    state = learned.copy()
    state.weight = weight
    state.load = load
    state.loads = loads
    state.value = value
    state.product = product
    # Never nothing: values that were all alike must still be allowed to change.
    state.spread = fades * learned.spread + minutes * np.maximum(np.abs(miss), 0.005)
    state.lowest = lowest
    state.floor = moved
    state.anchor = anchor
    state.since = since
    return state, np.where(scalers.learns_floor, confidence, scalers.fixed.certain)


def _line(
    weight: Floats, load: Floats, loads: Floats, value: Floats, product: Floats, prior: Floats
) -> tuple[Floats, Floats]:
    """Intercept and slope (S, D) of the regression with these sums and the pseudo-sample (no load, `prior`)."""
    n = weight + PRIOR_MINUTES
    mean_l, mean_x = load / n, (value + PRIOR_MINUTES * prior) / n
    slope = (product / n - mean_l * mean_x) / (loads / n - mean_l * mean_l)
    # Memory that falls while the load rises is another story (caches, start-up), not a floor above what is seen.
    slope = np.maximum(np.where(np.isfinite(slope), slope, 0.0), 0.0)
    return mean_x - slope * mean_l, slope


def _confidence(weight: Floats, load: Floats, loads: Floats) -> Floats:
    mean = load / weight
    relative = np.sqrt(np.maximum(loads / weight - mean * mean, 0.0)) / mean
    # Where nothing moved, or nothing was seen, fmax takes the least.
    moved = np.minimum(np.fmax(relative / SPREAD, 0.1), 1.0)
    return np.where(weight > 0, forgets(weight, MINUTES) * moved, 0.0)


def _lowest(lowest: Floats, x: Floats, tells: Flags, seconds: Floats) -> Floats:
    before = np.where(np.isnan(lowest), x, lowest)
    pace = forgets(seconds, np.where(x < before, SINKS, RISES))
    return np.where(tells, before + pace * (x - before), lowest)
