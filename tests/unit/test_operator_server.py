"""The operator's own endpoints, asked over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Counter

from controller.operator.server import HealthServer


@dataclass
class Probed:
    """What the probes say now."""

    alive: str | None = None
    ready: str | None = None


@asynccontextmanager
async def serving(probed: Probed, port: int = 0) -> AsyncIterator[tuple[HealthServer, aiohttp.ClientSession]]:
    registry = CollectorRegistry()
    Counter("cakes", "Cakes baked.", registry=registry).inc(3)
    server = HealthServer("127.0.0.1", port, alive=lambda: probed.alive, ready=lambda: probed.ready, registry=registry)
    try:
        await server.start()
        async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as session:
            yield server, session
    finally:
        await server.stop()


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_all_is_well(path: str) -> None:
    async with serving(Probed()) as (_, session), session.get(path) as answer:
        assert (answer.status, await answer.text()) == (200, "ok\n")


async def test_each_probe_answers_for_itself_with_the_sentence_that_says_what_is_wrong() -> None:
    probed = Probed(alive="the cycle hangs", ready="the pods are not listed yet")
    async with serving(probed) as (_, session):
        async with session.get("/healthz") as answer:
            assert (answer.status, await answer.text()) == (503, "the cycle hangs\n")
        async with session.get("/readyz") as answer:
            assert (answer.status, await answer.text()) == (503, "the pods are not listed yet\n")
        probed.alive = None
        async with session.get("/healthz") as answer:
            assert answer.status == 200


async def test_metrics_are_what_the_registry_holds() -> None:
    async with serving(Probed()) as (_, session), session.get("/metrics") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        assert "cakes_total 3.0" in await answer.text()


async def test_a_port_that_is_taken_is_an_error_at_the_start() -> None:
    async with serving(Probed()) as (server, _):
        with pytest.raises(OSError, match="address already in use"):
            async with serving(Probed(), server.port):
                pass


async def test_a_server_that_stopped_listens_no_more() -> None:
    async with serving(Probed()) as (server, session):
        await server.stop()
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get("/healthz")
