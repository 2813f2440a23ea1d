"""HPA's `behavior`, and the cooldown: how far and how fast replicas may move. Every limit returns (value, reason).

One code path serves both directions: a limit that holds back going up is a maximum, going down a minimum. The order of the
stages is `decision`'s business. Source: HPA's stabilizeRecommendationWithBehaviors and convertDesiredReplicasWithBehaviorRate.
"""

from __future__ import annotations

import numpy as np

from controller.api import Direction, Reason, SelectPolicy
from controller.engine.batch import SELECTIONS, History, Ints, Rules, Scalers
from controller.engine.reasons import NONE, Codes, code

__all__ = ["bound", "cool_down", "limit_rate", "rate_limits", "stabilize"]

Limited = tuple[Ints, Codes]


def stabilize(scalers: Scalers, history: History, now: float, current: Ints, wanted: Ints) -> Limited:
    """Away from `current` only as far as every recommendation of the window agrees."""
    age = now - history.recommended_at
    low, high = wanted.copy(), wanted.copy()
    for direction, extreme in ((Direction.UP, low), (Direction.DOWN, high)):
        within = age < scalers.rules(direction).window[:, None]
        recent = np.where(within, history.recommendations, wanted[:, None])
        furthest = recent.min(axis=1) if direction is Direction.UP else recent.max(axis=1)
        pick = np.minimum if direction is Direction.UP else np.maximum
        extreme[:] = pick(wanted, furthest)
    allowed = np.where(current < low, low, np.where(current > high, high, current))
    stabilized = np.where(wanted >= current, code(Reason.SCALE_UP_STABILIZED), code(Reason.SCALE_DOWN_STABILIZED))
    return allowed, _where_changed(wanted, allowed, stabilized)


def cool_down(scalers: Scalers, history: History, now: float, current: Ints, wanted: Ints) -> Limited:
    """Nothing in a direction until its cooldown after the last scale event, of whichever direction, is over."""
    since = now - history.changed_at.max(axis=1)
    held = np.zeros(len(scalers), np.bool_)
    for direction, moves in ((Direction.UP, wanted > current), (Direction.DOWN, wanted < current)):
        held |= moves & (since < scalers.rules(direction).cooldown)
    allowed = np.where(held, current, wanted)
    return allowed, _where_changed(wanted, allowed, np.full(len(scalers), code(Reason.COOLDOWN)))


def limit_rate(scalers: Scalers, history: History, now: float, current: Ints, wanted: Ints) -> Limited:
    """No further than the policies of the direction allow from here."""
    up = rate_limits(scalers.up, Direction.UP, history, now, current)
    down = rate_limits(scalers.down, Direction.DOWN, history, now, current)
    allowed = np.clip(wanted, down, up)
    reasons = np.where(wanted > current, code(Reason.SCALE_UP_LIMIT), code(Reason.SCALE_DOWN_LIMIT))
    return allowed, _where_changed(wanted, allowed, reasons)


def rate_limits(rules: Rules, direction: Direction, history: History, now: float, current: Ints) -> Ints:
    """The furthest replica count (S,) that the policies of one direction allow.

    A policy counts from where the target stood one period ago: both directions' events are undone, as HPA does. Whole-number
    arithmetic, so that 10 % of 100 is 10 (HPA's doubles make it 11).
    """
    sign = 1 if direction is Direction.UP else -1
    age = now - history.changed_at
    unlimited = np.full(len(current), np.iinfo(np.int64).max // 2 * sign)
    by_policy = []
    for policy in range(rules.period.shape[1]):
        recent = np.where(age < rules.period[:, policy, None], history.changes, 0).sum(axis=1)
        base = current - recent
        pods, percent = rules.pods[:, policy], rules.percent[:, policy]
        # Up rounds the percentage up and down rounds what remains down: both let at least one pod move.
        by_percent = -((-base * (100 + percent)) // 100) if sign > 0 else (base * (100 - percent)) // 100
        exists = (pods >= 0) | (percent >= 0)
        by_policy.append((exists, np.where(pods >= 0, base + sign * pods, by_percent)))
    furthest, nearest = -unlimited, unlimited
    further, nearer = (np.maximum, np.minimum) if sign > 0 else (np.minimum, np.maximum)
    for exists, limit in by_policy:
        furthest = np.where(exists, further(furthest, limit), furthest)
        nearest = np.where(exists, nearer(nearest, limit), nearest)
    limit = np.where(rules.select == SELECTIONS.index(SelectPolicy.MIN), nearest, furthest)
    limit = np.where(rules.select == SELECTIONS.index(SelectPolicy.DISABLED), current, limit)
    # Events of the past may put the limit behind where we stand; they never push the target back.
    return further(limit, current)


def bound(scalers: Scalers, current: Ints, wanted: Ints) -> Limited:
    """Within minReplicas and maxReplicas; but a target that somebody set to zero is paused and stays there, whatever the minimum."""
    paused = current == 0
    bounded = np.clip(wanted, scalers.min_replicas, scalers.max_replicas)
    reasons = np.where(wanted > scalers.max_replicas, code(Reason.TOO_MANY_REPLICAS), code(Reason.TOO_FEW_REPLICAS))
    why = np.where(paused, code(Reason.SCALING_DISABLED), _where_changed(wanted, bounded, reasons))
    return np.where(paused, 0, bounded), why.astype(np.int16)


def _where_changed(wanted: Ints, allowed: Ints, reasons: Ints) -> Codes:
    """The reason where a limit changed the number, else none."""
    return np.where(wanted != allowed, reasons, NONE).astype(np.int16)
