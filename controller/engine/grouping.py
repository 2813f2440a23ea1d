"""From pods to scalers: sums and counts over the pods of each scaler, one number a scaler."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from controller.engine.batch import Flags, Floats, Ints

__all__ = ["Rows", "count_by_scaler", "sum_by_scaler"]

#: The row of each pod's scaler, (P,).
Rows = NDArray[np.intp]


def sum_by_scaler(of: Rows, numbers: Floats, count: int) -> Floats:
    """The sum (count,) of the `numbers` (P,) of each scaler's pods, added up in the pods' order whatever else is in the batch."""
    return np.bincount(of, weights=numbers, minlength=count).astype(np.float64, copy=False)


def count_by_scaler(of: Rows, which: Flags, count: int) -> Ints:
    """How many pods (count,) of each scaler are among `which` (P,)."""
    return np.bincount(of[which], minlength=count)
