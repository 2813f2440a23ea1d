"""The one wording of a decision: status, Events, log lines and `describe` all print these sentences.

Every sentence names numbers: what was seen, what was wanted, what was allowed, by which rule.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from controller.api import Dimension, Direction, Reason, format_number

__all__ = ["Defect", "Held", "of_defect", "of_magnitude", "of_proposal", "of_rule"]


@dataclass(frozen=True, slots=True)
class Held:
    """The numbers that a sentence about the deciding rule may need; durations in seconds."""

    rule: Reason
    current: int
    desired: int
    minimum: int
    maximum: int
    tolerance_up: float
    tolerance_down: float
    direction: Direction
    window: float
    cooldown: float
    since_event: float
    cautious: bool
    unready: int
    invalid: tuple[str, ...]


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
    cause: str, magnitude: float, target: float, ready: int, unready: int, young: int, proposed: int
) -> str:
    """What was seen and what it asks for; `young` of the Ready pods count as full."""
    if math.isnan(magnitude):
        return cause
    early = f" (of which {young} so young that they count as full)" if young else ""
    waiting = f" and {unready} not Ready" if unready else ""
    aim = "" if target == 1 else f", target {target:g},"
    return f"{cause}{aim} over {_pods(ready)}{early}{waiting} asks for {_replicas(proposed)}"


def of_rule(held: Held) -> str:
    """What became of the proposal, by which rule, with the rule's numbers."""
    block = f"behavior.scale{'Up' if held.direction is Direction.UP else 'Down'}"
    moved = held.desired != held.current
    move = f"scaling from {held.current} to {held.desired}" if moved else f"staying at {held.current}"
    missing = "; ".join(held.invalid)
    why = {
        Reason.AS_PROPOSED: "",
        Reason.AT_TARGET: "the number that runs",
        Reason.WITHIN_TOLERANCE: (
            f"within the tolerance of {held.tolerance_down:.3g} below and {held.tolerance_up:.3g} above the target"
            + (", once the pods that are not fully measured yet are counted" if held.cautious else "")
        ),
        Reason.PARTIAL_METRICS: f"nothing scales down while a dimension is missing ({missing})",
        Reason.NO_VALID_METRIC: f"no dimension can be believed ({missing})",
        Reason.NO_PODS: "no pod matches the selector of the target, so nothing can be measured",
        Reason.NO_READY_PODS: (
            f"{_none_ready(held.unready)}, so nothing can be measured; look at the events of the pods"
        ),
        Reason.UP_ONLY: "no valid dimension may ask for fewer replicas (scaleDown: false)",
        Reason.SCALE_UP_STABILIZED: f"no more than the lowest recommendation of the last {held.window:g} s ({block})",
        Reason.SCALE_DOWN_STABILIZED: f"no fewer than the highest recommendation of the last {held.window:g} s ({block})",
        Reason.COOLDOWN: (
            f"cooldown: {max(0.0, held.cooldown - held.since_event):.0f} s of {held.cooldown:g} s left since the last scale event"
        ),
        Reason.SCALE_UP_LIMIT: f"as far as the policies of {block} allow",
        Reason.SCALE_DOWN_LIMIT: f"as far as the policies of {block} allow",
        Reason.TOO_MANY_REPLICAS: f"maxReplicas is {held.maximum}",
        Reason.TOO_FEW_REPLICAS: f"minReplicas is {held.minimum}",
        Reason.SCALING_DISABLED: "the target was set to 0 replicas, which pauses scaling; set 1 or more to resume",
    }[held.rule]
    return f"{move}: {why}" if why else move


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
