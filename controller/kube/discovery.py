"""Which resource a kind is (`apps/v1 Deployment` -> `/apis/apps/v1/.../deployments`), and whether it scales.

Asked by group and version, because that is what a `scaleTargetRef` names. What the server said is kept for ten minutes.
"""

import asyncio
import math
import time
from collections.abc import Callable
from typing import Final, NamedTuple, NotRequired
from urllib.parse import quote

from pydantic import TypeAdapter
from typing_extensions import TypedDict

from controller.api.errors import KubernetesError, NotFound
from controller.kube.answers import parsed
from controller.kube.client import Client

__all__ = ["Discovery", "Resource"]

KEPT_SECONDS: Final = 600.0
ASK_AGAIN_SECONDS: Final = 15.0  # a misspelt kind must not cost a request per scaler and cycle
LONGEST_NAME: Final = 253


class Resource(NamedTuple):
    """One resource that the API server serves."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    scalable: bool

    @property
    def api_version(self) -> str:
        """As manifests write it: `apps/v1`, or `v1` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """The URL's path of one object, or of all; without a namespace: of all namespaces."""
        parts = [_root(self.api_version)]
        if namespace is not None and self.namespaced:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        parts += [quote(part, safe="") for part in (name, subresource) if part is not None]
        return "/".join(parts)


class _ApiResource(TypedDict):
    name: str
    kind: str
    namespaced: NotRequired[bool]


class _ApiResourceList(TypedDict):
    resources: NotRequired[list[_ApiResource] | None]


_RESOURCES: Final = TypeAdapter(_ApiResourceList)


class _Known(NamedTuple):
    asked: float
    kinds: dict[str, Resource]


class Discovery:
    """The API server's list of resources, by group, version and kind."""

    def __init__(self, client: Client, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._failed: dict[str, tuple[float, KubernetesError]] = {}

    async def resolve(self, api_version: str, kind: str) -> Resource:
        """The resource of a kind.

        Raises `NotFound` when the server has no such kind, or another `KubernetesError` when it cannot be asked and the
        answer is not known from earlier.
        """
        known = self._known.get(api_version)
        if known is None or not self._usable(known, kind):
            async with self._locks.setdefault(api_version, asyncio.Lock()):
                known = self._known.get(api_version)
                if known is None or not self._usable(known, kind):
                    known = await self._ask(api_version, known)
        if kind not in known.kinds:
            raise NotFound(
                f"no kind {kind[:LONGEST_NAME]} in {api_version[:LONGEST_NAME]}; "
                "write apiVersion and kind as `kubectl api-resources` prints them",
                404,
            )
        return known.kinds[kind]

    def _usable(self, known: _Known, kind: str) -> bool:
        return self._clock() - known.asked < (KEPT_SECONDS if kind in known.kinds else ASK_AGAIN_SECONDS)

    async def _ask(self, api_version: str, known: _Known | None) -> _Known:
        failed_at, failure = self._failed.get(api_version, (-math.inf, None))
        if failure is not None and self._clock() - failed_at < ASK_AGAIN_SECONDS:
            # A group whose server hangs must not cost every cycle a time-out.
            raise failure
        try:
            kinds = _kinds(api_version, await self._client.request("GET", _root(api_version)))
        except NotFound:
            kinds = {}
        except KubernetesError as error:
            if known is None or not known.kinds:
                self._failed[api_version] = (self._clock(), error)
                raise
            kinds = known.kinds  # an aggregated API that is down for a while has not lost its kinds
        self._failed.pop(api_version, None)
        fresh = self._known[api_version] = _Known(self._clock(), kinds)
        return fresh


def _root(api_version: str) -> str:
    prefix = "/apis" if "/" in api_version else "/api"
    return f"{prefix}/{quote(api_version, safe='/')}"


def _kinds(api_version: str, answer: bytes) -> dict[str, Resource]:
    group, _, version = api_version.rpartition("/")
    entries = parsed(_RESOURCES, f"the list of resources in {api_version}", answer).get("resources") or ()
    names = {entry["name"] for entry in entries}
    return {
        entry["kind"]: Resource(
            group,
            version,
            entry["name"],
            entry["kind"],
            entry.get("namespaced", False),
            f"{entry['name']}/scale" in names,
        )
        for entry in entries
        if "/" not in entry["name"]
    }
