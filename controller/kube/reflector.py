"""List and watch for ever: keeps a sink equal to what the API server has.

A page is parsed straight into the projection that the sink wants: what nobody keeps never becomes a Python object.
After a 410 everything is listed again and what has gone meanwhile is removed: a watch alone would keep ghosts.
"""

import asyncio
import json
import logging
import math
import random
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import aclosing
from typing import Any, Final, Generic, Literal, NotRequired, Protocol, TypeVar, cast

from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from controller.api.errors import Gone, KubernetesError, TooManyRequests, Unreachable
from controller.kube.answers import error_of
from controller.kube.client import Client

__all__ = ["Key", "Reflector", "Sink"]

logger = logging.getLogger(__name__)

Key = tuple[str, str]
"""Namespace (empty for cluster-wide objects) and name."""

ItemT = TypeVar("ItemT", bound=Mapping[str, Any])
ItemT_contra = TypeVar("ItemT_contra", bound=Mapping[str, Any], contravariant=True)

LIST_TIMEOUT: Final = 60.0
WATCH_SECONDS: Final = (240, 360)
LIVED: Final = 10.0  # seconds after which a watch counts as having worked
PATIENCE: Final = 3  # failed watches in a row before everything is listed again


class Sink(Protocol[ItemT_contra]):
    """Where the objects go."""

    def upsert(self, item: ItemT_contra) -> None:
        """An object is new or has changed."""

    def remove(self, key: Key) -> None:
        """An object has gone."""

    def keys(self) -> Collection[Key]:
        """What the sink holds."""


# "continue" is a keyword of Python, hence this form.
_PageMetadata = TypedDict("_PageMetadata", {"resourceVersion": str, "continue": NotRequired[str | None]})


class _Page(TypedDict, Generic[ItemT]):
    metadata: _PageMetadata
    items: list[ItemT] | None


class _Event(TypedDict, Generic[ItemT]):
    type: Literal["ADDED", "MODIFIED", "DELETED"]
    object: ItemT


class _SignalMetadata(TypedDict):
    resourceVersion: NotRequired[str]


class _SignalObject(TypedDict):
    # That of an ERROR is there, and empty.
    metadata: NotRequired[_SignalMetadata]
    code: NotRequired[int]


class _Signal(TypedDict):
    """A line of a watch that carries no object: BOOKMARK or ERROR."""

    type: str
    object: _SignalObject


_SIGNAL: Final = TypeAdapter(_Signal)


class Reflector(Generic[ItemT]):
    """One list-and-watch.

    `item` is the TypedDict of one object, with at least `metadata.name`, `.namespace` (not for cluster-wide kinds)
    and `.resourceVersion`. Times are in seconds. Pages are small enough for
    the processor's cache, which makes them cheaper to parse.
    """

    def __init__(
        self,
        client: Client,
        path: str,
        item: type[ItemT],
        sink: Sink[ItemT],
        *,
        name: str,
        page: int = 200,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
        silence: float = 70.0,
        backoff: tuple[float, float] = (0.5, 30.0),
    ) -> None:
        self._client = client
        self._path = path
        self._sink = sink
        self._name = name
        self._limit = str(page)
        self._clock = clock
        self._rng = rng or random.Random()  # noqa: S311 jitter is no secret
        self._silence = silence
        self._shortest, self._longest = backoff
        # The types are made while running, around whatever one object is; mypy has no words for that.
        page_type, event_type = cast("tuple[Any, Any]", (_Page, _Event))
        self._page_adapter: TypeAdapter[_Page[ItemT]] = TypeAdapter(page_type[item])
        self._event_adapter: TypeAdapter[_Event[ItemT]] = TypeAdapter(event_type[item])
        self._version: str | None = None
        self._fresh: float | None = None
        self._failures = 0
        self._outage: float | None = None
        self.relists = 0
        self.synced = asyncio.Event()

    def age(self, now: float) -> float:
        """Seconds since the server last proved that the sink is current: a list, an event or a bookmark."""
        return math.inf if self._fresh is None else max(0.0, now - self._fresh)

    async def run(self) -> None:
        """Keep the sink current until cancelled; nothing else ends it."""
        while True:
            try:
                if self._version is None:
                    await self._list()
                await self._watch()
            except KubernetesError as error:
                await self._back_off(error)
            except ValidationError as error:
                self._version = None
                first = error.errors(include_url=False, include_input=False)[0]
                await self._back_off(f"the answer cannot be read: {first['loc']}: {first['msg']}")
            except Exception as error:
                # A defect of the sink must not freeze the cache unnoticed: the list starts from the beginning.
                self._version = None
                logger.exception("%s: an object could not be kept", self._name)
                await self._back_off(repr(error))

    async def _list(self) -> None:
        asked = self._clock()
        seen: set[Key] = set()
        query = {"limit": self._limit}
        while True:
            answer = await self._client.request("GET", self._path, query=query, timeout=LIST_TIMEOUT)
            page = self._page_adapter.validate_json(answer)
            for item in page["items"] or ():
                self._sink.upsert(item)
                seen.add(_key(item))
            token = page["metadata"].get("continue")
            if not token:
                break
            query["continue"] = token
        for key in set(self._sink.keys()) - seen:
            self._sink.remove(key)
        self._version = page["metadata"]["resourceVersion"]
        self._fresh = asked
        self.relists += self.synced.is_set()
        self.synced.set()

    async def _watch(self) -> None:
        query = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version or "",
            "timeoutSeconds": str(self._rng.randint(*WATCH_SECONDS)),
        }
        opened, heard = self._clock(), False
        try:
            async with aclosing(self._client.stream(self._path, query, self._silence)) as lines:
                async for line in lines:
                    self._apply(line)
                    self._recovered()
                    heard = True
        finally:
            lived = self._clock() - opened >= LIVED
            if lived:
                self._failures = 0
            elif heard:
                # It worked, so an outage is over; one failure stays, lest a server that expires everything is listed in a circle.
                self._failures = min(self._failures, 1)
        if not (heard or lived):
            raise Unreachable("the server ended the watch at once")
        self._failures = 0

    def _apply(self, line: bytes) -> None:
        try:
            event = self._event_adapter.validate_json(line)
        except ValidationError as error:
            self._signal(line, error)
            return
        item = event["object"]
        if event["type"] == "DELETED":
            self._sink.remove(_key(item))
        else:
            self._sink.upsert(item)
        self._version = item["metadata"]["resourceVersion"]
        self._fresh = self._clock()

    def _signal(self, line: bytes, error: ValidationError) -> None:
        signal = _SIGNAL.validate_json(line)
        if signal["type"] == "ERROR":
            status = json.dumps(json.loads(line)["object"]).encode()
            raise error_of(f"the watch of {self._name}", signal["object"].get("code", 500), status)
        version = signal["object"].get("metadata", {}).get("resourceVersion")
        if signal["type"] != "BOOKMARK" or version is None:
            raise error
        self._version = version
        self._fresh = self._clock()

    def _recovered(self) -> None:
        if self._outage is not None:
            logger.info("%s: current again after %.0f s", self._name, self._clock() - self._outage)
            self._outage = None

    async def _back_off(self, error: KubernetesError | str) -> None:
        self._failures += 1
        if isinstance(error, Gone):
            self._version = None
            if self._failures == 1:
                return
        elif self._failures >= PATIENCE and not isinstance(error, Unreachable | TooManyRequests):
            self._version = None  # e.g. a server restored from a backup never reaches the version that we ask for
        # One lost connection that comes back at once is no outage.
        if self._failures >= 2 and self._outage is None:
            self._outage = self._clock()
            logger.warning("%s: %s; trying again until it works", self._name, error)
        highest = min(self._longest, self._shortest * 2.0 ** min(self._failures, 30))
        delay = self._rng.uniform(self._shortest, max(self._shortest, highest))
        if isinstance(error, TooManyRequests):
            delay = max(delay, error.retry_after)
        await asyncio.sleep(delay)


def _key(item: Mapping[str, Any]) -> Key:
    metadata = item["metadata"]
    return metadata.get("namespace", ""), metadata["name"]
