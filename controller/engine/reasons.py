"""Reasons as small integers, so that they fit into arrays.

A code is the position of the `Reason` in its enum; codes live for one process and are never written anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from controller.api import Reason

__all__ = ["NONE", "Codes", "code", "first_of", "none", "reason"]

Codes = NDArray[np.int16]

#: No reason at all.
NONE: Final = -1

_BY_CODE: Final = tuple(Reason)
_CODES: Final = {each: at for at, each in enumerate(_BY_CODE)}


def code(of: Reason) -> int:
    """The integer that stands for a reason."""
    return _CODES[of]


def none(count: int) -> Codes:
    """No reason for any of so many scalers."""
    return np.full(count, NONE, np.int16)


def first_of(conditions: Sequence[NDArray[np.bool_]], codes: Sequence[int]) -> Codes:
    """The code that belongs to the first of the conditions that holds, in their shape; `NONE` where none does."""
    found = np.full(conditions[0].shape, NONE, np.int16)
    # From the last to the first, so that the first has the last word.
    for condition, each in zip(reversed(conditions), reversed(codes), strict=True):
        found[condition] = each
    return found


def reason(of: int) -> Reason:
    """The reason that an integer stands for; `NONE` has none and raises IndexError."""
    if of < 0:
        raise IndexError("no reason has a negative code")
    return _BY_CODE[of]
