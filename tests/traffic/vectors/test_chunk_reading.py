"""The reader of chunked bodies in tests: to the letter of RFC 9112 §7.1, else it would pass off as sound what isn't."""

from __future__ import annotations

import asyncio

import pytest

from tests.traffic.wire import read_chunked, run

SOUND = {
    b"5\r\nhello\r\n0\r\n\r\n": (b"hello", b""),
    b'000A;a=b ; c="d"\r\n0123456789\r\n0\r\n\r\n': (b"0123456789", b""),
    b"0\r\n\r\n": (b"", b""),
    b"1\r\nx\r\n0\r\nX-A: 1\r\nX-B:\r\n\r\n": (b"x", b"X-A: 1\r\nX-B:\r\n"),
}
MALFORMED = [
    *(b"\r\nhello\r\n0\r\n\r\n", b" 5\r\nhello\r\n0\r\n\r\n", b"5 \r\nhello\r\n0\r\n\r\n", b"+5\r\nhello\r\n0\r\n\r\n"),
    *(
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"5_0\r\nhello\r\n0\r\n\r\n",
        b"5;\r\nhello\r\n0\r\n\r\n",
        b"g\r\nhello\r\n0\r\n\r\n",
    ),
    *(b"5\nhello\r\n0\r\n\r\n", b"5\r\nhelloXX0\r\n\r\n", b"5\r\nhello\n\n0\r\n\r\n", b"4\r\nhello\r\n0\r\n\r\n"),
    *(b"5\r\nhello\r\n0\r\nX-A\r\n\r\n", b"0\r\nX-A : 1\r\n\r\n", b"0\r\n X: 1\r\n\r\n", b"0\r\nX: \x00\r\n\r\n"),
]
BROKEN_OFF = [b"", b"5", b"5\r\nhell", b"5\r\nhello", b"5\r\nhello\r\n", b"5\r\nhello\r\n0\r\n", b"0\r\nX-A: 1\r\n"]


def read(data: bytes) -> tuple[bytes, bytes]:
    """Body and trailer section."""
    body = bytearray()
    trailers = []

    async def scenario() -> None:
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        trailers.append(await read_chunked(reader, body.extend))

    run(scenario())
    return bytes(body), trailers[0]


@pytest.mark.parametrize("data", SOUND)
def test_chunk_reading_of_what_is_sound(data: bytes) -> None:
    """Body and trailers."""
    assert SOUND[data] == read(data)


@pytest.mark.parametrize("data", MALFORMED)
def test_chunk_reading_fails_of_anything_else(data: bytes) -> None:
    """Nothing is mended, nothing guessed."""
    with pytest.raises(AssertionError):
        read(data)


@pytest.mark.parametrize("data", BROKEN_OFF)
def test_chunk_reading_tells_what_is_broken_off(data: bytes) -> None:
    """It may be sound as far as it goes."""
    with pytest.raises(asyncio.IncompleteReadError):
        read(data)
