"""One decision as a person reads it: the record of one scaler, taken out of the arrays of the batch.

The record carries every number that a stranger needs to follow the decision; its wording is in `sentences`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from controller.api import Direction, Reason
from controller.engine import sentences
from controller.engine.batch import Scalers
from controller.engine.decision import Decisions, Stage
from controller.engine.reasons import NONE, reason

__all__ = ["DimensionRecord", "Record", "record_of"]


@dataclass(frozen=True, slots=True)
class DimensionRecord:
    """One dimension of one decision.

    `value`, `target` and `floor` are in the dimension's own unit, `normalized` is y, `share` is its part of the magnitude
    (0 to 1); they are NaN
    where the dimension is invalid, and then `reason` and `message` say why.
    """

    name: str
    value: float
    target: float
    floor: float
    normalized: float
    share: float
    covered: int | None
    reason: Reason | None
    message: str

    @property
    def valid(self) -> bool:
        """Whether the dimension could be believed."""
        return self.reason is None


@dataclass(frozen=True, slots=True)
class Record:
    """One decision: what was seen, what was proposed, what each stage left of it, and the rule that decided."""

    magnitude: float
    target_magnitude: float
    ready: int
    unready: int
    dimensions: tuple[DimensionRecord, ...]
    current: int
    proposed: int
    stages: dict[Stage, int]
    desired: int
    rule: Reason
    limited: Reason
    cause: str
    sentence: str = field(default="")

    @property
    def dominant(self) -> DimensionRecord | None:
        """The dimension with the largest share; none where nothing was measured or all is idle."""
        known = [each for each in self.dimensions if each.valid and each.share > 0]
        return max(known, key=lambda each: each.share, default=None)

    @property
    def invalid(self) -> tuple[DimensionRecord, ...]:
        """The dimensions that could not be believed."""
        return tuple(each for each in self.dimensions if not each.valid)


def record_of(decisions: Decisions, row: int, faults: dict[str, str] | None = None) -> Record:
    """The record of one scaler; `faults` adds what a metrics source said, by name of the dimension."""
    scalers, samples, quality, magnitude = decisions.scalers, decisions.samples, decisions.quality, decisions.magnitude
    ready, unready = int(quality.ready[row]), int(quality.unready[row])
    dimensions = []
    for at, dimension in enumerate(scalers.dimensions[row]):
        per_pod = bool(scalers.per_pod[row, at])
        covered = int(quality.covered[row, at]) if per_pod else None
        why = None if quality.valid[row, at] else reason(int(quality.reasons[row, at]))
        message = ""
        if why is not None:
            message = (faults or {}).get(dimension.name) or sentences.of_defect(_defect(decisions, row, at, why))
        dimensions.append(
            DimensionRecord(
                name=dimension.name,
                value=float(magnitude.values[row, at]),
                target=float(scalers.target[row, at]),
                floor=float(scalers.floor[row, at]),
                normalized=float(magnitude.normalized[row, at]),
                share=float(magnitude.shares[row, at]),
                covered=covered,
                reason=why,
                message=message,
            )
        )
    shares = [(each.name, each.share) for each in dimensions if each.valid and not math.isnan(each.share)]
    total = float(magnitude.total[row])
    cause = sentences.of_magnitude(total, shares)
    current, desired = int(samples.current[row]), int(decisions.desired[row])
    rule = reason(int(decisions.rule[row]))
    proposed = int(decisions.proposed[row])
    held = sentences.Held(
        rule=rule,
        current=current,
        desired=desired,
        minimum=int(scalers.min_replicas[row]),
        maximum=int(scalers.max_replicas[row]),
        tolerance_up=float(scalers.up.tolerance[row]),
        tolerance_down=float(scalers.down.tolerance[row]),
        direction=Direction.UP if proposed > current else Direction.DOWN,
        window=float((scalers.up if proposed > current else scalers.down).window[row]),
        cooldown=float((scalers.up if proposed > current else scalers.down).cooldown[row]),
        cautious=_outside(scalers, row, total),
        since_event=float(decisions.now - decisions.history.changed_at[row].max()),
        unready=unready,
        invalid=tuple(f"{each.name}: {each.message}" for each in dimensions if not each.valid),
    )
    target = float(scalers.target_magnitude[row])
    young = int(samples.young[_pods(decisions, row)].sum()) if total < target else 0
    wish = sentences.of_proposal(cause, total, target, ready, unready, young, proposed)
    return Record(
        magnitude=total,
        target_magnitude=target,
        ready=ready,
        unready=unready,
        dimensions=tuple(dimensions),
        current=current,
        proposed=proposed,
        stages={stage: int(decisions.replicas[stage][row]) for stage in Stage},
        desired=desired,
        rule=rule,
        limited=reason(int(decisions.limited[row])) if decisions.limited[row] != NONE else Reason.DESIRED_WITHIN_RANGE,
        cause=cause,
        sentence=f"{wish}; {sentences.of_rule(held)}" if not math.isnan(total) else sentences.of_rule(held),
    )


def _pods(decisions: Decisions, row: int) -> NDArray[np.intp]:
    """Where the Ready pods of one scaler are in the columns."""
    samples = decisions.samples
    first, last = np.searchsorted(samples.scaler, (row, row + 1))
    return np.flatnonzero(samples.ready[first:last]) + int(first)


def _defect(decisions: Decisions, row: int, at: int, why: Reason) -> sentences.Defect:
    """How many samples have the defect, and the worst of them."""
    scalers, samples, quality = decisions.scalers, decisions.samples, decisions.quality
    max_age = float(scalers.max_age[row])
    per_pod = bool(scalers.per_pod[row, at])
    if per_pod:
        pods = _pods(decisions, row)
        pods = pods[samples.seen[pods, at]]
        values, ages = samples.values[pods, at], samples.ages[pods, at]
    else:
        values, ages = samples.target_values[row, [at]], samples.target_ages[row, [at]]
    stale = ages > max_age
    worst = {
        Reason.STALE: ages[stale],
        Reason.NOT_A_NUMBER: values[~stale & np.isnan(values)],
        Reason.INFINITE: values[~stale & np.isinf(values)],
        Reason.NEGATIVE: -values[~stale & (values < 0) & np.isfinite(values)],
    }.get(why, values[:0])
    greatest = float(worst.max(initial=-np.inf))
    return sentences.Defect(
        why=why,
        dimension=scalers.dimensions[row][at],
        ready=int(quality.ready[row]),
        covered=int(quality.covered[row, at]) if per_pod else None,
        faulty=len(worst),
        worst=-greatest if why is Reason.NEGATIVE else greatest,
        max_age=max_age,
        min_coverage=float(scalers.min_coverage[row]),
    )


def _outside(scalers: Scalers, row: int, total: float) -> bool:
    """Whether the magnitude as it is shown lies outside the tolerance around its target."""
    ratio = total / float(scalers.target_magnitude[row])
    return not (1 - float(scalers.down.tolerance[row]) <= ratio <= 1 + float(scalers.up.tolerance[row]))
