"""The pods of the plant as arrays: one row a pod, rows come and go with the pods.

A new pod starts at zero, with an empty backlog and memory at its floor; a pod that is gone takes its row with it. What
happens to the rows in a step is the plant's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["PodRef", "PodRows"]

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


class PodRef(NamedTuple):
    """A pod's name; equal to the plain pair."""

    namespace: str
    name: str


@dataclass(slots=True)
class PodRows:
    """State (n,) of n pods in requests, bytes, seconds of CPU or latency; `buckets` (n, bounds + 1) not cumulative."""

    refs: tuple[PodRef, ...]
    weight: Floats
    backlog: Floats
    inside: Counts
    work: Floats
    memory: Floats
    cpu_seconds: Floats
    requests: Counts
    latency_seconds: Floats
    buckets: Counts

    @classmethod
    def empty(cls, bounds: int) -> PodRows:
        """No pods, for histograms of so many finite bounds."""
        return cls(
            refs=(),
            weight=np.zeros(0),
            backlog=np.zeros(0),
            inside=np.zeros(0, np.int64),
            work=np.zeros(0),
            memory=np.zeros(0),
            cpu_seconds=np.zeros(0),
            requests=np.zeros(0, np.int64),
            latency_seconds=np.zeros(0),
            buckets=np.zeros((0, bounds + 1), np.int64),
        )

    def __len__(self) -> int:
        return len(self.refs)

    def followed_by(self, refs: Iterable[PodRef], floor: float, weigh: Callable[[int], Floats]) -> PodRows:
        """The rows of exactly these pods, sorted by name: known ones as they are, new ones at zero, memory at `floor`.

        `weigh(n)` draws the shares of n new pods.
        """
        wanted = tuple(sorted(set(refs)))
        row_of = {ref: row for row, ref in enumerate(self.refs)}
        rows = np.array([row_of.get(ref, -1) for ref in wanted], dtype=np.int64)
        known = rows >= 0
        new = PodRows.empty(self.buckets.shape[1] - 1)
        new.refs = wanted
        for field in fields(self)[1:]:
            old = getattr(self, field.name)
            column = np.zeros((len(wanted), *old.shape[1:]), old.dtype)
            column[known] = old[rows[known]]
            setattr(new, field.name, column)
        new.weight[~known] = weigh(int((~known).sum()))
        new.memory[~known] = floor
        return new

    def copy(self) -> PodRows:
        """These rows as they are now; later steps do not change them."""
        columns = {field.name: getattr(self, field.name).copy() for field in fields(self)[1:]}
        return PodRows(refs=self.refs, **columns)
