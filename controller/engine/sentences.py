"""The one wording of a decision: status, Events, log lines and `describe` all print these sentences.

Every sentence names numbers: what was seen, what was wanted, what was allowed, by which rule.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from controller.api import Amount, Dimension, Direction, Reason, Unit, format_amount, format_number
from controller.engine.samples import LoadKind

__all__ = [
    "REGRETTED",
    "Asked",
    "Defect",
    "Held",
    "Tried",
    "of_defect",
    "of_demand",
    "of_ineffective",
    "of_load",
    "of_magnitude",
    "of_override",
    "of_proposal",
    "of_rule",
    "of_trial",
    "of_unreachable",
    "of_waiting",
]

#: A patience that has faded to this is as good as none.
REGRETTED: Final = 1.05


@dataclass(frozen=True, slots=True)
class Held:
    """The numbers that a sentence about the deciding rule may need; durations in seconds.

    `anomaly` says why one holds, `notes` what stands above the decision, and `otherwise` how many replicas there would be without it.
    """

    rule: Reason
    current: int
    desired: int
    minimum: int
    maximum: int
    tolerance_up: float
    tolerance_down: float
    direction: Direction
    window: float
    hold: float
    patience: float
    cooldown: float
    since_event: float
    cautious: bool
    unready: int
    anomaly: str
    invalid: tuple[str, ...]
    notes: tuple[str, ...]
    otherwise: int


@dataclass(frozen=True, slots=True)
class Asked:
    """The numbers that a sentence about the demand may need; what is not known is NaN.

    `demand` now and the one that the number is made of, `counted`: if it is `ahead`, the one to expect when a pod created now would be
    Ready, which takes `startup` seconds, else the one of now with its noise; `per_pod`, the load per pod at which the magnitude is its
    `target`; `number` replicas are asked for, with which the magnitude would be `then`, and `fewer` with one less.
    `unproved` is the dimension that may not ask for more until it has shown that pods lower it, `dropped` the one that they do not lower.
    """

    kind: LoadKind
    demand: float
    counted: float
    ahead: bool
    startup: float
    per_pod: float
    target: float
    number: int
    then: float
    fewer: float
    unproved: str
    dropped: str


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of a dimension while it was tried whether pods lower it.

    The load per pod went from `load_from` to `load`, the value from `value_from` to `value`, in the dimension's unit; NaN where it is
    not known any more. Where it stood at its cap the value was that or more (`capped`). Without a measured demand the load per pod is
    1 over the pods. `holds` says whether the dimension is held to the answer.
    """

    dimension: Dimension
    holds: bool
    kind: LoadKind
    load_from: float
    load: float
    value_from: float
    capped: bool
    value: float


@dataclass(frozen=True, slots=True)
class Defect:
    """The numbers that a sentence about an invalid dimension may need.

    Of the `ready` pods `covered` gave a good sample and `faulty` one with the defect `why`; `covered` is None where the dimension has
    one value for the whole target. `worst` is the value that is wrong, or the greatest age in seconds. `max_age` is in seconds.
    """

    why: Reason
    dimension: Dimension
    ready: int
    covered: int | None
    faulty: int
    worst: float
    max_age: float
    min_coverage: float


def of_magnitude(magnitude: float, shares: Sequence[tuple[str, float]]) -> str:
    """ "magnitude 1.42 (latency 71 %, cpu 22 %, memory 7 %)"."""
    if math.isnan(magnitude):
        return "no magnitude"
    parts = sorted((each for each in shares if each[1] > 0), key=lambda each: -each[1])
    listed = ", ".join(f"{name} {share * 100:.0f} %" for name, share in parts)
    return f"magnitude {magnitude:.2f}" + (f" ({listed})" if listed else " (idle)")


def of_proposal(
    cause: str, magnitude: float, target: float, ready: int, unready: int, young: int, proposed: int, why: str
) -> str:
    """What was seen and what it asks for in proportion; `young` of the Ready pods count as full, `why` says why the demand does not ask."""
    if math.isnan(magnitude):
        return cause
    early = f" (of which {young} so young that they count as full)" if young else ""
    waiting = f" and {unready} not Ready" if unready else ""
    aim = "" if target == 1 else f", target {target:g},"
    because = f" in proportion ({why})" if why else ""
    return f"{cause}{aim} over {_pods(ready)}{early}{waiting} asks for {_replicas(proposed)}{because}"


def of_demand(cause: str, asked: Asked) -> str:
    """What is asked of the target and how many replicas that takes, and why not one less."""
    now, counted = of_load(asked.demand, asked.kind), format_number(asked.counted)
    said = f"demand {now}"
    if asked.ahead:
        # A start that is over within a second leaves nothing to look ahead for.
        said += f", {counted} ahead" + (
            f" when a pod created now is Ready ({asked.startup:.0f} s)" if asked.startup >= 1 else ""
        )
    elif counted != format_number(asked.demand):
        said += f", {counted} with its noise"
    aim = "the target" if asked.target == 1 else f"the target of {asked.target:g}"
    parts = [
        f"{cause}; {said}",
        f"{of_load(asked.per_pod, asked.kind)} a pod are {aim}: {_replicas(asked.number)}",
    ]
    if asked.number > 1 and not math.isnan(asked.fewer):
        parts.append(f"{asked.number - 1} would be at magnitude {asked.fewer:.2f}, {asked.number} at {asked.then:.2f}")
    if asked.unproved or asked.dropped:
        parts.append(of_trial(asked.unproved or asked.dropped, dropped=bool(asked.dropped)))
    return "; ".join(parts)


def of_trial(name: str, *, dropped: bool) -> str:
    """Why a dimension that pods may not lower is not given all that it asks for."""
    if dropped:
        return f"{name} does not ask: pods do not lower it"
    return f"{name} may not ask for more until it has shown that pods lower it"


def of_load(load: float, kind: LoadKind) -> str:
    """ "41.3 requests/s" or "0.62 cores"."""
    return f"{format_number(load)} {'cores' if kind is LoadKind.CORES else 'requests/s'}"


def of_waiting(pods: int) -> str:
    """That some pods have no node yet."""
    wait, they = ("pod waits", "it") if pods == 1 else ("pods wait", "they")
    return f"{pods} {wait} for a node, no more are ordered for the load that {they} shall take"


def of_ineffective(tried: Tried, until: str) -> str:
    """That pods do not lower a dimension, by what was tried, and `until` when it may not ask for more."""
    name, unit = tried.dimension.name, tried.dimension.amount.unit
    if math.isnan(tried.load_from) or math.isnan(tried.load) or math.isnan(tried.value_from):
        found = f"{name} did not fall with the load per pod"
    else:
        value_from, value = (format_amount(Amount(each, unit)) for each in (tried.value_from, tried.value))
        load = f"the load per pod from {format_number(tried.load_from)} to {of_load(tried.load, tried.kind)}"
        if tried.kind is LoadKind.NONE:
            load = f"{1 / tried.load_from:.0f} Ready pods and then {1 / tried.load:.0f}"
        more = " or more" if tried.capped else ""
        found = f"with {load}, {name} went from {value_from}{more} to {value}"
    so = (
        f"may not ask for more until {until}"
        if tried.holds
        else "asks for more all the same (efficacy.action: Observe)"
    )
    return f"{found}: pods do not lower it, so it {so}; look for a cause outside of the pods"


def of_unreachable(dimension: Dimension, floor: float, target: float) -> str:
    """That a dimension is at its target without load, and what to write instead; both in its unit."""
    unit, binary = dimension.amount.unit, True if dimension.metric == "memory" else None
    value, wanted, least = (format_amount(Amount(each, unit), binary) for each in (floor, target, _up(floor / 0.95)))
    request = f", or raise the {dimension.metric} request of the pods" if unit is Unit.SHARE else ""
    written = "" if dimension.floor_is_auto else ", or lower its floor"
    return (
        f"{dimension.name} is {value} without load, 95 % or more of its target {wanted}, so no number of "
        f"pods can hold it; raise the target above {least}{request}{written}"
    )


def of_rule(held: Held) -> str:
    """What became of the proposal, by which rule, with the rule's numbers."""
    moved = held.desired != held.current
    move = f"scaling from {held.current} to {held.desired}" if moved else f"staying at {held.current}"
    why = _why(held)
    return f"{move}: {why}" if why else move


def _why(held: Held) -> str:
    """The rule's own words; only those that are wanted are put together, for every scaler has one in every cycle."""
    block = f"behavior.scale{'Up' if held.direction is Direction.UP else 'Down'}"
    match held.rule:
        case Reason.AS_PROPOSED:
            return ""
        case Reason.AT_TARGET:
            return "the number that runs"
        case Reason.WITHIN_TOLERANCE:
            counted = ", once the pods that are not fully measured yet are counted" if held.cautious else ""
            below, above = f"{held.tolerance_down:.3g}", f"{held.tolerance_up:.3g}"
            return f"within the tolerance of {below} below and {above} above the target{counted}"
        case Reason.PARTIAL_METRICS:
            return f"nothing scales down while a dimension is missing ({'; '.join(held.invalid)})"
        case Reason.NO_VALID_METRIC:
            return f"no dimension can be believed ({'; '.join(held.invalid)})"
        case Reason.NO_PODS:
            return "no pod matches the selector of the target, so nothing can be measured"
        case Reason.NO_READY_PODS:
            return f"{_none_ready(held.unready)}, so nothing can be measured; look at the events of the pods"
        case Reason.UP_ONLY:
            return "no valid dimension may ask for fewer replicas (scaleDown: false)"
        case Reason.ADAPTIVE_HOLD:
            regret = "; longer because a scale-down was regretted" if held.patience > REGRETTED else ""
            return f"no fewer than were needed in the last {held.hold:.0f} s (the hold{regret})"
        case Reason.SCALE_UP_STABILIZED:
            return f"no more than the lowest recommendation of the last {held.window:g} s ({block})"
        case Reason.SCALE_DOWN_STABILIZED:
            return f"no fewer than the highest recommendation of the last {held.window:g} s ({block})"
        case Reason.COOLDOWN:
            left = max(0.0, held.cooldown - held.since_event)
            return f"cooldown: {left:.0f} s of {held.cooldown:g} s left since the last scale event"
        case Reason.SCALE_UP_LIMIT | Reason.SCALE_DOWN_LIMIT:
            return f"as far as the policies of {block} allow"
        case Reason.ANOMALY_HOLD:
            return held.anomaly
        case Reason.TOO_MANY_REPLICAS:
            return f"maxReplicas is {held.maximum}"
        case Reason.TOO_FEW_REPLICAS:
            return f"minReplicas is {held.minimum}"
        case Reason.SCALING_DISABLED:
            return "the target was set to 0 replicas, which pauses scaling; set 1 or more to resume"
        case (
            Reason.PAUSED
            | Reason.PAUSED_REPLICAS
            | Reason.PAUSED_SCALE_IN
            | Reason.PAUSED_SCALE_OUT
            | Reason.DRY_RUN
            | Reason.STOPPED
        ):
            return of_override(held)
        case Reason.RESUMED:
            return "; ".join(held.notes)
    raise KeyError(held.rule)


def of_override(held: Held) -> str:
    """What stands above the decision, and how many replicas there would be without it."""
    notes = held.notes or (str(held.rule),)
    it = "it" if len(notes) == 1 else "them"
    return f"{', and '.join(notes)}; without {it} {_replicas(held.otherwise)}"


def of_defect(defect: Defect) -> str:
    """Why one dimension cannot be believed this cycle, and what to do about it."""
    pods, worst = _pods(defect.ready), format_number(defect.worst, 2)
    share = f"{defect.min_coverage * 100:g} %"
    value, sample, them, rest = "its value", "its newest sample", "it is", ""
    if defect.covered is not None:
        some = f"{defect.faulty} of {pods}"
        value, sample, them = f"the value of {some}", f"the newest sample of {some}", "they are"
        rest = f", good ones of {share} are needed (quality.minCoverage)" if defect.covered else ""
    own = defect.dimension.query is not None
    return {
        Reason.NO_DATA: (
            "no sample"
            if defect.covered is None
            else f"no sample of any of {pods}; look whether they are scraped, with the labels namespace and pod"
        ),
        Reason.TOO_FEW_SAMPLES: (
            f"samples of only {defect.covered} of {pods}, {share} are needed (quality.minCoverage); "
            "look whether the others are scraped"
        ),
        Reason.NOT_A_NUMBER: f"{value} is NaN{rest}"
        + ("; if it is 0/0, guard the division in the query" if own else ""),
        Reason.INFINITE: f"{value} is {worst}{rest}"
        + ("; if it is x/0, guard the division in the query" if own else ""),
        Reason.NEGATIVE: f"{value} is negative ({worst}){rest}; a load must be 0 or more",
        Reason.STALE: (
            f"{sample} is {worst} s old, older than {defect.max_age:g} s (quality.maxAge){rest}; "
            f"look whether {them} still scraped"
        ),
        Reason.NO_READY_PODS: "no pod of the target is Ready",
        Reason.MISSING_REQUEST: (
            f"a container of a pod has no {defect.dimension.metric} request, so a target in percent has no meaning; "
            "set the request or write the target as an amount"
        ),
    }.get(defect.why, str(defect.why))


def _none_ready(pods: int) -> str:
    return "the only pod of the target is not Ready" if pods == 1 else f"none of the {pods} pods of the target is Ready"


def _pods(count: int) -> str:
    return f"{count} Ready pod" if count == 1 else f"{count} Ready pods"


def _replicas(count: int) -> str:
    return f"{count} replica" if count == 1 else f"{count} replicas"


def _up(value: float) -> float:
    """The next number of two significant digits: what is written down must be enough."""
    step = 10.0 ** (math.floor(math.log10(value)) - 1) if value > 0 else 1.0
    return math.ceil(value / step - 1e-9) * step
