"""Faults on order: what a client of the embedded API server can be made to suffer."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

from controller.embedded import EmbeddedApiServer

PODS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture
def server() -> Iterator[EmbeddedApiServer]:
    with EmbeddedApiServer.in_thread() as running:
        yield running


@pytest.fixture
async def client(server: EmbeddedApiServer) -> Any:
    timeout = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(server.url, timeout=timeout) as session:
        yield session


async def create(client: aiohttp.ClientSession, name: str) -> int:
    """Creates a ConfigMap; returns its version."""
    async with client.post(PODS, json={"metadata": {"name": name}}) as answer:
        assert answer.status == 201
        return int((await answer.json())["metadata"]["resourceVersion"])


async def status(client: aiohttp.ClientSession, path: str = PODS, method: str = "GET") -> int:
    async with client.request(method, path) as answer:
        return answer.status


async def next_event(answer: aiohttp.ClientResponse) -> Any:
    return json.loads(await answer.content.readline())


async def test_an_ordered_answer_is_given_as_often_as_ordered(
    server: EmbeddedApiServer, client: aiohttp.ClientSession
) -> None:
    fault = server.faults.answer(503, path="configmaps", times=2)
    assert [await status(client) for _ in range(3)] == [503, 503, 200]
    assert fault.hits == 2


async def test_an_ordered_answer_is_a_status_with_a_retry_time(
    server: EmbeddedApiServer, client: aiohttp.ClientSession
) -> None:
    server.faults.answer(429, retry_after=7, message="slow down")
    async with client.get(PODS) as answer:
        body = await answer.json()
    assert answer.headers["Retry-After"] == "7"
    assert (body["reason"], body["message"], body["details"]) == (
        "TooManyRequests",
        "slow down",
        {"retryAfterSeconds": 7},
    )


async def test_only_the_matching_method_and_path_are_met(
    server: EmbeddedApiServer, client: aiohttp.ClientSession
) -> None:
    server.faults.answer(500, method="DELETE", path="configmaps/one$")
    assert await status(client) == 200
    assert await status(client, f"{PODS}/two", "DELETE") == 404
    assert await status(client, f"{PODS}/one", "DELETE") == 500


async def test_a_query_can_be_matched_so_that_watches_fail_and_lists_do_not(
    server: EmbeddedApiServer, client: aiohttp.ClientSession
) -> None:
    server.faults.answer(500, path="watch=true")
    assert await status(client) == 200
    assert await status(client, f"{PODS}?watch=true&timeoutSeconds=1") == 500


async def test_a_dropped_request_has_no_answer_and_no_effect(
    server: EmbeddedApiServer, client: aiohttp.ClientSession
) -> None:
    server.faults.drop(method="POST")
    with pytest.raises(aiohttp.ClientError):
        await create(client, "one")
    assert await status(client, f"{PODS}/one") == 404


async def test_a_lost_answer_belongs_to_a_write_that_happened(
    server: EmbeddedApiServer, client: aiohttp.ClientSession
) -> None:
    server.faults.drop(method="POST", after=True)
    with pytest.raises(aiohttp.ClientError):
        await create(client, "one")
    assert await status(client, f"{PODS}/one") == 200


async def test_a_delayed_request_runs_into_the_time_out_of_its_client(
    server: EmbeddedApiServer, client: aiohttp.ClientSession
) -> None:
    server.faults.delay(60, path="configmaps")
    with pytest.raises(TimeoutError):
        await client.get(PODS, timeout=aiohttp.ClientTimeout(total=0.2))
    assert await status(client) == 200


async def test_orders_can_be_withdrawn(server: EmbeddedApiServer, client: aiohttp.ClientSession) -> None:
    server.faults.answer(500, times=100)
    server.faults.clear()
    assert await status(client) == 200


async def test_a_broken_watch_loses_its_connection(server: EmbeddedApiServer, client: aiohttp.ClientSession) -> None:
    await create(client, "one")
    async with client.get(f"{PODS}?watch=true") as answer:
        assert (await next_event(answer))["type"] == "ADDED"
        assert server.faults.break_watches("configmaps") == 1
        with pytest.raises(aiohttp.ClientError):
            await answer.content.readline()


async def test_watches_of_other_paths_go_on(server: EmbeddedApiServer, client: aiohttp.ClientSession) -> None:
    version = await create(client, "one")
    async with client.get(f"{PODS}?watch=true&resourceVersion={version}") as answer:
        assert server.faults.break_watches("/pods") == 0
        await create(client, "two")
        assert (await next_event(answer))["object"]["metadata"]["name"] == "two"


@pytest.mark.parametrize(("code", "reason"), [(410, "Expired"), (500, "InternalError")])
async def test_a_watch_can_end_with_an_error_event(
    server: EmbeddedApiServer, client: aiohttp.ClientSession, code: int, reason: str
) -> None:
    version = await create(client, "one")
    async with client.get(f"{PODS}?watch=true&resourceVersion={version}") as answer:
        server.faults.break_watches(error=code)
        event = await next_event(answer)
        assert await answer.content.readline() == b""
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", code, reason)


async def test_after_compaction_the_newest_version_is_too_old(
    server: EmbeddedApiServer, client: aiohttp.ClientSession
) -> None:
    version = await create(client, "one")
    server.faults.compact()
    async with client.get(f"{PODS}?watch=true&resourceVersion={version}") as answer:
        event = await next_event(answer)
    assert (event["type"], event["object"]["code"]) == ("ERROR", 410)
    assert event["object"]["message"] == f"too old resource version: {version} ({version + 1})"


async def test_what_falls_out_of_the_history_is_too_old(client: aiohttp.ClientSession) -> None:
    with EmbeddedApiServer.in_thread(history=2) as short:
        async with aiohttp.ClientSession(short.url) as session:
            versions = [await create(session, name) for name in ("a", "b", "c", "d")]
            async with session.get(f"{PODS}?watch=true&resourceVersion={versions[1]}") as answer:
                assert (await next_event(answer))["object"]["metadata"]["name"] == "c"
            async with session.get(f"{PODS}?watch=true&resourceVersion={versions[0]}") as answer:
                assert (await next_event(answer))["object"]["code"] == 410


async def test_requests_are_remembered_with_their_answers(
    server: EmbeddedApiServer, client: aiohttp.ClientSession
) -> None:
    await status(client, f"{PODS}/none")
    await create(client, "one")
    asked = [(request.method, request.path, request.status) for request in server.requests]
    assert asked == [("GET", f"{PODS}/none", 404), ("POST", PODS, 201)]


async def test_a_stopped_server_ends_its_watches_and_frees_its_port() -> None:
    with EmbeddedApiServer.in_thread() as server:
        session = aiohttp.ClientSession(server.url)
        answer = await session.get("/api/v1/pods?watch=true&resourceVersion=1")
    assert await answer.content.readline() == b""
    await session.close()
    port = int(server.url.rpartition(":")[2])
    async with EmbeddedApiServer(port) as again:
        assert again.url == server.url


def test_the_thread_is_gone_when_the_server_is() -> None:
    before = set(threading.enumerate())
    with EmbeddedApiServer.in_thread():
        (own,) = set(threading.enumerate()) - before
        assert own.name == "embedded-api-server"
    assert not own.is_alive()
