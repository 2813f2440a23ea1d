"""The one wording of a decision: status, Events, log lines and `describe` all print these sentences.

Every sentence names numbers: what was seen, what was wanted, what was allowed, by which rule.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from controller.api import Dimension, Direction, Per, Reason

__all__ = ["Held", "of_defect", "of_magnitude", "of_proposal", "of_rule"]


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
    invalid: tuple[str, ...]


def of_magnitude(magnitude: float, shares: Sequence[tuple[str, float]]) -> str:
    """ "magnitude 1.42 (latency 71 %, cpu 22 %, memory 7 %)"."""
    if math.isnan(magnitude):
        return "no magnitude"
    parts = sorted((each for each in shares if each[1] > 0), key=lambda each: -each[1])
    listed = ", ".join(f"{name} {share * 100:.0f} %" for name, share in parts)
    return f"magnitude {magnitude:.2f}" + (f" ({listed})" if listed else " (idle)")


def of_proposal(cause: str, magnitude: float, target: float, ready: int, unready: int, proposed: int) -> str:
    """What was seen and what it asks for."""
    if math.isnan(magnitude):
        return cause
    waiting = f" and {unready} not Ready" if unready else ""
    aim = "" if target == 1 else f", target {target:g},"
    return f"{cause}{aim} over {_pods(ready)}{waiting} asks for {_replicas(proposed)}"


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
        ),
        Reason.PARTIAL_METRICS: f"nothing scales down while a dimension is missing ({missing})",
        Reason.NO_VALID_METRIC: f"no dimension can be believed ({missing})",
        Reason.NO_READY_PODS: "no pod of the target is Ready, so nothing can be measured",
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


def of_defect(why: Reason, dimension: Dimension, covered: int | None, ready: int, max_age: float) -> str:
    """Why one dimension cannot be believed this cycle."""
    if dimension.per is Per.TARGET:
        subject = "its value"
    elif covered:
        subject = f"samples of only {covered} of {_pods(ready)} are good, the value of most others"
    else:
        subject = "the value of most pods"
    return {
        Reason.NO_DATA: "no sample" if covered is None else f"no sample of any of {_pods(ready)}",
        Reason.TOO_FEW_SAMPLES: f"samples of only {covered} of {_pods(ready)}",
        Reason.NOT_A_NUMBER: f"{subject} is NaN",
        Reason.INFINITE: f"{subject} is infinite",
        Reason.NEGATIVE: f"{subject} is negative",
        Reason.STALE: f"{subject} is older than {max_age:g} s (quality.maxAge)",
        Reason.NO_READY_PODS: "no pod of the target is Ready",
        Reason.MISSING_REQUEST: (
            f"a container of a pod has no {dimension.metric} request, so a target in percent has no meaning; "
            "set the request or write the target as an amount"
        ),
    }.get(why, str(why))


def _pods(count: int) -> str:
    return f"{count} Ready pod" if count == 1 else f"{count} Ready pods"


def _replicas(count: int) -> str:
    return f"{count} replica" if count == 1 else f"{count} replicas"
