"""One decision as a person reads it: the record of one scaler, taken out of the arrays of the batch.

The record carries every number that a stranger needs to follow the decision; its wording is in `sentences`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from controller.api import Direction, Reason
from controller.engine import sentences
from controller.engine.alarm import Alarm, alarm_of
from controller.engine.batch import Scalers
from controller.engine.decision import Decisions, Stage
from controller.engine.law import FIRST_WINDOWS
from controller.engine.outlook import Outlook, outlook_of
from controller.engine.overrides import Override
from controller.engine.reasons import NONE, reason
from controller.engine.samples import LoadKind

__all__ = ["DimensionRecord", "Record", "record_of"]

#: To go through a tuple costs a tenth of going through the enum.
STAGES: Final = tuple(Stage)


@dataclass(frozen=True, slots=True)
class DimensionRecord:
    """One dimension of one decision.

    `value`, `target` and `floor` are in the dimension's own unit, `normalized` is y, `share` is its part of the magnitude
    (0 to 1); they are NaN
    where the dimension is invalid, and then `reason` and `message` say why. `capacity` is the load per pod at which it alone is full
    (infinite: not known), `confidence` how far a learned floor is trusted (0 to 1; NaN where it was written). `advice` says what to
    write instead where the floor leaves no room below the target, and is empty elsewhere.
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
    capacity: float
    confidence: float
    advice: str

    @property
    def valid(self) -> bool:
        """Whether the dimension could be believed."""
        return self.reason is None

    @property
    def unreachable(self) -> bool:
        """Whether the dimension is at its target without load, so that it cannot count."""
        return self.advice != ""


@dataclass(frozen=True, slots=True)
class Record:
    """One decision: what was seen, what was proposed, what each stage left of it, and the rule that decided.

    Of the Ready pods `young` count as full because they are young, and `unscheduled` pods wait for a node. `override` is what stands
    above the decision, None where nothing does. The sentences are put
    together when they are read: every scaler has a record in every cycle, and few are told.
    """

    magnitude: float
    target_magnitude: float
    ready: int
    young: int
    unready: int
    unscheduled: int
    dimensions: tuple[DimensionRecord, ...]
    outlook: Outlook
    alarm: Alarm
    current: int
    proposed: int
    stages: dict[Stage, int]
    desired: int
    rule: Reason
    limited: Reason
    held: sentences.Held
    override: Override | None = None

    @property
    def blocks(self) -> tuple[Reason, ...]:
        """Why the number may not move as it was decided, the widest reason first; none where it may."""
        return () if self.override is None else self.override.reasons

    @property
    def blocked(self) -> str:
        """What stands above the decision, and what would be done without it."""
        return sentences.of_override(self.held)

    @property
    def dominant(self) -> DimensionRecord | None:
        """The dimension with the largest share; none where nothing was measured or all is idle."""
        known = [each for each in self.dimensions if each.valid and each.share > 0]
        return max(known, key=lambda each: each.share, default=None)

    @property
    def invalid(self) -> tuple[DimensionRecord, ...]:
        """The dimensions that could not be believed."""
        return tuple(each for each in self.dimensions if not each.valid)

    @property
    def cause(self) -> str:
        """The magnitude and what it is made of."""
        shares = [(each.name, each.share) for each in self.dimensions if each.valid and not math.isnan(each.share)]
        return sentences.of_magnitude(self.magnitude, shares)

    @property
    def sentence(self) -> str:
        """The whole decision."""
        said = [sentences.of_rule(self.held)]
        if not math.isnan(self.magnitude):
            said.insert(0, self._by_demand() if self.outlook.used else self._in_proportion())
        if self.unscheduled:
            said.append(sentences.of_waiting(self.unscheduled))
        return "; ".join(said)

    def _by_demand(self) -> str:
        outlook, trial = self.outlook, self.outlook.trial
        name = trial.dimension if trial is not None and trial.tried.holds else ""
        dropped = trial is not None and trial.dropped
        # Only what it wanted and may not have is worth a word.
        held_back = not dropped and outlook.then > self.target_magnitude * 1.01
        asked = sentences.Asked(
            kind=outlook.kind,
            demand=outlook.demand,
            counted=outlook.counted,
            ahead=self.proposed > self.current,
            startup=outlook.startup,
            per_pod=outlook.per_pod,
            target=self.target_magnitude,
            number=self.proposed,
            then=outlook.then,
            fewer=outlook.fewer,
            unproved=name if held_back else "",
            dropped=name if dropped else "",
        )
        return sentences.of_demand(self.cause, asked)

    def _in_proportion(self) -> str:
        outlook, why = self.outlook, ""
        if outlook.wanted and outlook.kind is LoadKind.NONE:
            why = "no demand is known, name it in spec.demand"
        elif outlook.wanted and outlook.taught < FIRST_WINDOWS:
            learned = 100.0 * outlook.taught / FIRST_WINDOWS
            why = f"what a pod can take is being learned, {learned:.0f} % of the first window of load so far"
        elif outlook.doubted:
            why = f"a demand of {sentences.of_load(outlook.demand, outlook.kind)} does not fit what the pods show"
        elif outlook.wanted:
            why = f"the demand is not known now: {outlook.said or 'it has no fresh samples'}"
        seen = (self.magnitude, self.target_magnitude, self.ready, self.unready, self.young, self.proposed)
        said, trial = sentences.of_proposal(self.cause, *seen, why), outlook.trial
        if (
            trial is None
            or not trial.tried.holds
            or self.proposed >= self.magnitude / self.target_magnitude * self.ready
        ):
            return said
        return f"{said}; {sentences.of_trial(trial.dimension, dropped=trial.dropped)}"


def record_of(
    decisions: Decisions, row: int, faults: dict[str, str] | None = None, override: Override | None = None
) -> Record:
    """The record of one scaler; `faults` adds what a metrics source said, by name of the dimension, and of the "demand", and `override`
    who put something above the decision."""
    scalers, samples, quality = decisions.scalers, decisions.samples, decisions.quality
    ready, unready = int(quality.ready[row]), int(quality.unready[row])
    dimensions = _dimensions(decisions, row, faults or {})
    total, target = float(decisions.magnitude.total[row]), float(scalers.target_magnitude[row])
    current, desired, proposed = int(samples.current[row]), int(decisions.desired[row]), int(decisions.proposed[row])
    outlook = outlook_of(decisions, row, (faults or {}).get("demand", ""))
    rule, alarm = reason(int(decisions.rule[row])), alarm_of(decisions, row)
    direction = Direction.UP if proposed > current else Direction.DOWN
    rules = scalers.rules(direction)
    held = sentences.Held(
        rule=rule,
        current=current,
        desired=desired,
        minimum=int(scalers.min_replicas[row]),
        maximum=int(scalers.max_replicas[row]),
        tolerance_up=float(scalers.up.tolerance[row]),
        tolerance_down=float(scalers.down.tolerance[row]),
        direction=direction,
        window=float(rules.window[row]),
        hold=outlook.hold,
        patience=outlook.patience,
        cooldown=float(rules.cooldown[row]),
        cautious=not outlook.used and _outside(scalers, row, total),
        since_event=float(decisions.now - decisions.history.changed_at[row].max())
        if rule is Reason.COOLDOWN
        else math.inf,
        unready=unready,
        anomaly=alarm.hold if rule is Reason.ANOMALY_HOLD else "",
        invalid=tuple(
            each.advice or f"{each.name}: {each.message}" for each in dimensions if each.message or each.advice
        ),
        notes=() if override is None else override.notes,
        otherwise=int(decisions.replicas[Stage.BOUNDED][row]),
    )
    return Record(
        magnitude=total,
        target_magnitude=target,
        ready=ready,
        young=int(samples.young[_pods(decisions, row)].sum()) if total < target and not outlook.used else 0,
        unready=unready,
        unscheduled=int(decisions.law.unscheduled[row]),
        dimensions=dimensions,
        outlook=outlook,
        alarm=alarm,
        current=current,
        proposed=proposed,
        stages={stage: int(decisions.replicas[stage][row]) for stage in STAGES},
        desired=desired,
        rule=rule,
        limited=reason(int(decisions.limited[row])) if decisions.limited[row] != NONE else Reason.DESIRED_WITHIN_RANGE,
        held=held,
        override=override,
    )


def _dimensions(decisions: Decisions, row: int, faults: dict[str, str]) -> tuple[DimensionRecord, ...]:
    """What was seen of each dimension."""
    scalers, quality, magnitude, law = decisions.scalers, decisions.quality, decisions.magnitude, decisions.law
    # One list a column: taking numbers out of arrays one by one is what a record costs.
    columns = (
        scalers.per_pod,
        scalers.learns_floor,
        scalers.target,
        quality.covered,
        quality.valid,
        magnitude.values,
        magnitude.normalized,
        magnitude.shares,
        law.floor,
        law.capacity,
        law.confidence,
        law.unreachable,
    )
    seen = zip(scalers.dimensions[row], *[column[row].tolist() for column in columns], strict=False)
    found = []
    for at, (
        dimension,
        per_pod,
        learns,
        target,
        covered,
        valid,
        value,
        y,
        share,
        floor,
        load,
        trust,
        high,
    ) in enumerate(seen):
        why, message = None, ""
        if not valid:
            why = reason(int(quality.reasons[row, at]))
            message = faults.get(dimension.name) or sentences.of_defect(_defect(decisions, row, at, why))
        found.append(
            DimensionRecord(
                name=dimension.name,
                value=value,
                target=target,
                floor=floor,
                normalized=y,
                share=share,
                covered=covered if per_pod else None,
                reason=why,
                message=message,
                capacity=load,
                confidence=trust if learns else math.nan,
                advice=sentences.of_unreachable(dimension, floor, target) if high else "",
            )
        )
    return tuple(found)


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
