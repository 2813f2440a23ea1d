"""The vector and its length: normalize the excess over idle, weighted p-norm per pod, aggregate over pods.

    y_i = clip((v_i - f_i) / (t_i - f_i), 0, cap_i)         0 without load, 1 exactly at the dimension's own target
    m   = (sum_i w_i y_i^p)^(1/p)                            p = infinity: the largest y, HPA's rule

With every weight >= 1, m <= 1 implies that every dimension is at or below its target. The formula is DESIGN section 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from controller.api import Aggregation
from controller.engine.batch import AGGREGATIONS, LARGEST, Flags, Floats, Ints, Scalers
from controller.engine.grouping import Rows, all_of, count_by_scaler, sum_by_scaler, sum_rows_by_scaler
from controller.engine.quality import Quality
from controller.engine.samples import Samples

__all__ = ["Magnitude", "aggregate", "measure", "norm", "normalize"]

_GREATEST: Final = float(np.finfo(np.float64).max)


@dataclass(frozen=True, slots=True)
class Magnitude:
    """Per pod: `pod` (P,), the norm over what was seen of it, and `complete` (P,), whether all valid dimensions were.

    Per scaler over its complete Ready `pods` (S,): `total` (S,), NaN where there is nothing to measure; `values`, `normalized` and `shares`
    (S, D), NaN where the dimension is invalid. Shares are of `total` and add up to 1 (all 0 when it is 0).
    """

    pod: Floats
    of_pods: Floats
    complete: Flags
    pods: Ints
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
    length, shares = _norm(np.ascontiguousarray(normalized.T), np.minimum(weight.T, LARGEST), power)
    return length, shares.T


def _norm(y: Floats, weight: Floats | None, power: Floats | None) -> tuple[Floats, Floats]:
    """The same of arrays (D, n), in which a dimension lies in one piece; no weight is 1 everywhere, no power 2."""
    # Dimension by dimension: there are few of them and many pods, and numpy's own sum over a row takes another order, hence
    # another rounding, when the batch is wider. fmax passes over NaN.
    largest, total = np.zeros((2, y.shape[1]))
    for row in y:
        np.fmax(largest, row, out=largest)
    # Relative to the largest entry, powers stay within [0, 1] whatever p and y are; with p infinite only the largest is not 0.
    relative = y / np.where(largest > 0, largest, 1.0)
    # Squares, which nearly all are, without the cost of the general power.
    shares = np.multiply(relative, relative, out=relative if power is None else None)
    others = () if power is None else np.flatnonzero(power != 2)
    if power is not None and len(others):
        shares[:, others] = relative[:, others] ** power[others]
    if weight is not None:
        shares *= weight
    np.fmax(shares, 0.0, out=shares)
    for row in shares:
        total += row
    shares /= np.where(total > 0, total, 1.0)
    root = np.sqrt(total)
    if power is not None and len(others):
        root[others] = total[others] ** (1.0 / power[others])
    return largest * root, shares


def measure(scalers: Scalers, samples: Samples, quality: Quality, floor: Floats, counted: Flags) -> Magnitude:
    """The magnitude of every scaler over the `counted` dimensions (S, D), above this `floor` (S, D) in each dimension's unit."""
    of, fixed = samples.scaler, scalers.fixed
    count = len(scalers)

    def of_pods(columns: NDArray[Any]) -> NDArray[Any]:
        # What each pod's scaler has, (D, P); indexing takes six times as long.
        return columns.T.take(of, axis=1)

    own = of_pods(counted & scalers.per_pod)
    own &= quality.good.T
    shared: Floats | float = np.nan
    if fixed.shared:
        shared = of_pods(np.where(counted & ~scalers.per_pod, samples.target_values, np.nan))
    values = np.where(own, samples.values.T, shared)
    # `normalize`, where what depends on the scaler alone is worked out before it is handed to its pods, and in place: memory of this
    # size is dear to get.
    y = values - of_pods(floor)
    y /= of_pods(scalers.target - floor)
    np.maximum(y, 0.0, out=y)
    np.minimum(y, of_pods(fixed.cap), out=y)
    weight = None if fixed.unweighted else of_pods(fixed.weight)
    pod, pod_shares = _norm(y, weight, None if fixed.squares else scalers.norm[of])

    absent = np.isnan(y)
    if not all_of(counted):
        absent &= of_pods(counted)
    complete = samples.ready & ~np.logical_or.reduce(absent, axis=0) & np.logical_or.reduce(counted, axis=1)[of]
    pods = count_by_scaler(of, complete, count)
    portions = _portions(scalers, of, pod, complete, pods)
    some = portions.nonzero()[0]
    everything = len(some) == len(of)
    of_some, portions = (of, portions) if everything else (of[some], portions[some])

    def over_pods(rows: Floats) -> Floats:
        return sum_rows_by_scaler(of_some, portions * (rows if everything else rows.take(some, axis=1)), count)

    measurable = pods > 0
    total = np.where(measurable, over_pods(pod[None, :])[0], np.nan)
    # An average of the largest doubles may be rounded to infinity.
    seen = np.minimum(over_pods(values), _GREATEST)
    normalized = over_pods(y)
    pod_shares *= pod
    shares = over_pods(pod_shares) / np.where(total > 0, total, 1.0)
    unknown = ~(counted.T & measurable)
    for each in (seen, normalized, shares):
        each[unknown] = np.nan
    return Magnitude(pod, y.T, complete, pods, total, seen.T, normalized.T, shares.T)


def aggregate(scalers: Scalers, of: Rows, column: Floats, counted: Flags) -> Floats:
    """One number a scaler from one number a pod (P,), over the `counted` pods, by each scaler's own aggregation; NaN without pods."""
    sizes = count_by_scaler(of, counted, len(scalers))
    portions = _portions(scalers, of, column, counted, sizes)
    total = sum_by_scaler(of, np.where(counted, portions * column, 0.0), len(scalers))
    return np.where(sizes > 0, total, np.nan)


def _portions(scalers: Scalers, of: Rows, column: Floats, counted: Flags, sizes: Ints) -> Floats:
    """How much each pod weighs in its scaler's aggregate, (P,), adding up to 1 over each scaler's counted pods, of which there are `sizes`.

    Mean: all alike. Max: the largest. P95: the two pods around the 95th percentile, linearly (numpy's default method).
    """
    portions = np.where(counted, (1.0 / np.maximum(sizes, 1))[of], 0.0)
    if not scalers.fixed.ranked:
        return portions
    ranked = scalers.aggregation != AGGREGATIONS.index(Aggregation.MEAN)
    members = np.flatnonzero(counted & ranked[of])
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
