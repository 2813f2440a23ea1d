"""Do more pods help? A dimension that has causes of its own must show that it falls when the load per pod does.

    Normal     what the dimension asks for stays within reach of the established load per pod, which follows it slowly
    Excursion  it asks for much less load per pod: that is granted up to the authority, and the answer is measured,
               e = ln(y0/y) / ln(u0/u), once the load per pod has fallen by a fifth for a minute
    Dropped    e < 1/2: it may not ask for more than the established number for a quarter of an hour, then longer each time

A queue has e > 1, a slow dependency 0. "Without" is the load per pod at which all other dimensions are at the target. One test a
scaler: dimensions that must prove themselves are judged together and the highest is named. Source: reference/control_law.md, 1 (2).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from controller.engine.batch import Flags, Floats, Scalers
from controller.engine.capacity import OVERLOAD
from controller.engine.demand import forgets
from controller.engine.learned import Learned

__all__ = ["Efficacy", "Phase", "examine"]

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


@dataclass(frozen=True, slots=True)
class Efficacy:
    """What is allowed after this cycle's look: `least` (S,), the load per pod that the proposal may not go below (0: any),
    and the state, fields as in `Learned`."""

    least: Floats
    phase: NDArray[np.int8]
    log_established: Floats
    first_load: Floats
    first_excess: Floats
    first_pods: Floats
    began: Floats
    lowered: Floats
    retry_at: Floats
    pause: Floats
    suspect: NDArray[np.int8]
    #: Rows whose queues' capacities shall be put back to what they were before the test.
    put_back: Flags
    #: Rows whose test begins now.
    begins: Flags


def examine(
    scalers: Scalers,
    load: Floats,
    pods: Floats,
    y: Floats,
    wanted: Floats,
    without: Floats,
    learned: Learned,
    now: float,
    elapsed: Floats,
) -> Efficacy:
    """One step of the test: `load` (S,) per pod, the `pods` (S,) that shared it, `y` (S, D), `wanted` and `without` (S,) load per
    pod at the target with and without the dimensions that must prove themselves."""
    proving = np.where(scalers.proves & np.isfinite(y), y, -np.inf)
    suspect = proving.argmax(axis=1).astype(np.int8)
    excess = proving.max(axis=1)
    known = np.isfinite(wanted) & (wanted > 0) & np.isfinite(load) & (load > 0) & np.isfinite(excess)

    start = np.where(np.isfinite(without), without, wanted)
    start = np.where((start > 0) & np.isfinite(start), start, np.nan)
    established = np.where(np.isnan(learned.log_established), _log(start), learned.log_established)
    reference = np.fmin(np.exp(established), without)
    phase, began, lowered = learned.phase.copy(), learned.began.copy(), learned.lowered.copy()
    first_load, first_excess = learned.first_load.copy(), learned.first_excess.copy()
    first_pods = learned.first_pods.copy()
    retry_at, pause = learned.retry_at.copy(), learned.pause.copy()
    excursion, dropped = phase == Phase.EXCURSION, phase == Phase.DROPPED
    healed = dropped & known & (excess < CALM * scalers.target_magnitude)
    over = healed | (dropped & (now >= retry_at))
    phase[over] = Phase.NORMAL
    pause[healed] = 0.0
    normal = phase == Phase.NORMAL

    leaves = normal & known & (wanted < LEAVES * reference) & (excess > scalers.target_magnitude)
    follows = normal & known & ~leaves
    weight = np.where(follows, forgets(elapsed, ESTABLISHED), 0.0)
    established = established + weight * np.where(follows, _log(wanted) - established, 0.0)

    returns = excursion & known & ((wanted > RETURNS * reference) | (excess < CALM * scalers.target_magnitude))
    phase[returns] = Phase.NORMAL
    tested = excursion & known & ~returns
    # Pods that are overloaded many times over serve all that they can: more of them served more, and none of them less.
    buried = excess >= BURIED * np.minimum(OVERLOAD, np.where(scalers.proves, scalers.cap, np.inf).min(axis=1))
    grown = tested & buried & (pods >= GROWN * first_pods) & (load >= TELLS * first_load)
    low = (tested & (load <= LOWERED * first_load)) | grown
    lowered = np.where(low, np.where(np.isnan(lowered), now, lowered), np.nan)
    late = tested & (now - began >= LONGEST)
    # Held at its authority the load per pod may never fall so far; what it did fall tells as much, and nothing at all tells as well.
    limited = late & ~low & (wanted < reference / scalers.authority)
    answered = (low & (now - lowered >= SETTLED)) | limited
    with np.errstate(divide="ignore", invalid="ignore"):
        elasticity = np.log(first_excess / np.maximum(excess, 1e-9)) / np.log(first_load / load)
    elasticity = np.where(load < TELLS * first_load, elasticity, 0.0)
    proven = answered & ((elasticity >= HELPS) | grown)
    refuted = answered & ~proven
    stuck = late & ~low & ~limited
    established = np.where(proven, _log(load), established)
    pause[proven | returns] = 0.0
    phase[leaves] = Phase.EXCURSION
    phase[refuted] = Phase.DROPPED
    pause[refuted] = np.minimum(np.maximum(2 * pause[refuted], PAUSE), LONGEST_PAUSE)
    retry_at[refuted] = now + pause[refuted]
    anew = leaves | proven | stuck
    first_load[anew], first_excess[anew], first_pods[anew], began[anew] = load[anew], excess[anew], pods[anew], now
    began[refuted] = now
    lowered[anew | refuted] = np.nan

    reference = np.fmin(np.exp(established), without)
    least = np.select(
        (phase == Phase.EXCURSION, phase == Phase.DROPPED), (reference / scalers.authority, reference), 0.0
    )
    least = np.where(scalers.limits & np.isfinite(least), least, 0.0)
    return Efficacy(
        least=least,
        phase=phase,
        log_established=established,
        first_load=first_load,
        first_excess=first_excess,
        first_pods=first_pods,
        began=began,
        lowered=lowered,
        retry_at=retry_at,
        pause=pause,
        suspect=np.where(
            phase == Phase.NORMAL, -1, np.where(leaves | (learned.suspect < 0), suspect, learned.suspect)
        ).astype(np.int8),
        put_back=over,
        begins=leaves,
    )


def _log(value: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(value)
