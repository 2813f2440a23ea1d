"""What the contract tests of `controller.kube` share: a connected client, patience, and a cable that can be cut."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from controller.kube import Client, Key, PodCache, PodObject, Reflector

__all__ = ["Cable", "cable", "connected", "eventually", "keys_of", "pods_of"]

PATIENCE_SECONDS = 30.0


@asynccontextmanager
async def connected(kubeconfig: Path) -> AsyncIterator[Client]:
    """A client with the kubeconfig's credentials."""
    client = await Client.connect(kubeconfig)
    try:
        yield client
    finally:
        await client.close()
        # TLS connections end in the background; aiohttp's own advice is to give them a moment before the loop goes.
        await asyncio.sleep(0.05)


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds; fails after a while."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def pods_of(
    client: Client, namespace: str, page: int = 500
) -> AsyncIterator[tuple[Reflector[PodObject], PodCache]]:
    """A running reflector of a namespace's pods, synced."""
    cache = PodCache()
    path = f"/api/v1/namespaces/{namespace}/pods"
    reflector = Reflector(client, path, PodObject, cache, name="pods", page=page, backoff=(0.05, 0.2))
    task = asyncio.create_task(reflector.run())
    try:
        await asyncio.wait_for(reflector.synced.wait(), PATIENCE_SECONDS)
        yield reflector, cache
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class Cable:
    """Passes bytes on to a server; once cut, every connection breaks and new ones are refused until it is mended."""

    def __init__(self, host: str, port: int) -> None:
        self._target = host, port
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._cut = False

    def cut(self) -> None:
        """Break everything."""
        self._cut = True
        for writer in self._writers:
            writer.transport.abort()

    def mend(self) -> None:
        """Let connections through again."""
        self._cut = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self._cut:
            writer.transport.abort()
            return
        there_reader, there_writer = await asyncio.open_connection(*self._target)
        self._writers |= {writer, there_writer}
        with suppress(OSError):
            await asyncio.gather(self._pass(reader, there_writer), self._pass(there_reader, writer))
        self._writers -= {writer, there_writer}

    async def end(self) -> None:
        """Cut, and wait until nothing is left."""
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()


@asynccontextmanager
async def cable(kubeconfig: Path, folder: Path) -> AsyncIterator[tuple[Cable, Path]]:
    """A cable to the server of a kubeconfig, and the kubeconfig that leads through it."""
    content = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
    cluster = content["clusters"][0]["cluster"]
    url = urlsplit(cluster["server"])
    assert url.hostname is not None
    assert url.port is not None
    through = Cable(url.hostname, url.port)
    server = await asyncio.start_server(through.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    cluster["server"] = f"{url.scheme}://127.0.0.1:{port}"
    path = folder / "through-cable"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    try:
        yield through, path
    finally:
        server.close()
        await through.end()
        await server.wait_closed()


def keys_of(namespace: str, *names: str) -> set[Key]:
    """Keys of pods of one namespace."""
    return {(namespace, name) for name in names}
