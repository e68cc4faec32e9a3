"""When it would be done if it went on as it did, or that nobody can say."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from proxy.admin.projection import daily_shares, projection_of

DAY_S = 86_400
START = 1_790_035_200.0  # 2026-09-22T00:00Z


def days(*shares: float, requests: int = 10_000) -> list[dict[str, Any]]:
    """Two buckets a day with that share on new."""
    return [
        {"at": START + DAY_S * number + half, "requests": {"legacy": requests - new, "new": new}}
        for number, share in enumerate(shares)
        for new in [round(requests * share)]
        for half in (0, DAY_S / 2)
    ]


def test_days_add_up_their_buckets():
    """By UTC; a day with hardly a request says nothing."""
    buckets = [*days(0.1, 0.2), *days(0.5, requests=20)]
    assert [(date(2026, 9, 22), pytest.approx(0.1, abs=0.01)), (date(2026, 9, 23), 0.2)] == daily_shares(buckets)
    assert [] == daily_shares(days(0.5, requests=49))


def test_a_steady_rise_goes_on():
    """A hundredth a day, from 10 to 20 %: eighty days more, on one day and no range."""
    found = projection_of(days(*(0.10 + 0.01 * number for number in range(11))))
    assert (date(2026, 12, 21), date(2026, 12, 21)) == (found.earliest, found.latest)
    assert "from 10 % to 20 % of the requests between 2026-09-22 and 2026-10-02" in found.words
    assert "on 2026-12-21" in found.words
    assert "no promise" in found.words


def test_steps_make_a_range():
    """The late day is later than the early one, and both lie ahead."""
    found = projection_of(days(0.01, 0.01, 0.05, 0.05, 0.05, 0.10, 0.10, 0.25, 0.25, 0.25, 0.5))
    assert found.earliest is not None
    assert found.latest is not None
    assert date(2026, 10, 2) < found.earliest < found.latest
    assert f"between {found.earliest} and {found.latest}" in found.words


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ([], "Not enough data for a projection: 0 of the 7 days"),
        ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], "Not enough data for a projection: 6 of the 7 days"),
        ([0.25] * 10, "not steadily enough upwards"),
        ([0.5, 0.4, 0.3, 0.2, 0.1, 0.1, 0.05], "not steadily enough upwards"),
        ([0.1, 0.1001, 0.1002, 0.1003, 0.1004, 0.1005, 0.1006], "takes more than two years"),
        ([0.5, 0.6, 0.7, 0.8, 0.9, 0.99, 1.0], "Practically all requests go to new already."),
    ],
)
def test_nothing_is_projected_where_nothing_follows(shares: list[float], words: str):
    """It says why instead."""
    found = projection_of(days(*shares))
    assert (None, None) == (found.earliest, found.latest)
    assert words in found.words
