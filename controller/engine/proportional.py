"""The proposal in HPA's shape: as many replicas as bring the magnitude to its target if magnitude is load per pod.

    replicas = ceil(pods * m / target)

Pods without a full set of samples, young pods, and pods that are not Ready, count as HPA counts them: never in the direction
that would flatter. Going up, what is not seen of them is nothing; going down, those that are Ready are full. When that
turns the direction round, nothing is proposed. Source: HPA's replica calculator. Other responses will stand beside this module.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from controller.engine.batch import Flags, Floats, Ints, Scalers
from controller.engine.grouping import all_of, any_of, count_by_scaler
from controller.engine.magnitude import Magnitude, aggregate
from controller.engine.quality import Quality
from controller.engine.samples import Samples

__all__ = ["MOST_REPLICAS", "Proposal", "Reading", "beyond", "ceil", "in_doubt", "propose", "weigh"]

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
    # fmax passes over NaN, which is none.
    bounded = np.minimum(np.fmax(value, 0.0), MOST_REPLICAS)
    whole = np.ceil(bounded - GRAIN * np.maximum(1.0, bounded))
    return np.where(bounded == MOST_REPLICAS, bounded, whole).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Reading:
    """What some pods show: the `ratio` (S,) of what is measured to its target, and the number of these `pods` (S,)."""

    ratio: Floats
    pods: Ints


def propose(scalers: Scalers, samples: Samples, quality: Quality, magnitude: Magnitude) -> Proposal:
    """Replicas by the proportional rule; the current number where nothing can be measured."""
    of = samples.scaler
    target = scalers.target_magnitude
    seen = Reading(magnitude.total / target, magnitude.pods)
    up, down = scalers.up.tolerance, scalers.down.tolerance
    everywhere = np.ones(len(scalers), np.bool_)
    if all_of(magnitude.complete & ~samples.young):
        # Nobody is in doubt.
        return weigh(samples.current, seen, seen, ~everywhere, everywhere, up, down)

    rising = (seen.ratio > 1)[of]
    silent = samples.ready & ~magnitude.complete
    # Young pods are seen, but are known to be shown too low: going up what is seen of them, going down that they are full.
    young = samples.ready & samples.young & np.any(quality.valid & scalers.per_pod, axis=1)[of]
    doubtful = in_doubt(rising, silent, ~samples.ready) | (young & ~rising)
    counted = magnitude.complete | doubtful
    assumed = np.where(doubtful & ~rising, np.maximum(magnitude.pod, target[of]), magnitude.pod)
    assumed = np.where(samples.ready, assumed, 0.0)
    cautious = Reading(aggregate(scalers, of, assumed, counted) / target, count_by_scaler(of, counted, len(scalers)))
    doubt = count_by_scaler(of, doubtful, len(scalers)) > 0
    return weigh(samples.current, seen, cautious, doubt, everywhere, up, down)


def in_doubt(rising: Flags, silent: Flags, unready: Flags) -> Flags:
    """Whose part is not known: the silent, and going up the unready; of pods or, one flag for all of its pods, of scalers."""
    return silent | (rising & unready)


def weigh(
    current: Ints, seen: Reading, cautious: Reading, doubt: Flags, guarded: Flags, up: Floats, down: Floats
) -> Proposal:
    """The replicas (S,) that a reading asks for, and where there is `doubt` (S,) the cautious reading in its place.

    Where `guarded` (S,), too much never asks for fewer replicas than there are to be, nor too little for more. `up` and `down`
    (S,) are the tolerances. NaN in the ratio proposes the current number.
    """
    upwards = seen.ratio > 1
    replicas = ceil(seen.pods * seen.ratio)
    far = beyond(seen.ratio, up, down)
    if any_of(doubt):
        turned = np.where(upwards, cautious.ratio < 1, cautious.ratio > 1)
        asked = np.where(turned, current, ceil(cautious.pods * cautious.ratio))
        replicas = np.where(doubt, asked, replicas)
        far &= ~doubt | beyond(cautious.ratio, up, down)
    # Pods that do not exist yet, and surge pods of a rollout, must not turn "more" into fewer or "fewer" into more.
    against = guarded & np.where(upwards, replicas < current, replicas > current)

    measured = ~np.isnan(seen.ratio)
    return Proposal(replicas=np.where(measured & ~against, replicas, current), beyond=far & measured)


def beyond(ratio: Floats, up: Floats, down: Floats) -> Flags:
    """Whether a ratio to the target is outside the tolerances, whose edges still belong to them."""
    return (ratio > 1 + up + GRAIN) | (ratio < 1 - down - GRAIN)
