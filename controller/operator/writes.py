"""Acting: the new count goes through /scale, only where it changes, and what came of it is remembered.

Success is told here, one Event and one log line a scale; a failure is a log line here and a condition in `report`, which
tells of it once and not in every cycle.

A write that loses against somebody else's (the count is not what the decision was made for) is not repeated: the next cycle sees the
new count and decides again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from controller.api import Conflict, Direction, KubernetesError, Reason, ServerError, Unreachable
from controller.engine import Record
from controller.kube import Client, EventRecorder, set_replicas
from controller.operator.clock import Moment
from controller.operator.memory import Memory, ScaleEvent
from controller.operator.objects import reference
from controller.operator.scalers import Key, Scaler
from controller.operator.targets import Aimed
from controller.operator.telemetry import Telemetry

__all__ = ["Rescale", "Writer"]

#: So many writes are under way at once.
AT_ONCE = 20

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rescale:
    """One change of replicas that was decided."""

    aimed: Aimed
    record: Record
    now: Moment

    @property
    def why(self) -> str:
        """The reason in HPA's Event: the magnitude where it moved the number, else the bound or the pin."""
        if self.pinned or self.record.rule in (Reason.TOO_MANY_REPLICAS, Reason.TOO_FEW_REPLICAS):
            return self.record.sentence
        return self.record.cause

    @property
    def pinned(self) -> bool:
        """Whether a person said the number."""
        return self.record.rule in (Reason.PAUSED_REPLICAS, Reason.RESUMED)


class Writer:
    """Writes counts, and says so."""

    def __init__(
        self,
        client: Client,
        events: EventRecorder,
        telemetry: Telemetry,
        *,
        is_current: Callable[[Scaler], bool],
        wrote: Callable[[Aimed, int], None],
    ) -> None:
        """`is_current` says whether an object still is what was decided for; `wrote` is told of each count that was written."""
        self._client = client
        self._events = events
        self._telemetry = telemetry
        self._is_current = is_current
        self._wrote = wrote
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def write(self, rescales: Sequence[Rescale], memory: Memory) -> dict[Key, str]:
        """Write them all; returns why each that failed did."""
        outcomes = await asyncio.gather(*(self._write(each, memory) for each in rescales))
        return {
            each.aimed.scaler.key: failure
            for each, failure in zip(rescales, outcomes, strict=True)
            if failure is not None
        }

    async def _write(self, rescale: Rescale, memory: Memory) -> str | None:
        aimed, record = rescale.aimed, rescale.record
        key = aimed.scaler.key
        spec = aimed.scaler.spec
        assert spec is not None
        event = ScaleEvent(rescale.now.monotonic, record.current, record.desired, record.sentence, rescale.pinned)
        try:
            async with self._slots:
                if not self._is_current(aimed.scaler):
                    return "the CompositeScaler was edited, paused or deleted while it was decided; deciding again in the next cycle"
                await set_replicas(
                    self._client, aimed.resource, key[0], aimed.target.name, record.current, record.desired
                )
        except KubernetesError as error:
            self._telemetry.writes.labels("scale", "conflict" if isinstance(error, Conflict) else "error").inc()
            failure = (
                f"{aimed.title} is not at {record.current} replicas any more, somebody else scaled it; deciding again in the next cycle"
                if isinstance(error, Conflict)
                else f"New size: {record.desired}; reason: {rescale.why}; error: {error}"
            )
            if isinstance(error, Unreachable | ServerError):
                memory.lost(key, event)
            logger.warning(failure, extra=_fields(rescale))
            return failure
        memory.scaled(key, event, spec.cooldown.longest)
        self._wrote(aimed, record.desired)
        direction = Direction.UP if record.desired > record.current else Direction.DOWN
        self._telemetry.writes.labels("scale", "ok").inc()
        self._telemetry.scale_events.labels("up" if direction is Direction.UP else "down").inc()
        self._events.emit(
            reference(aimed.scaler),
            "Normal",
            Reason.SUCCESSFUL_RESCALE,
            f"New size: {record.desired}; reason: {rescale.why}",
        )
        logger.info(record.sentence, extra=_fields(rescale))
        return None


def _fields(rescale: Rescale) -> dict[str, object]:
    record, key = rescale.record, rescale.aimed.scaler.key
    return {
        "namespace": key[0],
        "scaler": key[1],
        "target": rescale.aimed.title,
        "from": record.current,
        "to": record.desired,
        "proposed": record.proposed,
        "rule": str(record.rule),
        "magnitude": round(record.magnitude, 4),
    }
