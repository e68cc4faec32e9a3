"""Every error that Changeover raises on purpose: one class for each different reaction.

A message names the subject, the value and what to do about it. `code` is a stable slug for machines,
`status` the HTTP status with which the error is answered where it reaches an HTTP client.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Phase = Literal["connect", "write", "read", "pool", "protocol", "truncated"]


class ChangeoverError(Exception):
    """The root. Raise a subclass."""

    code = "error"
    status = 500
    exit_code = 2


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a config: where (1-based; 0 where it isn't in a file), which key, and what to do."""

    line: int
    column: int
    path: str
    message: str
    source: str = ""


class ConfigError(ChangeoverError):
    """The config, or a setting, can't be used; `problems` holds all of its faults, in the file's order."""

    code = "config"
    status = 422

    def __init__(self, file: str, problems: tuple[Problem, ...]) -> None:
        self.file = file
        self.problems = problems
        super().__init__("\n".join(self._lines()))

    def _lines(self) -> list[str]:
        lines = []
        for problem in self.problems:
            subject = f"{problem.path}: " if problem.path else ""
            place = f"{self.file}:{problem.line}:{problem.column}: " if problem.line else ""
            lines.append(f"{place}{subject}{problem.message}")
            if problem.source:
                lines.append(f"    {problem.source}")
        return lines


class StartError(ChangeoverError):
    """The process can't start here: an occupied port, a state folder that can't be written."""

    code = "start"


class NotFound(ChangeoverError):
    """A route, a signature or another named thing that isn't there."""

    code = "not_found"
    status = 404


class Refused(ChangeoverError):
    """A request to the admin side that is understood and not carried out; the message says why."""

    code = "refused"
    status = 400


class RequestRefused(ChangeoverError):
    """A user's request that is not forwarded (400, 413, 414, 431)."""

    code = "request_refused"

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


class Overloaded(ChangeoverError):
    """A limit is reached; answered with 503 and Retry-After."""

    code = "overloaded"
    status = 503


class UpstreamError(ChangeoverError):
    """A backend gave no usable answer. `after_s` is the time since the request was handed to it.

    `is_stale`: a kept-alive connection was closed before it brought a byte, most likely unseen by the backend.
    `is_client_gone`: not the backend failed, but nobody waits for its answer any more.
    """

    code = "upstream_failed"
    status = 502

    def __init__(
        self, backend: str, phase: Phase, message: str, *, is_stale: bool = False, is_client_gone: bool = False
    ) -> None:
        self.backend = backend
        self.phase: Phase = phase
        self.reason = message
        self.after_s = 0.0
        self.is_stale = is_stale
        self.is_client_gone = is_client_gone
        super().__init__(f"backend {backend}: {message}")


class UpstreamTimeout(UpstreamError):
    """A phase of the exchange with a backend took longer than its timeout."""

    code = "upstream_timeout"
    status = 504


class UpstreamBusy(UpstreamError):
    """All connections to a backend are taken: it was not asked, and is not to blame. Answered as Overloaded is."""

    code = Overloaded.code
    status = Overloaded.status


class StoreError(ChangeoverError):
    """The store can't be used now. Never reaches a proxied user; the admin side answers 503."""

    code = "store"
    status = 503


class SchemaMismatch(StoreError):
    """The store was made by another version of this program: no waiting helps, so a node doesn't start with it."""

    code = "schema"


class Conflict(StoreError):
    """Somebody else changed it first; read again and repeat."""

    code = "conflict"
    status = 409


class Stale(Conflict):
    """What an If-Match has seen is no longer there; read again and repeat."""

    code = "stale"
    status = 412


class ServerNotReached(ChangeoverError):
    """The admin API doesn't answer at the given address."""

    code = "server_not_reached"
    exit_code = 3
