"""`histogram_quantile` over classic buckets, as `BucketQuantile` of Prometheus' quantile.go."""

import math
from typing import NamedTuple

from controller.embedded.promql.values import METADATA, Labels, Vector

__all__ = ["Forced", "bucket_quantile", "histograms", "upper_bound"]

_TOLERANCE = 1e-12
_SMALLEST_NORMAL = 2.2250738585072014e-308
_LARGEST = 1.7976931348623157e308

Buckets = list[tuple[float, float]]


class Forced(NamedTuple):
    """Where and by how much counts that fell from one bucket to the next were lifted."""

    lowest: float
    highest: float
    difference: float


def upper_bound(le: str) -> float | None:
    """The number in a label `le`; None when it is none."""
    if "_" in le or le != le.strip():
        return None
    try:
        return float(le)
    except ValueError:
        return None


def histograms(vector: Vector) -> tuple[list[tuple[Labels, Buckets]], list[str]]:
    """Each histogram's labels and buckets (upper bound, count), and the values of `le` that are no bound.

    Two histograms that differ in nothing but the metric's name stay two, with equal labels.
    """
    found: dict[Labels, tuple[Labels, Buckets]] = {}
    bad: list[str] = []
    for labels, count in vector:
        bound = upper_bound(labels.get("le", ""))
        if bound is None:
            bad.append(labels.get("le", ""))
            continue
        identity = labels.without(("le",))
        if identity not in found:
            found[identity] = (identity.without(METADATA), [])
        found[identity][1].append((bound, count))
    return list(found.values()), bad


def bucket_quantile(quantile: float, buckets: Buckets) -> tuple[float, Forced | None]:
    """The quantile of at least one bucket by linear interpolation, and what had to be forced to be monotonic.

    NaN for no observations, for fewer than two buckets, and without a bucket +Inf.
    """
    if math.isnan(quantile):
        return math.nan, None
    if not 0 <= quantile <= 1:
        return math.copysign(math.inf, quantile), None
    bounds, counts = _coalesced(buckets)
    if bounds[-1] != math.inf:
        return math.nan, None
    forced = _force_monotonic(bounds, counts)
    if len(bounds) < 2 or counts[-1] == 0:
        return math.nan, forced
    rank = quantile * counts[-1]
    bucket = _first_with(counts, rank)
    if bucket == len(bounds) - 1:
        return bounds[-2], forced
    if bucket == 0 and bounds[0] <= 0:
        return bounds[0], forced
    start, before = (bounds[bucket - 1], counts[bucket - 1]) if bucket else (0.0, 0.0)
    inside = counts[bucket] - before
    share = (rank - before) / inside if inside else math.nan
    return start + (bounds[bucket] - start) * share, forced


def _coalesced(buckets: Buckets) -> tuple[list[float], list[float]]:
    bounds: list[float] = []
    counts: list[float] = []
    for bound, count in sorted(buckets, key=lambda bucket: bucket[0]):
        if bounds and bounds[-1] == bound:
            counts[-1] += count
        else:
            bounds.append(bound)
            counts.append(count)
    return bounds, counts


def _force_monotonic(bounds: list[float], counts: list[float]) -> Forced | None:
    forced: Forced | None = None
    previous = counts[0]
    for index in range(1, len(counts)):
        current = counts[index]
        if current == previous:
            continue
        if _almost_equal(previous, current):
            counts[index] = previous
        elif current < previous:
            counts[index] = previous
            bound, difference = bounds[index], previous - current
            forced = (
                Forced(min(forced.lowest, bound), max(forced.highest, bound), max(forced.difference, difference))
                if forced
                else Forced(bound, bound, difference)
            )
        else:
            previous = current
    return forced


def _almost_equal(first: float, second: float) -> bool:
    if math.isnan(first) and math.isnan(second):
        return True
    total = abs(first) + abs(second)
    difference = abs(first - second)
    if first == 0 or second == 0 or total < _SMALLEST_NORMAL:
        return difference < _TOLERANCE * _SMALLEST_NORMAL
    return difference / min(total, _LARGEST) < _TOLERANCE


def _first_with(counts: list[float], rank: float) -> int:
    low, high = 0, len(counts) - 1
    while low < high:
        middle = (low + high) // 2
        if counts[middle] >= rank:
            high = middle
        else:
            low = middle + 1
    return low
