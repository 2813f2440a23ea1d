"""Kubernetes Events: what a user sees at the end of `kubectl describe`.

They are told, not promised: `emit` never waits, repeats become a count as in client-go, and what would flood the
server is dropped and counted. Decisions are kept in the status, never here.
"""

import asyncio
import logging
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, NamedTuple

from controller.api.errors import KubernetesError, NotFound, ServerError, TooManyRequests, Unreachable
from controller.api.reasons import Reason
from controller.kube.client import MERGE_PATCH, Client

__all__ = ["EventRecorder", "EventType", "Regarding"]

logger = logging.getLogger(__name__)

EventType = Literal["Normal", "Warning"]

SAME_SECONDS: Final = 600.0
BURST: Final = 25  # client-go's limits for one object
REFILL_SECONDS: Final = 300.0
REMEMBERED: Final = 4096
ATTEMPTS: Final = 4
LONGEST_MESSAGE: Final = 1024
LONGEST_NAME: Final = 253


class Regarding(NamedTuple):
    """The object that an Event is about."""

    kind: str
    namespace: str
    name: str
    uid: str
    api_version: str


class _Subject(NamedTuple):
    """What makes two events the same."""

    regarding: Regarding
    type: EventType
    reason: Reason
    message: str


class _Happening(NamedTuple):
    subject: _Subject
    at: float
    wall: float


@dataclass(slots=True)
class _Series:
    name: str
    count: int
    last: float


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class EventRecorder:
    """Writes Events in the background while `run` runs.

    `dropped` counts what was not written, because of the limit for one object, a full queue or a server that refused.
    `clock` is for windows and limits, `wall` for the times in the Events; both in seconds.
    """

    def __init__(
        self,
        client: Client,
        component: str = "compositescaler",
        instance: str = "",
        *,
        capacity: int = 1000,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        pause: float = 1.0,
    ) -> None:
        self._client = client
        self._component = component
        self._instance = instance
        self._clock = clock
        self._wall = wall
        self._pause = pause
        self._queue: asyncio.Queue[_Happening] = asyncio.Queue(capacity)
        self._series: OrderedDict[_Subject, _Series] = OrderedDict()
        self._buckets: OrderedDict[Regarding, _Bucket] = OrderedDict()
        self._failing = False
        self.dropped = 0

    def emit(self, regarding: Regarding, type: EventType, reason: Reason, message: str) -> None:  # noqa: A002
        """Have an Event written soon; never waits, never raises."""
        now = self._clock()
        if not self._allowed(regarding, now):
            self.dropped += 1
            return
        try:
            subject = _Subject(regarding, type, reason, message[:LONGEST_MESSAGE])
            self._queue.put_nowait(_Happening(subject, now, self._wall()))
        except asyncio.QueueFull:
            self.dropped += 1

    async def run(self) -> None:
        """Write what was emitted, until cancelled."""
        while True:
            happening = await self._queue.get()
            try:
                await self._write(happening)
            finally:
                self._queue.task_done()

    async def flush(self, timeout: float) -> bool:  # noqa: ASYNC109
        """Wait until everything emitted so far is written; False when `timeout` seconds were not enough."""
        try:
            await asyncio.wait_for(self._queue.join(), timeout)
        except TimeoutError:
            return False
        return True

    def _allowed(self, regarding: Regarding, now: float) -> bool:
        bucket = self._buckets.pop(regarding, None) or _Bucket(BURST, now)
        bucket.tokens = min(float(BURST), bucket.tokens + (now - bucket.at) / REFILL_SECONDS)
        bucket.at = now
        self._buckets[regarding] = bucket
        if len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True

    async def _write(self, happening: _Happening) -> None:
        for attempt in range(ATTEMPTS):
            try:
                await self._once(happening)
            except (Unreachable, ServerError, TooManyRequests) as error:
                self._failed(error)
                if attempt + 1 < ATTEMPTS:
                    wanted = error.retry_after if isinstance(error, TooManyRequests) else 0.0
                    await asyncio.sleep(max(self._pause * 2**attempt, wanted))
            except KubernetesError as error:
                self._failed(error)
                break
            else:
                self._failing = False
                return
        self.dropped += 1

    def _failed(self, error: KubernetesError) -> None:
        if not self._failing:
            logger.warning("events: %s", error)
        self._failing = True

    async def _once(self, happening: _Happening) -> None:
        series = self._series.get(happening.subject)
        if series is not None and happening.at - series.last <= SAME_SECONDS:
            try:
                await self._repeat(happening, series)
                return
            except NotFound:
                pass  # the server forgets Events after an hour, or somebody deleted it
        await self._create(happening)

    async def _repeat(self, happening: _Happening, series: _Series) -> None:
        await self._client.request(
            "PATCH",
            f"{_path(happening.subject.regarding)}/{series.name}",
            body={"count": series.count + 1, "lastTimestamp": _time(happening.wall)},
            content_type=MERGE_PATCH,
        )
        series.count += 1
        series.last = happening.at
        self._series.move_to_end(happening.subject)

    async def _create(self, happening: _Happening) -> None:
        subject = happening.subject
        regarding = subject.regarding
        suffix = f".{uuid.uuid4().hex[:16]}"
        name = regarding.name[: LONGEST_NAME - len(suffix)] + suffix
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": _namespace(regarding)},
            "involvedObject": {
                "apiVersion": regarding.api_version,
                "kind": regarding.kind,
                "namespace": regarding.namespace,
                "name": regarding.name,
                "uid": regarding.uid,
            },
            "type": subject.type,
            "reason": subject.reason.value,
            "message": subject.message,
            "count": 1,
            "firstTimestamp": _time(happening.wall),
            "lastTimestamp": _time(happening.wall),
            "source": {"component": self._component, "host": self._instance},
            "reportingComponent": self._component,
            "reportingInstance": self._instance,
        }
        await self._client.request("POST", _path(regarding), body=body)
        self._series[subject] = _Series(name, 1, happening.at)
        if len(self._series) > REMEMBERED:
            self._series.popitem(last=False)


def _namespace(regarding: Regarding) -> str:
    return regarding.namespace or "default"  # where Events of cluster-wide objects live


def _path(regarding: Regarding) -> str:
    return f"/api/v1/namespaces/{_namespace(regarding)}/events"


def _time(wall: float) -> str:
    return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
