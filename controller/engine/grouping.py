"""From pods and dimensions to scalers: one number a scaler."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from controller.engine.batch import Flags, Floats, Ints

__all__ = ["Rows", "any_column", "count_by_scaler", "largest_column", "sum_by_scaler", "sum_rows_by_scaler"]

#: The row of each pod's scaler, (P,).
Rows = NDArray[np.intp]


def sum_by_scaler(of: Rows, numbers: Floats, count: int) -> Floats:
    """The sum (count,) of the `numbers` (P,) of each scaler's pods, added up in the pods' order whatever else is in the batch."""
    return np.bincount(of, weights=numbers, minlength=count).astype(np.float64, copy=False)


def sum_rows_by_scaler(of: Rows, numbers: Floats, count: int) -> Floats:
    """The sums (n, count) of each row of the `numbers` (n, P), as by `sum_by_scaler`."""
    sums = np.empty((len(numbers), count))
    for row, each in zip(sums, numbers, strict=True):
        row[:] = np.bincount(of, weights=each, minlength=count)
    return sums


def count_by_scaler(of: Rows, which: Flags, count: int) -> Ints:
    """How many pods (count,) of each scaler are among `which` (P,)."""
    return np.bincount(of[which], minlength=count)


def any_column(flags: Flags) -> Flags:
    """Whether any of the few columns (S, D) is true, (S,)."""
    # numpy reduces short rows one by one; column by column takes a tenth of the time.
    found = np.zeros(len(flags), np.bool_)
    for column in flags.T:
        found |= column
    return found


def largest_column(numbers: Floats) -> Floats:
    """The largest (S,) of the few columns (S, D), NaN where one is NaN."""
    found = numbers[:, 0]
    for column in numbers.T[1:]:
        found = np.maximum(found, column)
    return found
