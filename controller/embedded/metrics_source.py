"""The embedded metrics source: scrapes like Prometheus, stores in memory, answers Prometheus' query API over HTTP.

For the demo, for speed, for fault injection and for machines that have nothing; it never replaces the run against the
real Prometheus. Its answers are compared with the real one's in `tests/contract/test_promql_against_prometheus.py`.
"""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Self, TypeVar

import aiohttp
from aiohttp import web

from controller.embedded import metrics_api
from controller.embedded.metrics_faults import Fault, Faults
from controller.embedded.promql.series import SeriesStore, milliseconds
from controller.embedded.scraping import CallableTarget, HttpTarget, Target

__all__ = ["EmbeddedMetricsSource"]

_SCRAPE_TIMEOUT_SECONDS = 10.0
_RETENTION_SECONDS = 900.0
_Result = TypeVar("_Result")


class EmbeddedMetricsSource:
    """A small Prometheus on 127.0.0.1: `scrape` is a function that returns an exposition, or URLs to fetch them from.

    `interval_seconds` is real time between scrapes (None: only when `scrape_once` is called); `port` 0 is any free one;
    `clock` gives the Unix seconds that samples, and queries without a `time`, are stamped with; samples are kept for
    `retention_seconds`. `faults` makes the next answers go wrong. While `scraping` is False nothing is taken, and what
    there is grows old. All methods but `start`, `stop` and `scrape` may be called from any thread.
    """

    def __init__(
        self,
        scrape: Callable[[], str] | Sequence[str] = (),
        interval_seconds: float | None = 1.0,
        port: int = 0,
        clock: Callable[[], float] = time.time,
        retention_seconds: float = _RETENTION_SECONDS,
    ) -> None:
        if isinstance(scrape, str):
            raise TypeError(f"scrape must be a function or a list of URLs, not the text {scrape!r}: write [{scrape!r}]")
        self.faults = Faults()
        self.scraping = True
        self._scrape = scrape
        self._interval = interval_seconds
        self._port = port
        self._clock = clock
        self._store = SeriesStore(retention_seconds)
        self._targets: list[Target] = []
        # The store belongs to the thread that serves: the others ask it through its loop.
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None
        self._task: asyncio.Task[None] | None = None
        self._url = ""

    @property
    def url(self) -> str:
        """Where it listens, such as http://127.0.0.1:40123; RuntimeError before the start."""
        if not self._url:
            raise RuntimeError("the embedded metrics source has no URL before it is started: call start() first")
        return self._url

    async def start(self) -> Self:
        """Listen, and scrape from now on, in the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        if callable(self._scrape):
            self._targets = [CallableTarget(self._scrape)]
        else:
            timeout = aiohttp.ClientTimeout(total=_SCRAPE_TIMEOUT_SECONDS)
            self._session = aiohttp.ClientSession(timeout=timeout)
            self._targets = [HttpTarget(url, self._session) for url in self._scrape]
        application = web.Application()
        application.add_routes(
            [
                web.get("/api/v1/query", self._serve_query),
                web.post("/api/v1/query", self._serve_query),
                web.get("/api/v1/query_range", self._serve_query_range),
                web.post("/api/v1/query_range", self._serve_query_range),
                web.get("/-/ready", self._serve_state("Ready")),
                web.get("/-/healthy", self._serve_state("Healthy")),
            ]
        )
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        if self._interval is not None:
            self._task = asyncio.create_task(self._scrape_for_ever(self._interval))
        return self

    async def stop(self) -> None:
        """Stop scraping and listening; the samples stay."""
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self._session:
            await self._session.close()
        if self._runner:
            await self._runner.cleanup()
        self._task = self._session = self._runner = self._loop = None
        self._url = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Started inside, stopped after."""
        await self.start()
        try:
            yield self
        finally:
            await self.stop()

    @contextmanager
    def in_thread(self) -> Iterator[Self]:
        """Started in a thread with an event loop of its own; the function to scrape is called there."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="embedded-metrics-source", daemon=True)
        thread.start()

        def run(work: Coroutine[Any, Any, _Result]) -> _Result:
            return asyncio.run_coroutine_threadsafe(work, loop).result()

        try:
            run(self.start())
            try:
                yield self
            finally:
                run(self.stop())
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    async def scrape(self) -> None:
        """Scrape every target once, now, unless `scraping` is False."""
        for target in self._targets if self.scraping else ():
            await target.scrape(self._store, lambda: milliseconds(self._clock()))

    def scrape_once(self) -> None:
        """Scrape every target once, now, from another thread than the one that serves."""
        if self._loop is None:
            raise RuntimeError("the embedded metrics source is not running: call start() or use in_thread()")
        asyncio.run_coroutine_threadsafe(self.scrape(), self._loop).result()

    def add_samples(self, labels: Mapping[str, str], samples: Iterable[tuple[float, float | None]]) -> None:
        """Load samples: labels with `__name__`, then (Unix seconds, value) in order of time; the value None ends it there.

        Raises ValueError for a sample that is not newer than what the series has.
        """

        async def add() -> None:
            self._store.add(labels, samples)

        if self._loop is None or threading.get_ident() == self._thread:
            self._store.add(labels, samples)
        else:
            asyncio.run_coroutine_threadsafe(add(), self._loop).result()

    async def _scrape_for_ever(self, interval: float) -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        while True:
            await self.scrape()
            # On a grid, so that intervals do not drift; what was overrun is skipped.
            elapsed = loop.time() - start
            await asyncio.sleep((elapsed // interval + 1) * interval - elapsed)

    @staticmethod
    def _serve_state(state: str) -> Callable[[web.Request], Coroutine[Any, Any, web.Response]]:
        async def serve(request: web.Request) -> web.Response:
            return web.Response(text=f"Prometheus Server is {state}.\n")

        return serve

    async def _serve_query(self, request: web.Request) -> web.StreamResponse:
        parameters = await _parameters(request)
        reply = metrics_api.query(self._store, parameters, self._clock)
        return await self._serve(request, parameters, reply)

    async def _serve_query_range(self, request: web.Request) -> web.StreamResponse:
        parameters = await _parameters(request)
        reply = metrics_api.query_range(self._store, parameters)
        return await self._serve(request, parameters, reply)

    async def _serve(
        self, request: web.Request, parameters: Mapping[str, str], reply: metrics_api.Reply
    ) -> web.StreamResponse:
        fault = self.faults.take(parameters.get("query", ""))
        if fault is not None:
            return await _faulty(request, fault, reply)
        return _json(reply.status, reply.body)


async def _parameters(request: web.Request) -> dict[str, str]:
    """Those of the form first, then those of the URL, as Go's FormValue reads them."""
    parameters = dict(request.query)
    if request.method == "POST":
        form = await request.post()
        parameters.update({name: value for name, value in form.items() if isinstance(value, str)})
    return parameters


def _json(status: int, body: Mapping[str, Any]) -> web.Response:
    return web.Response(status=status, body=json.dumps(body).encode(), content_type="application/json")


async def _faulty(request: web.Request, fault: Fault, reply: metrics_api.Reply) -> web.StreamResponse:
    match fault.kind:
        case "answer":
            return web.Response(status=fault.status, body=fault.body, content_type=_content_type(fault.body))
        case "delay":
            await asyncio.sleep(fault.seconds)
            return _json(reply.status, reply.body)
        case "empty":
            return _json(200, {"status": "success", "data": {"resultType": "vector", "result": []}})
        case "warn":
            warnings = [*reply.body.get("warnings", []), *fault.warnings]
            return _json(reply.status, {**reply.body, "warnings": warnings})
        case "huge":
            return _json(200, _huge(fault.size))
        case "truncate":
            return await _truncated(request, json.dumps(reply.body).encode())


def _content_type(body: bytes) -> str:
    return "application/json" if body.lstrip()[:1] in (b"{", b"[") else "text/plain"


def _huge(size: int) -> dict[str, Any]:
    element = {"metric": {"namespace": "huge", "pod": "p" * 64}, "value": [0, "1"]}
    count = size // len(json.dumps(element)) + 1
    elements = [{**element, "metric": {"namespace": "huge", "pod": f"{number:064d}"}} for number in range(count)]
    return {"status": "success", "data": {"resultType": "vector", "result": elements}}


async def _truncated(request: web.Request, body: bytes) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(body))})
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if request.transport:
        request.transport.close()
    return response
