"""The loop without a clock: a fleet, a policy, and what became of it."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from controller.simulation.fleet import Fleet, Record, Seen

__all__ = ["Policy", "simulate"]


class Policy(Protocol):
    """Whatever scales R runs at once; it is asked once a sync, in order, and belongs to one fleet."""

    @property
    def name(self) -> str:
        """How it is called in tables."""
        ...

    def decide(self, seen: Seen) -> NDArray[np.int64]:
        """The replicas (R,) that are wanted from now on."""
        ...


def simulate(fleet: Fleet, policy: Policy) -> Record:
    """Let the traces of a fleet run to their end, the policy deciding at every sync; returns what really happened."""
    while not fleet.finished:
        fleet.advance()
        fleet.scale(np.maximum(policy.decide(fleet.seen()), 0))
    return fleet.record
