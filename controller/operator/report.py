"""Telling: the record of each scaler becomes its status, its Events and the table that /metrics reads.

Events tell of changes only: a condition that turned bad, a dimension that went missing, one that may ask for pods again, an anomaly that
is over, a pause that begins or ends. The same sentences stand in the status.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from controller.api import ConditionStatus, ConditionType, KubernetesError, NotFound, Reason
from controller.engine import Record
from controller.engine.lessons import Lesson
from controller.kube import Client, EventRecorder, patch_status
from controller.operator.clock import Moment
from controller.operator.conditions import Condition, Since, of_problem, of_record, since_of, written
from controller.operator.memory import ScaleEvent
from controller.operator.objects import reference
from controller.operator.scalers import Key, Problem, Scaler
from controller.operator.status import Headline, headline_in, headline_of, patch_of, patch_of_problem, status_of
from controller.operator.targets import Aimed
from controller.operator.telemetry import Sighting, Telemetry

__all__ = ["Reporter"]

AT_ONCE: Final = 20
#: A Warning that comes and goes is told no more often than this (seconds), so that it does not use up the Events of an object.
AGAIN: Final = 600.0

#: Conditions that are bad when they are True.
TRUE_IS_BAD: Final = (
    ConditionType.SCALING_INEFFECTIVE,
    ConditionType.TARGET_UNREACHABLE,
    ConditionType.ANOMALY_DETECTED,
)
EVENTS: Final = {
    Reason.FAILED_UPDATE_SCALE: Reason.FAILED_RESCALE,
    Reason.PODS_DO_NOT_HELP: Reason.SCALING_INEFFECTIVE,
    Reason.FLOOR_AT_TARGET: Reason.TARGET_UNREACHABLE,
}

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Told:
    """What was said about one object: its conditions, the last status that was written, the dimension that pods do not lower, and
    when each Warning was sent.

    It begins with what the object's status says: an operator that starts again has nothing new to tell.
    """

    uid: str
    known: Mapping[str, tuple[ConditionStatus, str]]
    since: Since
    headline: Headline | None
    dropped: str
    warned: dict[tuple[ConditionType, Reason], float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Due:
    """A status that is to be written."""

    scaler: Scaler
    patch: dict[str, Any]
    headline: Headline


class Reporter:
    """Keeps the table of the last cycle and decides what of it is worth writing."""

    def __init__(
        self,
        client: Client,
        events: EventRecorder,
        telemetry: Telemetry,
        table: dict[Key, Sighting],
        *,
        is_present: Callable[[Scaler], bool],
    ) -> None:
        """`is_present` says whether the object itself still exists, not another one of its name."""
        self._client = client
        self._is_present = is_present
        self._events = events
        self._telemetry = telemetry
        self._table = table
        self._told: dict[Key, _Told] = {}
        self._due: dict[Key, _Due] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)

    def problem(self, scaler: Scaler, problem: Problem, now: Moment) -> None:
        """A scaler that could not be evaluated."""
        self._tell(scaler, of_problem(problem), None, (), now, Lesson)

    def decision(
        self,
        aimed: Aimed,
        record: Record,
        failure: str | None,
        events: Sequence[ScaleEvent],
        now: Moment,
        lesson: Callable[[], Lesson],
    ) -> None:
        """A scaler that was evaluated; `failure` is why its write did not succeed, `lesson` is asked where a status is due."""
        conditions = of_record(record, aimed.title, str(aimed.group.selector), failure, now)
        self._tell(aimed.scaler, conditions, record, events, now, lesson)

    def keep_only(self, present: Collection[Key]) -> None:
        """Forget scalers that are gone."""
        for held in (self._table, self._told, self._due):
            for key in held.keys() - present:
                del held[key]

    async def flush(self) -> None:
        """Write the statuses that are due; one that fails is due again in the next cycle."""
        due, self._due = self._due, {}
        await asyncio.gather(*(self._write(each) for each in due.values()))

    def _tell(
        self,
        scaler: Scaler,
        conditions: tuple[Condition, ...],
        record: Record | None,
        events: Sequence[ScaleEvent],
        now: Moment,
        lesson: Callable[[], Lesson],
    ) -> None:
        last_event = events[-1] if events else None
        told = self._told.get(scaler.key)
        if told is None or told.uid != scaler.uid:
            told = self._told[scaler.key] = _begin(scaler, last_event, now)
        self._emit(scaler, told, conditions, now)
        trial = record.outlook.trial if record is not None else None
        if trial is not None and trial.dropped:
            told.dropped = trial.dimension
        self._table[scaler.key] = Sighting(conditions, record, now.wall - now.monotonic)
        headline = headline_of(scaler, conditions, record, now, last_event)
        if told.headline is None or told.headline.outdated_by(headline):
            stated = written(conditions, told.since, scaler.generation, now.wall)
            told.since = since_of(stated)
            patch = (
                patch_of_problem(scaler, stated)
                if record is None
                else patch_of(status_of(scaler, stated, record, events, now, lesson()))
            )
            self._due[scaler.key] = _Due(scaler, patch, headline)

    def _emit(self, scaler: Scaler, told: _Told, conditions: tuple[Condition, ...], now: Moment) -> None:
        """A Warning for each condition that is bad now and was not, or is bad for another reason; a word when it is mended."""
        said: set[str] = set()
        for condition in conditions:
            if condition.type is ConditionType.SCALING_BLOCKED:
                self._tell_of_block(scaler, told, condition)
                continue
            bad = _is_bad(condition)
            word, _ = told.known.get(condition.type, (None, ""))
            if condition.reason is Reason.PODS_HELP and word == ConditionStatus.TRUE:
                again = f"{told.dropped} may ask for more pods again"
                self._events.emit(reference(scaler), "Normal", Reason.PODS_HELP, again)
            if condition.reason is Reason.AS_USUAL and word == ConditionStatus.TRUE:
                over = f"no anomaly is detected any more; {condition.message}"
                self._events.emit(reference(scaler), "Normal", Reason.AS_USUAL, over)
            news = told.known.get(condition.type) != (condition.word, condition.reason)
            what = (condition.type, condition.reason)
            if not (bad and news) or condition.message in said:
                continue
            said.add(condition.message)
            if now.monotonic - told.warned.get(what, -math.inf) >= AGAIN:
                told.warned[what] = now.monotonic
                self._events.emit(reference(scaler), "Warning", _event_reason(condition), condition.message)
        told.known = {each.type: (each.word, each.reason) for each in conditions}

    def _tell_of_block(self, scaler: Scaler, told: _Told, condition: Condition) -> None:
        """A word when a pause begins, and when it ends; that everything is stopped is one log line and not an Event a scaler."""
        before = told.known.get(condition.type, (ConditionStatus.FALSE, ""))
        if before == (condition.word, condition.reason) or Reason.STOPPED in (condition.reason, before[1]):
            return
        if condition.status:
            self._events.emit(reference(scaler), "Normal", condition.reason, condition.message)
        elif before[0] == ConditionStatus.TRUE:
            self._events.emit(reference(scaler), "Normal", Reason.RESUMED, condition.message)

    async def _write(self, due: _Due) -> None:
        key = due.scaler.key
        # A write without an answer may have been made all the same: until one succeeds nobody knows what stands there.
        self._told[key].headline = None
        try:
            async with self._slots:
                if not self._is_present(due.scaler):
                    return
                await patch_status(self._client, *key, due.patch)
        except NotFound:
            return
        except KubernetesError as error:
            self._telemetry.writes.labels("status", "error").inc()
            logger.warning("cannot write the status: %s", error, extra={"namespace": key[0], "scaler": key[1]})
            return
        self._told[key].headline = due.headline
        self._telemetry.writes.labels("status", "ok").inc()


def _begin(scaler: Scaler, last_event: ScaleEvent | None, now: Moment) -> _Told:
    conditions, learned = scaler.status.conditions, scaler.status.learned
    return _Told(
        uid=scaler.uid,
        known={each.type: (each.status, each.reason) for each in conditions},
        since=since_of(conditions),
        headline=headline_in(scaler, last_event, now),
        dropped=next((each.name for each in (learned.ineffective if learned else ())), ""),
    )


def _is_bad(condition: Condition) -> bool:
    if condition.type in TRUE_IS_BAD:
        return condition.status is True
    if condition.type is ConditionType.SCALING_LIMITED:
        return False
    return condition.status is False or condition.reason is Reason.PARTIAL_METRICS


def _event_reason(condition: Condition) -> Reason:
    """The Event's word where it is another than the condition's: HPA's, or the condition itself where its reason is too narrow."""
    return EVENTS.get(condition.reason, condition.reason)
