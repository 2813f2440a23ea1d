"""What has been learned of each scaler: the state that one evaluation hands to the next.

Shapes as in `batch`: S scalers, D dimensions; K slots of the last minutes, B blocks of the hold, U blocks of the anomaly's window, H hours
of a week. Times are seconds of the engine's `now`, never known is NaN or `-inf`. Nothing here decides; every array is explained by the
module that writes it. A scaler of three dimensions takes less than 2 KB, and 1 KB more where one of the batch looks at the hours.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from operator import attrgetter
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from controller.engine.batch import Floats

__all__ = ["BLOCKS", "RINGS", "SHARED", "SIXTIETHS", "SLOTS", "WEEK", "Halves", "Learned", "Singles"]

Halves = NDArray[np.float16]
Singles = NDArray[np.float32]

#: Evaluations that the rings of the demand hold: 11 minutes of 15 s, the longest start-up that is looked ahead for.
SLOTS: Final = 44
#: Blocks of the hold's ring, see `hold`.
BLOCKS: Final = 34
#: Blocks of the anomaly's window, and hours that are remembered of each dimension, see `usual`.
SIXTIETHS, WEEK = 60, 168
#: What all scalers share.
SHARED: Final = ("at", "block")
#: What a scaler has a row of and no dimension a column.
RINGS: Final = ("newest", "mean", "expected", "ready", "need", "peaks")


@dataclass(slots=True)
class Learned:
    """The state; a module that learns makes another one, and leaves the one that it was given.

    Shared by all scalers: `at` (K,), the moment of each slot, and `block` (B,), the number of each block. Everything else has a row
    a scaler:
    (S,), (S, D), (S, K), (S, B), (S, U), (S, D, U) or (S, D, H); H is 0 while no
    scaler looks at the hours. It is not frozen only because a copy is made six times a cycle, and of a frozen one that takes long.
    """

    at: Floats
    block: NDArray[np.int64]

    # demand: the rings, the gain of the extrapolation, its noise, the start-up time
    newest: Singles
    mean: Singles
    expected: Singles
    ready: Singles
    covariance: Floats
    variance: Floats
    noise: Floats
    startup: Floats
    wait: Floats

    # capacity: regression of each dimension on the load per pod, queues by their own form
    squares: Floats
    products: Floats
    log_capacity: Floats
    hotness: Floats
    taught: Floats
    peak: Floats

    # efficacy: the test of the dimensions that must prove that pods lower them
    phase: NDArray[np.int8]
    log_established: Floats
    first_load: Floats
    first_excess: Floats
    first_pods: Floats
    last_load: Floats
    last_excess: Floats
    began: Floats
    lowered: Floats
    retry_at: Floats
    pause: Floats
    kept: Floats
    suspect: NDArray[np.int8]

    # hold: what was needed lately, the last change and how much longer to hold
    need: Singles
    patience: Floats
    direction: NDArray[np.int8]
    changed_at: Floats
    replicas: NDArray[np.int64]

    # floors: the regression of each dimension's value on the load, and what was made of it
    weight: Floats
    load: Floats
    loads: Floats
    value: Floats
    product: Floats
    spread: Floats
    lowest: Floats
    floor: Floats
    anchor: Floats
    since: Floats

    # usual: what each dimension is like as a rule, by the blocks of the window and by the hour of day
    means: Halves
    block_total: Floats
    block_samples: NDArray[np.int32]
    blocks_from: Floats
    block_length: Floats
    block_number: NDArray[np.int64]
    block_median: Floats
    hours: Halves
    hour: NDArray[np.int64]
    hour_total: Floats
    hour_samples: NDArray[np.int32]
    hour_median: Floats

    # anomaly: the highest score of each block, what they make of a threshold, and the breach that lasts
    peaks: Halves
    block_peak: Floats
    limit: Floats
    threshold: Floats
    breached_at: Floats
    breached_last: Floats
    breaches: NDArray[np.int32]

    evaluated_at: Floats

    @classmethod
    def empty(cls, scalers: int, dimensions: int) -> Self:
        """Nothing learned."""

        def rows(value: float = 0.0) -> Floats:
            return np.full(scalers, value)

        def cells(value: float = 0.0) -> Floats:
            return np.full((scalers, dimensions), value)

        def ring(slots: int) -> Singles:
            return np.full((scalers, slots), np.nan, np.float32)

        def halves(*shape: int) -> Halves:
            return np.full((scalers, *shape), np.nan, np.float16)

        nan, never = np.nan, -np.inf
        return cls(
            at=np.full(SLOTS, never),
            block=np.full(BLOCKS, -1, np.int64),
            newest=ring(SLOTS),
            mean=ring(SLOTS),
            expected=ring(SLOTS),
            ready=ring(SLOTS),
            covariance=rows(),
            variance=rows(),
            noise=rows(),
            startup=rows(nan),
            wait=rows(nan),
            squares=cells(),
            products=cells(),
            log_capacity=cells(nan),
            hotness=rows(1.0),
            taught=rows(),
            peak=rows(),
            phase=np.zeros(scalers, np.int8),
            log_established=rows(nan),
            first_load=rows(nan),
            first_excess=rows(nan),
            first_pods=rows(nan),
            last_load=rows(nan),
            last_excess=rows(nan),
            began=rows(never),
            lowered=rows(nan),
            retry_at=rows(never),
            pause=rows(),
            kept=cells(nan),
            suspect=np.full(scalers, -1, np.int8),
            need=ring(BLOCKS),
            patience=rows(1.0),
            direction=np.zeros(scalers, np.int8),
            changed_at=rows(never),
            replicas=np.full(scalers, -1, np.int64),
            weight=cells(),
            load=cells(),
            loads=cells(),
            value=cells(),
            product=cells(),
            spread=cells(),
            lowest=cells(nan),
            floor=cells(nan),
            anchor=cells(nan),
            since=cells(nan),
            means=halves(dimensions, SIXTIETHS),
            block_total=cells(),
            block_samples=np.zeros((scalers, dimensions), np.int32),
            blocks_from=rows(nan),
            block_length=rows(nan),
            block_number=np.zeros(scalers, np.int64),
            block_median=cells(nan),
            hours=halves(dimensions, 0),
            hour=np.full(scalers, -1, np.int64),
            hour_total=cells(),
            hour_samples=np.zeros((scalers, dimensions), np.int32),
            hour_median=cells(nan),
            peaks=halves(SIXTIETHS),
            block_peak=rows(nan),
            limit=rows(nan),
            threshold=rows(nan),
            breached_at=rows(nan),
            breached_last=rows(nan),
            breaches=np.zeros(scalers, np.int32),
            evaluated_at=rows(never),
        )

    def __len__(self) -> int:
        return len(self.evaluated_at)

    def copy(self) -> Self:
        """Another state with the same arrays: it is for giving it others, not for writing into these."""
        return type(self)(*_ARRAYS(self))

    @property
    def dimensions(self) -> int:
        """How many columns D there are."""
        return int(self.squares.shape[1])

    def take(self, rows: NDArray[np.intp], dimensions: int) -> Self:
        """The state of these rows in this order, -1 being a scaler of which nothing is known, with `dimensions` columns."""
        fresh = type(self).empty(len(rows), dimensions)
        known = rows >= 0
        width = min(dimensions, self.dimensions)

        def moved(name: str, new: Any) -> Any:
            old = getattr(self, name)
            if name in SHARED:
                return old
            if name == "hours":
                new = np.full((*new.shape[:2], old.shape[2]), np.nan, np.float16)
            if new.ndim > 1 and name not in RINGS:
                new[known, :width] = old[rows[known], :width]
            else:
                new[known] = old[rows[known]]
            return new

        return replace(fresh, **{each.name: moved(each.name, getattr(fresh, each.name)) for each in fields(fresh)})


_ARRAYS: Final = attrgetter(*(each.name for each in fields(Learned)))
