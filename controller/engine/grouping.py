"""From pods and dimensions to scalers: one number a scaler."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from controller.engine.batch import Flags, Floats, Ints

__all__ = [
    "Rows",
    "across",
    "all_of",
    "any_column",
    "any_of",
    "count_by_scaler",
    "largest_column",
    "sum_by_scaler",
    "sum_rows_by_scaler",
]

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
    found: Flags = flags[:, 0]
    for column in flags.T[1:]:
        found = found | column
    return found


def largest_column(numbers: Floats) -> Floats:
    """The largest (S,) of the few columns (S, D), NaN where one is NaN."""
    found = numbers[:, 0]
    for column in numbers.T[1:]:
        found = np.maximum(found, column)
    return found


def across(numbers: NDArray[Any], columns: int) -> NDArray[Any]:
    """The numbers (S,) in each of so many columns, (S, columns)."""
    # numpy can spread a column over short rows by itself, but anew in every operation, and each then takes three to nine times as long.
    return numbers.repeat(columns).reshape(len(numbers), columns)


def any_of(flags: Flags) -> bool:
    """Whether any is true."""
    # Of a few flags, to count them takes a third of the time that numpy's own `any` takes, and of many no longer.
    return bool(np.count_nonzero(flags))


def all_of(flags: Flags) -> bool:
    """Whether all are true."""
    return bool(np.count_nonzero(flags) == flags.size)
