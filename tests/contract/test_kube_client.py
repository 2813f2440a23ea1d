"""Whose identity the client has: of a kubeconfig, or of the pod that it runs in."""

import asyncio
from contextlib import aclosing, suppress
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from kubernetes.aio.config import incluster_config

from controller.api.errors import Forbidden
from controller.kube import Client
from tests.contract.conftest import Api
from tests.contract.kube import connected, eventually
from tests.realparts.controlplane import ControlPlane


async def test_the_kubeconfig_of_the_environment_is_the_default(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig))
    client = await Client.connect()
    try:
        assert client.host == api.url
        assert b'"kind":"NamespaceList"' in await client.request("GET", "/api/v1/namespaces")
    finally:
        await client.close()


async def test_in_a_pod_the_service_account_is_who_asks(
    control_plane: ControlPlane, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    control_plane.kubectl("create", "serviceaccount", "asker")
    token = tmp_path / "token"
    token.write_text(control_plane.kubectl("create", "token", "asker").stdout, encoding="utf-8")
    url = urlsplit(control_plane.url)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", str(url.hostname))
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(url.port))
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(control_plane.ca))
    client = await Client.connect()
    try:
        assert client.host == control_plane.url
        with pytest.raises(Forbidden, match='User "system:serviceaccount:default:asker" cannot list resource "pods"'):
            await client.request("GET", "/api/v1/pods")
    finally:
        await client.close()


async def test_a_wrong_token_is_forbidden(real_api: Api, tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    good = real_api.headers["Authorization"].removeprefix("Bearer ")
    path.write_text(real_api.kubeconfig.read_text(encoding="utf-8").replace(good, "wrong"), encoding="utf-8")
    async with connected(path) as client:
        with pytest.raises(Forbidden, match="Unauthorized"):
            await client.request("GET", "/api/v1/pods")


async def test_a_closed_client_leaves_no_connection_behind(api: Api) -> None:
    def connections() -> set[int]:
        port = urlsplit(api.url).port
        found = psutil.Process().net_connections("inet")
        return {each.laddr.port for each in found if getattr(each.raddr, "port", None) == port}

    before = connections()
    async with connected(api.kubeconfig) as client:
        await asyncio.gather(*(client.request("GET", "/version") for _ in range(10)))
        async with aclosing(client.stream("/api/v1/pods", {"watch": "true", "allowWatchBookmarks": "true"})) as lines:
            with suppress(TimeoutError):
                await asyncio.wait_for(anext(lines, None), 0.3)
        abandoned = asyncio.create_task(client.request("GET", "/api/v1/pods"))
        await asyncio.sleep(0)
        abandoned.cancel()
        assert connections() - before
    await eventually(lambda: not connections() - before)
