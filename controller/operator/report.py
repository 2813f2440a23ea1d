"""Telling: the record of each scaler becomes its status, its Events and the table that /metrics reads.

Events tell of changes only: a condition that turned bad, a dimension that went missing. The same sentences stand in the status.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence

from controller.api import ConditionType, KubernetesError, NotFound, Reason
from controller.engine import Record
from controller.kube import Client, EventRecorder, patch_status
from controller.operator.clock import Moment
from controller.operator.conditions import Condition, of_problem, of_record
from controller.operator.memory import ScaleEvent
from controller.operator.objects import reference
from controller.operator.scalers import Key, Problem, Scaler
from controller.operator.status import Headline, headline_of, patch_of, status_of
from controller.operator.targets import Aimed
from controller.operator.telemetry import Sighting, Telemetry

__all__ = ["Reporter"]

AT_ONCE = 20

logger = logging.getLogger(__name__)


class Reporter:
    """Keeps the table of the last cycle and decides what of it is worth writing."""

    def __init__(self, client: Client, events: EventRecorder, telemetry: Telemetry, table: dict[Key, Sighting]) -> None:
        self._client = client
        self._events = events
        self._telemetry = telemetry
        self._table = table
        self._headlines: dict[Key, Headline] = {}
        self._due: list[tuple[Scaler, dict[str, object], Headline]] = []
        self._slots = asyncio.Semaphore(AT_ONCE)

    def problem(self, scaler: Scaler, problem: Problem, now: Moment) -> None:
        """A scaler that could not be evaluated."""
        self._tell(scaler, "", of_problem(problem), None, (), now)

    def decision(
        self, aimed: Aimed, record: Record, failure: str | None, events: Sequence[ScaleEvent], now: Moment
    ) -> None:
        """A scaler that was evaluated; `failure` is why its write did not succeed."""
        self._tell(aimed.scaler, aimed.title, of_record(record, aimed.title, failure), record, events, now)

    def keep_only(self, present: Collection[Key]) -> None:
        """Forget scalers that are gone."""
        for key in self._table.keys() - present:
            del self._table[key]
            self._headlines.pop(key, None)

    async def flush(self) -> None:
        """Write the statuses that are due; one that fails is due again in the next cycle."""
        due, self._due = self._due, []
        await asyncio.gather(*(self._write(*each) for each in due))

    def _tell(
        self,
        scaler: Scaler,
        target: str,
        conditions: tuple[Condition, ...],
        record: Record | None,
        events: Sequence[ScaleEvent],
        now: Moment,
    ) -> None:
        self._emit(scaler, self._table.get(scaler.key), conditions)
        self._table[scaler.key] = Sighting(target, conditions, record)
        headline = headline_of(scaler, conditions, record, now, events[-1] if events else None)
        written = self._headlines.get(scaler.key)
        if written is None or written.outdated_by(headline):
            status = status_of(scaler, conditions, record, events, now)
            patch = patch_of(scaler.status.manifest(), status.manifest())
            self._due.append((scaler, patch, headline))

    def _emit(self, scaler: Scaler, before: Sighting | None, conditions: tuple[Condition, ...]) -> None:
        """A Warning for each condition that is bad now and was not, or is bad for another reason."""
        known = {each.type: (each.status, each.reason) for each in before.conditions} if before else {}
        said: set[str] = set()
        for condition in conditions:
            bad = condition.type is not ConditionType.SCALING_LIMITED and (
                condition.status is False or condition.reason is Reason.PARTIAL_METRICS
            )
            news = known.get(condition.type) != (condition.status, condition.reason)
            if bad and news and condition.reason is not Reason.FAILED_UPDATE_SCALE and condition.message not in said:
                said.add(condition.message)
                self._events.emit(reference(scaler), "Warning", condition.reason, condition.message)

    async def _write(self, scaler: Scaler, patch: dict[str, object], headline: Headline) -> None:
        try:
            async with self._slots:
                await patch_status(self._client, *scaler.key, patch)
        except NotFound:
            return
        except KubernetesError as error:
            self._telemetry.writes.labels("status", "error").inc()
            logger.warning(
                "cannot write the status: %s", error, extra={"namespace": scaler.key[0], "scaler": scaler.key[1]}
            )
            return
        self._headlines[scaler.key] = headline
        self._telemetry.writes.labels("status", "ok").inc()
