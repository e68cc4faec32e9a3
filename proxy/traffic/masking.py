"""A worker's masking child: what would take long to mask is masked there, so that users don't wait for it.

A thread would not do: it shares the interpreter with the users' requests, and one step of it, as a regular expression
over a megabyte, can't be interrupted.

1. What waits is bounded by number and bytes; full means refused.
2. Every pair that was taken ends: masked, or as lost for a reason (law 5).
3. The child starts with the first pair that needs it. One that dies or takes too long is replaced; after a failed start
   nothing is taken for a while.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from proxy.child import ChildLost, FramedChild
from proxy.core.raw_pair import encode_raw
from proxy.traffic.masker import Message, encode_rules

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Callable, Sequence

    from proxy.core.model import Redaction
    from proxy.core.raw_pair import RawPair
    from proxy.traffic.tasks import Tasks

log = structlog.get_logger(__name__)

MAX_QUEUED = 64
MAX_QUEUED_BYTES = 64 * 1024 * 1024
_MEMORY_BYTES = 512 * 1024 * 1024  # as a comparer's
_TIMEOUT_S = 20.0  # two bodies of a megabyte full of secrets take one; several times that beside busy workers
_PAUSE_S = 5.0


@dataclass(frozen=True, slots=True)
class _Job:
    raw: RawPair
    redaction: Redaction
    masked: Callable[[Sequence[bytes]], None]
    lost: Callable[[str], None]


class Masking:
    """See the module. `key` is the installation's, `max_body_bytes` bounds one decoded body, `clock` is monotonic."""

    def __init__(
        self, tasks: Tasks, key: bytes, max_body_bytes: int, clock: Callable[[], float], *, gives_way: bool = True
    ) -> None:
        self._tasks = tasks
        self._key = key
        self._max_body_bytes = max_body_bytes
        self._clock = clock
        self._gives_way = gives_way
        self._jobs: deque[_Job] = deque()
        self._bytes = 0
        self._child: _Masker | None = None
        self._is_busy = False
        self._is_closed = False
        self._closed_until = float("-inf")

    def __len__(self) -> int:
        """Pairs that wait or are masked."""
        return len(self._jobs) + self._is_busy

    @property
    def pid(self) -> int | None:
        """The child's, while there is one."""
        return None if self._child is None else self._child.pid

    def is_behind(self) -> bool:
        """Whether half of what may wait does."""
        return len(self._jobs) > MAX_QUEUED // 2 or self._bytes > MAX_QUEUED_BYTES // 2

    def refusal(self, size: int) -> str | None:
        """Why a pair whose bodies have `size` bytes can't be taken now, or None."""
        if self._clock() < self._closed_until:
            return "masking_failed"
        is_full = len(self._jobs) >= MAX_QUEUED or (self._jobs and self._bytes + size > MAX_QUEUED_BYTES)
        return "masking_busy" if is_full else None

    def submit(
        self, raw: RawPair, redaction: Redaction, masked: Callable[[Sequence[bytes]], None], lost: Callable[[str], None]
    ) -> None:
        """Takes a pair for which `refusal` said nothing: `masked` gets it, encoded and in pieces, or `lost` why not."""
        self._jobs.append(_Job(raw, redaction, masked, lost))
        self._bytes += raw.size
        if not self._is_busy:
            self._is_busy = True
            self._tasks.spawn(self._mask_all())

    async def close(self) -> None:
        """Ends the child, and with it the pairs that have not been masked."""
        self._is_closed = True
        self._lose_all("stopped")
        await self._end_child()

    async def _mask_all(self) -> None:
        """Until nothing waits."""
        try:
            while self._jobs:
                job = self._jobs.popleft()
                self._bytes -= job.raw.size
                try:
                    await self._mask(job)
                except Exception:  # law 1: the next pair is not to suffer from this one
                    log.exception("pair.faulted")
        finally:
            self._is_busy = False

    async def _mask(self, job: _Job) -> None:
        """Rule 2."""
        reason = "stopped"
        encoded: Sequence[bytes] = ()
        try:
            child = await self._living_child()
            encoded = await child.mask(job.raw, job.redaction)
            reason = "fault"
        except (ChildLost, OSError) as error:
            if not self._is_closed:
                reason = "masking_failed"
                log.warning("masker.lost", cause=repr(error))
            await self._end_child()
        finally:
            if encoded:
                job.masked(encoded)
            else:
                job.lost(reason)

    async def _living_child(self) -> _Masker:
        """Rule 3. Raises ChildLost and OSError."""
        if self._child is not None and self._child.has_ended():
            log.warning("masker.ended", pid=self._child.pid)
            self._child = None
        if self._child is None:
            try:
                self._child = await _Masker.start(
                    "proxy.traffic.masker", _MEMORY_BYTES, self._max_body_bytes, gives_way=self._gives_way
                )
            except (ChildLost, OSError):
                self._closed_until = self._clock() + _PAUSE_S
                self._lose_all("masking_failed")
                raise
            self._child.key = self._key
        return self._child

    async def _end_child(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            await child.kill()

    def _lose_all(self, reason: str) -> None:
        jobs, self._jobs, self._bytes = self._jobs, deque(), 0
        for job in jobs:
            job.lost(reason)


class _Masker(FramedChild):
    """The child as its worker sees it."""

    key = b""

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self._redaction: Redaction | None = None

    async def mask(self, raw: RawPair, redaction: Redaction) -> list[bytes]:
        """The encoded pair in pieces; none where masking broke. Raises ChildLost."""
        if redaction != self._redaction:
            self.send(Message.RULES, encode_rules(redaction, self.key))
            self._redaction = redaction
        self.send(Message.RAW, *encode_raw(raw))
        return await self.receive_pieces(Message.MASKED, _TIMEOUT_S)
