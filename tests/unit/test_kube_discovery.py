"""How long Discovery believes an answer, and what it does when the server does not give one."""

import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from controller.api.errors import NotFound, ServerError
from controller.kube import Discovery
from tests.unit.kube_server import answer, refusal, serving


class Server:
    """Serves the kinds that `kinds` has; counts how often it was asked."""

    def __init__(self, *kinds: str) -> None:
        self.kinds = list(kinds)
        self.asked = 0
        self.down = False

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        await asyncio.sleep(0.01)
        if self.down:
            return answer(refusal(503, "the aggregated server is away"), 503)
        resources = [{"name": f"{kind.lower()}s", "kind": kind, "namespaced": True} for kind in self.kinds]
        return answer({"resources": resources})


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_an_answer_is_believed_for_ten_minutes(tmp_path: Path) -> None:
    server, clock = Server("Widget"), Clock()
    async with serving(tmp_path, server) as client:
        discovery = Discovery(client, clock=clock)
        await discovery.resolve("x/v1", "Widget")
        clock.now = 599.0
        await discovery.resolve("x/v1", "Widget")
        assert server.asked == 1
        clock.now = 601.0
        await discovery.resolve("x/v1", "Widget")
        assert server.asked == 2


async def test_a_kind_that_comes_later_is_found_soon_but_not_asked_for_at_every_miss(tmp_path: Path) -> None:
    server, clock = Server(), Clock()
    async with serving(tmp_path, server) as client:
        discovery = Discovery(client, clock=clock)
        for _ in range(3):
            with pytest.raises(NotFound):
                await discovery.resolve("x/v1", "Widget")
        assert server.asked == 1
        server.kinds = ["Widget"]
        clock.now = 16.0
        assert (await discovery.resolve("x/v1", "Widget")).plural == "widgets"


async def test_many_who_ask_at_once_are_one_request(tmp_path: Path) -> None:
    server = Server("Widget")
    async with serving(tmp_path, server) as client:
        discovery = Discovery(client)
        await asyncio.gather(*(discovery.resolve("x/v1", "Widget") for _ in range(20)))
        assert server.asked == 1


async def test_an_old_answer_is_better_than_none_while_the_server_is_away(tmp_path: Path) -> None:
    server, clock = Server("Widget"), Clock()
    async with serving(tmp_path, server) as client:
        discovery = Discovery(client, clock=clock)
        await discovery.resolve("x/v1", "Widget")
        server.down = True
        clock.now = 700.0
        assert (await discovery.resolve("x/v1", "Widget")).plural == "widgets"


async def test_a_server_that_was_never_reached_is_an_error_that_says_so(tmp_path: Path) -> None:
    server = Server("Widget")
    server.down = True
    async with serving(tmp_path, server) as client:
        with pytest.raises(ServerError, match="the aggregated server is away"):
            await Discovery(client).resolve("x/v1", "Widget")


async def test_an_answer_that_is_no_list_of_resources_is_an_error_that_says_so(tmp_path: Path) -> None:
    async def nonsense(_: web.Request) -> web.Response:
        return web.Response(text="<html>log in here</html>")

    async with serving(tmp_path, nonsense) as client:
        with pytest.raises(ServerError, match=r"the list of resources in x/v1 cannot be read: .*log in here"):
            await Discovery(client).resolve("x/v1", "Widget")
