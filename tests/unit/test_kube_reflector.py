"""The reflector against a server that breaks in every way we know of."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from controller.kube import Client, Key, PodCache, PodObject, Reflector
from tests.unit.kube_server import answer, line, pod, refusal, serving, streaming

Watch = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """Lists what `pods` has; the n-th watch is answered by the n-th of `watches`, further ones stay silent."""

    def __init__(self, *names: str) -> None:
        self.pods = {name: pod(name) for name in names}
        self.version = 10
        self.lists: list[dict[str, str]] = []
        self.opened: list[dict[str, str]] = []
        self.watches: list[Watch] = []
        self.refusals: list[web.Response] = []

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query:
            self.lists.append(dict(request.query))
            return self.refusals.pop(0) if self.refusals else self._page(request)
        self.opened.append(dict(request.query))
        if len(self.opened) <= len(self.watches):
            return await self.watches[len(self.opened) - 1](request)
        await streaming(request)
        await asyncio.Event().wait()
        raise AssertionError

    def _page(self, request: web.Request) -> web.Response:
        names = sorted(self.pods)
        start, limit = int(request.query.get("continue", "0")), int(request.query["limit"])
        metadata = {"resourceVersion": str(self.version)}
        if start + limit < len(names):
            metadata["continue"] = str(start + limit)
        return answer({"metadata": metadata, "items": [self.pods[name] for name in names[start : start + limit]]})


def sending(*lines: bytes, then: str = "wait") -> Watch:
    """A watch that sends these lines and then waits for ever, ends, or breaks."""

    async def watch(request: web.Request) -> web.StreamResponse:
        response = await streaming(request, *lines)
        if then == "wait":
            await asyncio.Event().wait()
        if then == "break":
            assert request.transport is not None
            request.transport.abort()
        return response

    return watch


class Sink(PodCache):
    """A pod cache that tells when something arrived."""

    def __init__(self) -> None:
        super().__init__()
        self.changed = asyncio.Event()

    def upsert(self, item: PodObject) -> None:
        super().upsert(item)
        self.changed.set()

    def remove(self, key: Key) -> None:
        super().remove(key)
        self.changed.set()

    async def until(self, *names: str) -> None:
        """Wait until exactly these pods are there."""
        async with asyncio.timeout(10):
            while self.keys() != {("shop", name) for name in names}:
                self.changed.clear()
                await self.changed.wait()


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


Run = Callable[..., AbstractAsyncContextManager[tuple[Reflector[PodObject], Sink]]]


@pytest.fixture
def running(tmp_path: Path) -> Run:
    """Starts a reflector of pods on a scripted server."""

    @asynccontextmanager
    async def start(server: Server, **options: Any) -> Any:
        async with serving(tmp_path, server) as client:
            sink = Sink()
            reflector = reflector_of(client, sink, **options)
            task = asyncio.create_task(reflector.run())
            try:
                yield reflector, sink
                assert not task.done(), task
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    return start


def reflector_of(client: Client, sink: Sink, **options: Any) -> Reflector[PodObject]:
    settings = {"backoff": (0.001, 0.01), "rng": random.Random(1), "name": "pods", **options}
    return Reflector(client, "/api/v1/pods", PodObject, sink, **settings)


async def test_a_long_list_is_read_page_by_page(running: Run) -> None:
    server = Server("a", "b", "c", "d", "e")
    async with running(server, page=2) as (reflector, sink):
        await asyncio.wait_for(reflector.synced.wait(), 10)
        assert sink.keys() == {("shop", name) for name in "abcde"}
        assert server.lists == [{"limit": "2"}, {"limit": "2", "continue": "2"}, {"limit": "2", "continue": "4"}]


async def test_a_watch_asks_for_bookmarks_from_the_lists_version_for_some_minutes(running: Run) -> None:
    server = Server("a")
    async with running(server):
        await eventually(lambda: bool(server.opened))
        query = server.opened[0]
        assert 240 <= int(query.pop("timeoutSeconds")) <= 360
        assert query == {"watch": "1", "allowWatchBookmarks": "true", "resourceVersion": "10"}


async def test_events_change_the_sink(running: Run) -> None:
    server = Server("a", "b")
    server.watches = [
        sending(
            line("ADDED", pod("c", "11")), line("MODIFIED", pod("b", "12", app="x")), line("DELETED", pod("a", "13"))
        )
    ]
    async with running(server) as (_, sink):
        await sink.until("b", "c")
        changed = sink.get("shop", "b")
        assert changed is not None
        assert changed.labels == {"app": "x"}


async def test_a_watch_that_ends_or_breaks_goes_on_from_the_last_version_seen(running: Run) -> None:
    server = Server("a")
    server.watches = [
        sending(line("ADDED", pod("b", "11")), then="end"),
        sending(line("BOOKMARK", {"kind": "Pod", "metadata": {"resourceVersion": "15"}}), then="end"),
        sending(line("ADDED", pod("c", "16")), then="break"),
    ]
    async with running(server) as (reflector, sink):
        await sink.until("a", "b", "c")
        await eventually(lambda: len(server.opened) == 4)
        assert [query["resourceVersion"] for query in server.opened] == ["10", "11", "15", "16"]
        assert len(server.lists) == 1
        assert reflector.relists == 0


async def test_a_watch_that_falls_silent_is_opened_again(running: Run) -> None:
    server = Server("a")
    server.watches = [sending(), sending(line("ADDED", pod("b", "11")))]
    async with running(server, silence=0.05) as (_, sink):
        await sink.until("a", "b")
        assert len(server.lists) == 1


@pytest.mark.parametrize("as_line", [True, False])
async def test_what_was_deleted_while_the_watch_was_too_old_does_not_stay_as_a_ghost(
    running: Run, as_line: bool
) -> None:
    server = Server("a", "b", "c")
    gone = refusal(410, "too old resource version: 10 (99)")

    async def too_old(request: web.Request) -> web.StreamResponse:
        server.pods = {"b": pod("b"), "d": pod("d")}
        server.version = 99
        return await streaming(request, line("ERROR", gone)) if as_line else answer(gone, 410)

    server.watches = [too_old]
    async with running(server) as (reflector, sink):
        await sink.until("b", "d")
        await eventually(lambda: len(server.opened) == 2)
        assert server.opened[1]["resourceVersion"] == "99"
        assert reflector.relists == 1


async def test_a_list_whose_continue_token_expired_starts_again(running: Run) -> None:
    server = Server("a", "b", "c")

    async def expire(request: web.Request) -> web.StreamResponse:
        if len(server.lists) == 1:
            server.lists.append(dict(request.query))
            return answer(refusal(410, "the provided continue parameter is too old"), 410)
        return await server(request)

    class Expiring(Server):
        async def __call__(self, request: web.Request) -> web.StreamResponse:
            return await expire(request)

    async with running(Expiring(), page=2) as (_, sink):
        await sink.until("a", "b", "c")
        assert [query.get("continue") for query in server.lists] == [None, "2", None, "2"]


async def test_an_error_in_the_watch_does_not_end_the_reflector(running: Run, caplog: pytest.LogCaptureFixture) -> None:
    server = Server("a")
    server.watches = [
        sending(line("ERROR", refusal(500, "etcdserver: leader changed"))),
        sending(b"this is not JSON\n"),
        sending(line("STRANGE", {})),
        sending(line("ADDED", {"metadata": "no object"})),
        sending(line("ADDED", pod("b", "11"))),
    ]
    async with running(server) as (_, sink):
        await sink.until("a", "b")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert caplog.messages[0].startswith("pods: the answer cannot be read: ")


async def test_watches_that_bring_something_before_they_break_do_not_make_it_wait_longer_and_longer(
    running: Run,
) -> None:
    server = Server("a")
    server.watches = [sending(line("ADDED", pod("a", str(10 + at))), then="break") for at in range(24)]
    async with running(server, backoff=(0.001, 60.0)):
        await eventually(lambda: len(server.opened) > 24)


async def test_an_error_in_the_watch_is_told_in_the_words_of_the_server(
    running: Run, caplog: pytest.LogCaptureFixture
) -> None:
    server = Server("a")
    lost = line("ERROR", refusal(500, "etcdserver: no leader"))
    server.watches = [sending(lost), sending(lost), sending(line("ADDED", pod("b", "11")))]
    async with running(server) as (_, sink):
        await sink.until("a", "b")
    assert caplog.messages[0] == "pods: etcdserver: no leader; trying again until it works"


async def test_a_version_that_the_server_never_reaches_leads_to_a_new_list(running: Run) -> None:
    server = Server("a")

    async def too_large(_: web.Request) -> web.StreamResponse:
        server.pods["b"] = pod("b")
        return answer(refusal(504, "Timeout: Too large resource version: 10, current: 5"), 504)

    server.watches = [too_large] * 3
    async with running(server) as (reflector, sink):
        await sink.until("a", "b")
        assert reflector.relists == 1


async def test_a_server_that_refuses_the_list_is_asked_until_it_answers(running: Run) -> None:
    server = Server("a")
    server.refusals = [answer(refusal(403, "pods is forbidden"), 403), answer(refusal(500, "boom"), 500)]
    async with running(server) as (reflector, sink):
        await sink.until("a")
        await asyncio.wait_for(reflector.synced.wait(), 10)
        assert len(server.lists) == 3


async def test_the_time_that_the_server_asks_for_is_waited(running: Run) -> None:
    server = Server("a")
    server.refusals = [answer(refusal(429, "slow down"), 429, Retry_After="1")]
    async with running(server) as (_, sink):
        start = asyncio.get_running_loop().time()
        await sink.until("a")
        assert asyncio.get_running_loop().time() - start >= 1.0


async def test_an_outage_is_warned_of_once_and_its_end_is_told(running: Run, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "controller.kube.reflector")
    server = Server("a")
    server.refusals = [answer(refusal(503, "not now"), 503) for _ in range(6)]
    server.watches = [sending(line("ADDED", pod("b", "11")))]
    async with running(server) as (_, sink):
        await sink.until("a", "b")
        await eventually(lambda: len(caplog.messages) >= 2)
    assert caplog.messages[0] == "pods: not now; trying again until it works"
    assert caplog.messages[1].startswith("pods: current again after")
    assert len(caplog.messages) == 2


async def test_a_single_lost_connection_is_no_outage(running: Run, caplog: pytest.LogCaptureFixture) -> None:
    server = Server("a")
    server.watches = [sending(then="break"), sending(line("ADDED", pod("b", "11")))]
    async with running(server) as (_, sink):
        await sink.until("a", "b")
    assert caplog.messages == []


async def test_age_counts_from_the_last_proof_that_the_sink_is_current(running: Run) -> None:
    server, now = Server("a"), 100.0
    proceed = asyncio.Event()

    async def bookmark_later(request: web.Request) -> web.StreamResponse:
        response = await streaming(request)
        await proceed.wait()
        await response.write(line("BOOKMARK", {"metadata": {"resourceVersion": "15"}}))
        await asyncio.Event().wait()
        return response

    server.watches = [bookmark_later]
    async with running(server, clock=lambda: now) as (reflector, _):
        assert reflector.age(now) == float("inf")
        await asyncio.wait_for(reflector.synced.wait(), 10)
        assert reflector.age(130.0) == 30.0
        now = 150.0
        proceed.set()
        await eventually(lambda: reflector.age(150.0) == 0.0)


async def test_a_sink_that_fails_once_gets_everything_again(running: Run, caplog: pytest.LogCaptureFixture) -> None:
    server = Server("a")
    server.watches = [sending(line("ADDED", pod("b", "11")))]
    async with running(server) as (reflector, sink):
        await asyncio.wait_for(reflector.synced.wait(), 10)
        keep = sink.upsert

        def fail(item: PodObject) -> None:
            sink.upsert = keep  # type: ignore[method-assign]
            server.pods["b"] = pod("b")
            raise RuntimeError("defect")

        sink.upsert = fail  # type: ignore[method-assign]
        await sink.until("a", "b")
    assert "pods: an object could not be kept" in caplog.messages
