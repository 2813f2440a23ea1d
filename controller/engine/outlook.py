"""The law's part of a record: the demand, what a pod can take, what to expect of the proposal, and what is on trial."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from controller.engine.capacity import FLAT
from controller.engine.decision import Decisions
from controller.engine.samples import LoadKind
from controller.engine.sentences import Tried

__all__ = ["Outlook", "Trial", "outlook_of"]

#: By their codes: looking one up in the enum costs more.
KINDS: Final = tuple(LoadKind)


@dataclass(frozen=True, slots=True)
class Trial:
    """A dimension of which it is not known, or known not to be so, that pods lower it.

    `tried` holds what was tried so far; `dropped` says that it may not ask for more until the moment `until` (seconds of `now`).
    """

    dimension: str
    dropped: bool
    until: float
    tried: Tried


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the law knew of one scaler, the fields as in `Law`; what is not known is NaN.

    `hold` is so too where another window is in force. `wanted` says whether the law was to propose, `doubted` whether it did not
    because the demand does not fit what the pods show, `taught` for how many windows of the rates it has learned, `said` what a
    source said about the demand. `counted` is the demand that the number was made of: the one `ahead` going up, else the one of now
    with its noise. `then` and `fewer` are the magnitudes to expect at it, with as many replicas as it proposed and with one less.
    """

    wanted: bool
    used: bool
    doubted: bool
    kind: LoadKind
    taught: float
    said: str
    demand: float
    ahead: float
    counted: float
    per_pod: float
    startup: float
    hold: float
    patience: float
    then: float
    fewer: float
    trial: Trial | None


def outlook_of(decisions: Decisions, row: int, said: str = "") -> Outlook:
    """What the law knew of one scaler; `said` is what a metrics source said about the demand."""
    law, scalers = decisions.law, decisions.scalers
    used, ahead, per_pod = bool(law.used[row]), float(law.ahead[row]), float(law.per_pod[row])
    kind = KINDS[law.kind[row]]
    then = fewer = math.nan
    proposed = int(decisions.proposed[row])
    counted = ahead if proposed > decisions.samples.current[row] else float(law.needed[row]) * per_pod
    if used and proposed > 0:
        loads = [counted / proposed, counted / (proposed - 1)] if proposed > 1 else [counted / proposed]
        then, fewer = [*_magnitudes(decisions, row, loads), math.nan][:2]
    return Outlook(
        wanted=bool(scalers.by_capacity[row]),
        used=used,
        doubted=bool(law.doubted[row]),
        kind=kind,
        taught=float(decisions.learned.taught[row]),
        said=said,
        demand=float(law.demand[row]),
        ahead=ahead,
        counted=counted,
        per_pod=per_pod,
        startup=float(law.startup[row]),
        hold=float(law.hold[row]) if used and scalers.adaptive_hold[row] else math.nan,
        patience=float(law.patience[row]),
        then=then,
        fewer=fewer,
        trial=_trial(decisions, row, kind) if law.suspect[row] >= 0 else None,
    )


def _trial(decisions: Decisions, row: int, kind: LoadKind) -> Trial:
    scalers, law = decisions.scalers, decisions.law
    at = int(law.suspect[row])
    floor, target = float(law.floor[row, at]), float(scalers.target[row, at])
    load, excess = float(law.load[row]), float(law.tested_excess[row])
    if kind is LoadKind.NONE:
        load = 1.0 / max(int(decisions.quality.ready[row]), 1)
    value, dropped = float(decisions.magnitude.values[row, at]), bool(law.dropped[row])
    if dropped:
        # What it was dropped for; the load of this moment is another one.
        load, value = float(law.found_at[row]), floor + float(law.found_excess[row]) * (target - floor)
    return Trial(
        dimension=scalers.names[row][at],
        dropped=dropped,
        until=float(law.dropped_until[row]),
        tried=Tried(
            dimension=scalers.dimensions[row][at],
            holds=bool(scalers.limits[row]),
            kind=kind,
            load_from=float(law.tested_from[row]),
            load=load,
            value_from=floor + excess * (target - floor),
            capped=excess >= float(scalers.cap[row, at]),
            value=value,
        ),
    )


def _magnitudes(decisions: Decisions, row: int, loads: Sequence[float]) -> list[float]:
    """The magnitude to expect at each load per pod; what is not known, and what pods do not lower, is left out of it.

    One scaler in plain floats; the formulas are those of `capacity` and of `magnitude.norm`.
    """
    scalers, law = decisions.scalers, decisions.law
    dropped = bool(law.dropped[row]) and bool(scalers.limits[row])
    power, hotness = float(scalers.norm[row]), float(decisions.learned.hotness[row])
    largest, totals = [math.nan] * len(loads), [0.0] * len(loads)
    capacities, unreachable = law.capacity[row].tolist(), law.unreachable[row].tolist()
    for at, capacity in enumerate(capacities):
        if capacity == math.inf or unreachable[at] or (dropped and scalers.proves[row, at]):
            continue
        queues, weight, cap = bool(scalers.queues[row, at]), float(scalers.weight[row, at]), float(scalers.cap[row, at])
        f = min(max(float(law.floor[row, at]) / float(scalers.target[row, at]), FLAT[0]), FLAT[1]) if queues else 0.0
        for n, load in enumerate(loads):
            y = load / capacity
            if queues:
                r = min((1 - f) * y, 1 - 1e-9)
                y = f / (1 - f) * r / (1 - r)
            y = min(y, cap)
            largest[n] = y if math.isnan(largest[n]) else max(largest[n], y)
            totals[n] += weight * (y * y if power == 2 else y**power)
    if power == math.inf:
        return [hotness * each for each in largest]
    return [hotness * total ** (1 / power) for total in totals]
