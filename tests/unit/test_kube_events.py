"""When an Event is written, repeated, retried or dropped; on a clock of our own."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from controller.api.reasons import Reason
from controller.kube import EventRecorder, Regarding
from tests.unit.kube_server import answer, refusal, serving

WEB = Regarding("Deployment", "shop", "web", "uid-web", "apps/v1")
DB = Regarding("Deployment", "shop", "db", "uid-db", "apps/v1")


class Server:
    """Notes what is written; answers with `refusals` first."""

    def __init__(self) -> None:
        self.written: list[tuple[str, Any]] = []
        self.refusals: list[web.Response] = []

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if self.refusals:
            return self.refusals.pop(0)
        self.written.append((request.method, await request.json()))
        return answer({})

    @property
    def methods(self) -> list[str]:
        return [method for method, _ in self.written]


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def recording(
    folder: Path, server: Server, clock: Clock, capacity: int = 1000, running: bool = True
) -> AsyncIterator[EventRecorder]:
    async with serving(folder, server) as client:
        recorder = EventRecorder(client, capacity=capacity, clock=clock, wall=clock, pause=0.001)
        task = asyncio.create_task(recorder.run()) if running else None
        try:
            yield recorder
        finally:
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


async def tell(recorder: EventRecorder, message: str = "New size: 7", regarding: Regarding = WEB) -> None:
    recorder.emit(regarding, "Normal", Reason.SUCCESSFUL_RESCALE, message)
    assert await recorder.flush(10)


async def test_the_same_event_within_ten_minutes_only_bumps_count_and_time(tmp_path: Path) -> None:
    server, clock = Server(), Clock()
    async with recording(tmp_path, server, clock) as recorder:
        for _ in range(3):
            await tell(recorder)
            clock.now += 599
    assert server.methods == ["POST", "PATCH", "PATCH"]
    assert server.written[0][1]["lastTimestamp"] == "1970-01-01T00:16:40Z"
    assert server.written[1][1] == {"count": 2, "lastTimestamp": "1970-01-01T00:26:39Z"}
    assert server.written[2][1] == {"count": 3, "lastTimestamp": "1970-01-01T00:36:38Z"}


async def test_the_same_event_after_ten_minutes_is_a_new_one(tmp_path: Path) -> None:
    server, clock = Server(), Clock()
    async with recording(tmp_path, server, clock) as recorder:
        await tell(recorder)
        clock.now += 601
        await tell(recorder)
        await tell(recorder)
    assert server.methods == ["POST", "POST", "PATCH"]
    assert server.written[2][1]["count"] == 2


async def test_another_message_or_object_is_another_event(tmp_path: Path) -> None:
    server, clock = Server(), Clock()
    async with recording(tmp_path, server, clock) as recorder:
        await tell(recorder)
        await tell(recorder, "New size: 8")
        await tell(recorder, regarding=DB)
    assert server.methods == ["POST", "POST", "POST"]


async def test_one_object_has_a_burst_of_25_and_then_one_in_five_minutes(tmp_path: Path) -> None:
    server, clock = Server(), Clock()
    async with recording(tmp_path, server, clock) as recorder:
        for number in range(30):
            await tell(recorder, f"New size: {number}")
        assert (len(server.written), recorder.dropped) == (25, 5)
        await tell(recorder, regarding=DB)
        assert len(server.written) == 26
        clock.now += 299
        await tell(recorder, "too early")
        assert len(server.written) == 26
        clock.now += 2
        await tell(recorder, "in time")
        assert len(server.written) == 27


async def test_a_full_queue_drops_and_counts_and_never_waits(tmp_path: Path) -> None:
    server, clock = Server(), Clock()
    async with recording(tmp_path, server, clock, capacity=2, running=False) as recorder:
        for number in range(5):
            recorder.emit(WEB, "Normal", Reason.SUCCESSFUL_RESCALE, str(number))
        assert recorder.dropped == 3
        assert not await recorder.flush(0.01)


async def test_a_server_that_is_busy_is_asked_again(tmp_path: Path) -> None:
    server, clock = Server(), Clock()
    server.refusals = [
        answer(refusal(503, "not now"), 503),
        answer(refusal(429, "slow down"), 429, Retry_After="0"),
    ]
    async with recording(tmp_path, server, clock) as recorder:
        await tell(recorder)
    assert (server.methods, recorder.dropped) == (["POST"], 0)


async def test_a_server_that_stays_down_costs_the_event_but_not_the_recorder(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server, clock = Server(), Clock()
    server.refusals = [answer(refusal(500, "etcd is away"), 500) for _ in range(8)]
    caplog.set_level(logging.INFO, "controller.kube.events")
    async with recording(tmp_path, server, clock) as recorder:
        await tell(recorder, "one")
        await tell(recorder, "two")
        await tell(recorder, "three")
    assert (len(server.written), recorder.dropped) == (1, 2)
    assert caplog.messages == ["events: etcd is away"]


async def test_a_refusal_is_not_tried_again(tmp_path: Path) -> None:
    server, clock = Server(), Clock()
    server.refusals = [answer(refusal(403, "events is forbidden"), 403)]
    async with recording(tmp_path, server, clock) as recorder:
        await tell(recorder)
    assert (server.written, recorder.dropped) == ([], 1)


async def test_an_event_that_the_server_has_forgotten_is_written_anew(tmp_path: Path) -> None:
    server, clock = Server(), Clock()
    async with recording(tmp_path, server, clock) as recorder:
        await tell(recorder)
        server.refusals = [answer(refusal(404, "events not found"), 404)]
        await tell(recorder)
    assert server.methods == ["POST", "POST"]
    assert server.written[0][1]["metadata"]["name"] != server.written[1][1]["metadata"]["name"]
    assert server.written[1][1]["count"] == 1
