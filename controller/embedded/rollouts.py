"""How a Deployment's replicas are spread over its ReplicaSets while one template replaces another: pure arithmetic.

The rules of a rolling update are the deployment controller's (`maxSurge`, `maxUnavailable`). A change of `spec.replicas`
in the middle of one is absorbed by the same rules, not spread in proportion, except while the Deployment is paused.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

__all__ = ["RolloutRules", "SetState", "plan_rollout", "resolve_bounds"]


@dataclass(frozen=True)
class SetState:
    """One ReplicaSet: the pods it is to have, has, and has available."""

    wanted: int
    present: int
    available: int


@dataclass(frozen=True)
class RolloutRules:
    """What the Deployment allows: bounds in pods, `recreate` for that strategy."""

    surge: int = 0
    unavailable: int = 0
    recreate: bool = False
    paused: bool = False


def resolve_bounds(desired: int, surge: int | str, unavailable: int | str) -> tuple[int, int]:
    """Both bounds in pods: shares of surge are rounded up, of unavailability down, and never both are zero."""
    in_pods = ceil(_share(desired, surge)), floor(_share(desired, unavailable))
    return in_pods if any(in_pods) else (0, 1)


def _share(desired: int, bound: int | str) -> float:
    return bound if isinstance(bound, int) else int(bound.removesuffix("%")) * desired / 100


def plan_rollout(desired: int, rules: RolloutRules, new: SetState, old: Sequence[SetState]) -> tuple[int, list[int]]:
    """The pods that the new ReplicaSet and each old one (oldest first) are to have next."""
    if not any(each.wanted for each in old):
        waiting = rules.recreate and any(each.present for each in old)
        return (new.wanted if waiting else desired), [0] * len(old)
    if rules.paused:
        return _in_proportion(desired + (0 if rules.recreate else rules.surge), desired, new, old)
    if rules.recreate:
        return new.wanted, [0] * len(old)
    total = new.wanted + sum(each.wanted for each in old)
    room = max(0, desired + rules.surge - total)
    grown = min(desired, new.wanted + room)
    missing = max(0, grown - new.available)
    spare = max(0, grown + sum(each.wanted for each in old) - (desired - rules.unavailable) - missing)
    return grown, _shrunk(old, spare)


def _shrunk(old: Sequence[SetState], spare: int) -> list[int]:
    """Old ReplicaSets after giving up pods: unavailable ones first, as they are missed by nobody, then the oldest."""
    left = []
    for each in old:
        unavailable = min(each.wanted, max(0, each.wanted - each.available), spare)
        spare -= unavailable
        left.append(each.wanted - unavailable)
    for index, wanted in enumerate(left):
        given = min(wanted, spare)
        spare -= given
        left[index] = wanted - given
    return left


def _in_proportion(allowed: int, desired: int, new: SetState, old: Sequence[SetState]) -> tuple[int, list[int]]:
    """A paused Deployment is scaled without moving pods between templates."""
    sizes = [*(each.wanted for each in old), new.wanted]
    total = sum(sizes)
    if desired <= total <= allowed:
        return new.wanted, sizes[:-1]
    goal = desired if desired < total else allowed
    scaled = [size * goal // total for size in sizes]
    scaled[-1] += goal - sum(scaled)
    return scaled[-1], scaled[:-1]
