"""Whether two answers are the same as they stand."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.compared_headers import uncompared_names
from proxy.core.model import CompareRules
from proxy.core.pairing import is_same

DEFAULT = uncompared_names(CompareRules())


def same(one: Any, other: Any, uncompared: frozenset[bytes] = DEFAULT) -> bool:
    return is_same(one[0], lines(one[1]), one[2], other[0], lines(other[1]), other[2], uncompared)


def lines(headers: Any) -> bytes:
    return b"".join([b"%b: %b\r\n" % field for field in headers])


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((200, [(b"a", b"1")], [b"x"]), (200, [(b"a", b"1")], [b"x"]), True),
        ((200, [], [b"ab", b"c"]), (200, [], [b"a", b"bc"]), True),
        ((200, [], [b"ab"]), (200, [], [b"ac"]), False),
        ((200, [], [b""]), (200, [], []), True),
        ((200, [], []), (201, [], []), False),
        ((200, [(b"date", b"1"), (b"a", b"1")], []), (200, [(b"a", b"1"), (b"date", b"2"), (b"via", b"x")], []), True),
        ((200, [(b"a", b"1"), (b"b", b"2")], []), (200, [(b"b", b"2"), (b"a", b"1")], []), True),
        ((200, [(b"a", b"1"), (b"a", b"2")], []), (200, [(b"a", b"2"), (b"a", b"1")], []), False),
        ((200, [(b"a", b"1")], []), (200, [], []), False),
        ((200, [(b"content-length", b"9")], []), (200, [(b"content-length", b"8")], []), False),
        ((200, [(b"content-length", b"9")], []), (200, [(b"content-length", b"9"), (b"date", b"1")], [b""]), True),
        ((200, [(b"transfer-encoding", b"chunked")], [b"x"]), (200, [(b"content-length", b"1")], [b"x"]), True),
    ],
)
def test_answers_are_the_same_only_where_nothing_differs(one: Any, other: Any, expected: bool):
    """Status, body bytes and meaningful fields decide; chunks, bookkeeping and field order don't."""
    assert expected == same(one, other)


def test_ignored_fields_do_not_count():
    """A field that the route's rules ignore may differ."""
    assert same((200, [(b"x-runtime", b"1")], []), (200, [(b"x-runtime", b"2")], []), frozenset({b"x-runtime"}))


answers = st.tuples(
    st.sampled_from([200, 404]),
    st.lists(st.tuples(st.sampled_from([b"a", b"b", b"date"]), st.sampled_from([b"", b"1", b"2"])), max_size=4),
    st.lists(st.binary(max_size=3), max_size=3),
)


@given(answers, answers)
def test_same_is_never_said_of_bodies_or_statuses_that_differ(one: Any, other: Any):
    """Law 10: whatever else, "the same" means equal status and equal bytes; and it is symmetric."""
    verdict = same(one, other)
    assert verdict == same(other, one)
    if verdict:
        assert (one[0], b"".join(one[2])) == (other[0], b"".join(other[2]))
