"""The proposal in HPA's shape: as many replicas as bring the magnitude to its target if magnitude is load per pod.

    replicas = ceil(pods * m / target)

Pods without a full set of samples, young pods, and pods that are not Ready, count as HPA counts them: never in the direction
that would flatter. Going up, what is not seen of them is nothing; going down, those that are Ready are full. When that
turns the direction round, nothing is proposed. Source: HPA's replica calculator. Other responses will stand beside this module.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from controller.api import Direction
from controller.engine.batch import Flags, Floats, Ints, Samples, Scalers
from controller.engine.grouping import count_by_scaler
from controller.engine.magnitude import Magnitude, aggregate
from controller.engine.quality import Quality

__all__ = ["Proposal", "ceil", "propose"]

#: Replica counts stay below this (HPA's own cap is 2^31 - 1).
MOST_REPLICAS = 2**31 - 1

#: Products of doubles that should be whole are not always; a part in 10^9 above a whole number is not a pod.
GRAIN = 1e-9


@dataclass(frozen=True, slots=True)
class Proposal:
    """`replicas` (S,) as proposed, and `beyond` (S,): whether the magnitude is outside the tolerance around its target."""

    replicas: Ints
    beyond: Flags


def ceil(value: Floats) -> Ints:
    """The next whole number, forgiving the dust of double precision, within what a replica count can be."""
    bounded = np.clip(np.nan_to_num(value, nan=0.0, posinf=MOST_REPLICAS), 0, MOST_REPLICAS)
    return np.ceil(bounded - GRAIN * np.maximum(1.0, bounded)).astype(np.int64)


def propose(scalers: Scalers, samples: Samples, quality: Quality, magnitude: Magnitude) -> Proposal:
    """Replicas by the proportional rule; the current number where nothing can be measured."""
    of = samples.scaler
    current, target = samples.current, scalers.target_magnitude
    complete = count_by_scaler(of, magnitude.complete, len(scalers))
    ratio = magnitude.total / target
    replicas = ceil(complete * ratio)

    upwards = ratio > 1
    rising = upwards[of]
    silent = samples.ready & ~magnitude.complete
    # Whose part is not known, or is known to be shown too low: going up what is seen of them, going down that they are full.
    young = samples.ready & samples.young & np.any(quality.valid & scalers.per_pod, axis=1)[of]
    doubtful = np.where(rising, silent | ~samples.ready, silent | young)
    counted = magnitude.complete | doubtful
    assumed = np.where(doubtful & ~rising, np.maximum(magnitude.pod, target[of]), magnitude.pod)
    assumed = np.where(samples.ready, assumed, 0.0)
    counts = count_by_scaler(of, counted, len(scalers))
    cautious = count_by_scaler(of, doubtful, len(scalers)) > 0
    cautious_ratio = aggregate(scalers, of, assumed, counted) / target
    cautious_replicas = ceil(counts * cautious_ratio)
    turned = np.where(upwards, cautious_ratio < 1, cautious_ratio > 1)
    replicas = np.where(cautious, np.where(turned, current, cautious_replicas), replicas)
    # Pods that do not exist yet, and surge pods of a rollout, must not turn "more" into fewer or "fewer" into more.
    against = np.where(upwards, replicas < current, replicas > current)

    measured = np.isfinite(magnitude.total)
    beyond = _beyond(scalers, ratio) & (~cautious | _beyond(scalers, cautious_ratio))
    return Proposal(replicas=np.where(measured & ~against, replicas, current), beyond=beyond & measured)


def _beyond(scalers: Scalers, ratio: Floats) -> Flags:
    """Whether a ratio to the target is outside the tolerance, whose edges still belong to it."""
    up, down = (scalers.rules(direction).tolerance for direction in (Direction.UP, Direction.DOWN))
    return (ratio > 1 + up + GRAIN) | (ratio < 1 - down - GRAIN)
