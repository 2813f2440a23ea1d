"""What TargetCache does where a watch is refused, and how many requests it makes at once."""

import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from controller.api.errors import Forbidden
from controller.kube import Resource, TargetCache, targets
from tests.unit.kube_server import answer, refusal, serving

DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment", namespaced=True, scalable=True)


class Server:
    """Refuses to list; answers /scale for names that are numbers, with as many replicas."""

    def __init__(self) -> None:
        self.busy = 0
        self.busiest = 0

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if not request.path.endswith("/scale"):
            return answer(refusal(403, "deployments is forbidden"), 403)
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        await asyncio.sleep(0.01)
        self.busy -= 1
        name = request.path.split("/")[-2]
        if not name.isdigit():
            return answer(refusal(403, f"{name} is forbidden"), 403)
        spec = {"replicas": int(name)} if int(name) else {}
        return answer({"metadata": {"name": name}, "spec": spec, "status": {"replicas": 1, "selector": "app=web"}})


async def test_a_kind_that_may_not_be_watched_is_read_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets, "SYNC_SECONDS", 0.02)
    async with serving(tmp_path, Server()) as client:
        cache = TargetCache(client)
        await cache.ensure(DEPLOYMENTS)
        keys = [(DEPLOYMENTS, "shop", name) for name in ("0", "7", "secret")]
        found = await cache.snapshot(keys)
        await cache.close()
    zero, seven, secret = (found[key] for key in keys)
    assert not isinstance(zero, Exception)
    assert not isinstance(seven, Exception)
    assert (zero.spec_replicas, seven.spec_replicas) == (0, 7)
    assert isinstance(secret, Forbidden)


async def test_reads_are_bounded(tmp_path: Path) -> None:
    server = Server()
    async with serving(tmp_path, server) as client:
        cache = TargetCache(client, concurrency=5)
        await cache.snapshot([(DEPLOYMENTS, "shop", str(number)) for number in range(40)])
    assert server.busiest == 5
