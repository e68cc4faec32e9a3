"""Proposals: what is volatile by its kind is recognised in all of its values, and nothing else is proposed."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.core.learn import NEAR_S, Observed, Proposal, propose, recognise
from proxy.core.rule_line import RuleLine

NOW = 1_790_000_000.0  # 2026-09-21 14:13:20 UTC
ONE, OTHER = "3f2b8c1e-9d4a-4f6b-8a7c-1e2d3c4b5a69", "0a1b2c3d-4e5f-4a6b-9c8d-7e6f5a4b3c2d"
HEX = "9f86d081884c7d659a2feaa0c55ad015"


def seen(*pairs: tuple[Any, Any], shape: str = "value") -> list[Observed]:
    """Differences, one a second."""
    return [Observed(NOW + number, shape, *pair) for number, pair in enumerate(pairs)]


@pytest.mark.parametrize(
    ("pairs", "recognised"),
    [
        ([("2026-09-21T14:13:20.1Z", "2026-09-21T14:13:20.2Z")], "timestamp"),
        ([(1_790_000_000, 1_790_000_001)], "timestamp"),
        ([("Mon, 21 Sep 2026 14:13:20 GMT", 1_790_000_000_123)], "timestamp"),
        ([("2020-09-21T14:13:20Z", "2026-09-21T14:13:20Z")], ""),
        ([(ONE, OTHER)], "uuid"),
        ([(ONE, "a page")], ""),
        ([(HEX, HEX[::-1])], "token"),
        ([("masked:token:0123456789ab", "masked:token:ba9876543210")], "token"),
        ([("a text of many words and 1", "another text")], ""),
        ([("abcdefghijklmnopqrst", "bcdefghijklmnopqrstu")], ""),
        ([(7, 8), (9, 10), (12, 12)], "counter"),
        ([(7, 8), (9, 10)], ""),
        ([(7, 8), (9, 10), (8, 9)], ""),
        ([(7, 8), (9, 10), (12, None)], ""),
        ([(True, 8), (9, 10), (12, 13)], ""),
        ([(ONE, None)], ""),
        ([(0.25, 0.5)], ""),
        ([], ""),
    ],
)
def test_value_is_recognised_when_all_of_them_are_of_its_kind(pairs, recognised):
    """Near now, a UUID, a token, a growing number: on both sides, in every example."""
    assert recognised == recognise(seen(*pairs))


@pytest.mark.parametrize(("off_s", "recognised"), [(NEAR_S, "timestamp"), (-NEAR_S, "timestamp"), (NEAR_S + 60, "")])
def test_timestamp_is_near_the_request(off_s, recognised):
    """A date of the data is none: it would be ignored for ever."""
    observed = [Observed(NOW, "value", int(NOW), int(NOW + off_s))]
    assert recognised == recognise(observed)


def test_place_is_proposed_as_an_operator_would_write_it():
    """Members whose names are data become `[*]`, headers are named as such."""
    users, nonce = RuleLine("pattern", "$.users[*].etag", "uuid"), RuleLine("pattern", "header:x-nonce", "hex")
    assert Proposal(users, "uuid") == propose("body", '$.users["{id}"].etag', seen((ONE, OTHER)))
    assert Proposal(nonce, "token") == propose("header", "x-nonce", seen((HEX, HEX[::-1])))


@pytest.mark.parametrize(
    ("pairs", "line"),
    [
        ([("2026-09-21T14:13:20.1Z", "2026-09-21T14:13:20.2Z")], RuleLine("pattern", "$.a", "datetime")),
        ([(1_790_000_000, 1_790_000_001)], RuleLine("pattern", "$.a", "integer")),
        ([("Mon, 21 Sep 2026 14:13:20 GMT", "Mon, 21 Sep 2026 14:13:21 GMT")], RuleLine("ignore", "$.a")),
        ([("2026-09-21T14:13:20Z", 1_790_000_000)], RuleLine("ignore", "$.a")),
        ([("masked:token:0123456789ab", "masked:token:ba9876543210")], RuleLine("pattern", "$.a", "masked")),
        ([("masked:token:0123456789ab", HEX)], RuleLine("ignore", "$.a")),
        ([(HEX, HEX[::-1]), (HEX, "Zk9TdEhPa1Jxb1VqN0w=")], RuleLine("ignore", "$.a")),
        ([(7, 8), (9, 10), (12, 12)], RuleLine("pattern", "$.a", "integer")),
    ],
)
def test_rule_asks_for_the_form_that_all_values_share(pairs, line):
    """What has it on one side only, or in some examples only, can but be ignored."""
    proposal = propose("body", "$.a", seen(*pairs))
    assert proposal is not None
    assert line == proposal.line


def test_random_order_is_unordered_and_not_ignored():
    """The items go on being compared; a list that also changes otherwise gets no proposal."""
    reordered = seen(([1, 2], [2, 1]), shape="reordered")
    assert Proposal(RuleLine("unordered", "$.users[*].tags"), "order") == propose(
        "body", '$.users["{id}"].tags', reordered
    )
    assert Proposal(RuleLine("unordered", "$"), "order") == propose("body", "$", reordered)
    assert propose("body", "$.tags", [*reordered, *seen(([1], [2]))]) is None


def test_what_has_no_place_or_is_not_recognised_is_not_proposed():
    """A whole body, a status, an unknown kind of value."""
    assert propose("status", "status", seen((200, 503), shape="200→503")) is None
    assert propose("body", "$", seen((ONE, OTHER))) is None
    assert propose("body", "$.score", seen((1.5, 2.5))) is None
