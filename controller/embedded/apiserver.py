"""The embedded API server: a Kubernetes API over plain HTTP in this process, for the demo and for tests.

It imitates kube-apiserver where clients can tell the difference; `tests/contract/` runs the same cases against both. Not offered:
server-side apply, managedFields, protobuf, watches of single objects by name, conversion webhooks, RBAC decisions, CEL.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import yaml
from aiohttp import web

from controller.embedded import discovery, openapi
from controller.embedded.faults import Answer, ApiFaults, Delay, Drop
from controller.embedded.handlers import Handlers
from controller.embedded.lifecycle import Lifecycle
from controller.embedded.objects import Object, encode
from controller.embedded.refusals import Refusal, no_such_resource, not_acceptable, unauthorized
from controller.embedded.request import parse_target
from controller.embedded.resources import Catalog
from controller.embedded.store import Store
from controller.embedded.workloads import Workloads, WorkloadSettings

__all__ = ["EmbeddedApiServer", "RequestRecord"]

_T = TypeVar("_T")

_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
_OPEN_PATHS = ("/healthz", "/livez", "/readyz", "/version")
_LARGEST_BODY = 3 * 2**20
_REQUESTS_KEPT = 20_000


@dataclass(frozen=True)
class RequestRecord:
    """One request that was answered: who asked what, and the status of the answer (0: the connection was cut)."""

    method: str
    path: str
    status: int
    user: str


class EmbeddedApiServer:
    """A Kubernetes API server in this process.

    `port` 0 takes a free one. `tokens` maps bearer tokens to user names; None lets everybody in (kubectl never sends a
    token over plain HTTP, other clients do). `workloads` switches on the stand-ins for the deployment controller and the
    kubelet. `history` is the number of changes kept per collection for watches to resume from; `bookmark_interval` is
    in seconds.

    Runs in the caller's event loop (`async with`), or in a thread of its own (`in_thread`): kopf cancels every task of
    its loop when it ends.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        tokens: Mapping[str, str] | None = None,
        workloads: WorkloadSettings | None = None,
        history: int = 10_000,
        bookmark_interval: float = 10.0,
    ) -> None:
        self._host = host
        self._port = port
        self._tokens = dict(tokens) if tokens is not None else None
        self._catalog = Catalog()
        self.store = Store(history)
        self._lifecycle = Lifecycle(self.store, self._catalog)
        self._handlers = Handlers(self.store, self._catalog, self._lifecycle, bookmark_interval)
        self._workload_settings = workloads
        self._loop: asyncio.AbstractEventLoop | None = None
        self._runner: web.AppRunner | None = None
        self._requests: deque[RequestRecord] = deque(maxlen=_REQUESTS_KEPT)
        self.faults = ApiFaults(
            lambda path, error: self.call(lambda: self._handlers.watches.break_all(path, error)),
            lambda: self.call(self.store.compact),
        )
        for name in _NAMESPACES:
            self._create("namespaces", {"metadata": {"name": name}, "spec": {"finalizers": ["kubernetes"]}})

    async def start(self) -> None:
        """Binds the port and serves; raises OSError when the port is taken."""
        self._loop = asyncio.get_running_loop()
        if self._workload_settings:
            Workloads(self.store, self._catalog, self._lifecycle, self._loop, self._workload_settings).start()
        app = web.Application(client_max_size=_LARGEST_BODY)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Ends every watch, closes every connection and frees the port."""
        if self._runner:
            self._handlers.watches.close_all()
            await self._runner.cleanup()
            self._runner = None
        self._loop = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @classmethod
    @contextmanager
    def in_thread(
        cls,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        tokens: Mapping[str, str] | None = None,
        workloads: WorkloadSettings | None = None,
        history: int = 10_000,
        bookmark_interval: float = 10.0,
    ) -> Iterator[Self]:
        """A running server in a thread and an event loop of its own, stopped and waited for at the end."""
        server = cls(
            port,
            host=host,
            tokens=tokens,
            workloads=workloads,
            history=history,
            bookmark_interval=bookmark_interval,
        )
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="embedded-api-server", daemon=True)
        thread.start()
        try:
            asyncio.run_coroutine_threadsafe(server.start(), loop).result()
            try:
                yield server
            finally:
                asyncio.run_coroutine_threadsafe(server.stop(), loop).result()
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    @property
    def url(self) -> str:
        """`http://host:port`, once started."""
        return f"http://{self._host}:{self._port}"

    @property
    def requests(self) -> list[RequestRecord]:
        """The requests that were answered, oldest first; the last 20,000."""
        return self.call(lambda: list(self._requests))

    def kubeconfig(self, path: Path, token: str | None = None) -> Path:
        """Writes a kubeconfig for this server, with one of its tokens where it asks for them; returns the path."""
        if token is None and self._tokens:
            token = next(iter(self._tokens))
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "embedded", "cluster": {"server": self.url}}],
            "users": [{"name": "embedded", "user": {"token": token} if token else {}}],
            "contexts": [{"name": "embedded", "context": {"cluster": "embedded", "user": "embedded"}}],
            "current-context": "embedded",
        }
        path.write_text(yaml.safe_dump(content, sort_keys=False))
        return path

    def call(self, function: Callable[[], _T]) -> _T:
        """Runs a function in the server's loop and waits for it; from any thread, and before the start too."""
        if self._loop is None or self._loop is _running_loop():
            return function()

        async def run() -> _T:
            return function()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()

    def _create(self, plural: str, obj: Object) -> None:
        resource = self._catalog.find("", "v1", plural)
        assert resource is not None
        self._lifecycle.create(resource, "", {"apiVersion": resource.api_version, "kind": resource.kind, **obj})

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        user, status = "", 0
        try:
            fault = self.faults.take(request.method, request.path_qs)
            if isinstance(fault, Delay):
                await asyncio.sleep(fault.seconds)
            elif isinstance(fault, Answer):
                raise _ordered(fault)
            if fault != Drop():
                user = self._user(request)
                response = await self._dispatch(request)
                status = response.status
            if isinstance(fault, Drop):
                status = 0
                if request.transport:
                    request.transport.abort()
                raise web.HTTPServiceUnavailable
        except Refusal as refusal:
            status = refusal.code
            response = web.json_response(refusal.status(), status=status)
            seconds = (refusal.details or {}).get("retryAfterSeconds")
            if seconds is not None:
                response.headers["Retry-After"] = str(seconds)
        finally:
            self._requests.append(RequestRecord(request.method, request.path_qs, status, user))
        return response

    def _user(self, request: web.Request) -> str:
        """Who asks; refuses a token that is not known (401)."""
        if self._tokens is None:
            return "system:anonymous"
        user = self._tokens.get(request.headers.get("Authorization", "").removeprefix("Bearer ").strip())
        if user is None and request.path not in _OPEN_PATHS:
            raise unauthorized()
        return user or "system:anonymous"

    async def _dispatch(self, request: web.Request) -> web.StreamResponse:
        parts = request.path.strip("/").split("/")
        document = self._document(request, parts) if request.method in ("GET", "HEAD") else None
        if document is not None:
            return web.Response(body=encode(document), content_type="application/json")
        if request.path in _OPEN_PATHS:
            return web.Response(text="ok")
        if parts[0] == "apis" and len(parts) > 2 and not self._catalog.of_version(parts[1], parts[2]):
            return web.Response(text="404 page not found\n", status=HTTPStatus.NOT_FOUND)
        return await self._handlers.handle(request, parse_target(self._catalog, request.path))

    def _document(self, request: web.Request, parts: list[str]) -> Object | None:
        """A document about the server itself; None for any other path."""
        match parts:
            case ["version"]:
                return discovery.version_info()
            case ["api"]:
                return discovery.api_versions(f"{self._host}:{self._port}")
            case ["apis"]:
                return discovery.api_groups(self._catalog)
            case ["api", version]:
                return _found(discovery.api_resources(self._catalog, "", version))
            case ["apis", group]:
                return _found(discovery.api_groups(self._catalog, group))
            case ["apis", group, version]:
                return discovery.api_resources(self._catalog, group, version)
            case ["openapi", "v2"]:
                if "json" not in request.headers.get("Accept", "json") and "*/*" not in request.headers["Accept"]:
                    raise not_acceptable(["application/json"])
                return openapi.openapi_v2(self._catalog)
            case ["openapi", "v3"]:
                return openapi.openapi_index(self._catalog)
            case ["openapi", "v3", "api", version]:
                return _found(openapi.openapi_v3(self._catalog, "", version))
            case ["openapi", "v3", "apis", group, version]:
                return _found(openapi.openapi_v3(self._catalog, group, version))
        return None


def _found(document: Object | None) -> Object:
    if document is None:
        raise no_such_resource()
    return document


def _ordered(fault: Answer) -> Refusal:
    reasons = {409: "Conflict", 429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable", 410: "Expired"}
    details = {"retryAfterSeconds": fault.retry_after} if fault.retry_after is not None else None
    reason = reasons.get(fault.status) or HTTPStatus(fault.status).phrase.replace(" ", "")
    return Refusal(fault.status, reason, fault.message, details)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    with suppress(RuntimeError):
        return asyncio.get_running_loop()
    return None
