"""The trace a request belongs to, as the W3C recommendation "Trace Context" says it in `traceparent`.

1. A request with exactly one valid `traceparent` continues its trace: the same trace id, a span id of our own. Its
   `tracestate` passes unchanged.
2. Any other begins a trace. A `tracestate` that it brings speaks of a trace that we could not read, and is dropped.
3. A begun trace is marked as sampled, for we record each request. And OpenTelemetry's default, a sampler that obeys the
   parent, goes on recording as it did before there was a parent; unmarked, it would record nothing any more.
4. We write version 00, whatever version came, and of the flags only those that we know.

No chance here: `random_bits` is called with a number of bits, as `random.getrandbits` is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# What all versions begin with: version, trace id, parent id, flags; in lower case ("traceparent Header Field Values").
_PARENT = re.compile(rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})")
_SAMPLED = 0x01
# "Other Flags": vendors MUST set them to zero. 0x02 says that the trace id is random (Level 2), which it stays.
_KNOWN_FLAGS = _SAMPLED | 0x02
_LINE = b"traceparent: 00-%b-%016x-%02x\r\n"
_NEW_LINE = b"traceparent: 00-%%032x-%%016x-%02x\r\n" % _SAMPLED
_TRACE_ID, _SPAN_ID = slice(16, 48), slice(49, 65)


@dataclass(slots=True)  # not frozen: one is made for each request, in a third of the time
class Trace:
    """A request's place in its trace. `line` is for the backend that serves it, ended by CRLF.

    `is_continued`: the request brought the trace, so that its `tracestate` belongs to it.
    """

    line: bytes
    is_continued: bool

    @property
    def trace_id(self) -> str:
        """32 hexadecimal digits."""
        return self.line[_TRACE_ID].decode()

    @property
    def span_id(self) -> str:
        """16 hexadecimal digits: our own part of the trace, on the side that serves."""
        return self.line[_SPAN_ID].decode()

    def shadow_line(self, random_bits: Callable[[int], int]) -> bytes:
        """What the other side gets: the same trace, a span of its own."""
        before, after = self.line[: _SPAN_ID.start], self.line[_SPAN_ID.stop :]
        return b"%b%016x%b" % (before, random_bits(64) or 1, after)


def continue_trace(values: list[bytes] | None, random_bits: Callable[[int], int]) -> Trace:
    """The trace that these values of `traceparent` began, or a new one."""
    parent = _parent(values[0]) if values is not None and len(values) == 1 else None
    if parent is None:
        return Trace(_NEW_LINE % (random_bits(128) or 1, random_bits(64) or 1), False)
    trace_id, flags = parent
    return Trace(_LINE % (trace_id, random_bits(64) or 1, flags), True)


def _parent(value: bytes) -> tuple[bytes, int] | None:
    """Trace id and known flags. A version after 00 may go on behind a dash ("Versioning of traceparent")."""
    found = _PARENT.match(value)
    if found is None:
        return None
    rest = value[found.end() :]
    if rest and (found[1] == b"00" or not rest.startswith(b"-")):
        return None
    return found[2], int(found[3], 16) & _KNOWN_FLAGS
