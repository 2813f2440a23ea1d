"""Sums as Prometheus forms them: Kahan's, in Neumaier's variant, so that the last digit agrees."""

import math
from collections.abc import Sequence

__all__ = ["compensated_mean", "compensated_sum"]


def compensated_sum(values: Sequence[float]) -> float:
    """The sum of `values` in their order; 0 for none."""
    total, lost = 0.0, 0.0
    for value in values:
        total, lost = _add(value, total, lost)
    return total if math.isinf(total) else total + lost


def compensated_mean(values: Sequence[float]) -> float:
    """The mean of at least one value; incremental once the sum would overflow."""
    total, lost = values[0], 0.0
    for index, value in enumerate(values[1:], start=2):
        larger, remainder = _add(value, total, lost)
        if math.isinf(larger):
            return _incremental_mean(values, index, total / (index - 1), lost / (index - 1))
        total, lost = larger, remainder
    return total / len(values) + lost / len(values)


def _incremental_mean(values: Sequence[float], start: int, mean: float, lost: float) -> float:
    for index, value in enumerate(values[start - 1 :], start=start):
        share = (index - 1) / index
        mean, lost = _add(value / index, share * mean, share * lost)
    return mean + lost


def _add(value: float, total: float, lost: float) -> tuple[float, float]:
    new = total + value
    if math.isinf(new):
        return new, 0.0
    if abs(total) >= abs(value):
        return new, lost + ((total - new) + value)
    return new, lost + ((value - new) + total)
