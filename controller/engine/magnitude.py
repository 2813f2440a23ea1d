"""The vector and its length: normalize the excess over idle, weighted p-norm per pod, aggregate over pods.

    y_i = clip((v_i - f_i) / (t_i - f_i), 0, cap_i)         0 without load, 1 exactly at the dimension's own target
    m   = (sum_i w_i y_i^p)^(1/p)                            p = infinity: the largest y, HPA's rule

With every weight >= 1, m <= 1 implies that every dimension is at or below its target. The formula is DESIGN section 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from controller.api import Aggregation
from controller.engine.batch import AGGREGATIONS, Flags, Floats, Samples, Scalers
from controller.engine.quality import Quality

__all__ = ["Magnitude", "measure", "norm", "normalize"]

#: y never exceeds this, so that no weight or norm can overflow a double.
LARGEST: Final = 1e300


@dataclass(frozen=True, slots=True)
class Magnitude:
    """Per pod: `pod` (P,), the norm over what was seen of it, and `complete` (P,), whether all valid dimensions were.

    Per scaler over its complete Ready pods: `total` (S,), NaN where there is nothing to measure; `values`, `normalized` and `shares`
    (S, D), NaN where the dimension is invalid. Shares are of `total` and add up to 1 (all 0 when it is 0).
    """

    pod: Floats
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

    `normalized` and `weight` (n, D), NaN counting as absent; `power` (n,) >= 1 or infinity. Returns (n,) and (n, D).
    """
    y = np.where(np.isnan(normalized), 0.0, normalized)
    counted = np.where(np.isnan(normalized), 0.0, weight)
    largest = np.max(np.where(counted > 0, y, 0.0), axis=1, initial=0.0)
    # Relative to the largest entry, powers stay within [0, 1] whatever p and y are.
    relative = y / np.where(largest > 0, largest, 1.0)[:, None]
    finite = np.isfinite(power)
    exponent = np.where(finite, power, 1.0)[:, None]
    parts = counted * np.where(finite[:, None], relative**exponent, relative >= 1.0)
    total = parts.sum(axis=1)
    length = largest * np.where(finite, total ** (1.0 / exponent[:, 0]), 1.0)
    shares = parts / np.where(total > 0, total, 1.0)[:, None]
    return length, np.where(largest[:, None] > 0, shares, 0.0)


def measure(scalers: Scalers, samples: Samples, quality: Quality) -> Magnitude:
    """The magnitude of every scaler, with what each dimension contributes to it."""
    of = samples.scaler
    per_pod = scalers.per_pod[of]
    values = np.where(per_pod, np.where(quality.good, samples.values, np.nan), samples.target_values[of])
    values = np.where(quality.valid[of], values, np.nan)
    y = normalize(values, scalers.target[of], scalers.floor[of], scalers.cap[of])
    pod, pod_shares = norm(y, scalers.weight[of], scalers.norm[of])

    complete = samples.ready & ~np.any(quality.valid[of] & np.isnan(y), axis=1) & np.any(quality.valid[of], axis=1)
    portions = _portions(scalers, of, pod, complete)
    count, width = scalers.used.shape

    def over_pods(column: Floats) -> Floats:
        weighed: Floats = np.bincount(of, weights=np.where(portions > 0, portions * column, 0.0), minlength=count)
        return weighed

    measurable = np.bincount(of[complete], minlength=count) > 0
    total = np.where(measurable, over_pods(pod), np.nan)
    result_values, result_y, result_shares = (np.full((count, width), np.nan) for _ in range(3))
    divisor = np.where(total > 0, total, 1.0)
    for at in range(width):
        shown = quality.valid[:, at] & measurable
        result_values[shown, at] = over_pods(values[:, at])[shown]
        result_y[shown, at] = over_pods(y[:, at])[shown]
        result_shares[shown, at] = (over_pods(pod * pod_shares[:, at]) / divisor)[shown]
    return Magnitude(pod, complete, total, result_values, result_y, result_shares)


def aggregate(scalers: Scalers, of: NDArray[np.intp], column: Floats, counted: Flags) -> Floats:
    """One number a scaler from one number a pod (P,), over the `counted` pods, by each scaler's own aggregation; NaN without pods."""
    portions = _portions(scalers, of, column, counted)
    total = np.bincount(of, weights=np.where(counted, portions * column, 0.0), minlength=len(scalers))
    return np.where(np.bincount(of[counted], minlength=len(scalers)) > 0, total, np.nan)


def _portions(scalers: Scalers, of: NDArray[np.intp], column: Floats, counted: Flags) -> Floats:
    """How much each pod weighs in its scaler's aggregate, (P,), adding up to 1 over each scaler's counted pods.

    Mean: all alike. Max: the largest. P95: the two pods around the 95th percentile, linearly (numpy's default method).
    """
    portions = np.zeros(len(of))
    members = np.flatnonzero(counted)
    if not len(members):
        return portions
    ordered = members[np.lexsort((column[members], of[members]))]
    scaler = of[ordered]
    sizes = np.bincount(scaler, minlength=len(scalers))
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    how = scalers.aggregation[scaler]
    rank = np.arange(len(ordered)) - starts[scaler]
    size = sizes[scaler]
    quantile = np.where(how == AGGREGATIONS.index(Aggregation.MAX), 1.0, 0.95)
    position = quantile * (size - 1)
    around = np.clip(1.0 - np.abs(rank - position), 0.0, 1.0)
    portions[ordered] = np.where(how == AGGREGATIONS.index(Aggregation.MEAN), 1.0 / size, around)
    return portions
