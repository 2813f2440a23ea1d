"""Between pods and scalers: sums and counts over the pods of each scaler, and a scaler's settings for each of its pods."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from controller.engine.batch import Flags, Floats, Ints

__all__ = ["Rows", "count_by_scaler", "for_pods", "sum_by_scaler"]

Kind = TypeVar("Kind", bound=np.generic)

#: The row of each pod's scaler, (P,).
Rows = NDArray[np.intp]


def sum_by_scaler(of: Rows, numbers: Floats, count: int) -> Floats:
    """The sum (count,) of the `numbers` (P,) of each scaler's pods, added up in the pods' order whatever else is in the batch."""
    return np.bincount(of, weights=numbers, minlength=count).astype(np.float64, copy=False)


def count_by_scaler(of: Rows, which: Flags, count: int) -> Ints:
    """How many pods (count,) of each scaler are among `which` (P,)."""
    return np.bincount(of[which], minlength=count)


def for_pods(of: Rows, table: NDArray[Kind]) -> NDArray[Kind]:
    """What (S, D) says of each pod's scaler, (P, D), with contiguous columns: there are few dimensions and many pods."""
    return np.take(table.T, of, axis=1).T
