"""The decision: samples and settings in, replicas with every stage's reason out, for all scalers at once.

    quality -> normalize -> magnitude -> proposed -> trusted -> tolerated -> stabilized -> cooled -> rate limited -> bounded

Pure: no clock, no network, no Kubernetes. The operator, the simulator and the tests call the same function.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from controller.api import Reason
from controller.engine import behavior
from controller.engine.batch import Flags, History, Ints, Samples, Scalers
from controller.engine.magnitude import Magnitude, measure
from controller.engine.proportional import propose
from controller.engine.quality import Quality, judge
from controller.engine.reasons import NONE, Codes, code

__all__ = ["Decisions", "Stage", "evaluate"]


class Stage(StrEnum):
    """The stages of restraint in their order; each can only move the number towards the current one, except the last."""

    TRUSTED = "trusted"
    TOLERATED = "tolerated"
    STABILIZED = "stabilized"
    COOLED = "cooled"
    RATE_LIMITED = "rateLimited"
    BOUNDED = "bounded"


@dataclass(frozen=True, slots=True)
class Decisions:
    """What was decided for every scaler (S,), and everything that it follows from.

    `replicas` holds the number after each stage and `reasons` why a stage changed it; `desired` is the last; `rule` is the code of the one
    rule that decided: the last stage that changed the number, or whether the proposal stood. `recommendation` is what the
    stabilization window shall remember.
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

    def __len__(self) -> int:
        return len(self.scalers)


def evaluate(scalers: Scalers, samples: Samples, history: History, now: float) -> Decisions:
    """Decide for all scalers; `now` and the history's times are seconds of the same clock."""
    quality = judge(scalers, samples)
    magnitude = measure(scalers, samples, quality)
    proposal = propose(scalers, samples, quality, magnitude)
    current = samples.current

    replicas: dict[Stage, Ints] = {}
    reasons: dict[Stage, Codes] = {}

    def keep(stage: Stage, limited: tuple[Ints, Codes]) -> Ints:
        replicas[stage], reasons[stage] = limited
        return replicas[stage]

    wanted = keep(Stage.TRUSTED, _trust(scalers, quality, magnitude, current, proposal.replicas))
    wanted = keep(Stage.TOLERATED, _tolerate(proposal.beyond, current, wanted))
    recommendation = wanted
    wanted = keep(Stage.STABILIZED, behavior.stabilize(scalers, history, now, current, wanted))
    wanted = keep(Stage.COOLED, behavior.cool_down(scalers, history, now, current, wanted))
    wanted = keep(Stage.RATE_LIMITED, behavior.limit_rate(scalers, history, now, current, wanted))
    desired = keep(Stage.BOUNDED, behavior.bound(scalers, current, wanted))

    rule = np.where(proposal.replicas == current, code(Reason.AT_TARGET), code(Reason.AS_PROPOSED)).astype(np.int16)
    for stage in Stage:
        rule = np.where(reasons[stage] != NONE, reasons[stage], rule)
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
        rule=rule.astype(np.int16),
        recommendation=recommendation,
        limited=_limited(scalers, current, replicas, reasons),
    )


def _trust(
    scalers: Scalers, quality: Quality, magnitude: Magnitude, current: Ints, proposed: Ints
) -> tuple[Ints, Codes]:
    """Valid dimensions may ask for more; while one is missing, or none may ask for fewer, nothing goes down."""
    missing = scalers.used & ~quality.valid
    blocked = np.any(missing & scalers.blocks, axis=1)
    up_only = ~np.any(quality.valid & scalers.may_lower, axis=1)
    nothing = ~np.isfinite(magnitude.total)
    lower = proposed < current
    allowed = np.where(nothing | (lower & (blocked | up_only)), current, proposed)
    conditions = (
        (quality.ready == 0) & (quality.unready == 0),
        quality.ready == 0,
        nothing,
        lower & blocked,
        lower & up_only,
    )
    why = (Reason.NO_PODS, Reason.NO_READY_PODS, Reason.NO_VALID_METRIC, Reason.PARTIAL_METRICS, Reason.UP_ONLY)
    return allowed, np.select(conditions, [code(each) for each in why], NONE).astype(np.int16)


def _tolerate(beyond: Flags, current: Ints, wanted: Ints) -> tuple[Ints, Codes]:
    """Nothing moves while the magnitude is within the tolerance around its target."""
    allowed = np.where(beyond, wanted, current)
    return allowed, np.where(allowed != wanted, code(Reason.WITHIN_TOLERANCE), NONE).astype(np.int16)


def _limited(scalers: Scalers, current: Ints, replicas: dict[Stage, Ints], reasons: dict[Stage, Codes]) -> Codes:
    """The reason of HPA's condition ScalingLimited: a bound where the number stands at it and more was wanted, else the rate."""
    wanted, result, rate = replicas[Stage.COOLED], replicas[Stage.BOUNDED], reasons[Stage.RATE_LIMITED]
    at_most = (wanted > scalers.max_replicas) & (result == scalers.max_replicas)
    at_least = (wanted < scalers.min_replicas) & (result == scalers.min_replicas)
    within = code(Reason.DESIRED_WITHIN_RANGE)
    return np.select(
        (current == 0, at_most, at_least, rate != NONE),
        (within, code(Reason.TOO_MANY_REPLICAS), code(Reason.TOO_FEW_REPLICAS), rate),
        within,
    ).astype(np.int16)
