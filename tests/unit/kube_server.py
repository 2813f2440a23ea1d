"""A server that a test scripts request by request, and a real Client connected to it.

For what no API server can be made to do on demand: break a line, fall silent, answer nonsense. Everything else is
tested against API servers, in `tests/contract`.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer

from controller.kube import Client

__all__ = ["Handler", "answer", "kubeconfig", "line", "pod", "refusal", "serving", "streaming"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(folder: Path, handler: Handler, **user: str) -> AsyncIterator[Client]:
    """A client of a server that answers every request by `handler`; `user` is the kubeconfig's user."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return await handler(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    server = TestServer(app)
    await server.start_server(shutdown_timeout=0.1)
    client = await Client.connect(kubeconfig(folder, str(server.make_url("")).rstrip("/"), **user))
    try:
        yield client
    finally:
        await client.close()
        await server.close()


def kubeconfig(folder: Path, url: str, **user: str) -> Path:
    """Write a kubeconfig for one server."""
    path = folder / "kubeconfig"
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "it", "cluster": {"server": url}}],
                "users": [{"name": "me", "user": user}],
                "contexts": [{"name": "it", "context": {"cluster": "it", "user": "me"}}],
                "current-context": "it",
            }
        ),
        encoding="utf-8",
    )
    return path


def answer(body: Any, status: int = 200, **headers: str) -> web.Response:
    """A JSON answer; `Retry_After="3"` becomes the header Retry-After."""
    return web.json_response(body, status=status, headers={key.replace("_", "-"): headers[key] for key in headers})


def refusal(code: int, message: str, **details: Any) -> dict[str, Any]:
    """The Status object of a refused request."""
    about = {"kind": "Status", "apiVersion": "v1", "metadata": {}}
    status = {**about, "status": "Failure", "message": message, "code": code}
    return {**status, "details": details} if details else status


async def streaming(request: web.Request, *lines: bytes) -> web.StreamResponse:
    """Start a watch's answer and send lines; the caller goes on with `write`, waits, or returns it to end the watch."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    for each in lines:
        await response.write(each)
    return response


def line(kind: str, thing: dict[str, Any]) -> bytes:
    """One line of a watch."""
    return json.dumps({"type": kind, "object": thing}, separators=(",", ":")).encode() + b"\n"


def pod(name: str, version: str = "1", namespace: str = "shop", **labels: str) -> dict[str, Any]:
    """A running pod with these labels."""
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-{name}",
            "resourceVersion": version,
            "labels": labels,
        },
        "spec": {"containers": [{"name": "app", "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}}}]},
        "status": {"phase": "Running", "startTime": "2026-11-21T14:37:00Z", "conditions": []},
    }
