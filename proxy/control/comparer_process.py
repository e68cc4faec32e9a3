"""One comparer process seen from its parent: started, fed with one pair at a time, killed."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from proxy.control.outcome import Message, Outcome, decode_outcome
from proxy.process import child_environment
from proxy.traffic.frames import HEAD, MAX_PAYLOAD_BYTES, encode

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Mapping

START_S = 30.0  # its imports take one second, several times that at the lowest priority of a busy machine
_PIPE_BYTES = 1_048_576


class ComparerLost(Exception):
    """The process is of no use any more; `reason` is the slug for the verdict on the pair it had."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class ComparerProcess:
    """A running child. Made by `start`; after ComparerLost it must be killed."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._rules: Mapping[str, Any] | None = None

    @classmethod
    async def start(cls, memory_bytes: int, max_body_bytes: int) -> ComparerProcess:
        """A child that is ready for pairs. Raises ComparerLost when it doesn't get that far, OSError without one."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "proxy.control.comparer", str(memory_bytes), str(max_body_bytes)),
            env={**os.environ, **child_environment()},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is the parent's business
            limit=_PIPE_BYTES,
        )
        child = cls(process)
        try:
            await child._receive(Message.READY, START_S)
        except BaseException:
            await child.kill()
            raise
        return child

    @property
    def pid(self) -> int:
        return self._process.pid

    def has_ended(self) -> bool:
        return self._process.returncode is not None

    async def compare(self, encoded: bytes, rules: Mapping[str, Any] | None, timeout_s: float) -> Outcome:
        """What the child finds within `timeout_s`. `rules` is sent when it isn't the document that was sent last.

        Raises ComparerLost: "time" at the deadline, "crash" when the child ended or answered nonsense.
        """
        if rules is not None and rules is not self._rules:
            self._send(Message.RULES, json.dumps(rules, separators=(",", ":")).encode())
            self._rules = rules
        self._send(Message.PAIR, encoded)
        payload = await self._receive(Message.OUTCOME, timeout_s)
        try:
            return decode_outcome(payload)
        except ValueError as error:
            raise ComparerLost("crash") from error

    async def wait(self) -> None:
        """Returns when the child has ended."""
        await self._process.wait()

    async def kill(self) -> None:
        """Ends the child at once and waits until it is gone."""
        with suppress(ProcessLookupError):
            self._process.kill()
        await asyncio.shield(self._process.wait())

    def _send(self, kind: Message, payload: bytes) -> None:
        """Hands a frame to the pipe. A child that is gone is noticed by `_receive`."""
        if self._process.stdin is None:
            raise RuntimeError("the child was started with a pipe")
        self._process.stdin.write(encode(kind, payload))

    async def _receive(self, wanted: Message, timeout_s: float) -> bytes:
        reader = self._process.stdout
        if reader is None:
            raise RuntimeError("the child was started with a pipe")
        try:
            async with asyncio.timeout(timeout_s):
                length, kind = HEAD.unpack(await reader.readexactly(HEAD.size))
                if kind != wanted or length > MAX_PAYLOAD_BYTES:
                    raise ComparerLost("crash")
                return await reader.readexactly(length)
        except TimeoutError as error:
            raise ComparerLost("time") from error
        except (asyncio.IncompleteReadError, OSError) as error:
            raise ComparerLost("crash") from error
