"""Reasons as small integers, so that they fit into arrays.

A code is the position of the `Reason` in its enum; codes live for one process and are never written anywhere.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from controller.api import Reason

__all__ = ["NONE", "Codes", "code", "reason"]

Codes = NDArray[np.int16]

#: No reason at all.
NONE: Final = -1

_BY_CODE: Final = tuple(Reason)
_CODES: Final = {each: at for at, each in enumerate(_BY_CODE)}


def code(of: Reason) -> int:
    """The integer that stands for a reason."""
    return _CODES[of]


def reason(of: int) -> Reason:
    """The reason that an integer stands for; `NONE` has none and raises IndexError."""
    if of < 0:
        raise IndexError("no reason has a negative code")
    return _BY_CODE[of]
