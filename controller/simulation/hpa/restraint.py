"""How far and how fast replicas may move, as the HorizontalPodAutoscaler restrains them, for any number of autoscalers at once.

With a `behavior` these are our own stages (`engine.behavior`) in HPA's order and with HPA's reasons. Without one, HPA has an
older way, which nothing else has: a window downwards only, and doubling. Source: HPA's normalizeDesiredReplicas and
normalizeDesiredReplicasWithBehaviors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from controller.api import Behavior, Direction, Reason
from controller.engine import History, Rules
from controller.engine.batch import Flags, Ints
from controller.engine.behavior import Limited, clamp, limit_rate, limiting_reason, stabilize
from controller.engine.reasons import NONE, Codes, code

__all__ = [
    "DOWNSCALE_SECONDS",
    "Limits",
    "Restrained",
    "clamp_without_behavior",
    "limit_with_behavior",
    "remember",
    "stabilize_without_behavior",
    "with_behavior",
    "without_behavior",
]

Number = TypeVar("Number", np.int64, np.float64)

#: The controller's flag by default: the window downwards where `behavior` does not say another.
DOWNSCALE_SECONDS: Final = 300.0

#: Without a behavior, replicas may double at once, and there may always be four.
SCALE_UP_FACTOR: Final = 2
SCALE_UP_LEAST: Final = 4


@dataclass(frozen=True, slots=True)
class Limits:
    """The settings that restrain: bounds (S,) and the rules of both directions."""

    min_replicas: Ints
    max_replicas: Ints
    up: Rules
    down: Rules

    @classmethod
    def of(cls, behaviors: Sequence[Behavior], min_replicas: Sequence[int], max_replicas: Sequence[int]) -> Self:
        """Stack the settings of all autoscalers; `Behavior()` is HPA's default, and HPA knows no cooldown."""
        no_cooldown = [0.0] * len(behaviors)
        return cls(
            min_replicas=np.array(min_replicas, np.int64),
            max_replicas=np.array(max_replicas, np.int64),
            up=Rules.of([each.rules(Direction.UP) for each in behaviors], no_cooldown),
            down=Rules.of([each.rules(Direction.DOWN) for each in behaviors], no_cooldown),
        )

    def __len__(self) -> int:
        return len(self.min_replicas)

    def rules(self, direction: Direction) -> Rules:
        """The rules of one direction."""
        return self.up if direction is Direction.UP else self.down


@dataclass(frozen=True, slots=True)
class Restrained:
    """What is left of the wanted replicas: `stabilized` (S,), and `replicas` (S,) after the limits.

    `able` and `limited` (S,) are the codes of the reasons of HPA's conditions AbleToScale and ScalingLimited.
    """

    stabilized: Ints
    replicas: Ints
    able: Codes
    limited: Codes


def with_behavior(limits: Limits, history: History, now: float, current: Ints, wanted: Ints) -> Restrained:
    """Restrain `wanted` (S,) by the windows, policies and bounds; `history` holds the unstabilized numbers of earlier cycles."""
    stabilized, why = stabilize(limits, history, now, current, wanted)
    replicas, limited = limit_with_behavior(limits, history, now, current, stabilized)
    return Restrained(stabilized, replicas, _able(why), limited)


def limit_with_behavior(limits: Limits, history: History, now: float, current: Ints, stabilized: Ints) -> Limited:
    """What policies and bounds leave of the stabilized number, and the reason of ScalingLimited."""
    rated, rate = limit_rate(limits, history, now, current, stabilized)
    # Each bound is looked at on the way to it only: up from zero, the minimum is the business of `controller`.
    minimum = np.where(stabilized < current, limits.min_replicas, 0)
    maximum = np.where(stabilized > current, limits.max_replicas, rated)
    replicas, _ = clamp(rated, minimum, maximum)
    return replicas, limiting_reason(stabilized, minimum, maximum, rate, replicas)


def without_behavior(
    limits: Limits,
    history: History,
    now: float,
    current: Ints,
    wanted: Ints,
    window: float = DOWNSCALE_SECONDS,
    factor: float = SCALE_UP_FACTOR,
    least: float = SCALE_UP_LEAST,
) -> Restrained:
    """Restrain `wanted` (S,) as HPA does where no behavior is written; only the bounds of `limits` count."""
    stabilized = stabilize_without_behavior(history, now, wanted, window)
    why = np.where(stabilized != wanted, code(Reason.SCALE_DOWN_STABILIZED), NONE).astype(np.int16)
    replicas, limited = clamp_without_behavior(limits, current, stabilized, factor, least)
    return Restrained(stabilized, replicas, _able(why), limited)


def stabilize_without_behavior(history: History, now: float, wanted: Ints, window: float = DOWNSCALE_SECONDS) -> Ints:
    """The most (S,) that was wanted within the window in seconds, whose edge belongs to it, even if that is above the current number."""
    within = now - history.recommended_at <= window
    highest: Ints = np.where(within, history.recommendations, wanted[:, None]).max(axis=1)
    return np.maximum(wanted, highest)


def clamp_without_behavior(
    limits: Limits,
    current: Ints,
    stabilized: Ints,
    factor: float = SCALE_UP_FACTOR,
    least: float = SCALE_UP_LEAST,
) -> Limited:
    """Within the bounds, and no more than `factor` times the current replicas or `least`; with the reason of ScalingLimited."""
    fastest = np.maximum(factor * current, least).astype(np.int64)
    replicas, why = clamp(stabilized, limits.min_replicas, np.minimum(limits.max_replicas, fastest))
    rate = (why == code(Reason.TOO_MANY_REPLICAS)) & (limits.max_replicas > fastest)
    within = np.where(why == NONE, code(Reason.DESIRED_WITHIN_RANGE), why)
    return replicas, np.where(rate, code(Reason.SCALE_UP_LIMIT), within).astype(np.int16)


def remember(history: History, now: float, recommendation: Ints, trusted: Flags, change: Ints) -> History:
    """The history with this cycle's unstabilized number (S,) and change of replicas (S,) in place of the oldest of each.

    Where not `trusted` (S,) there was no number, and HPA remembers none. As many are kept as the arrays are wide: a window, or a
    period, is covered by one column for every cycle within it.
    """
    at = np.full(len(recommendation), now)
    return History(
        recommendations=_rolled(history.recommendations, recommendation),
        recommended_at=_rolled(history.recommended_at, np.where(trusted, at, -np.inf)),
        changes=_rolled(history.changes, change),
        changed_at=_rolled(history.changed_at, at),
    )


def _rolled(columns: NDArray[Number], newest: NDArray[Number]) -> NDArray[Number]:
    return np.concatenate((columns[:, 1:], newest[:, None]), axis=1)


def _able(stabilized: Codes) -> Codes:
    """The reason of AbleToScale: what the window did, or that it did nothing."""
    return np.where(stabilized == NONE, code(Reason.READY_FOR_NEW_SCALE), stabilized).astype(np.int16)
