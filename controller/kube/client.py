"""Requests to the API server: bytes out, bytes in, our own time-outs and errors.

Credentials, TLS and proxies are the business of `kubernetes.aio`: a token file that the kubelet rotates and a token
that a plugin prints are read again while we run. What the bytes mean is the business of the caller; nothing here builds
a model.
"""

import os
import time
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import yaml
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config

from controller.api.errors import Forbidden, InvalidConfiguration, KubernetesError, Unreachable
from controller.kube.answers import error_of

__all__ = ["JSON_PATCH", "MERGE_PATCH", "Client"]

JSON_PATCH: Final = "application/json-patch+json"
MERGE_PATCH: Final = "application/merge-patch+json"

CONNECT_SECONDS: Final = 10.0
REFRESH_SECONDS: Final = 60.0
EXPIRED_SECONDS: Final = 2.0
LONGEST_ERROR: Final = 1 << 20


class _Refresher:
    """Reads a kubeconfig's token again (file, plugin, identity provider): once a minute, and after a refusal."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader
        self._due = time.monotonic() + REFRESH_SECONDS

    async def __call__(self, configuration: Any) -> None:
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + REFRESH_SECONDS
            await self._loader.load_and_set(configuration)

    def expire(self) -> None:
        """Read the token again before the next request, but not more often than every few seconds."""
        self._due = min(self._due, time.monotonic() + EXPIRED_SECONDS)


def _hang_up(response: aiohttp.ClientResponse) -> None:
    """End a watch at once: TLS would wait for a goodbye of a server that has not finished, and keep the socket."""
    if response.connection is not None and response.connection.transport is not None:
        response.connection.transport.abort()


def _any_file(paths: str) -> bool:
    return any(Path(path).expanduser().is_file() for path in paths.split(os.pathsep) if path)


def _proxied(host: str) -> bool:
    return bool(getproxies()) and not proxy_bypass(urlsplit(host).hostname or "")


class Client:
    """One API server as one identity; made by `connect`, ended by `close`."""

    def __init__(self, configuration: Any) -> None:
        # Reading netrc and the proxy variables again for each request would be a good part of its cost.
        if not _proxied(configuration.host):
            configuration.client_session_kwargs = {"trust_env": False}
        self._configuration = configuration
        self._api = ApiClient(configuration)
        self._api.user_agent = "compositescaler"

    @classmethod
    async def connect(cls, kubeconfig: Path | None = None) -> "Client":
        """Read the credentials: the given kubeconfig, else the pod's own, else `$KUBECONFIG` or `~/.kube/config`.

        Nothing is sent yet. Raises `InvalidConfiguration` when there is nothing to read or it cannot be read.
        """
        configuration = type.__call__(Configuration)
        if kubeconfig is None:
            try:
                load_incluster_config(client_configuration=configuration)
                return cls(configuration)
            except ConfigException:
                pass
        paths = str(kubeconfig) if kubeconfig is not None else os.environ.get("KUBECONFIG", "~/.kube/config")
        if not _any_file(paths):
            raise InvalidConfiguration(
                f"there is no kubeconfig at {paths}: name an existing file, or run in the cluster with a ServiceAccount"
            )
        try:
            loader = await load_kube_config(paths, client_configuration=configuration, persist_config=False)
        except (ConfigException, yaml.YAMLError, OSError, ValueError, TypeError, KeyError) as error:
            raise InvalidConfiguration(f"the kubeconfig {paths} cannot be used: {error}") from error
        configuration.refresh_api_key_hook = _Refresher(loader)
        return cls(configuration)

    @property
    def host(self) -> str:
        """The server's URL, without a path."""
        return str(self._configuration.host)

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object | None = None,
        content_type: str | None = None,
        timeout: float = 10.0,  # noqa: ASYNC109 the socket's, and one that a caller cannot forget
    ) -> bytes:
        """Send one request and return the JSON bytes of the answer.

        `body` is anything `json.dumps` takes; a PATCH must say its `content_type`. `timeout` is in seconds, for all.
        Raises a `KubernetesError`; its text is the server's own sentence where it sent one.
        """
        limits = aiohttp.ClientTimeout(total=timeout, sock_connect=min(CONNECT_SECONDS, timeout))
        try:
            response = await self._send(method, path, query, body, content_type, limits)
            async with response:
                data: bytes = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._unreachable(method, path, error, timeout) from error
        if response.status >= 400:
            raise self._refused(method, path, response, data, content_type)
        return data

    async def stream(
        self,
        path: str,
        query: Mapping[str, str] | None = None,
        timeout: float = 70.0,  # noqa: ASYNC109 of silence, not of the whole
    ) -> AsyncGenerator[bytes, None]:
        """GET a watch and yield its lines, each one JSON document, until the server ends it.

        `timeout` is the longest silence in seconds. Raises a `KubernetesError`. Close it (`contextlib.aclosing`) when
        leaving early.
        """
        limits = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=timeout)
        try:
            response = await self._send("GET", path, query, None, None, limits)
            async with response:
                if response.status >= 400:
                    data = await response.content.read(LONGEST_ERROR)
                    raise self._refused("GET", path, response, data, None)
                try:
                    rest = b""
                    async for chunk in response.content.iter_any():
                        *lines, rest = (rest + chunk).split(b"\n")
                        for line in lines:
                            if line:
                                yield line
                finally:
                    _hang_up(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._unreachable("GET", path, error, timeout) from error

    async def close(self) -> None:
        """Close all connections; the client cannot be used afterwards."""
        await self._api.close()

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: object | None,
        content_type: str | None,
        limits: aiohttp.ClientTimeout,
    ) -> aiohttp.ClientResponse:
        headers = {"Accept": "application/json", "User-Agent": self._api.user_agent}
        if content_type is not None:
            headers["Content-Type"] = content_type
        try:
            await self._api.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
        except (ConfigException, OSError, ValueError) as error:
            raise Unreachable(f"the credentials for {self.host} cannot be read: {error}") from error
        if "authorization" in headers:
            headers["authorization"] = headers["authorization"].strip()  # token files often end with a newline
        url = f"{self.host}{path}?{urlencode(query)}" if query else f"{self.host}{path}"
        answer = await self._api.rest_client.request(method, url, headers=headers, body=body, _request_timeout=limits)
        response: aiohttp.ClientResponse = answer.response
        return response

    def _refused(
        self, method: str, path: str, response: aiohttp.ClientResponse, data: bytes, content_type: str | None
    ) -> KubernetesError:
        error = error_of(
            f"{method} {path}", response.status, data, response.headers, json_patch=content_type == JSON_PATCH
        )
        if isinstance(error, Forbidden) and isinstance(self._configuration.refresh_api_key_hook, _Refresher):
            self._configuration.refresh_api_key_hook.expire()
        return error

    def _unreachable(self, method: str, path: str, error: Exception, timeout: float) -> Unreachable:
        why = f"nothing within {timeout:g} s" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
        return Unreachable(f"{self.host} did not answer {method} {path}: {why}")
