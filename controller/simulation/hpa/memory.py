"""What HPA remembers of one autoscaler: its recommendations, and how it scaled.

Nothing is ever removed: what is too old to count leaves its place to the next entry. Source: HPA's
stabilizeRecommendation and storeScaleEvent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from controller.api import Behavior, Direction
from controller.engine import History

__all__ = ["Memory", "Recommendation", "ScaleEvent"]

Entry = TypeVar("Entry")


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The replicas that were wanted at a moment, before any restraint."""

    replicas: int
    at: float


@dataclass(frozen=True, slots=True)
class ScaleEvent:
    """By how many replicas the target was scaled at a moment; the number is positive in both directions."""

    change: int
    at: float
    outdated: bool = False


@dataclass(slots=True)
class Memory:
    """The memory of one autoscaler; `recommendations` is None before its first reconcile. Times are seconds of one clock."""

    recommendations: list[Recommendation] | None = None
    scale_ups: list[ScaleEvent] = field(default_factory=list)
    scale_downs: list[ScaleEvent] = field(default_factory=list)

    def begin(self, current: int, now: float) -> None:
        """At the first reconcile, take the current replicas for what was wanted so far."""
        if self.recommendations is None:
            self.recommendations = [Recommendation(current, now)]

    def recommend(self, replicas: int, now: float, window: float) -> None:
        """Remember what is wanted; `window` is the longest in which it counts."""
        entries = self.recommendations = self.recommendations or []
        _put(entries, Recommendation(replicas, now), [now - each.at > window for each in entries])

    def scaled(self, before: int, after: int, behavior: Behavior | None, now: float) -> None:
        """Remember that the target was scaled; without a behavior nothing asks for it."""
        if behavior is None:
            return
        direction = Direction.UP if after > before else Direction.DOWN
        events = self.scale_ups if direction is Direction.UP else self.scale_downs
        longest = max(policy.period_seconds for policy in behavior.rules(direction).policies)
        events[:] = [replace(each, outdated=each.outdated or now - each.at > longest) for each in events]
        _put(events, ScaleEvent(abs(after - before), now), [each.outdated for each in events])

    def history(self) -> History:
        """What is remembered as the engine's arrays of one scaler."""
        wanted = [(each.replicas, each.at) for each in self.recommendations or ()]
        scaled = [(each.change, each.at) for each in self.scale_ups]
        scaled += [(-each.change, each.at) for each in self.scale_downs]
        nothing = (0, -np.inf)
        recommendations, recommended_at = zip(*(wanted or [nothing]), strict=True)
        changes, changed_at = zip(*(scaled or [nothing]), strict=True)
        return History(
            recommendations=np.array([recommendations], np.int64),
            recommended_at=np.array([recommended_at], np.float64),
            changes=np.array([changes], np.int64),
            changed_at=np.array([changed_at], np.float64),
        )


def _put(entries: list[Entry], entry: Entry, free: Sequence[bool]) -> None:
    """Put an entry into the last free place, or behind the others."""
    places = [at for at, is_free in enumerate(free) if is_free]
    if places:
        entries[places[-1]] = entry
    else:
        entries.append(entry)
