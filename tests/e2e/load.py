"""Load from many users at once, in which every failed request is known: when, and how.

`Load` keeps so many connections busy from a thread of its own, each with one request at a time; `wrk` is there for
changes under more load than Python makes, and counts failures too.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import subprocess
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PATIENCE_S = 20.0  # for one answer: above every timeout of the configs under test
JOIN_S = 30.0


def get(target: str, user: str, method: str = "GET", body: bytes = b"") -> bytes:
    """A request of a user."""
    length = f"content-length: {len(body)}\r\n" if body or method in {"POST", "PUT"} else ""
    return f"{method} {target} HTTP/1.1\r\nhost: reader.example\r\nx-user-id: {user}\r\n{length}\r\n".encode() + body


@dataclass(slots=True)
class Answered:
    """One request that was answered: when it began (monotonic), how long it took, by whom (`x-backend`)."""

    began_at: float
    elapsed_s: float
    target: str
    status: int
    backend: str


@dataclass
class Load:
    """Runs while its context is open. `next_request(n)` makes the n-th request of all connections."""

    port: int
    next_request: Callable[[int], bytes]
    connections: int = 16
    pause_s: float = 0.0
    answers: list[Answered] = field(default_factory=list)
    failures: list[tuple[float, str]] = field(default_factory=list)
    begun: int = 0

    def __enter__(self) -> Self:
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="load", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Begins no more requests and waits for those that are under way."""
        self._is_over.set()
        self._thread.join(JOIN_S)
        assert not self._thread.is_alive()

    def wait_answers(self, number: int, *, within_s: float = JOIN_S) -> None:
        """Until so many more requests were answered or failed."""
        wanted = len(self.answers) + len(self.failures) + number
        end = time.monotonic() + within_s
        while len(self.answers) + len(self.failures) < wanted:
            assert time.monotonic() < end, f"{number} more requests were not over within {within_s:g} s"
            time.sleep(0.01)

    @property
    def by_backend(self) -> Counter[str]:
        return Counter(answered.backend for answered in self.answers)

    @property
    def bad(self) -> list[str]:
        """What users would have complained of: no answer, or another status than 2xx."""
        statuses = [f"status {answered.status}" for answered in self.answers if answered.status // 100 != 2]
        return [reason for _, reason in self.failures] + statuses

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(self.connections):
                group.create_task(self._keep_asking())

    async def _keep_asking(self) -> None:
        """One connection after the other, until the load is over: each failure costs its connection."""
        while not self._is_over.is_set():
            writer = None
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                is_open = True
                while is_open and not self._is_over.is_set():
                    is_open = await self._ask(reader, writer)
                    await asyncio.sleep(self.pause_s)
            except (OSError, EOFError, TimeoutError) as error:
                self.failures.append((time.monotonic(), repr(error)))
                await asyncio.sleep(0.01)  # a dead server must not make this spin
            finally:
                if writer is not None:
                    writer.close()
                    with suppress(OSError):
                        await writer.wait_closed()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection may be used again (RFC 9112 §9.6)."""
        request = self.next_request(self.begun)
        self.begun += 1
        began_at = time.monotonic()
        async with asyncio.timeout(PATIENCE_S):
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
            await reader.readexactly(int(fields["content-length"]))
        elapsed_s = time.monotonic() - began_at
        target = request.split(b" ", 2)[1].decode()
        status = int(head.split(" ", 2)[1])
        self.answers.append(Answered(began_at, elapsed_s, target, status, fields.get("x-backend", "")))
        return fields.get("connection") != "close"


def p99_ms(elapsed_s: list[float]) -> float:
    """The nearest-rank 99th percentile, in milliseconds."""
    return sorted(elapsed_s)[max(0, -(-len(elapsed_s) * 99 // 100) - 1)] * 1000


# --- wrk ---
_SCRIPT = """
local number = 0
request = function()
  number = (number + 7919) % 20000
  wrk.headers["x-user-id"] = "user-" .. number
  return wrk.format("GET", "{target}")
end
"""


@dataclass
class Wrk:
    """What wrk printed."""

    requests: int = 0
    failures: int = 0
    printed: str = ""


def has_wrk() -> bool:
    return shutil.which("wrk") is not None


@contextmanager
def wrk(port: int, target: str, folder: Path, connections: int = 16) -> Iterator[Wrk]:
    """Lets wrk ask as 20,000 users in turn, as long as the context is open; the figures are there after it."""
    script, figures = folder / "users.lua", Wrk()
    script.write_text(_SCRIPT.replace("{target}", target))
    argv = ["wrk", "-t1", f"-c{connections}", "-d300s", "-s", str(script), f"http://127.0.0.1:{port}{target}"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield figures
        finally:
            process.send_signal(signal.SIGINT)  # wrk ends its run and prints
            figures.printed = process.communicate(timeout=30)[0]
    figures.requests = int(re.search(r"(\d+) requests in", figures.printed)[1])  # type: ignore[index]  # or it fails
    not_2xx = re.search(r"Non-2xx or 3xx responses: (\d+)", figures.printed)
    sockets = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", figures.printed)
    figures.failures = (int(not_2xx[1]) if not_2xx else 0) + (sum(map(int, sockets.groups())) if sockets else 0)
