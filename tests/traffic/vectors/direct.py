"""The same conversation with a backend through the worker and without it, and what docs/headers.md lets differ."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.traffic.vectors.conversation import connected
from tests.traffic.vectors.watching import PATIENCE_S
from tests.traffic.wire import until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.traffic.vectors.conversation import Standing, User
    from tests.traffic.vectors.reading import Heard, Read
    from tests.traffic.vectors.recording import Connection
    from tests.traffic.wire import Reply

    Play = Callable[[User], Awaitable[Heard]]

# What the proxy writes into a request, or takes out of it, beside what Connection names.
_WRITTEN = frozenset(
    {
        *(b"host", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"forwarded", b"via"),
        *(b"x-request-id", b"traceparent", b"content-length", b"transfer-encoding"),
    }
)
_HOP = frozenset({b"connection", b"keep-alive", b"proxy-connection", b"te", b"transfer-encoding", b"upgrade"})
_TAKEN = _HOP | {b"http2-settings", b"expect", b"trailer"}


@dataclass(frozen=True, slots=True)
class Told:
    """One conversation: what the user heard, and what the backend got."""

    heard: Heard
    requests: list[Read]
    connections: list[Connection]

    @property
    def reply(self) -> Reply | None:
        return self.heard.replies[0] if self.heard.replies else None

    @property
    def rests(self) -> list[bytes]:
        """What came of requests that never were whole."""
        return [connection.rest for connection in self.connections if connection.rest]

    @property
    def is_clean(self) -> bool:
        """Whether the user takes the last answer for whole (RFC 9112 §8): without framing, whatever ends in order."""
        if not self.heard.replies:
            return False
        head = self.heard.replies[-1].head
        is_framed = head.get("content-length") is not None or head.get("transfer-encoding") is not None
        return self.heard.replies[-1].is_whole and (is_framed or not self.heard.was_reset)


async def through(stood: Standing, play: Play, settle: Callable[[], Awaitable[None]]) -> Told:
    """The conversation through the worker; `settle` waits until nothing of it is under way."""
    return await _tell(stood, play, stood.stage.port, lambda _: settle(), is_watched=True)


async def directly(stood: Standing, play: Play, *, to_the_end: bool = False) -> Told:
    """The conversation with the backend itself; `to_the_end` of what that reads."""

    async def settle(user: User) -> None:
        async with asyncio.timeout(PATIENCE_S):
            if to_the_end:
                await until(lambda: any(each.key == user.key and each.is_over for each in stood.recorder.connections))

    return await _tell(stood, play, stood.recorder.port, settle, is_watched=False)


async def _tell(
    stood: Standing, play: Play, port: int, settle: Callable[[User], Awaitable[None]], *, is_watched: bool
) -> Told:
    recorder = stood.recorder
    recorder.forget()
    async with connected(port, is_watched=is_watched) as user:
        heard = await play(user)
        if not is_watched:
            await settle(user)
    if is_watched:
        await settle(user)
    return Told(heard, [recorded.request for recorded in recorder.whole], list(recorder.connections))


# --- what must be the same ---
def lines_of(head: bytes) -> list[bytes]:
    return [line for line in head.split(b"\r\n")[1:] if line]


def _name(line: bytes) -> bytes:
    return line.partition(b":")[0].lower()


def _without(lines: list[bytes], names: frozenset[bytes]) -> list[bytes]:
    """Without those of these names, and those that Connection names."""
    options = [line.partition(b":")[2].lower().split(b",") for line in lines if _name(line) == b"connection"]
    names = names.union(*[[option.strip(b" \t") for option in each] for each in options])
    return [line for line in lines if _name(line) not in names]


def sent(head: bytes) -> tuple[bytes, bytes, list[bytes]]:
    """Of a request's head as it came directly: first line, host and what has to reach a backend as it is."""
    return head.partition(b"\r\n")[0], _host(head), _without(lines_of(head), _TAKEN | _WRITTEN)


def arrived(head: bytes) -> tuple[bytes, bytes, list[bytes]]:
    """The same of a head that came through the worker."""
    lines = lines_of(head)
    assert sorted({_name(line) for line in lines} & _HOP) in ([], [b"transfer-encoding"])
    return head.partition(b"\r\n")[0], _host(head), [line for line in lines if _name(line) not in _WRITTEN]


def _host(head: bytes) -> bytes:
    (host,) = [line.partition(b":")[2].strip(b" \t") for line in lines_of(head) if _name(line) == b"host"]
    return host


def heads_heard(heard: Heard, method: str) -> list[tuple[bytes, list[bytes]]]:
    """Status, phrase and fields of interim answers (but for 100) and of the final one, whichever way they came."""
    interims = [_head_heard(interim.raw, keeps_length=False) for interim in heard.interims]
    finals = [_head_heard(reply.head.raw, keeps_length=_keeps_length(method, reply.status)) for reply in heard.replies]
    return [each for each in interims if not each[0].startswith(b"100")] + finals


def _keeps_length(method: str, status: int) -> bool:
    """Whether an answer without a body says how long it would be; 204 never does (RFC 9110 §8.6)."""
    return status == 304 or (method == "HEAD" and status != 204)


def _head_heard(head: bytes, *, keeps_length: bool) -> tuple[bytes, list[bytes]]:
    lines = _without(lines_of(head), _HOP if keeps_length else _HOP | {b"content-length"})
    lowered = [
        b"content-length:%b" % line.partition(b":")[2] if _name(line) == b"content-length" else line for line in lines
    ]
    return head.partition(b"\r\n")[0].partition(b" ")[2].rstrip(b" "), lowered
