"""HPA's `behavior`, and the cooldown: how far and how fast replicas may move. Every limit returns (value, reason).

One code path serves both directions: a limit that holds back going up is a maximum, going down a minimum. The order of the
stages is `decision`'s business. Source: HPA's stabilizeRecommendationWithBehaviors and convertDesiredReplicasWithBehaviorRate.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from controller.api import Direction, Reason, SelectPolicy
from controller.engine.batch import SELECTIONS, Floats, Ints, Rules
from controller.engine.grouping import any_of
from controller.engine.reasons import NONE, Codes, code, none
from controller.engine.samples import History

__all__ = [
    "Limited",
    "Limits",
    "bound",
    "clamp",
    "cool_down",
    "limit_rate",
    "limiting_reason",
    "rate_limits",
    "recent_change",
    "stabilize",
]

Limited = tuple[Ints, Codes]


class Limits(Protocol):
    """The settings that the stages read; `Scalers` has them, and so has whatever else shall be restrained as HPA restrains."""

    @property
    def min_replicas(self) -> Ints: ...

    @property
    def max_replicas(self) -> Ints: ...

    def rules(self, direction: Direction) -> Rules: ...

    def __len__(self) -> int: ...


def stabilize(scalers: Limits, history: History, now: float, current: Ints, wanted: Ints) -> Limited:
    """Away from `current` only as far as every recommendation of the window agrees."""
    age = now - history.recommended_at
    allowed = wanted
    for moves, direction, pick, nearer in (
        (wanted > current, Direction.UP, np.minimum, np.maximum),
        (wanted < current, Direction.DOWN, np.maximum, np.minimum),
    ):
        if any_of(moves):
            within = age < scalers.rules(direction).window[:, None]
            recent = np.where(within, history.recommendations, wanted[:, None])
            furthest = pick(wanted, pick.reduce(recent, axis=1))
            allowed = np.where(moves, nearer(current, furthest), allowed)
    return allowed, _where_changed(wanted, allowed, current, Reason.SCALE_UP_STABILIZED, Reason.SCALE_DOWN_STABILIZED)


def cool_down(scalers: Limits, history: History, now: float, current: Ints, wanted: Ints) -> Limited:
    """Nothing in a direction until its cooldown after the last scale event, of whichever direction, is over."""
    allowed = wanted
    for direction, moves in ((Direction.UP, wanted > current), (Direction.DOWN, wanted < current)):
        if any_of(moves):
            since = now - history.changed_at.max(axis=1)
            allowed = np.where(moves & (since < scalers.rules(direction).cooldown), current, allowed)
    return allowed, _where_changed(wanted, allowed, current, Reason.COOLDOWN, Reason.COOLDOWN)


def limit_rate(scalers: Limits, history: History, now: float, current: Ints, wanted: Ints) -> Limited:
    """No further than the policies of the direction allow from here."""
    allowed = wanted
    # The limits lie on either side of the current number: only that of the direction in which something moves can hold it back.
    if any_of(wanted > current):
        allowed = np.minimum(allowed, rate_limits(scalers.rules(Direction.UP), Direction.UP, history, now, current))
    if any_of(wanted < current):
        allowed = np.maximum(allowed, rate_limits(scalers.rules(Direction.DOWN), Direction.DOWN, history, now, current))
    return allowed, _where_changed(wanted, allowed, current, Reason.SCALE_UP_LIMIT, Reason.SCALE_DOWN_LIMIT)


def rate_limits(rules: Rules, direction: Direction, history: History, now: float, current: Ints) -> Ints:
    """The furthest replica count (S,) that the policies of one direction allow.

    A policy counts from where the target stood one period ago: both directions' events are undone, as HPA does. Whole-number
    arithmetic, so that 10 % of 100 is 10 (HPA's doubles make it 11).
    """
    sign = 1 if direction is Direction.UP else -1
    recent = [recent_change(history, now, period) for period in rules.period.T]
    base = current[:, None] - np.stack(recent, axis=1)
    # Up rounds the percentage up and down rounds what remains down: both let at least one pod move.
    share = base * (100 + sign * rules.percent)
    by_percent = -(-share // 100) if sign > 0 else share // 100
    # Times the sign, the furthest is the largest in both directions.
    limits = sign * np.where(rules.pods >= 0, base + sign * rules.pods, by_percent)
    exists = (rules.pods >= 0) | (rules.percent >= 0)
    unlimited = np.iinfo(np.int64).max // 2
    furthest = np.where(exists, limits, -unlimited).max(axis=1)
    nearest = np.where(exists, limits, unlimited).min(axis=1)
    limit = np.where(rules.select == SELECTIONS.index(SelectPolicy.MIN), nearest, furthest)
    limit = np.where(rules.select == SELECTIONS.index(SelectPolicy.DISABLED), sign * current, limit)
    # Events of the past may put the limit behind where we stand; they never push the target back.
    return sign * np.maximum(limit, sign * current)


def recent_change(history: History, now: float, period: Floats) -> Ints:
    """By how much (S,) the replicas changed, up less down, in the `period` (S,) seconds before `now`."""
    recent = (now - history.changed_at) < period[:, None]
    changes: NDArray[np.int64] = np.where(recent, history.changes, 0).sum(axis=1)
    return changes


def bound(scalers: Limits, current: Ints, wanted: Ints) -> Limited:
    """Within minReplicas and maxReplicas; but a target that somebody set to zero is paused and stays there, whatever the minimum."""
    paused = current == 0
    bounded, reasons = clamp(wanted, scalers.min_replicas, scalers.max_replicas)
    if not any_of(paused):
        return bounded, reasons
    why = np.where(paused, code(Reason.SCALING_DISABLED), reasons)
    return np.where(paused, 0, bounded), why.astype(np.int16)


def clamp(wanted: Ints, minimum: Ints, maximum: Ints) -> Limited:
    """No fewer than the `minimum` (S,), else no more than the `maximum` (S,)."""
    allowed = np.where(wanted < minimum, minimum, np.minimum(wanted, maximum))
    return allowed, _where_changed(wanted, allowed, minimum, Reason.TOO_MANY_REPLICAS, Reason.TOO_FEW_REPLICAS)


def limiting_reason(wanted: Ints, minimum: Ints, maximum: Ints, rate: Codes, result: Ints) -> Codes:
    """The reason of HPA's condition ScalingLimited: a bound where the number stands at it and more was wanted, else the rate.

    `wanted` (S,) is the number before the rate limit, `rate` (S,) that limit's reasons, `result` (S,) the number after the bounds.
    """
    reasons = np.where(rate != NONE, rate, code(Reason.DESIRED_WITHIN_RANGE)).astype(np.int16)
    reasons[(wanted < minimum) & (result == minimum)] = code(Reason.TOO_FEW_REPLICAS)
    reasons[(wanted > maximum) & (result == maximum)] = code(Reason.TOO_MANY_REPLICAS)
    return reasons


def _where_changed(wanted: Ints, allowed: Ints, bar: Ints, above: Reason, below: Reason) -> Codes:
    """The reason where a limit changed the number, else none: one reason if it was above the bar, or there, and another below."""
    changed = wanted != allowed
    if not any_of(changed):
        return none(len(wanted))
    return np.where(changed, np.where(wanted < bar, code(below), code(above)), NONE).astype(np.int16)
