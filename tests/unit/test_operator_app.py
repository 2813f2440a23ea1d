"""The operator without kopf: listing scalers, its probes, and that it starts and stops."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import kopf
import pytest
from aiohttp import web

from controller.api import Configuration
from controller.operator import app
from controller.operator.app import Operator
from controller.operator.clock import Clock
from controller.operator.watch import NoDiffBase, NoProgress
from tests.operator_support import Api, Time, connected, manifest, serving
from tests.unit import kube_server

#: Nobody listens there.
CONFIGURATION = Configuration.parse(
    {"listen": "127.0.0.1:0", "sources": {"default": {"url": "http://127.0.0.1:9", "timeout": "1s"}}}
)
CONTINUED = "compositescalers.*continue="


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with serving(tmp_path) as api:
        yield api


@pytest.fixture(autouse=True)
def pages_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "PAGE", 2)


@asynccontextmanager
async def operating(api: Api, clock: Clock | None = None) -> AsyncIterator[Operator]:
    """An operator that is not started."""
    async with connected(api) as client:
        operator = Operator(CONFIGURATION, client, clock)
        yield operator
        await operator.stop()


def names(operator: Operator) -> list[str]:
    return [each.key[1] for each in operator.store.all()]


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


# Listing


async def test_every_page_of_the_list_is_taken(api: Api) -> None:
    for name in "abcde":
        api.create(manifest(name))
    async with operating(api) as operator:
        await operator.list_scalers()
        assert names(operator) == list("abcde")
    lists = [each.path for each in api.server.requests if "limit=2" in each.path]
    assert len(lists) == 3


async def test_what_is_not_in_the_list_any_more_goes(api: Api) -> None:
    for name in "abc":
        api.create(manifest(name))
    async with operating(api) as operator:
        await operator.list_scalers()
        api.send("DELETE", api.path(("default", "b")))
        operator.store.upsert(manifest("ghost"))
        await operator.list_scalers()
        assert names(operator) == ["a", "c"]


@pytest.mark.parametrize("status", [410, 500])
async def test_a_list_that_breaks_off_leaves_everything_as_it_is(
    api: Api, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    for name in "abc":
        api.create(manifest(name))
    async with operating(api) as operator:
        await operator.list_scalers()
        api.send("DELETE", api.path(("default", "a")))
        api.server.faults.answer(status, path=CONTINUED)
        api.create(manifest("d"))
        await operator.list_scalers()
        assert names(operator) == ["a", "b", "c"]
    assert "going on with what is known" in caplog.text


async def test_an_object_that_comes_and_one_that_goes_between_two_pages_are_not_mistaken(api: Api) -> None:
    for name in "abc":
        api.create(manifest(name))
    async with operating(api) as operator:
        await operator.list_scalers()
        uid = operator.store.all()[0].uid
        slow = api.server.faults.delay(0.2, path=CONTINUED)
        listing = asyncio.create_task(operator.list_scalers())
        await eventually(lambda: slow.hits == 1)
        operator.store.upsert(manifest("new"))
        operator.store.remove(("default", "a"), uid)
        await listing
        assert names(operator) == ["b", "c", "new"]


@pytest.mark.parametrize("body", ["<html>sign in</html>", "[]", "{}"])
async def test_an_answer_that_is_no_list_leaves_everything_as_it_is(
    tmp_path: Path, body: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=body)

    async with kube_server.serving(tmp_path, answer) as client:
        operator = Operator(CONFIGURATION, client)
        operator.store.upsert(manifest("a"))
        await operator.list_scalers()
        assert names(operator) == ["a"]
        await operator.stop()
    assert "cannot be read, going on with what is known" in caplog.text


# Running


@asynccontextmanager
async def running(api: Api, clock: Clock | None = None) -> AsyncIterator[tuple[Operator, Callable[[str], Any]]]:
    """A started operator, and what one of its endpoints answers."""
    async with operating(api, clock) as operator:
        await operator.server.start()
        await operator.start()
        async with aiohttp.ClientSession(f"http://127.0.0.1:{operator.server.port}") as session:

            async def ask(path: str) -> tuple[int, str]:
                async with session.get(path) as answer:
                    return answer.status, await answer.text()

            yield operator, ask
        await operator.server.stop()


async def ready(ask: Callable[[str], Any]) -> None:
    async with asyncio.timeout(20):
        while (await ask("/readyz"))[0] != 200:
            await asyncio.sleep(0.01)


async def test_a_scaler_whose_target_is_not_there_is_told_so_in_the_first_cycle(api: Api) -> None:
    api.create(manifest("web"))
    async with running(api) as (_, ask):
        await ready(ask)
        status = api.get("web")["status"]
        assert [(each["type"], each["status"], each["reason"]) for each in status["conditions"]] == [
            ("Ready", "False", "TargetNotFound"),
            ("ScalingActive", "False", "TargetNotFound"),
            ("AbleToScale", "False", "FailedGetScale"),
        ]
        metrics = (await ask("/metrics"))[1]
        assert 'compositescaler_cycles_total{result="ok"} 1.0' in metrics
        assert 'compositescaler_cache_age_seconds{cache="pods"}' in metrics
        assert "compositescaler_scalers 1.0" in metrics
    assert [(kind, reason) for kind, reason, _ in api.events("web")] == [("Warning", "TargetNotFound")]


async def test_without_any_scaler_a_cycle_is_done_all_the_same(api: Api) -> None:
    async with running(api) as (_, ask):
        await ready(ask)
        assert 'compositescaler_cycles_total{result="ok"} 1.0' in (await ask("/metrics"))[1]


async def test_the_operator_is_not_ready_before_its_first_cycle_has_ended(api: Api) -> None:
    pods = api.server.faults.delay(0.3, path="^/api/v1/pods")
    first = api.server.faults.delay(0.3, path="^/apis/apps/v1$")
    api.create(manifest("web"))
    async with running(api) as (_, ask):
        await eventually(lambda: pods.hits == 1)
        assert await ask("/readyz") == (503, "the pods are not listed yet\n")
        assert await ask("/healthz") == (200, "ok\n")
        await eventually(lambda: first.hits == 1)
        assert await ask("/readyz") == (503, "the first cycle has not ended yet\n")
        await ready(ask)


async def test_a_cycle_that_hangs_is_not_alive(api: Api) -> None:
    api.create(manifest("web"))
    time = Time()
    hanging = api.server.faults.delay(1.0, path="^/apis/apps/v1$")
    async with running(api, time.clock) as (_, ask):
        await eventually(lambda: hanging.hits == 1)
        time.pass_(60.0)
        assert await ask("/healthz") == (200, "ok\n")
        time.pass_(1.0)
        assert await ask("/healthz") == (503, "the cycle has been running for 61 s\n")
        await ready(ask)
        assert await ask("/healthz") == (200, "ok\n")


async def test_an_operator_one_of_whose_tasks_ended_is_not_alive(api: Api) -> None:
    async with running(api) as (_, ask):
        await ready(ask)
        (task,) = [each for each in asyncio.all_tasks() if each.get_name() == "resync"]
        task.cancel()
        await asyncio.wait([task])
        status, text = await ask("/healthz")
        assert status == 503
        assert "'resync' has ended" in text


async def test_an_operator_that_stopped_leaves_no_task_behind(api: Api) -> None:
    api.deploy("web")
    api.create(manifest("web"))
    before = asyncio.all_tasks()
    async with running(api) as (_, ask):
        await ready(ask)
    await eventually(lambda: asyncio.all_tasks() <= before)


async def test_nothing_is_decided_on_pods_that_nobody_has_heard_of_for_minutes(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    often = CONFIGURATION.model_copy(update={"interval": "1s"})
    monkeypatch.setattr("tests.unit.test_operator_app.CONFIGURATION", often)
    time = Time()
    async with running(api, time.clock) as (_, ask):
        await ready(ask)
        time.pass_(200.0)
        assert await ask("/readyz") == (503, "the pods were last heard of 200 s ago\n")
        async with asyncio.timeout(20):
            while 'compositescaler_cycles_total{result="stale"} ' not in (await ask("/metrics"))[1]:
                await asyncio.sleep(0.05)


# What kopf keeps for itself in other operators


def test_kopf_is_given_nothing_to_write_or_to_compare() -> None:
    obj: Any = manifest("web")
    body, patch = kopf.Body(obj), kopf.Patch()
    essence = NoDiffBase().build(body=body)
    NoDiffBase().store(body=body, patch=patch, essence=essence)
    progress = NoProgress()
    progress.store(key="it", record={}, body=body, patch=patch)
    progress.touch(body=body, patch=patch, value="now")
    progress.purge(key="it", body=body, patch=patch)
    assert json.dumps(dict(patch)) == "{}"
    assert NoDiffBase().fetch(body=body) is None
    progress.fetch(key="it", body=body)
    assert progress.clear(essence=essence) is essence
