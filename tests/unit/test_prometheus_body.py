"""Reading bodies that are endless, slow, cut off or bombs, without a socket."""

import gzip
import tracemalloc
import zlib
from itertools import count

import pytest

from controller.prometheus.body import BodyError, BodyLateError, BodyTooLargeError, read_body


class Chunks:
    """A raw body that arrives in given pieces."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)

    def read1(self, amt: int | None = None, decode_content: bool | None = None) -> bytes:
        assert decode_content is False
        return self.pieces.pop(0) if self.pieces else b""


def pieces_of(data: bytes, size: int) -> Chunks:
    return Chunks(*(data[at : at + size] for at in range(0, len(data), size)))


def read(raw: Chunks, encoding: str = "", max_bytes: int = 1000) -> bytes:
    return read_body(raw, encoding, max_bytes, deadline=1.0, clock=lambda: 0.0)


def test_a_body_of_exactly_the_limit_is_read() -> None:
    assert read(Chunks(b"x" * 999, b"y")) == b"x" * 999 + b"y"


def test_one_byte_more_than_the_limit_is_too_large() -> None:
    with pytest.raises(BodyTooLargeError):
        read(Chunks(b"x" * 1000, b"y"))


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_a_packed_body_is_unpacked_however_it_arrives(size: int) -> None:
    body = bytes(range(250)) * 4
    assert read(pieces_of(gzip.compress(body), size), "gzip") == body


def test_a_bomb_is_too_large_before_it_is_unpacked() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(200)) + packer.flush()
    assert len(bomb) < 300_000
    tracemalloc.start()
    try:
        with pytest.raises(BodyTooLargeError):
            read_body(pieces_of(bomb, 65_536), "gzip", 1 << 20, deadline=1.0, clock=lambda: 0.0)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_a_packed_body_that_is_cut_off_is_an_error() -> None:
    with pytest.raises(BodyError, match="middle of its gzip stream"):
        read(Chunks(gzip.compress(b"x" * 500)[:-9]), "gzip")


def test_a_packed_body_that_is_none_is_an_error() -> None:
    with pytest.raises(BodyError, match="no valid gzip"):
        read(Chunks(b"{}"), "gzip")


def test_an_encoding_nobody_asked_for_is_an_error() -> None:
    with pytest.raises(BodyError, match="'br'"):
        read(Chunks(b"x"), "br")


def test_a_body_that_trickles_is_late_at_the_deadline() -> None:
    ticks = count()
    with pytest.raises(BodyLateError):
        read_body(Chunks(*[b"x"] * 100), "", 1000, deadline=5.5, clock=lambda: float(next(ticks)))
    assert next(ticks) == 7
