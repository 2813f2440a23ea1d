"""Which data may be believed this cycle: NaN, infinite, negative, old or too few samples make a dimension invalid, never zero.

Only the judgement is made here; what an invalid dimension forbids is decided in `restraint`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from controller.api import Reason
from controller.engine.batch import Flags, Floats, Ints, Samples, Scalers
from controller.engine.reasons import NONE, Codes, code

__all__ = ["Quality", "judge"]

#: Defects of a sample in the order in which they are looked for; the first that fits names the sample.
_DEFECTS = (Reason.STALE, Reason.NOT_A_NUMBER, Reason.INFINITE, Reason.NEGATIVE)


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
    count, width = scalers.used.shape
    pod_scaler = samples.scaler
    ready = np.bincount(pod_scaler[samples.ready], minlength=count)
    unready = np.bincount(pod_scaler[~samples.ready], minlength=count)

    pod_defects = _defects(samples.values, samples.ages, samples.seen, scalers.max_age[pod_scaler][:, None])
    target_defects = _defects(samples.target_values, samples.target_ages, samples.target_seen, scalers.max_age[:, None])
    good = (pod_defects == _GOOD) & samples.ready[:, None]

    covered, expected = np.zeros((count, width), np.int64), np.zeros((count, width), np.int64)
    reasons = np.full((count, width), code(Reason.NO_DATA), np.int16)
    for at in range(width):
        covered[:, at] = np.bincount(pod_scaler[good[:, at]], minlength=count)
        # A pod that has just become Ready has no sample yet, which says nothing about the source. How its silence counts in the
        # number of replicas is decided in `proportional`.
        due = samples.ready & (samples.seen[:, at] | ~samples.young)
        expected[:, at] = np.bincount(pod_scaler[due], minlength=count)
        seen = samples.ready & samples.seen[:, at]
        any_seen = np.bincount(pod_scaler[seen], minlength=count) > 0
        reasons[any_seen, at] = code(Reason.TOO_FEW_SAMPLES)
        most = np.zeros(count, np.int64)
        for defect in _DEFECTS:
            of_these = np.bincount(pod_scaler[seen & (pod_defects[:, at] == code(defect))], minlength=count)
            reasons[of_these > most, at] = code(defect)
            most = np.maximum(most, of_these)

    enough = (covered > 0) & (covered >= scalers.min_coverage[:, None] * expected - 1e-9)
    per_target = scalers.used & ~scalers.per_pod
    valid = np.where(scalers.per_pod, enough, target_defects == _GOOD) & scalers.used
    reasons = np.where(per_target, np.where(samples.target_seen, target_defects, code(Reason.NO_DATA)), reasons)
    reasons = np.where(scalers.per_pod & (ready == 0)[:, None], code(Reason.NO_READY_PODS), reasons)
    faulty = samples.faults != NONE
    valid &= ~faulty
    reasons = np.where(faulty, samples.faults, reasons)
    reasons[valid | ~scalers.used] = NONE
    return Quality(good, valid, reasons.astype(np.int16), ready, unready, covered)


_GOOD = NONE - 1
_UNSEEN = NONE - 2


def _defects(values: Floats, ages: Floats, seen: Flags, max_age: Floats) -> Codes:
    """The code of each sample's defect, `_GOOD` or `_UNSEEN`, in the shape of `values`."""
    conditions = (~seen, ages > max_age, np.isnan(values), np.isinf(values), values < 0)
    codes = (_UNSEEN, *(code(each) for each in _DEFECTS))
    return np.select(conditions, codes, _GOOD).astype(np.int16)
