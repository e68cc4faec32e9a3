"""Reads the messages of a recorded connection to the letter of RFC 9112, and independently of the proxy's own parsers.

What isn't whole yet is None; what can't become a message fails the test.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.traffic.wire import Head, Reply, check_trailer_line, chunk_size

if TYPE_CHECKING:
    from collections.abc import Sequence

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_LINES = rb"(?:" + _TOKEN + rb":[\t\x20-\x7e\x80-\xff]*\r\n)*\r\n"
_REQUEST = re.compile(_TOKEN + rb" [\x21-\x7e]+ HTTP/1\.1\r\n" + _LINES)
_ANSWER = re.compile(rb"HTTP/1\.[01] [1-9][0-9][0-9](?: [\t\x20-\x7e\x80-\xff]*)?\r\n" + _LINES)
_FRAMING = re.compile(rb"(?i)\r\n(?:content-length:[ \t]*([0-9]+)|transfer-encoding:[ \t]*(chunked))[ \t]*(?=\r\n)")
_CHUNKED = -1


class _Short(Exception):  # no error: the rest may come
    """What is read isn't whole. `begun` are the bytes of a body or a chunk that were there."""

    def __init__(self, begun: bytes = b"") -> None:
        super().__init__()
        self.begun = begun


class _Bytes:
    """Bytes that are read from the front."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def until(self, end: bytes) -> bytes:
        found = self.data.find(end, self.at)
        if found < 0:
            raise _Short
        begin, self.at = self.at, found + len(end)
        return self.data[begin : self.at]

    def exactly(self, number: int) -> bytes:
        begin = self.at
        if begin + number > len(self.data):
            raise _Short(self.data[begin:])
        self.at = begin + number
        return self.data[begin : self.at]

    def chunks(self, body: bytearray) -> bytes:
        """Appends what there is to `body`; the trailer section."""
        while size := chunk_size(self.until(b"\r\n")):
            try:
                body += self.exactly(size)
            except _Short as short:
                body += short.begun
                raise
            end = self.exactly(2)
            assert end == b"\r\n", f"a chunk of {size} bytes ends with {end!r}"
        trailer = b""
        while (line := self.until(b"\r\n")) != b"\r\n":
            check_trailer_line(line)
            trailer += line
        return trailer


def _length(head: bytes) -> int | None:
    """That of the body, or _CHUNKED, or None where nothing is said."""
    found = _FRAMING.findall(head)
    assert len(found) <= 1, f"two ways to read the body of {head!r}"
    if not found:
        return None
    return _CHUNKED if found[0][1] else int(found[0][0])


# --- requests ---
@dataclass(frozen=True, slots=True)
class Read:
    """A whole request as it came: its head with the empty line, its body without framing, and how long it was."""

    head: bytes
    body: bytes
    trailer: bytes
    size: int

    @property
    def method(self) -> str:
        return self.head.partition(b" ")[0].decode()

    @property
    def target(self) -> str:
        return self.head.split(b" ", 2)[1].decode()


def read_request(data: bytes) -> Read | None:
    """The request with which `data` begins; None where it isn't whole."""
    source = _Bytes(data)
    try:
        head = source.until(b"\r\n\r\n")
        assert _REQUEST.fullmatch(head), f"{head!r} is no head of a request"
        length = _length(head)
        if length == _CHUNKED:
            body = bytearray()
            trailer = source.chunks(body)
            return Read(head, bytes(body), trailer, source.at)
        return Read(head, source.exactly(length or 0), b"", source.at)
    except _Short:
        return None


# --- answers ---
@dataclass(slots=True)
class Heard:
    """All that a user got on one connection; `rest` is what came after the last whole answer that was waited for."""

    interims: list[Head] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    rest: bytes = b""
    was_reset: bool = False

    @property
    def statuses(self) -> list[int]:
        return [reply.status for reply in self.replies]


def read_answers(data: bytes, methods: Sequence[str], *, is_over: bool) -> Heard | None:
    """One final answer for each of the methods, with the interim ones before them, and what is left.

    As long as the connection isn't over, None where they aren't whole; then, there are as many as came, of which the
    last one may be broken off.
    """
    heard, source = Heard(), _Bytes(data)
    for method in methods:
        is_whole = _read_answer(source, method, heard, is_over=is_over)
        if not is_whole and not is_over:
            return None
        if not is_whole:
            break
    heard.rest = data[source.at :]
    return heard


def read_interim(data: bytes) -> Head | None:
    """The head of an interim answer, with which `data` begins."""
    head, end, _ = data.partition(b"\r\n\r\n")
    return Head(head + end) if end else None


def _read_answer(source: _Bytes, method: str, heard: Heard, *, is_over: bool) -> bool:
    """Whether there was a whole one; a broken one is among the replies as well."""
    try:
        while (reply := Reply(Head(source.until(b"\r\n\r\n")), b"")).status < 200:
            heard.interims.append(reply.head)
    except _Short:
        return False
    assert _ANSWER.fullmatch(reply.head.raw), f"{reply.head.raw!r} is no head of an answer"
    heard.replies.append(reply)
    if method == "HEAD" or reply.status in {204, 304}:
        return True
    length, body = _length(reply.head.raw), bytearray()
    try:
        if length == _CHUNKED:
            reply.trailer = source.chunks(body)
        elif length is not None:
            body += source.exactly(length)
        else:
            body += source.exactly(len(source.data) - source.at)
            reply.is_whole = is_over
    except _Short as short:
        if length != _CHUNKED:
            body += short.begun
        reply.is_whole = False
    reply.body = bytes(body)
    if not reply.is_whole:
        source.at = len(source.data)
    return reply.is_whole
