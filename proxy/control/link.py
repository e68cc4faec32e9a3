"""Control's end of the links to its workers: the rollout down, evidence up. The worker's end is `traffic/link`.

1. Last value down: a worker gets what is in force when it connects and after each change; a change that it had no
   time to read is replaced by the next one.
2. Each tally and pair is acknowledged once it has been taken over; what isn't, the worker keeps or counts.
3. Nothing waits for a worker: one that doesn't read for `STALLED_S`, or sends what no worker sends, is hung up on.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, cast

import structlog

from proxy.control.delta import read_delta
from proxy.errors import StartError
from proxy.traffic.frames import Decoder, FrameError, Kind, decode_json, decode_numbered, encode_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from proxy.control.delta import Delta

log = structlog.get_logger(__name__)

STALLED_S = 10.0  # a busy worker reads within milliseconds; one that is stopped in a debugger connects again
_BACKLOG = 64
_MODE = stat.S_IRUSR | stat.S_IWUSR  # evidence and rollout are this user's business only


class Taker(Protocol):
    """Who takes over what comes up."""

    def take_delta(self, delta: Delta) -> None: ...

    def take_pair(self, arrived: Arrived) -> None: ...


@dataclass(slots=True)
class Arrived:
    """One pair from a worker, still encoded. Whoever took it calls `settle` when its verdict is counted."""

    encoded: bytes
    number: int
    link: WorkerLink

    @property
    def is_void(self) -> bool:
        """Whether the worker counts it as lost by itself, so that it must not be counted here."""
        return self.link.is_hung_up

    def settle(self) -> None:
        self.link.acknowledge(self.number)


@dataclass(slots=True)
class Worker:
    """Who is at the other end, by its own words. `gauges` came with its last tally."""

    name: str
    pid: int
    connected_at: float
    gauges: Mapping[str, float] = field(default_factory=dict)


class WorkerLink(asyncio.Protocol):
    """One connection. `is_hung_up`: it was ended by us, and the worker lives on."""

    def __init__(self, server: LinkServer) -> None:
        self._server = server
        self._decoder = Decoder()
        self._transport: asyncio.Transport | None = None
        self._is_full = False
        self._stalled: asyncio.TimerHandle | None = None
        self._owes_rollout = False
        self._settled: list[int] = []
        self._window = -1
        self.worker: Worker | None = None
        self.is_hung_up = False

    # --- life ---
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._server.links.add(self)
        self.send_rollout()
        self.send_window(self._server.window)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._server.links.discard(self)
        if self._stalled is not None:
            self._stalled.cancel()
        if self.worker is not None:
            log.info("worker.unlinked", worker=self.worker.name, pid=self.worker.pid, cause=str(exc or "closed"))

    def hang_up(self, cause: str) -> None:
        """Ends the link for a fault of the worker's."""
        if not self.is_hung_up:
            log.warning("link.hung_up", worker=self.worker.name if self.worker else "?", cause=cause)
            self.abort()

    def abort(self) -> None:
        """Ends the link at once; the worker counts what has not been acknowledged."""
        if self._transport is not None:
            self.is_hung_up = True
            self._transport.abort()

    # --- up ---
    def data_received(self, data: bytes) -> None:
        try:
            for kind, payload in self._decoder.feed(data):
                if self.is_hung_up:
                    return
                self._received(kind, payload)
        except (FrameError, KeyError, TypeError, ValueError, AttributeError) as error:
            self.hang_up(f"a frame that no worker sends: {error!r}")

    def _received(self, kind: Kind, payload: bytes) -> None:
        if kind == Kind.HELLO:
            self._greeted(decode_json(payload))
        elif self.worker is None:
            raise FrameError(f"{kind.name} before HELLO")
        elif kind == Kind.PAIR:
            number, encoded = decode_numbered(payload)
            self._server.taker.take_pair(Arrived(encoded, number, self))
        elif kind == Kind.TALLY:
            delta = read_delta(decode_json(payload))
            self.worker.gauges = delta.gauges
            self._server.taker.take_delta(delta)
            self._write(encode_json(Kind.TALLY_ACK, {"seq": delta.seq}))
        else:
            raise FrameError(f"a worker sent {kind.name}")

    def _greeted(self, hello: Mapping[str, Any]) -> None:
        self.worker = Worker(str(hello["worker"]), int(hello["pid"]), time.time())
        log.info("worker.linked", worker=self.worker.name, pid=self.worker.pid)

    # --- down ---
    def send_rollout(self) -> None:
        """Sends what is in force now, or as soon as the worker has read what was sent before (rule 1)."""
        self._owes_rollout = self._is_full
        if not self._is_full and self._server.rollout is not None:
            self._write(encode_json(Kind.ROLLOUT, self._server.rollout))

    def send_window(self, window: int) -> None:
        if window != self._window:
            self._window = window
            self._write(encode_json(Kind.CREDIT, {"window": window}))

    def acknowledge(self, number: int) -> None:
        """Acknowledges a pair, together with the others that are settled in this turn of the loop."""
        if not self._settled:
            asyncio.get_running_loop().call_soon(self._acknowledge_settled)
        self._settled.append(number)

    def _acknowledge_settled(self) -> None:
        if self._is_full:
            return  # `resume_writing` comes back to it; a worker waits for at most `window` of them
        numbers, self._settled = self._settled, []
        self._write(encode_json(Kind.PAIR_ACK, {"numbers": numbers}))

    def _write(self, frame: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(frame)

    def pause_writing(self) -> None:
        self._is_full = True
        self._stalled = asyncio.get_running_loop().call_later(
            STALLED_S, self.hang_up, f"it has read nothing for {STALLED_S:g} s"
        )

    def resume_writing(self) -> None:
        self._is_full = False
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
        if self._owes_rollout:
            self.send_rollout()
        if self._settled:
            self._acknowledge_settled()


class LinkServer:
    """Listens at `path`. `rollout` is the document in force, `window` how many pairs each worker may have under way."""

    def __init__(self, path: Path, taker: Taker, window: int) -> None:
        self._path = path
        self._server: asyncio.Server | None = None
        self.taker = taker
        self.window = window
        self.rollout: Mapping[str, Any] | None = None
        self.links: set[WorkerLink] = set()

    @property
    def workers(self) -> list[Worker]:
        """Those who said who they are, by name."""
        known = [link.worker for link in self.links if link.worker is not None]
        return sorted(known, key=lambda worker: (worker.name, worker.pid))

    async def start(self) -> None:
        """Raises StartError where the socket can't be made, or another control process has it."""
        listener = listen(self._path)
        self._server = await asyncio.get_running_loop().create_unix_server(lambda: WorkerLink(self), sock=listener)

    async def stop(self) -> None:
        """Hangs up. The workers serve on and try to connect again."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        for link in tuple(self.links):
            link.abort()
        await server.wait_closed()
        self._path.unlink(missing_ok=True)

    def publish(self, document: Mapping[str, Any]) -> None:
        """Puts a rollout in force on all workers."""
        self.rollout = document
        for link in self.links:
            link.send_rollout()

    def set_window(self, window: int) -> None:
        self.window = window
        for link in self.links:
            link.send_window(window)


def listen(path: Path) -> socket.socket:
    """A listening Unix socket for this user only; what a killed process left there is removed. Raises StartError."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_stale(path)
        listener.bind(str(path))
        os.chmod(path, _MODE)  # noqa: PTH101  # before `listen`: until then nobody can connect
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise StartError(
            f"socket {path}: can't listen there ({error.strerror or error}); give another --state-dir"
        ) from error
    except StartError:
        listener.close()
        raise
    return listener


def _remove_stale(path: Path) -> None:
    if not path.exists():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
    raise StartError(
        f"socket {path}: another Changeover runs in this state folder; stop it or give another --state-dir"
    )
