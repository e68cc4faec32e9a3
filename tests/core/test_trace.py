"""Traces are continued or begun as W3C Trace Context asks."""

from __future__ import annotations

import itertools
import random
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.trace import continue_trace

if TYPE_CHECKING:
    from collections.abc import Callable

TRACE_ID, PARENT_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
LINE = re.compile(rb"traceparent: 00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-(0[0-3])\r\n")


def counting() -> Callable[[int], int]:
    """Chance that says 1, 2, 3."""
    numbers = itertools.count(1)
    return lambda _bits: next(numbers)


def came(version: str = "00", trace_id: str = TRACE_ID, parent_id: str = PARENT_ID, flags: str = "01") -> bytes:
    return f"{version}-{trace_id}-{parent_id}-{flags}".encode()


@pytest.mark.parametrize(
    ("value", "flags"),
    [
        (came(), "01"),
        (came(flags="00"), "00"),
        (came(flags="02"), "02"),
        (came(flags="03"), "03"),
        (came(flags="ff"), "03"),
        (came(flags="04"), "00"),
        (came(version="01"), "01"),
        (came(version="cc") + b"-what-comes-later", "01"),
        (came(version="fe") + b"-", "01"),
    ],
)
def test_trace_that_came_is_continued(value: bytes, flags: str) -> None:
    """The same trace, a span of our own, the flags that are known; always in version 00."""
    trace = continue_trace([value], counting())
    expected = f"traceparent: 00-{TRACE_ID}-0000000000000001-{flags}\r\n".encode()
    assert (expected, True, TRACE_ID, "0000000000000001") == (
        trace.line,
        trace.is_continued,
        trace.trace_id,
        trace.span_id,
    )


@pytest.mark.parametrize(
    "values",
    [
        None,
        [],
        [came(), came()],
        [came(), b""],
        [b""],
        [b"00"],
        [came(version="ff")],
        [came(version="0")],
        [came(version="0g")],
        [came(version="FE")],
        [came(trace_id="0" * 32)],
        [came(trace_id=TRACE_ID.upper())],
        [came(trace_id=TRACE_ID[1:])],
        [came(parent_id="0" * 16)],
        [came(parent_id=PARENT_ID.upper())],
        [came(flags="1")],
        [came(flags="0A")],
        [came() + b"-"],
        [came() + b"0"],
        [came() + b"-more"],
        [came() + b"\n"],
        [came() + b" "],
        [b" " + came()],
        [came() + b", " + came()],
        [came(version="01") + b"x"],
        [came(version="01") + b","],
        [came(version="01")[:-1]],
        [came().replace(b"-", b"_")],
    ],
)
def test_trace_is_begun_where_none_came(values: list[bytes] | None) -> None:
    """Nothing, something unclear or something invalid: a new trace, marked as sampled."""
    trace = continue_trace(values, counting())
    expected = b"traceparent: 00-%032x-%016x-01\r\n" % (1, 2)
    assert (expected, False, f"{1:032x}", f"{2:016x}") == (
        trace.line,
        trace.is_continued,
        trace.trace_id,
        trace.span_id,
    )


@pytest.mark.parametrize("values", [None, [came(flags="00")]])
def test_shadow_has_another_span_of_the_same_trace(values: list[bytes] | None) -> None:
    """What both sides record is found in one trace, side by side."""
    chance = counting()
    trace = continue_trace(values, chance)
    served, shadow = LINE.fullmatch(trace.line), LINE.fullmatch(trace.shadow_line(chance))
    assert served is not None
    assert shadow is not None
    assert (served[1], served[3]) == (shadow[1], shadow[3])
    assert served[2] != shadow[2]


def test_new_trace_asks_for_as_much_chance_as_it_writes() -> None:
    """128 bits for the trace and 64 for the span, as many as `random.getrandbits` is asked for."""
    asked: list[int] = []

    def note(bits: int) -> int:
        asked.append(bits)
        return (1 << bits) - 1

    trace = continue_trace(None, note)
    assert ([128, 64], "f" * 32, "f" * 16) == (asked, trace.trace_id, trace.span_id)


def test_ids_are_never_all_zeros() -> None:
    """Not even by chance: all zeros are invalid, and the next one would begin another trace."""
    trace = continue_trace(None, lambda _bits: 0)
    assert LINE.fullmatch(trace.line) is not None
    assert LINE.fullmatch(trace.shadow_line(lambda _bits: 0)) is not None


@given(st.one_of(st.none(), st.lists(st.binary(max_size=80) | st.builds(came, st.text("0f1c", max_size=2)))))
def test_what_is_sent_is_valid_whatever_came(values: list[bytes] | None) -> None:
    """One valid line, which the next proxy continues."""
    chance: Callable[[int], int] = random.Random(1).getrandbits
    trace = continue_trace(values, chance)
    assert LINE.fullmatch(trace.line) is not None
    assert LINE.fullmatch(trace.shadow_line(chance)) is not None
    after = continue_trace([trace.line.removeprefix(b"traceparent: ").removesuffix(b"\r\n")], chance)
    assert (True, trace.trace_id) == (after.is_continued, after.trace_id)
