"""Waiting for the CRD while the API server itself is not there."""

import logging
from pathlib import Path

import pytest
from aiohttp import web

from controller.api.errors import Forbidden
from controller.kube import wait_for_crd
from tests.unit.kube_server import answer, refusal, serving

SERVED = {"resources": [{"name": "compositescalers", "kind": "CompositeScaler", "namespaced": True}]}


async def test_an_api_server_that_is_not_ready_is_waited_for_and_each_cause_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    down, absent = refusal(503, "starting"), refusal(404, "no such group")
    answers = [answer(down, 503), answer(down, 503), answer(absent, 404), answer(absent, 404), answer(SERVED)]

    async def start(_: web.Request) -> web.Response:
        return answers.pop(0)

    caplog.set_level(logging.INFO, "it")
    async with serving(tmp_path, start) as client:
        await wait_for_crd(client, logging.getLogger("it"), poll=0.001)
        host = client.host
    assert caplog.messages == [
        "waiting: starting",
        f"waiting: the API server at {host} has no CompositeScalers yet: kubectl apply -f crds/",
        "CompositeScalers are served: starting",
    ]


async def test_a_server_that_does_not_let_us_look_is_an_error_at_once(tmp_path: Path) -> None:
    async def refuse(_: web.Request) -> web.Response:
        return answer(refusal(401, "Unauthorized"), 401)

    async with serving(tmp_path, refuse) as client:
        with pytest.raises(Forbidden, match="Unauthorized"):
            await wait_for_crd(client, logging.getLogger("it"))
