"""What a person, or the operator as a whole, puts above the decision: a pinned number, no scaling in a direction, none at all.

The stages before this one know nothing of it, so that they say what would have been done. What the engine remembers must not take an
override for what it is not: a count that was pinned is no change that the hold might regret, a test of efficacy cannot fail for want of
pods that nobody was allowed to add, and a scaler that may go down again begins a window like one that is met for the first time.
Who asks for an override, and until when, is not its business.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from controller.api import Reason
from controller.engine.batch import Flags, Floats, Ints
from controller.engine.behavior import Limited
from controller.engine.efficacy import EXCURSION
from controller.engine.grouping import any_of
from controller.engine.learned import Learned
from controller.engine.reasons import NONE, Codes, none
from controller.engine.samples import History

__all__ = ["Override", "Overrides", "kept_in_mind", "override", "unmoved"]


@dataclass(frozen=True, slots=True)
class Overrides:
    """The overrides of all scalers, (S,).

    `pinned` is the number that the target shall have whatever its bounds, -1 where there is none, and `why` the code of its reason. `no_up`
    and `no_down` are the code of the reason for which nothing moves in that direction, not even to a pinned number; `NONE` where it may.
    `resumes` says where fewer replicas were forbidden, or the number was pinned, until the last evaluation and are not any more.
    """

    pinned: Ints
    why: Codes
    no_up: Codes
    no_down: Codes
    resumes: Flags

    @classmethod
    def none(cls, scalers: int) -> Self:
        """Nothing is overridden."""
        return cls(
            pinned=np.full(scalers, -1, np.int64),
            why=none(scalers),
            no_up=none(scalers),
            no_down=none(scalers),
            resumes=np.zeros(scalers, np.bool_),
        )


@dataclass(frozen=True, slots=True)
class Override:
    """What overrides one scaler, for people: the `reasons` that hold, the widest first, a note of each, and until when the first one
    that ends does (Unix seconds, infinite: until somebody ends it).

    The end of a pin leaves a note without a reason: nothing is held any more.
    """

    reasons: tuple[Reason, ...]
    notes: tuple[str, ...]
    until: float = np.inf


def override(overrides: Overrides, current: Ints, wanted: Ints) -> Limited:
    """The pinned number at once, and nothing in a direction that is forbidden; a pin is named even where it changes nothing."""
    pinned = overrides.pinned >= 0
    allowed = np.where(pinned, overrides.pinned, wanted)
    reasons = np.where(pinned, overrides.why, NONE).astype(np.int16)
    for moves, forbidden in ((allowed > current, overrides.no_up), (allowed < current, overrides.no_down)):
        held = moves & (forbidden != NONE)
        if any_of(held):
            allowed, reasons = np.where(held, current, allowed), np.where(held, forbidden, reasons)
    return allowed, reasons


def unmoved(overrides: Overrides, learned: Learned, current: Ints, now: float) -> Learned:
    """The law's state as it shall meet this cycle: what an override did to the count is no lesson.

    A pinned count was not changed by the law, so neither is its next change a regret. One that is free to fall again is met anew: what
    runs is what was needed so far. A test waits while no pods can be added.
    """
    pinned = overrides.pinned >= 0
    waits = (pinned | (overrides.no_up != NONE)) & (learned.phase == EXCURSION)
    if not any_of(pinned | waits | overrides.resumes):
        return learned
    state = learned.copy()
    state.replicas = np.where(overrides.resumes, -1, np.where(pinned, current, learned.replicas))
    state.direction = np.where(pinned, 0, learned.direction).astype(np.int8)
    state.began = np.where(waits, now, learned.began)
    return state


def kept_in_mind(
    overrides: Overrides, history: History, current: Ints, wanted: Ints, now: float
) -> tuple[History, Ints]:
    """What the stabilization window looks back on, and the recommendation (S,) to remember of this cycle.

    Where scaling down resumes, the present count is one of the recommendations, so that for one window nothing falls; what was wanted
    meanwhile stands in the window as ever.
    """
    if not any_of(overrides.resumes):
        return history, wanted
    recommendation = np.where(overrides.resumes, np.maximum(wanted, current), wanted)
    at: Floats = np.where(overrides.resumes, now, -np.inf)
    return replace(
        history,
        recommendations=np.column_stack([history.recommendations, recommendation]),
        recommended_at=np.column_stack([history.recommended_at, at]),
    ), recommendation
