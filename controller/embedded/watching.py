"""Running watches: each change as one line, bookmarks in between, an ERROR event or a cut at the end."""

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress

from aiohttp import web

from controller.embedded.objects import Object, encode
from controller.embedded.refusals import Refusal
from controller.embedded.resources import Resource
from controller.embedded.store import Collection, Entry, Watcher

__all__ = ["WatchStream", "Watches"]

_Frame = tuple[str, Entry]


class WatchStream:
    """One watch request while it is served.

    `render` gives the JSON of an entry as this client wants it; `revision` the version a bookmark may promise.
    """

    def __init__(
        self,
        request: web.Request,
        resource: Resource,
        render: Callable[[Entry], bytes],
        revision: Callable[[], int],
        bookmark_interval: float | None,
    ) -> None:
        self.path = request.path_qs
        self._request = request
        self._resource = resource
        self._render = render
        self._revision = revision
        self._bookmark_interval = bookmark_interval
        self._wake = asyncio.Event()

    def wake(self) -> None:
        self._wake.set()

    def cut(self) -> None:
        """Drops the connection."""
        if self._request.transport:
            self._request.transport.abort()

    async def serve(
        self, watcher: Watcher, first: list[_Frame], seconds: float, initial_end: bool
    ) -> web.StreamResponse:
        """Sends the first frames, then whatever the watcher sees, until the time is over or the watch is closed."""
        response = web.StreamResponse(
            headers={"Content-Type": "application/json", "Cache-Control": "no-cache, private"}
        )
        await response.prepare(self._request)
        lines = [self._line(kind, entry) for kind, entry in first]
        if initial_end:
            lines.append(self._bookmark({"k8s.io/initial-events-end": "true"}))
        loop = asyncio.get_running_loop()
        end, next_bookmark = loop.time() + seconds, self._after_bookmark(loop)
        while True:
            self._wake.clear()
            lines += [self._line(kind, entry) for kind, entry in watcher.drain()]
            if watcher.error:
                lines.append(b'{"type":"ERROR","object":' + encode(watcher.error.status()) + b"}\n")
            closing = watcher.closed or loop.time() >= end
            if self._bookmark_interval is not None and not watcher.error and (closing or loop.time() >= next_bookmark):
                lines.append(self._bookmark({}))
                next_bookmark = self._after_bookmark(loop)
            if lines:
                await response.write(b"".join(lines))
                lines = []
            if closing:
                await response.write_eof()
                return response
            with suppress(TimeoutError):
                async with asyncio.timeout_at(min(end, next_bookmark)):
                    await self._wake.wait()

    def _after_bookmark(self, loop: asyncio.AbstractEventLoop) -> float:
        return loop.time() + self._bookmark_interval if self._bookmark_interval is not None else float("inf")

    def _line(self, kind: str, entry: Entry) -> bytes:
        return b'{"type":"' + kind.encode() + b'","object":' + self._render(entry) + b"}\n"

    def _bookmark(self, annotations: dict[str, str]) -> bytes:
        metadata: Object = {"resourceVersion": str(self._revision()), "creationTimestamp": None}
        if annotations:
            metadata["annotations"] = annotations
        obj = {"kind": self._resource.kind, "apiVersion": self._resource.api_version, "metadata": metadata}
        return b'{"type":"BOOKMARK","object":' + encode(obj) + b"}\n"


class Watches:
    """All running watches of a server."""

    def __init__(self) -> None:
        self._running: dict[WatchStream, Watcher] = {}

    def __len__(self) -> int:
        return len(self._running)

    async def run(
        self,
        stream: WatchStream,
        collection: Collection,
        watcher: Watcher,
        first: list[_Frame],
        seconds: float,
        initial_end: bool,
    ) -> web.StreamResponse:
        """Serves one watch; it is registered before anything is awaited, so that no change is missed."""
        collection.watchers.add(watcher)
        self._running[stream] = watcher
        try:
            return await stream.serve(watcher, first, seconds, initial_end)
        finally:
            collection.watchers.discard(watcher)
            del self._running[stream]

    def break_all(self, path: re.Pattern[str], error: Refusal | None) -> int:
        """Ends matching watches, with an ERROR event or else by cutting the connection; returns how many."""
        broken = [(stream, watcher) for stream, watcher in self._running.items() if path.search(stream.path)]
        for stream, watcher in broken:
            if error:
                watcher.close(error)
            else:
                stream.cut()
        return len(broken)

    def close_all(self) -> None:
        """Ends every watch as a server that shuts down does."""
        for watcher in list(self._running.values()):
            watcher.close()
