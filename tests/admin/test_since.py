"""`--since`: spans, dates, times, and what is none of them."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.admin.report.since import parse_since
from proxy.errors import Refused

NOW = 1_795_435_200.0  # 2026-11-23T12:00:00Z


@pytest.mark.parametrize(
    ("text", "before_s"),
    [
        ("30s", 30),
        ("90m", 5_400),
        ("24h", 86_400),
        (" 7d ", 604_800),
        ("2w", 1_209_600),
        ("0h", 0),
        ("2026-11-23", 43_200),
        ("2026-11-23T08:00", 14_400),
        ("2026-11-23 08:00", 14_400),
        ("2026-11-23T08:00:30", 14_370),
        ("2026-11-23T08:00Z", 14_400),
        ("2026-11-23T08:00+01:00", 18_000),
        ("2026-11-23T08:00:00-0200", 7_200),
    ],
)
def test_since_reads_spans_and_moments(text: str, before_s: int):
    """Spans go back from now; a date begins at midnight UTC, a time without a zone is UTC."""
    assert NOW - before_s == parse_since(text, NOW)


def test_since_before_everything_is_the_beginning():
    """A million weeks ago is all there is."""
    assert parse_since("999999w", NOW) == 0
    assert parse_since("1969-01-01", NOW) == 0


@pytest.mark.parametrize(
    "text",
    ["", "24", "h", "yesterday", "1.5h", "-1h", "24h30m", "2026-13-01", "2026-02-30", "20261120", "1790000000", "٣h"],
)
def test_since_that_is_no_time_is_refused_with_examples(text: str):
    """The words show what would do."""
    with pytest.raises(Refused, match="give a span as 90m, 24h, 7d or 2w, a date as 2026-11-20"):
        parse_since(text, NOW)


@pytest.mark.parametrize("text", ["2026-11-24", "2026-11-23T12:00:01"])
def test_since_in_the_future_is_refused(text: str):
    """A report of nothing would pass."""
    with pytest.raises(Refused, match="still to come"):
        parse_since(text, NOW)


@given(st.text(max_size=40))
def test_since_refuses_or_reads_any_text(text: str):
    """Nothing else is raised, and what is read lies in the past."""
    with suppress(Refused):
        assert 0 <= parse_since(text, NOW) <= NOW
