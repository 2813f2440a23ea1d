"""The decision: samples and settings in, replicas with every stage's reason out, for all scalers at once.

    quality -> floors -> magnitude -> proposed -> trusted -> tolerated -> stabilized -> cooled -> rate limited -> guarded -> bounded
    -> overridden

Pure: no clock, no network, no Kubernetes. The operator, the simulator and the tests call the same function.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Final

import numpy as np

from controller.api import Reason
from controller.engine import anomaly, behavior, floors, law
from controller.engine.anomaly import Anomaly
from controller.engine.batch import Flags, Ints, Scalers
from controller.engine.grouping import any_column, any_of
from controller.engine.law import Law
from controller.engine.learned import Learned
from controller.engine.magnitude import Magnitude, measure
from controller.engine.overrides import Overrides, kept_in_mind, override, unmoved
from controller.engine.proportional import ceil, propose
from controller.engine.quality import Quality, judge
from controller.engine.reasons import NONE, Codes, code, first_of, none
from controller.engine.samples import History, Samples

__all__ = ["Decisions", "Stage", "evaluate"]


#: Why a proposal is not trusted, in the order in which it is looked for.
_MISTRUST: Final = tuple(
    map(
        code,
        (Reason.NO_PODS, Reason.NO_READY_PODS, Reason.NO_VALID_METRIC, Reason.PARTIAL_METRICS, Reason.UP_ONLY),
    )
)


class Stage(StrEnum):
    """The stages of restraint in their order; each can only move the number towards the current one, except the bounds and a pin."""

    TRUSTED = "trusted"
    TOLERATED = "tolerated"
    STABILIZED = "stabilized"
    COOLED = "cooled"
    RATE_LIMITED = "rateLimited"
    GUARDED = "guarded"
    BOUNDED = "bounded"
    OVERRIDDEN = "overridden"


@dataclass(frozen=True, slots=True)
class Decisions:
    """What was decided for every scaler (S,), and everything that it follows from.

    `replicas` holds the number after each stage and `reasons` why a stage changed it; `desired` is the last; `rule` is the code of the one
    rule that decided: the last stage that changed the number, or whether the proposal stood. `recommendation` is what the
    stabilization window shall remember, `learned` what the next evaluation of these scalers needs.
    """

    scalers: Scalers
    samples: Samples
    history: History
    now: float
    quality: Quality
    magnitude: Magnitude
    proposed: Ints
    replicas: dict[Stage, Ints]
    reasons: dict[Stage, Codes]
    desired: Ints
    rule: Codes
    recommendation: Ints
    limited: Codes
    law: Law
    anomaly: Anomaly
    learned: Learned

    def __len__(self) -> int:
        return len(self.scalers)


def evaluate(
    scalers: Scalers,
    samples: Samples,
    history: History,
    now: float,
    learned: Learned | None = None,
    overrides: Overrides | None = None,
) -> Decisions:
    """Decide for all scalers; `now`, the history's and the state's times are seconds of the same clock.

    `learned` is the state that the last evaluation of these scalers left, row by row; without it nothing is known. `overrides` are what
    stands above the decision, if anything does.
    """
    if learned is None:
        learned = Learned.empty(*scalers.used.shape)
    if overrides is not None:
        learned = unmoved(overrides, learned, samples.current, now)
    # Broken counters make infinities and none of numbers; they are judged by being that, where they are used.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        quality = judge(scalers, samples)
        floor = law.floors_in_use(scalers, samples, quality, learned)
        closed = floors.unreachable(scalers, floor)
        magnitude = measure(scalers, samples, quality, floor, quality.valid & ~closed)
        proportional = partial(propose, scalers, samples, quality, magnitude)
        proposal, reckoned, learned = law.respond(
            scalers, samples, quality, magnitude, proportional, floor, closed, learned, now
        )
        watched, learned = anomaly.watch(scalers, magnitude.normalized, samples.load.window, learned, now)
    current = samples.current

    replicas: dict[Stage, Ints] = {}
    reasons: dict[Stage, Codes] = {}

    def keep(stage: Stage, limited: tuple[Ints, Codes]) -> Ints:
        replicas[stage], reasons[stage] = limited
        return replicas[stage]

    wanted = keep(Stage.TRUSTED, _trust(scalers, quality, magnitude, current, proposal.replicas))
    wanted = keep(Stage.TOLERATED, _tolerate(proposal.beyond, current, wanted))
    lately, recommendation = history, wanted
    if overrides is not None:
        lately, recommendation = kept_in_mind(overrides, history, current, wanted, now)
    wanted = keep(Stage.STABILIZED, _stabilize(scalers, reckoned, lately, now, current, wanted))
    wanted = keep(Stage.COOLED, behavior.cool_down(scalers, history, now, current, wanted))
    wanted = keep(Stage.RATE_LIMITED, behavior.limit_rate(scalers, history, now, current, wanted))
    wanted = keep(Stage.GUARDED, anomaly.guard(scalers, watched, current, wanted))
    wanted = keep(Stage.BOUNDED, behavior.bound(scalers, current, wanted))
    free = wanted, none(len(scalers))
    desired = keep(Stage.OVERRIDDEN, free if overrides is None else override(overrides, current, wanted))

    rule = np.where(proposal.replicas == current, code(Reason.AT_TARGET), code(Reason.AS_PROPOSED)).astype(np.int16)
    for each in reasons.values():
        np.copyto(rule, each, where=each != NONE)
    return Decisions(
        scalers=scalers,
        samples=samples,
        history=history,
        now=now,
        quality=quality,
        magnitude=magnitude,
        proposed=proposal.replicas,
        replicas=replicas,
        reasons=reasons,
        desired=desired,
        rule=rule,
        recommendation=recommendation,
        limited=_limited(scalers, current, replicas, reasons),
        law=reckoned,
        anomaly=watched,
        learned=learned,
    )


def _trust(
    scalers: Scalers, quality: Quality, magnitude: Magnitude, current: Ints, proposed: Ints
) -> tuple[Ints, Codes]:
    """Valid dimensions may ask for more; while one is missing, or none may ask for fewer, nothing goes down."""
    blocked = any_column(scalers.used & ~quality.valid & scalers.blocks)
    up_only = ~any_column(quality.valid & scalers.may_lower)
    nothing = ~np.isfinite(magnitude.total)
    lower = proposed < current
    none_ready = quality.ready == 0
    conditions = (none_ready & (quality.unready == 0), none_ready, nothing, lower & blocked, lower & up_only)
    allowed = np.where(nothing | conditions[3] | conditions[4], current, proposed)
    return allowed, first_of(conditions, _MISTRUST)


def _tolerate(beyond: Flags, current: Ints, wanted: Ints) -> tuple[Ints, Codes]:
    """Nothing moves while the magnitude is within the tolerance around its target."""
    held = ~beyond & (wanted != current)
    return np.where(held, current, wanted), first_of((held,), (code(Reason.WITHIN_TOLERANCE),))


def _stabilize(
    scalers: Scalers, reckoned: Law, history: History, now: float, current: Ints, wanted: Ints
) -> tuple[Ints, Codes]:
    """HPA's windows, or the law's own hold downwards where the user wrote none and the law proposed."""
    allowed, reasons = behavior.stabilize(scalers, history, now, current, wanted)
    own = scalers.adaptive_hold & reckoned.used & (wanted < current)
    if not any_of(own):
        return allowed, reasons
    # The band that keeps a pod from going and coming applies to what was needed lately, not only to what is needed now.
    leaves_room = reckoned.held * (1 + scalers.down.tolerance) <= current - 1
    held = np.where(leaves_room, np.maximum(ceil(reckoned.held), wanted), current)
    why = np.where(held != wanted, code(Reason.ADAPTIVE_HOLD), NONE).astype(np.int16)
    return np.where(own, held, allowed), np.where(own, why, reasons).astype(np.int16)


def _limited(scalers: Scalers, current: Ints, replicas: dict[Stage, Ints], reasons: dict[Stage, Codes]) -> Codes:
    """The reason of HPA's condition ScalingLimited: a bound where the number stands at it and more was wanted, else the rate."""
    rate, result = reasons[Stage.RATE_LIMITED], replicas[Stage.BOUNDED]
    limit = behavior.limiting_reason(replicas[Stage.COOLED], scalers.min_replicas, scalers.max_replicas, rate, result)
    limit[current == 0] = code(Reason.DESIRED_WITHIN_RANGE)
    return limit
