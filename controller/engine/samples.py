"""What one evaluation is told beside the settings: samples of all pods, what was asked of the targets, and what is remembered.

Shapes: S scalers, D dimensions as in `batch`, P pods sorted by scaler, K remembered recommendations, E remembered scale events. Where the
arrays come from is not this module's business.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Self

import numpy as np
from numpy.typing import NDArray

from controller.engine.batch import Flags, Floats, Ints

__all__ = ["History", "Load", "LoadKind", "Samples"]


class LoadKind(IntEnum):
    """What is measured as the demand of a scaler."""

    NONE = 0
    ARRIVALS = 1
    REQUESTS = 2
    CORES = 3


@dataclass(frozen=True, slots=True)
class Load:
    """What was asked of each target, and how soon it could have more pods.

    Of each pod (P,), NaN where nothing was seen: `newest`, the requests per second (or cores) that it served between its last two samples,
    `served`, the same over the range of the source's rates, and `waited`, the seconds of latency per second that its requests had
    between the last two samples. Of each target (S,): `arrivals`, what a gateway saw coming lately, NaN where there is none;
    `startup`, the measured seconds from creation to Ready, NaN where unknown; `window`, the range of the rates in seconds; `kind`,
    `LoadKind` codes.
    """

    newest: Floats
    served: Floats
    waited: Floats
    arrivals: Floats
    startup: Floats
    window: Floats
    kind: NDArray[np.int8]

    @classmethod
    def unknown(cls, scalers: int, pods: int) -> Self:
        """Nothing is known of any demand."""
        of_pods, of_scalers = np.full(pods, np.nan), np.full(scalers, np.nan)
        return cls(
            newest=of_pods,
            served=of_pods,
            waited=of_pods,
            arrivals=of_scalers,
            startup=of_scalers,
            window=np.full(scalers, 60.0),
            kind=np.zeros(scalers, np.int8),
        )


@dataclass(frozen=True, slots=True)
class Samples:
    """What was seen this cycle.

    `current` (S,) is `spec.replicas` of the target; `scaler` (P,) the row of each pod's scaler, ascending; `ready` (P,) whether
    the pod is Ready and stays; `young` (P,) whether it has been for so short a time that it need not have a sample yet and
    that its rates do not cover their window: what it shows is too low; `unscheduled` (P,) whether it waits for a node. `values` and
    `ages` (seconds) are (P, D) for the dimensions with one value per pod and `target_values`, `target_ages` (S, D) for the others;
    `seen` and `target_seen` say where there is a sample at all: a sample that is NaN was seen. `faults` (S, D) holds the code of a
    `Reason` where a dimension's whole answer cannot be trusted, else -1.
    """

    current: Ints
    scaler: NDArray[np.intp]
    ready: Flags
    young: Flags
    unscheduled: Flags
    values: Floats
    ages: Floats
    seen: Flags
    target_values: Floats
    target_ages: Floats
    target_seen: Flags
    faults: NDArray[np.int16]
    load: Load


@dataclass(frozen=True, slots=True)
class History:
    """What is remembered: times are in the clock of `now`, padding is `-inf` (infinitely long ago).

    `recommendations` (S, K) are unstabilized replicas of earlier cycles at `recommended_at` (S, K) seconds; `changes` (S, E) signed
    changes of replicas at `changed_at` (S, E) seconds.
    """

    recommendations: Ints
    recommended_at: Floats
    changes: Ints
    changed_at: Floats

    @classmethod
    def empty(cls, scalers: int) -> History:
        """Nothing remembered."""
        return cls(
            recommendations=np.zeros((scalers, 1), np.int64),
            recommended_at=np.full((scalers, 1), -np.inf),
            changes=np.zeros((scalers, 1), np.int64),
            changed_at=np.full((scalers, 1), -np.inf),
        )
