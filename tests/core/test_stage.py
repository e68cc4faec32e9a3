"""Stage: every stage is reached by the percentages and the shadow rule alone."""

from __future__ import annotations

import pytest

from proxy.core.model import Match, ShadowRule
from proxy.core.stage import stage_of
from tests.factories import make_route

SHADOWED = ShadowRule(1)
WRITES = ShadowRule(100_000, writes=True)
POSTS = Match("prefix", "/", methods=frozenset({"POST"}))


@pytest.mark.parametrize(
    ("fields", "effective", "stage"),
    [
        ({}, 0, "off"),
        ({"shadow": SHADOWED}, 0, "shadow"),
        ({"shadow": WRITES}, 0, "shadow"),
        ({"shadow": WRITES, "match": POSTS}, 0, "dualwrite"),
        ({"shadow": SHADOWED, "match": POSTS}, 0, "shadow"),
        ({}, 1, "live"),
        ({"shadow": SHADOWED}, 99_999, "live"),
        ({"shadow": SHADOWED}, 100_000, "rampdown"),
        ({}, 100_000, "complete"),
    ],
)
def test_stage_follows_from_the_percentages(fields, effective, stage):
    """The percentage in force and the shadow rule decide the word, nothing else does."""
    assert stage == stage_of(make_route(**fields), effective)
