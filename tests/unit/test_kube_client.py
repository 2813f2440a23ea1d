"""The client: what is sent, which error is raised, whose token is used."""

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from controller.api.errors import (
    Conflict,
    Forbidden,
    Gone,
    InvalidConfiguration,
    KubernetesError,
    NotFound,
    Rejected,
    ServerError,
    TooManyRequests,
    Unreachable,
)
from controller.kube import JSON_PATCH, Client
from controller.kube import client as module
from tests.unit.kube_server import answer, kubeconfig, refusal, serving, streaming


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (404, NotFound),
        (409, Conflict),
        (401, Forbidden),
        (403, Forbidden),
        (410, Gone),
        (429, TooManyRequests),
        (500, ServerError),
        (503, ServerError),
        (400, Rejected),
        (422, Rejected),
    ],
)
async def test_a_refusal_becomes_its_error_with_the_servers_own_sentence(
    tmp_path: Path, code: int, error: type[KubernetesError]
) -> None:
    async def refuse(_: web.Request) -> web.Response:
        return answer(refusal(code, "because I say so"), code)

    async with serving(tmp_path, refuse) as client:
        with pytest.raises(error, match=r"^because I say so$") as caught:
            await client.request("GET", "/api/v1/pods")
    assert type(caught.value) is error
    assert caught.value.status == code


async def test_a_refusal_without_a_status_object_names_the_request_and_shows_the_beginning_of_the_answer(
    tmp_path: Path,
) -> None:
    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=502, text="<html>bad gateway</html>" + "x" * 10_000)

    async with serving(tmp_path, refuse) as client:
        with pytest.raises(ServerError, match=r"^GET /api/v1/pods was answered with 502: <html>bad gateway") as caught:
            await client.request("GET", "/api/v1/pods")
    assert len(str(caught.value)) < 300


async def test_a_json_patch_whose_test_failed_is_a_conflict(tmp_path: Path) -> None:
    async def refuse(_: web.Request) -> web.Response:
        return answer(refusal(422, "the server rejected our request due to an error in our request"), 422)

    async with serving(tmp_path, refuse) as client:
        with pytest.raises(Conflict):
            await client.request("PATCH", "/x", body=[], content_type=JSON_PATCH)


async def test_a_json_patch_that_makes_an_invalid_object_is_no_conflict(tmp_path: Path) -> None:
    async def refuse(_: web.Request) -> web.Response:
        causes = [{"reason": "FieldValueInvalid", "field": "spec.replicas", "message": "must be >= 0"}]
        return answer(refusal(422, "spec.replicas: must be >= 0", causes=causes), 422)

    async with serving(tmp_path, refuse) as client:
        with pytest.raises(Rejected):
            await client.request("PATCH", "/x", body=[], content_type=JSON_PATCH)


@pytest.mark.parametrize(
    ("headers", "details", "seconds"),
    [
        ({"Retry_After": "7"}, {}, 7.0),
        ({}, {"retryAfterSeconds": 3}, 3.0),
        ({}, {}, 1.0),
        ({"Retry_After": "soon"}, {}, 1.0),
    ],
)
async def test_too_many_requests_says_how_long_to_wait(
    tmp_path: Path, headers: dict[str, str], details: dict[str, Any], seconds: float
) -> None:
    async def refuse(_: web.Request) -> web.Response:
        return answer(refusal(429, "slow down", **details), 429, **headers)

    async with serving(tmp_path, refuse) as client:
        with pytest.raises(TooManyRequests) as caught:
            await client.request("GET", "/x")
    assert caught.value.retry_after == seconds


async def test_a_server_that_does_not_answer_in_time_is_unreachable(tmp_path: Path) -> None:
    async def sleep(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with serving(tmp_path, sleep) as client:
        with pytest.raises(Unreachable, match=r"did not answer GET /x: nothing within 0\.05 s"):
            await client.request("GET", "/x", timeout=0.05)


async def test_nobody_at_the_address_is_unreachable(tmp_path: Path) -> None:
    client = await Client.connect(kubeconfig(tmp_path, "http://127.0.0.1:1"))
    with pytest.raises(Unreachable, match=r"http://127\.0\.0\.1:1 did not answer GET /x"):
        await client.request("GET", "/x")
    await client.close()


async def test_query_body_and_content_type_arrive_as_given(tmp_path: Path) -> None:
    seen: list[tuple[str, dict[str, str], str, bytes]] = []

    async def note(request: web.Request) -> web.Response:
        seen.append((request.path, dict(request.query), request.content_type, await request.read()))
        return answer({})

    async with serving(tmp_path, note) as client:
        await client.request(
            "PATCH", "/apis/x", query={"continue": "a+b/c=&d"}, body=[{"op": "test"}], content_type=JSON_PATCH
        )
    assert seen == [("/apis/x", {"continue": "a+b/c=&d"}, JSON_PATCH, b'[{"op": "test"}]')]


async def test_the_token_of_the_kubeconfig_is_sent(tmp_path: Path) -> None:
    async def show(request: web.Request) -> web.Response:
        return answer(request.headers.get("Authorization"))

    async with serving(tmp_path, show, token="secret") as client:
        assert await client.request("GET", "/x") == b'"Bearer secret"'


async def test_a_token_file_that_is_rotated_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def show(request: web.Request) -> web.Response:
        return answer(request.headers.get("Authorization"))

    monkeypatch.setattr(module, "REFRESH_SECONDS", 0.0)
    token = tmp_path / "token"
    token.write_text("first\n", encoding="utf-8")
    async with serving(tmp_path, show, tokenFile=str(token)) as client:
        assert await client.request("GET", "/x") == b'"Bearer first"'
        token.write_text("second\n", encoding="utf-8")
        assert await client.request("GET", "/x") == b'"Bearer second"'


async def test_a_token_file_that_has_gone_is_an_error_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def show(_: web.Request) -> web.Response:
        return answer({})

    monkeypatch.setattr(module, "REFRESH_SECONDS", 0.0)
    token = tmp_path / "token"
    token.write_text("first", encoding="utf-8")
    async with serving(tmp_path, show, tokenFile=str(token)) as client:
        token.unlink()
        with pytest.raises(Unreachable, match=r"the credentials for http.* cannot be read: .*token"):
            await client.request("GET", "/x")


async def test_a_kubeconfig_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfiguration, match=r"there is no kubeconfig at .*nowhere: name an existing file"):
        await Client.connect(tmp_path / "nowhere")


@pytest.mark.parametrize("text", ["", "[]", "clusters: {", "apiVersion: v1\nkind: Config\n"])
async def test_a_file_that_is_no_kubeconfig_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidConfiguration, match=r"kubeconfig .* cannot be used"):
        await Client.connect(path)


async def test_lines_arrive_whole_wherever_the_network_cuts_them(tmp_path: Path) -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        response = await streaming(request)
        for piece in (b'{"a"', b':1}\n{"b":2}', b'\n\n{"c":3}\n'):
            await response.write(piece)
            await asyncio.sleep(0.01)
        return response

    async with serving(tmp_path, cut) as client:
        assert [line async for line in client.stream("/x")] == [b'{"a":1}', b'{"b":2}', b'{"c":3}']


async def test_a_watch_that_falls_silent_is_unreachable(tmp_path: Path) -> None:
    async def hang(request: web.Request) -> web.StreamResponse:
        await streaming(request, b"{}\n")
        await asyncio.Event().wait()
        raise AssertionError

    async with serving(tmp_path, hang) as client:
        lines = client.stream("/x", timeout=0.1)
        assert await anext(lines) == b"{}"
        with pytest.raises(Unreachable, match=r"nothing within 0\.1 s"):
            await anext(lines)


async def test_a_watch_that_is_refused_raises_the_servers_sentence(tmp_path: Path) -> None:
    async def refuse(_: web.Request) -> web.Response:
        return answer(refusal(410, "too old resource version"), 410)

    async with serving(tmp_path, refuse) as client, aclosing(client.stream("/x")) as lines:
        with pytest.raises(Gone, match="too old resource version"):
            await anext(lines)
