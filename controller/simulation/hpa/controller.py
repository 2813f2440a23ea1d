"""The HorizontalPodAutoscaler controller: one reconcile of one autoscaler, with its conditions, Events and faults.

The arithmetic is that of `replicas` and `restraint`, for one autoscaler; the order in which things happen, and what is said about
them, is here. Source: HPA's reconcileAutoscaler, of Kubernetes 1.37.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from controller.api import Behavior, ConditionType, Reason
from controller.engine.reasons import reason as reason_of
from controller.simulation.hpa.memory import Memory
from controller.simulation.hpa.metrics import MetricFailed, Proposed, Tolerance, propose
from controller.simulation.hpa.objects import (
    Autoscaler,
    Conditions,
    Event,
    HpaReason,
    Metric,
    MetricStatus,
    MetricType,
    Settings,
    Status,
    Target,
    TargetType,
    World,
)
from controller.simulation.hpa.replicas import best
from controller.simulation.hpa.restraint import Limits, Restrained, with_behavior, without_behavior

__all__ = ["SCALED_TO_ZERO", "Outcome", "is_selector", "reconcile"]

#: The condition that tells HPA's own scaling to zero from somebody else's.
SCALED_TO_ZERO: Final = "ScaledToZero"

#: So often the scale is written before a conflict is given up: client-go's default.
ATTEMPTS: Final = 5

#: What HPA's API makes of a spec without metrics.
DEFAULT_METRICS: Final = (Metric(MetricType.RESOURCE, "cpu", Target(TargetType.UTILIZATION, 80)),)

_NAME = r"(?:[\w.-]+/)?[\w.-]+"
_VALUES = r"\(\s*[\w.-]*\s*(?:,\s*[\w.-]*\s*)*\)"
_REQUIREMENT = rf"\s*(?:!\s*{_NAME}|{_NAME}(?:\s*(?:==?|!=)\s*[\w.-]*|\s*[<>]\s*\d+|\s+(?:in|notin)\s*{_VALUES})?)\s*"
_SELECTOR: Final = re.compile(rf"{_REQUIREMENT}(?:,{_REQUIREMENT})*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one reconcile did: the new status, the Events, the replicas written to the scale (None if none), and its error."""

    status: Status
    events: tuple[Event, ...]
    scaled_to: int | None
    error: str | None


def reconcile(
    autoscaler: Autoscaler, world: World, previous: Status, memory: Memory, settings: Settings, now: float
) -> Outcome:
    """Do once what the controller does every 15 seconds; `memory` is what it remembers of this autoscaler, and is changed."""
    return _Reconcile(autoscaler, world, previous, memory, settings, now).run()


def is_selector(text: str) -> bool:
    """Whether a text is a label selector: requirements of equality, of sets, of existence or of order, with commas between."""
    return _SELECTOR.fullmatch(text) is not None


class _Stopped(Exception):
    """The reconcile ends here, with this error."""


class _Reconcile:
    """One reconcile under way."""

    def __init__(
        self, autoscaler: Autoscaler, world: World, previous: Status, memory: Memory, settings: Settings, now: float
    ) -> None:
        self.autoscaler, self.world, self.previous = autoscaler, world, previous
        self.memory, self.settings, self.now = memory, settings, now
        self.current = world.scale.spec
        self.conditions = Conditions(previous.conditions)
        self.events: list[Event] = []
        self.metrics: tuple[MetricStatus | None, ...] = ()
        self.partial: str | None = None

    def run(self) -> Outcome:
        """Everything in HPA's order."""
        if self.world.fault.get_scale:
            why = "the target's scale cannot be read"
            self._warn(Reason.FAILED_GET_SCALE, why)
            self.conditions.set(ConditionType.ABLE_TO_SCALE, False, Reason.FAILED_GET_SCALE, why)
            unread = replace(self.previous, conditions=self.conditions.all())
            return Outcome(unread, tuple(self.events), None, why)
        self._able(Reason.SUCCEEDED_GET_SCALE, "the target's scale was read")
        self.memory.begin(self.current, self.now)
        try:
            desired, cause = self._desired()
            if desired is not None:
                self._rescale(desired, cause)
        except _Stopped as stopped:
            return Outcome(self._status(self.previous.desired), tuple(self.events), None, str(stopped))
        status = self._status(self.current if desired is None else desired, scaled=desired is not None)
        return Outcome(status, tuple(self.events), desired, self.partial)

    def _desired(self) -> tuple[int | None, str]:
        """The replicas to write, None for no change, and the cause as the Event will have it."""
        current, least, most = self.current, self.autoscaler.min_replicas, self.autoscaler.max_replicas
        if current == 0:
            if not self._wakes():
                why = "the target has zero replicas, and somebody else scaled it there"
                self.conditions.set(ConditionType.SCALING_ACTIVE, False, Reason.SCALING_DISABLED, why)
                if not self.settings.scales_to_zero:
                    self.conditions.remove(SCALED_TO_ZERO)
                return None, ""
        elif current > most:
            return most, "Current number of replicas above Spec.MaxReplicas"
        elif current < least:
            return least, "Current number of replicas below Spec.MinReplicas"
        wanted, name = self._wanted()
        desired = self._restrain(wanted)
        below = "All metrics below target" if wanted < current else ""
        cause = f"{name} above target" if wanted > current else below
        if current == 0 and desired < least:
            desired, cause = least, cause or "Current number of replicas below Spec.MinReplicas"
        return (None if desired == current else desired), cause

    def _wakes(self) -> bool:
        """Whether metrics are read at zero replicas."""
        if self.settings.evaluates_at_zero:
            return self.autoscaler.min_replicas == 0
        own = self.settings.scales_to_zero and self.conditions.is_true(SCALED_TO_ZERO)
        return own and (self.autoscaler.min_replicas != 0 or self._sees_from_outside())

    def _sees_from_outside(self) -> bool:
        """Whether a metric exists without pods."""
        return any(each.type in (MetricType.OBJECT, MetricType.EXTERNAL) for each in self.autoscaler.metrics)

    def _wanted(self) -> tuple[int, str]:
        """What the metrics ask for, and the name of the one that asks for most."""
        self._check_selector()
        proposals: list[Proposed | None] = []
        failures: list[MetricFailed] = []
        for metric in self.autoscaler.metrics or DEFAULT_METRICS:
            try:
                proposals.append(propose(metric, self.world, self._tolerance(), self.settings, self.now))
            except MetricFailed as failed:
                self._warn(failed.reason, failed.message)
                proposals.append(None)
                failures.append(failed)
        self.metrics = tuple(each.status if each else None for each in proposals)
        chosen = best(
            [np.array([each.replicas if each else 0]) for each in proposals],
            [np.array([each is not None]) for each in proposals],
            np.array([self.current]),
        )
        if failures:
            self.partial = f"{len(failures)} of {len(proposals)} metrics are invalid, the first: {failures[0].message}"
        if failures and not chosen.trusted[0]:
            self._inactive(failures[0].reason, failures[0].message)
            self._warn(HpaReason.FAILED_COMPUTE_METRICS_REPLICAS, str(self.partial))
            raise _Stopped(self.partial)
        largest = proposals[int(chosen.metric[0])]
        name = largest.name if largest else ""
        self.conditions.set(
            ConditionType.SCALING_ACTIVE, True, Reason.VALID_METRIC_FOUND, f"replicas follow from {name}"
        )
        return int(chosen.replicas[0]), name

    def _check_selector(self) -> None:
        """Whether the selector says which pods are meant, and no other autoscaler's means the same."""
        selector, rivals = self.world.scale.selector, self.world.rivals
        event: Reason | HpaReason = Reason.INVALID_SELECTOR
        reason = event
        if not selector:
            event, why = HpaReason.SELECTOR_REQUIRED, "the target's scale has no selector"
        elif not is_selector(selector):
            why = f"{selector!r} is no label selector"
        elif rivals:
            event = reason = HpaReason.AMBIGUOUS_SELECTOR
            why = f"pods of the selector {selector!r} are also those of {', '.join(rivals)}"
        else:
            return
        self._warn(event, why)
        self._inactive(reason, why)
        self._warn(HpaReason.FAILED_COMPUTE_METRICS_REPLICAS, why)
        raise _Stopped(why)

    def _restrain(self, wanted: int) -> int:
        """What windows, policies and bounds leave of it; what is wanted is remembered, and the conditions say the reasons."""
        behavior, current = self.autoscaler.behavior, np.array([self.current])
        limits = Limits.of([behavior or Behavior()], [self.autoscaler.min_replicas], [self.autoscaler.max_replicas])
        history = self.memory.history()
        if behavior is None:
            window = self.settings.downscale_window
            factor, least = self.settings.scale_up_factor, self.settings.scale_up_least
            left = without_behavior(limits, history, self.now, current, np.array([wanted]), window, factor, least)
        else:
            window = max(behavior.scale_up.window_seconds, behavior.scale_down.window_seconds)
            left = with_behavior(limits, history, self.now, current, np.array([wanted]))
        self.memory.recommend(wanted, self.now, window)
        self._explain(wanted, left)
        return int(left.replicas[0])

    def _explain(self, wanted: int, left: Restrained) -> None:
        stabilized, replicas = int(left.stabilized[0]), int(left.replicas[0])
        is_limited = stabilized != replicas
        self._able(reason_of(int(left.able[0])), f"{wanted} replicas are wanted, the windows make it {stabilized}")
        why = f"the limits make {stabilized} replicas {replicas}" if is_limited else f"{replicas} replicas are allowed"
        self.conditions.set(ConditionType.SCALING_LIMITED, is_limited, reason_of(int(left.limited[0])), why)

    def _rescale(self, desired: int, cause: str) -> None:
        """Write the scale, and try again when somebody else did."""
        fault = self.world.fault
        if fault.update_scale or fault.conflicts >= ATTEMPTS:
            why = "the API server refuses it" if fault.update_scale else f"somebody else wrote it, {ATTEMPTS} times"
            self._warn(Reason.FAILED_RESCALE, f"New size: {desired}; reason: {cause}; error: {why}")
            failed = f"the target's scale cannot be written: {why}"
            self.conditions.set(ConditionType.ABLE_TO_SCALE, False, Reason.FAILED_UPDATE_SCALE, failed)
            raise _Stopped(failed)
        self._able(Reason.SUCCEEDED_RESCALE, f"the target's scale is {desired} now")
        self.events.append(Event("Normal", Reason.SUCCESSFUL_RESCALE, f"New size: {desired}; reason: {cause}"))
        self.memory.scaled(self.current, desired, self.autoscaler.behavior, self.now)
        if not self.settings.scales_to_zero:
            self.conditions.remove(SCALED_TO_ZERO)
            return
        slept = desired == 0 and self.autoscaler.min_replicas == 0 and self._sees_from_outside()
        reason = HpaReason.SCALED_TO_ZERO if slept else HpaReason.NOT_SCALED_TO_ZERO
        self.conditions.set(SCALED_TO_ZERO, slept, reason, f"the target was scaled from {self.current} to {desired}")

    def _tolerance(self) -> Tolerance:
        behavior = self.autoscaler.behavior
        if behavior is None:
            return Tolerance(self.settings.tolerance, self.settings.tolerance)
        return Tolerance(behavior.scale_up.tolerance_value, behavior.scale_down.tolerance_value)

    def _status(self, desired: int, scaled: bool = False) -> Status:
        last = self.now if scaled else self.previous.last_scaled_at
        return Status(self.current, desired, self.conditions.all(), self.metrics, last)

    def _able(self, reason: Reason, message: str) -> None:
        self.conditions.set(ConditionType.ABLE_TO_SCALE, True, reason, message)

    def _inactive(self, reason: Reason | HpaReason, message: str) -> None:
        self.conditions.set(ConditionType.SCALING_ACTIVE, False, reason, message)

    def _warn(self, reason: Reason | HpaReason, message: str) -> None:
        self.events.append(Event("Warning", reason, message))
