"""HPA's `behavior` once more, written as plainly as possible from its documentation, to compare the engine with.

One scaler at a time, Python integers, no code shared with the engine. Ages are seconds; events are signed changes.
Percentages are exact, where HPA's doubles are sometimes off by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["DEFAULT_DOWN", "DEFAULT_UP", "Policy", "RulesOfOneDirection", "limit", "rate_limited", "stabilized"]

#: (number, seconds ago)
Remembered = tuple[int, float]


@dataclass(frozen=True)
class Policy:
    """At most so many Pods or Percent within so many seconds."""

    type: str
    value: int
    period: float


@dataclass(frozen=True)
class RulesOfOneDirection:
    """What the user wrote for one direction."""

    policies: tuple[Policy, ...]
    select: str = "Max"
    window: float = 0.0


DEFAULT_UP = RulesOfOneDirection((Policy("Pods", 4, 15.0), Policy("Percent", 100, 15.0)))
DEFAULT_DOWN = RulesOfOneDirection((Policy("Percent", 100, 15.0),), window=300.0)


def stabilized(
    current: int, raw: int, recommendations: Sequence[Remembered], up_window: float, down_window: float
) -> int:
    """The number nearest to `current` between the lowest of the one window and the highest of the other."""
    lowest = min([raw] + [number for number, ago in recommendations if ago < up_window])
    highest = max([raw] + [number for number, ago in recommendations if ago < down_window])
    result = current
    if result < lowest:
        result = lowest
    if result > highest:
        result = highest
    return result


def limit(direction: str, current: int, events: Sequence[Remembered], rules: RulesOfOneDirection) -> int:
    """The number that the policies of a direction allow at most ("up") or at least ("down")."""
    if rules.select == "Disabled":
        return current
    limits = []
    for policy in rules.policies:
        base = current
        for change, ago in events:
            if ago < policy.period:
                base -= change
        if direction == "up":
            change = policy.value if policy.type == "Pods" else _divided_up(base * policy.value, 100)
            limits.append(base + change)
        else:
            change = policy.value if policy.type == "Pods" else _divided_up(base * policy.value, 100)
            limits.append(base - change)
    widest_is_largest = (direction == "up") == (rules.select == "Max")
    return max(limits) if widest_is_largest else min(limits)


def rate_limited(
    current: int,
    wanted: int,
    minimum: int,
    maximum: int,
    events: Sequence[Remembered],
    up: RulesOfOneDirection,
    down: RulesOfOneDirection,
) -> tuple[int, str]:
    """The number after rate policies and bounds, and HPA's reason; `current` is within the bounds."""
    if wanted > current:
        allowed = max(limit("up", current, events, up), current)
        most, why = (allowed, "ScaleUpLimit") if maximum > allowed else (maximum, "TooManyReplicas")
        return (most, why) if wanted > most else (wanted, "DesiredWithinRange")
    if wanted < current:
        allowed = min(limit("down", current, events, down), current)
        least, why = (allowed, "ScaleDownLimit") if minimum < allowed else (minimum, "TooFewReplicas")
        return (least, why) if wanted < least else (wanted, "DesiredWithinRange")
    return wanted, "DesiredWithinRange"


def _divided_up(number: int, by: int) -> int:
    return -(-number // by)
