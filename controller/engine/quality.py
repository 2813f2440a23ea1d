"""Which data may be believed this cycle: NaN, infinite, negative, old or too few samples make a dimension invalid, never zero.

Only the judgement is made here; what an invalid dimension forbids is decided in `decision`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from controller.api import Reason
from controller.engine.batch import Flags, Floats, Ints, Scalers
from controller.engine.grouping import any_of, count_by_scaler
from controller.engine.reasons import NONE, Codes, code, first_of
from controller.engine.samples import Samples

__all__ = ["Quality", "judge"]

#: What a sample that was seen can be, in the order in which it is looked for: the first that fits names the sample.
_DEFECTS = tuple(map(code, (Reason.STALE, Reason.NOT_A_NUMBER, Reason.INFINITE, Reason.NEGATIVE)))
_NO_DATA, _TOO_FEW_SAMPLES, _NO_READY_PODS = map(code, (Reason.NO_DATA, Reason.TOO_FEW_SAMPLES, Reason.NO_READY_PODS))


@dataclass(frozen=True, slots=True)
class Quality:
    """Per pod: `good` (P, D). Per scaler: `valid` (S, D), the `reasons` (S, D) of what is invalid, pods `ready` and `unready` (S,), and how
    many Ready pods gave a good sample, `covered` (S, D).
    """

    good: Flags
    valid: Flags
    reasons: Codes
    ready: Ints
    unready: Ints
    covered: Ints


def judge(scalers: Scalers, samples: Samples) -> Quality:
    """Judge every sample, then every dimension of every scaler."""
    of = samples.scaler
    count = len(scalers)
    ready = count_by_scaler(of, samples.ready, count)
    unready = np.bincount(of, minlength=count) - ready

    good = samples.ready[:, None] & _usable(samples.values, samples.ages, samples.seen, scalers.max_age[of][:, None])
    of_pods = _of_pods(scalers, samples, good, ready)
    valid, reasons = of_pods.enough & scalers.used, of_pods.reasons
    if scalers.fixed.shared:
        max_age = np.broadcast_to(scalers.max_age[:, None], scalers.used.shape)
        values, ages, seen = samples.target_values, samples.target_ages, samples.target_seen
        valid = np.where(scalers.per_pod, valid, _usable(values, ages, seen, max_age) & scalers.used)
        bad = scalers.used & ~scalers.per_pod & ~valid
        reasons[bad] = _defects(values[bad], ages[bad], seen[bad], max_age[bad])
    faulty = samples.faults != NONE
    if any_of(faulty):
        valid &= ~faulty
        reasons = np.where(faulty, samples.faults, reasons)
    reasons[valid | ~scalers.used] = NONE
    return Quality(good, valid, reasons, ready, unready, of_pods.covered)


@dataclass(frozen=True, slots=True)
class _OfPods:
    """What the pods' samples of every dimension amount to, (S, D)."""

    covered: Ints
    enough: Flags
    reasons: Codes


def _of_pods(scalers: Scalers, samples: Samples, good: Flags, ready: Ints) -> _OfPods:
    """Count the good samples and name what is wrong with the others, which are few: only they are looked at one by one."""
    shape = scalers.used.shape
    pod, column = (samples.ready[:, None] & ~good).nonzero()
    if not len(pod):
        covered = np.repeat(ready[:, None], shape[1], axis=1)
        enough = covered > 0
        return _OfPods(covered, enough, np.where(enough, _TOO_FEW_SAMPLES, _NO_READY_PODS).astype(np.int16))
    cell = samples.scaler[pod] * shape[1] + column

    def tally(which: Flags) -> Ints:
        return np.bincount(cell[which], minlength=shape[0] * shape[1]).reshape(shape)

    seen = samples.seen[pod, column]
    max_age = scalers.max_age[samples.scaler[pod]]
    defects = _defects(samples.values[pod, column], samples.ages[pod, column], seen, max_age)
    # A pod that has just become Ready has no sample yet, which says nothing about the source. How its silence counts in the
    # number of replicas is decided in `proportional`.
    excused = tally(~seen & samples.young[pod])
    silent = tally(~seen) - excused
    faulty = tally(seen)
    covered = ready[:, None] - excused - silent - faulty

    anything = covered + faulty > 0
    reasons = np.where(anything, _TOO_FEW_SAMPLES, _NO_DATA)
    most = silent
    for defect in _DEFECTS:
        of_these = tally(defects == defect)
        reasons = np.where(of_these > most, defect, reasons)
        most = np.maximum(most, of_these)
    reasons = np.where((ready == 0)[:, None], _NO_READY_PODS, reasons)
    expected = covered + silent + faulty
    enough = (covered > 0) & (covered >= scalers.min_coverage[:, None] * expected - 1e-9)
    return _OfPods(covered, enough, reasons.astype(np.int16))


def _usable(values: Floats, ages: Floats, seen: Flags, max_age: Floats) -> Flags:
    """Whether each sample is there, finite, not negative and not too old."""
    return seen & (ages <= max_age) & (values >= 0) & (values < np.inf)


def _defects(values: Floats, ages: Floats, seen: Flags, max_age: Floats) -> Codes:
    """The code of what is wrong with each sample that is not usable, in the shape of `values`."""
    conditions = (~seen, ~(ages <= max_age), np.isnan(values), np.isinf(values), values < 0)
    return first_of(conditions, (_NO_DATA, *_DEFECTS))
