"""Do more pods help? A dimension that has causes of its own must show that it falls when the load per pod does.

    Normal     what the dimension asks for stays within reach of the established load per pod, which follows it slowly
    Excursion  it asks for much less load per pod: that is granted up to the authority, and the answer is measured,
               e = ln(y0/y) / ln(u0/u), once the load per pod has fallen by a fifth for a minute
    Dropped    e < 1/2: it may not ask for more than the established number for a quarter of an hour, then longer each time

A queue has e > 1, a slow dependency 0. "Without" is the load per pod at which all other dimensions are at the target. One test a
scaler: dimensions that must prove themselves are judged together and the highest is named. Source: the law's study, 1 (2).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np

from controller.engine.batch import Flags, Floats, Scalers
from controller.engine.capacity import OVERLOAD
from controller.engine.demand import forgets
from controller.engine.grouping import any_of, largest_column
from controller.engine.learned import Learned

__all__ = ["DROPPED", "EXCURSION", "NORMAL", "Efficacy", "Phase", "examine"]

#: The established load per pod follows what is asked for with this time constant (seconds).
ESTABLISHED: Final = 3600.0
#: An excursion begins below this share of the established load per pod, and is over above the other.
LEAVES, RETURNS = 0.8, 0.9
#: A test needs the load per pod to fall to this share of where it began, for so many seconds.
LOWERED, SETTLED = 0.8, 60.0
#: So near to the most that is shown a dimension shows no more than an overload; and how many more pods tell.
BURIED, GROWN = 0.9, 1.2
#: The least that the load per pod must have fallen to tell anything.
TELLS: Final = 0.95
#: A test that does not get there in so many seconds begins anew from where it is.
LONGEST: Final = 600.0
#: Below this share of the target a dimension asks for nothing that would have to be tested.
CALM: Final = 0.8
#: The least elasticity that counts as help.
HELPS: Final = 0.5
#: For how long a dimension is dropped the first time, and the most (seconds).
PAUSE, LONGEST_PAUSE = 900.0, 7200.0


class Phase(IntEnum):
    """Where the test of a scaler stands."""

    NORMAL = 0
    EXCURSION = 1
    DROPPED = 2


#: The same as numpy compares them fastest.
NORMAL, EXCURSION, DROPPED = map(int, Phase)


@dataclass(frozen=True, slots=True)
class Efficacy:
    """What is allowed after this cycle's look: `least` (S,), the load per pod that the proposal may not go below (0: any).

    Rows (S,) whose queues' capacities shall be `put_back` to what they were before the test, and rows whose test `begins` now; and the
    state after it.
    """

    least: Floats
    put_back: Flags
    begins: Flags
    learned: Learned


def examine(
    scalers: Scalers,
    load: Floats,
    pods: Floats,
    proving: Floats,
    wanted: Floats,
    without: Floats,
    learned: Learned,
    now: float,
    elapsed: Floats,
) -> Efficacy:
    """One step of the test: `load` (S,) per pod, the `pods` (S,) that shared it, `proving` (S, D), the normalized values of the dimensions
    that must prove themselves (`-inf`: none), `wanted` and `without` (S,) load per pod at the target with and without those."""
    excess = largest_column(proving)
    known = np.isfinite(wanted) & (wanted > 0) & np.isfinite(load) & (load > 0) & np.isfinite(excess)

    established = learned.log_established
    unknown = np.isnan(established)
    if any_of(unknown):
        start = np.where(np.isfinite(without), without, wanted)
        start = np.where((start > 0) & np.isfinite(start), start, np.nan)
        established = np.where(unknown, np.log(start), established)
    reference = np.fmin(np.exp(established), without)
    phase = learned.phase.copy()
    excursion, dropped = phase == EXCURSION, phase == DROPPED
    calm = excess < CALM * scalers.target_magnitude
    healed = dropped & known & calm
    over = healed | (dropped & (now >= learned.retry_at))
    phase[over] = NORMAL

    normal = known & (phase == NORMAL)
    leaves = normal & (wanted < LEAVES * reference) & (excess > scalers.target_magnitude)
    follows = normal & ~leaves
    weight = np.where(follows, forgets(elapsed, ESTABLISHED), 0.0)
    established = established + weight * np.where(follows, np.log(wanted) - established, 0.0)
    phase[leaves] = EXCURSION
    if any_of(excursion):
        look = _Look(load, pods, excess, wanted, known, reference, now)
        answer = _answer(scalers, look, learned, excursion, calm)
        established = np.where(answer.proven, np.log(load), established)
        phase[answer.returns] = NORMAL
        phase[answer.refuted] = DROPPED
    else:
        nobody = np.zeros(len(load), np.bool_)
        answer = _Answer(nobody, nobody, nobody, nobody, np.full(len(load), np.nan))

    # What nothing happens to stays as it is, and so do the arrays.
    pause, retry_at, began, lowered = learned.pause, learned.retry_at, learned.began, answer.lowered
    first_load, first_excess, first_pods = learned.first_load, learned.first_excess, learned.first_pods
    last_load, last_excess = learned.last_load, learned.last_excess
    refuted, anew = answer.refuted, leaves | answer.proven | answer.stuck
    ends = healed | answer.proven | answer.returns
    if any_of(ends):
        pause = np.where(ends, 0.0, pause)
    if any_of(refuted):
        pause = np.where(refuted, np.minimum(np.maximum(2 * pause, PAUSE), LONGEST_PAUSE), pause)
        retry_at = np.where(refuted, now + pause, retry_at)
        last_load, last_excess = np.where(refuted, load, last_load), np.where(refuted, excess, last_excess)
    if any_of(anew):
        first_load, first_excess = np.where(anew, load, first_load), np.where(anew, excess, first_excess)
        first_pods = np.where(anew, pods, first_pods)
    starts = anew | refuted
    if any_of(starts):
        began, lowered = np.where(starts, now, began), np.where(starts, np.nan, lowered)

    least, suspect = np.zeros(len(load)), np.full(len(load), -1, np.int8)
    tested = phase != NORMAL
    if any_of(tested):
        reference = np.fmin(np.exp(established), without)
        least = np.where(phase == EXCURSION, reference / scalers.authority, reference)
        least = np.where(tested & scalers.limits & np.isfinite(least), least, 0.0)
        named = np.where(leaves | (learned.suspect < 0), proving.argmax(axis=1), learned.suspect)
        suspect = np.where(tested, named, -1).astype(np.int8)
    state = learned.copy()
    state.phase = phase
    state.log_established = established
    state.first_load = first_load
    state.first_excess = first_excess
    state.first_pods = first_pods
    state.last_load = last_load
    state.last_excess = last_excess
    state.began = began
    state.lowered = lowered
    state.retry_at = retry_at
    state.pause = pause
    state.suspect = suspect
    return Efficacy(least, over, leaves, state)


@dataclass(frozen=True, slots=True)
class _Look:
    """What this cycle shows, (S,): as `examine` takes it, the `excess` of the highest dimension that must prove itself, whether all
    of it is `known`, and the established load per pod as `reference`."""

    load: Floats
    pods: Floats
    excess: Floats
    wanted: Floats
    known: Flags
    reference: Floats
    now: float


@dataclass(frozen=True, slots=True)
class _Answer:
    """Where (S,) an excursion returns by itself, where it proved that pods help or was refuted, where it is stuck and begins anew, and the
    moments since which the load per pod is low enough to tell."""

    returns: Flags
    proven: Flags
    refuted: Flags
    stuck: Flags
    lowered: Floats


def _answer(scalers: Scalers, look: _Look, learned: Learned, excursion: Flags, calm: Flags) -> _Answer:
    """Measure what the excursions have brought so far."""
    load, excess, wanted, now = look.load, look.excess, look.wanted, look.now
    returns = excursion & look.known & ((wanted > RETURNS * look.reference) | calm)
    tested = excursion & look.known & ~returns
    # Pods that are overloaded many times over serve all that they can: more of them served more, and none of them less.
    buried = excess >= BURIED * np.minimum(OVERLOAD, scalers.fixed.proving_cap)
    tells = TELLS * learned.first_load
    grown = tested & buried & (look.pods >= GROWN * learned.first_pods) & (load >= tells)
    low = (tested & (load <= LOWERED * learned.first_load)) | grown
    lowered = np.where(low, np.where(np.isnan(learned.lowered), now, learned.lowered), np.nan)
    late = tested & (now - learned.began >= LONGEST)
    # Held at its authority the load per pod may never fall so far; what it did fall tells as much, and nothing at all tells as well.
    limited = late & ~low & (wanted < look.reference / scalers.authority)
    answered = (low & (now - lowered >= SETTLED)) | limited
    elasticity = np.log(learned.first_excess / np.maximum(excess, 1e-9)) / np.log(learned.first_load / load)
    elasticity = np.where(load < tells, elasticity, 0.0)
    proven = answered & ((elasticity >= HELPS) | grown)
    return _Answer(returns, proven, answered & ~proven, late & ~low & ~limited, lowered)
