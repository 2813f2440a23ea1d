"""Reading the body of an answer that may be endless, slow, cut off or a bomb.

Only bytes are handled here; what they mean is read in `payload`.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

__all__ = ["BodyError", "BodyLateError", "BodyTooLargeError", "read_body"]

_CHUNK = 64 * 1024
_GZIP = 16 + zlib.MAX_WBITS


class BodyError(Exception):
    """The bytes are not what the headers promised."""


class BodyTooLargeError(BodyError):
    """More than the limit once unpacked."""


class BodyLateError(BodyError):
    """Still incomplete at the deadline."""


class RawBody(Protocol):
    """What is used of `urllib3.response.HTTPResponse`."""

    def read1(self, amt: int | None = None, decode_content: bool | None = None) -> bytes:
        """Up to `amt` bytes as soon as there are any; none at the end."""
        ...


def read_body(
    raw: RawBody, encoding: str, max_bytes: int, deadline: float, clock: Callable[[], float] = time.monotonic
) -> bytes:
    """The whole body, unpacked.

    `encoding` is the Content-Encoding header; `max_bytes` counts unpacked bytes; `deadline` is in seconds of `clock`.
    Raises `BodyTooLargeError`, `BodyLateError`, `BodyError`, and whatever the socket raises.
    """
    chunks = _arriving(raw, deadline, clock)
    if encoding in ("gzip", "x-gzip"):
        chunks = _unpacked(chunks, max_bytes)
    elif encoding not in ("", "identity"):
        raise BodyError(f"it is encoded as {encoding!r}, which was not asked for")
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > max_bytes:
            raise BodyTooLargeError
    return bytes(body)


def _arriving(raw: RawBody, deadline: float, clock: Callable[[], float]) -> Iterator[bytes]:
    # read1 and not read: a server that sends a byte a second would keep read(64 KiB) busy for ever without one socket
    # time-out.
    while chunk := raw.read1(_CHUNK, decode_content=False):
        if clock() > deadline:
            raise BodyLateError
        yield chunk


def _unpacked(chunks: Iterator[bytes], max_bytes: int) -> Iterator[bytes]:
    # Unpacked here and not in urllib3, whose older versions unpack a whole chunk at once: 64 KiB of a bomb are 64 MiB.
    unpack = zlib.decompressobj(_GZIP)
    left = max_bytes + 1
    try:
        for chunk in chunks:
            while chunk and left > 0:
                plain = unpack.decompress(chunk, left)
                left -= len(plain)
                yield plain
                chunk = unpack.unconsumed_tail
    except zlib.error as error:
        raise BodyError(f"it is no valid gzip ({error})") from error
    if not unpack.eof:
        raise BodyError("it ends in the middle of its gzip stream")
