"""What is asked and what comes back: the values that cross this package's border.

How an answer is fetched is the business of `transport`, how it is read that of `answers`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from controller.api import Per, Reason

__all__ = ["Answer", "Column", "Fault", "Query", "Scalar"]


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL expression for one source; equal queries of different scalers are one request.

    `per` says what the answer must be: one value a pod, or one value.
    """

    source: str
    text: str
    per: Per


@dataclass(frozen=True, slots=True)
class Column:
    """One value a pod: `keys` are (namespace, pod), `values` and `ages` are (n,) float64, ages in seconds.

    Values are as Prometheus gave them, NaN and infinite ones too. An age of 0 means "not known to be older". A pod
    whose newest sample is too old to yield a value has the value NaN and its age.
    """

    keys: list[tuple[str, str]]
    values: NDArray[np.float64]
    ages: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value for a whole target; `age` in seconds, 0 where it is not known to be older."""

    value: float
    age: float


@dataclass(frozen=True, slots=True)
class Fault:
    """An answer that cannot be trusted as a whole; the message says which source, what happened and what to do."""

    reason: Reason
    message: str


Answer: TypeAlias = Column | Scalar | Fault
