"""The vector and its length: normalize the excess over idle, weighted p-norm per pod, aggregate over pods.

    y_i = clip((v_i - f_i) / (t_i - f_i), 0, cap_i)         0 without load, 1 exactly at the dimension's own target
    m   = (sum_i w_i y_i^p)^(1/p)                            p = infinity: the largest y, HPA's rule

With every weight >= 1, m <= 1 implies that every dimension is at or below its target. The formula is DESIGN section 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from controller.api import Aggregation
from controller.engine.batch import AGGREGATIONS, Flags, Floats, Samples, Scalers
from controller.engine.grouping import Rows, count_by_scaler, sum_by_scaler
from controller.engine.quality import Quality

__all__ = ["LARGEST", "Magnitude", "aggregate", "measure", "norm", "normalize"]

#: Neither y nor a weight counts for more, so that whatever is made of them stays far inside a double.
LARGEST: Final = 1e60


@dataclass(frozen=True, slots=True)
class Magnitude:
    """Per pod: `pod` (P,), the norm over what was seen of it, and `complete` (P,), whether all valid dimensions were.

    Per scaler over its complete Ready pods: `total` (S,), NaN where there is nothing to measure; `values`, `normalized` and `shares`
    (S, D), NaN where the dimension is invalid. Shares are of `total` and add up to 1 (all 0 when it is 0).
    """

    pod: Floats
    of_pods: Floats
    complete: Flags
    total: Floats
    values: Floats
    normalized: Floats
    shares: Floats


def normalize(values: Floats, target: Floats, floor: Floats, cap: Floats) -> Floats:
    """The excess over idle in units of the excess at the target, clipped to [0, cap]; any broadcastable shapes, NaN stays NaN."""
    with np.errstate(over="ignore"):
        return np.clip((values - floor) / (target - floor), 0.0, np.minimum(cap, LARGEST))


def norm(normalized: Floats, weight: Floats, power: Floats) -> tuple[Floats, Floats]:
    """Weighted p-norm along the last axis and each entry's share of it.

    `normalized` and `weight` > 0 (n, D), NaN in `normalized` counting as absent; `power` (n,) >= 1 or infinity. Returns (n,) and (n, D).
    """
    # Column by column: there are few dimensions and many pods, and numpy's own sum over a row takes another order, hence
    # another rounding, when the batch is wider. fmax passes over NaN.
    largest, total = np.zeros((2, len(normalized)))
    for column in normalized.T:
        np.fmax(largest, column, out=largest)
    # Relative to the largest entry, powers stay within [0, 1] whatever p and y are; with p infinite only the largest is not 0.
    divisor = np.where(largest > 0, largest, 1.0)
    shares = np.empty_like(normalized, order="F")
    for part, column, counts in zip(shares.T, normalized.T, weight.T, strict=True):
        np.fmax(np.minimum(counts, LARGEST) * _raise(column / divisor, power), 0.0, out=part)
        total += part
    shares /= np.where(total > 0, total, 1.0)[:, None]
    return largest * _root(total, power), shares


def measure(scalers: Scalers, samples: Samples, quality: Quality, floor: Floats, counted: Flags) -> Magnitude:
    """The magnitude of every scaler over the `counted` dimensions (S, D), above this `floor` (S, D) in each dimension's unit."""
    of = samples.scaler
    count, width = scalers.used.shape
    values, y, weight = (np.empty((len(of), width), order="F") for _ in range(3))
    shared = np.where(counted & ~scalers.per_pod, samples.target_values, np.nan)
    own = counted & scalers.per_pod
    for at in range(width):
        values[:, at] = np.where(own[of, at] & quality.good[:, at], samples.values[:, at], shared[of, at])
        y[:, at] = normalize(values[:, at], scalers.target[of, at], floor[of, at], scalers.cap[of, at])
        weight[:, at] = scalers.weight[of, at]
    pod, pod_shares = norm(y, weight, scalers.norm[of])

    expected = np.count_nonzero(counted, axis=1)[of]
    complete = samples.ready & (expected > 0) & (np.count_nonzero(~np.isnan(y), axis=1) == expected)
    portions = _portions(scalers, of, pod, complete)
    some = np.flatnonzero(portions)
    of_some, portions = of[some], portions[some]

    def over_pods(column: Floats) -> Floats:
        return sum_by_scaler(of_some, portions * column[some], count)

    measurable = count_by_scaler(of, complete, count) > 0
    total = np.where(measurable, over_pods(pod), np.nan)
    divisor = np.where(total > 0, total, 1.0)
    seen, normalized, shares = np.empty((3, count, width))
    for at in range(width):
        # An average of the largest doubles may be rounded to infinity.
        seen[:, at] = np.minimum(over_pods(values[:, at]), np.finfo(np.float64).max)
        normalized[:, at] = over_pods(y[:, at])
        shares[:, at] = over_pods(pod * pod_shares[:, at]) / divisor
    unknown = ~(counted & measurable[:, None])
    for each in (seen, normalized, shares):
        each[unknown] = np.nan
    return Magnitude(pod, y, complete, total, seen, normalized, shares)


def aggregate(scalers: Scalers, of: Rows, column: Floats, counted: Flags) -> Floats:
    """One number a scaler from one number a pod (P,), over the `counted` pods, by each scaler's own aggregation; NaN without pods."""
    portions = _portions(scalers, of, column, counted)
    total = sum_by_scaler(of, np.where(counted, portions * column, 0.0), len(scalers))
    return np.where(count_by_scaler(of, counted, len(scalers)) > 0, total, np.nan)


def _raise(base: Floats, power: Floats) -> Floats:
    """`base ** power`, broadcast; squares, which nearly all are, without the cost of the general power."""
    raised = base * base
    others = np.flatnonzero(power != 2)
    if len(others):
        raised[others] = base[others] ** power[others]
    return raised


def _root(base: Floats, power: Floats) -> Floats:
    """`base ** (1 / power)`, both (n,)."""
    root = np.sqrt(base)
    others = np.flatnonzero(power != 2)
    if len(others):
        root[others] = base[others] ** (1.0 / power[others])
    return root


def _portions(scalers: Scalers, of: Rows, column: Floats, counted: Flags) -> Floats:
    """How much each pod weighs in its scaler's aggregate, (P,), adding up to 1 over each scaler's counted pods.

    Mean: all alike. Max: the largest. P95: the two pods around the 95th percentile, linearly (numpy's default method).
    """
    sizes = count_by_scaler(of, counted, len(scalers))
    portions = np.where(counted, (1.0 / np.maximum(sizes, 1))[of], 0.0)
    ranked = scalers.aggregation != AGGREGATIONS.index(Aggregation.MEAN)
    members = np.flatnonzero(counted & ranked[of]) if ranked.any() else ()
    if not len(members):
        return portions
    ordered = members[np.lexsort((column[members], of[members]))]
    scaler = of[ordered]
    sizes = np.where(ranked, sizes, 0)
    starts = np.cumsum(sizes) - sizes
    rank = np.arange(len(ordered)) - starts[scaler]
    quantile = np.where(scalers.aggregation == AGGREGATIONS.index(Aggregation.MAX), 1.0, 0.95)
    position = (quantile * (sizes - 1))[scaler]
    portions[ordered] = np.clip(1.0 - np.abs(rank - position), 0.0, 1.0)
    return portions
