"""Different policies in one fleet: each scales its own runs, and all see the same load at the same moments.

A sync costs about as much for many runs as for one, so runs that one policy can decide together are decided together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import groupby
from typing import Final

import numpy as np
from numpy.typing import NDArray

from controller.api import Spec
from controller.simulation.fleet import Fleet, Seen
from controller.simulation.policies import CompositeScalerPolicy, policy_of, specs_of
from controller.simulation.rivals import RIVALS, HpaPolicy, metrics_of
from controller.simulation.run import Policy

__all__ = ["Together", "side_by_side"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: What `Seen` holds one a run, and not one a pod.
_OF_RUNS: Final = frozenset({"current", "arrivals_newest", "arrivals_window", "startup", "age", "answered"})
_OURS: Final = ("compositescaler", "proportional")


@dataclass(frozen=True, slots=True)
class Together:
    """Policies one after the other, each with the number of runs that it scales."""

    policies: tuple[tuple[Policy, int], ...]

    @property
    def name(self) -> str:
        """How it is called in tables."""
        return ", ".join(dict.fromkeys(policy.name for policy, _ in self.policies))

    def decide(self, seen: Seen) -> Ints:
        """The replicas (R,) of all runs."""
        if len(self.policies) == 1:
            return self.policies[0][0].decide(seen)
        desired, first = [], 0
        for policy, count in self.policies:
            desired.append(policy.decide(_part(seen, first, first + count)))
            first += count
        return np.concatenate(desired)

    @property
    def magnitude(self) -> Floats:
        """The magnitude (R,) at the last sync as our own decision measured it, NaN where something else decides."""
        return np.concatenate(
            [
                policy.magnitude if isinstance(policy, CompositeScalerPolicy) else np.full(count, np.nan)
                for policy, count in self.policies
            ]
        )


def side_by_side(names: Sequence[str], fleet: Fleet, specs: Sequence[Spec]) -> Together:
    """The policies of these names, one a run, for the runs of a fleet; runs of a kind that stand side by side are one batch.

    Raises `UnknownPolicy`, and `UnfitSpec` where a rival can make nothing of a spec.
    """
    policies: list[tuple[Policy, int]] = []
    for kind, rows in groupby(range(len(names)), key=lambda row: _kind(names[row])):
        part = list(rows)
        mine = [specs[row] for row in part]
        policies.append((_made(kind, [names[row] for row in part], fleet, mine), len(part)))
    return Together(tuple(policies))


def _kind(name: str) -> str:
    """The first name of those that can be decided together."""
    return next((kind[0] for kind in (_OURS, RIVALS) if name in kind), name)


def _made(kind: str, names: Sequence[str], fleet: Fleet, specs: Sequence[Spec]) -> Policy:
    if kind == _OURS[0]:
        own = [specs_of(name, [spec])[0] for name, spec in zip(names, specs, strict=True)]
        return CompositeScalerPolicy(own, fleet.settings)
    if kind == RIVALS[0]:
        metrics = [metrics_of(name, spec, fleet) for name, spec in zip(names, specs, strict=True)]
        return HpaPolicy(specs, metrics, fleet.settings)
    return policy_of(kind, fleet, specs)


def _part(seen: Seen, first: int, last: int) -> Seen:
    """What is seen of the runs from the first up to the last."""
    runs = slice(first, last)
    pods = slice(*np.searchsorted(seen.scaler, (first, last)))
    parts = {
        field.name: getattr(seen, field.name)[runs if field.name in _OF_RUNS else pods]
        for field in fields(Seen)
        if field.name != "now"
    }
    parts["scaler"] = parts["scaler"] - first
    return Seen(now=seen.now, **parts)
