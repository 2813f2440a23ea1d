"""How long a pod takes from its creation to being Ready: what the pods of each scaler that started lately took.

The watch tells both moments (`controller.kube.Pod`); here they become one number a scaler. How far ahead that makes the law look is the
business of the engine.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["LATELY", "LONGEST", "NEWEST", "startup_times"]

Floats = NDArray[np.float64]

#: Seconds after which a start says nothing any more about the next one: images, nodes and code change.
LATELY: Final = 3600.0
#: A start of more seconds than this was held up by something else, or is the recovery of a pod whose first start nobody saw.
LONGEST: Final = 1200.0
#: So many of the newest starts are looked at.
NEWEST: Final = 10


def startup_times(scaler: NDArray[np.intp], created: Floats, first_ready: Floats, count: int, wall: float) -> Floats:
    """The median of the newest starts of each scaler's pods, (count,) seconds; NaN where none was seen lately.

    `scaler` (P,) is the row of each pod's scaler; `created` and `first_ready` (P,) are Unix seconds as `wall` is, NaN where unknown.
    """
    taken = first_ready - created
    ages = wall - first_ready
    # Two machines' clocks may make a quick start end before it began.
    pods = np.flatnonzero((ages < LATELY) & (taken >= 0) & (taken <= LONGEST))
    # By scaler, then the newest first: one number to sort by takes half of the time of two.
    pods = pods[np.argsort(2 * LATELY * scaler[pods] + np.maximum(ages[pods], -LATELY))]
    of = scaler[pods]
    started = np.bincount(of, minlength=count)
    rank = np.arange(len(pods)) - (np.cumsum(started) - started)[of]
    newest = rank < NEWEST
    table = np.full((count, NEWEST), np.inf)
    table[of[newest], rank[newest]] = taken[pods[newest]]
    table.sort(axis=1)
    known = np.minimum(started, NEWEST)
    rows = np.arange(count)
    middle = (table[rows, np.maximum(known - 1, 0) // 2] + table[rows, np.minimum(known // 2, NEWEST - 1)]) / 2
    return np.where(known > 0, middle, np.nan)
