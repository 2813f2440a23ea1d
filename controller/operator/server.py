"""The HTTP endpoints of the operator itself: /healthz, /readyz and /metrics.

They run on the operator's own loop: a loop that hangs does not answer, which is what a liveness probe is for.
"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

__all__ = ["HealthServer"]

#: What a probe says: None when all is well, else the sentence that says what is not.
Probe = Callable[[], str | None]


class HealthServer:
    """Serves the probes and the registry on `host:port`; port 0 takes a free one."""

    def __init__(self, host: str | None, port: int, *, alive: Probe, ready: Probe, registry: CollectorRegistry) -> None:
        self._host, self._port = host, port
        self._probes = {"/healthz": alive, "/readyz": ready}
        self._registry = registry
        self._runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        """The port that is listened on."""
        assert self._runner is not None
        return int(self._runner.addresses[0][1])

    async def start(self) -> None:
        """Listen; raises OSError where the port is taken."""
        app = web.Application()
        app.router.add_get("/healthz", self._probe)
        app.router.add_get("/readyz", self._probe)
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _probe(self, request: web.Request) -> web.Response:
        problem = self._probes[request.path]()
        return web.Response(text=f"{problem or 'ok'}\n", status=503 if problem else 200)

    async def _metrics(self, request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})
