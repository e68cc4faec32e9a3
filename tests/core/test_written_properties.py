"""What only is written in another way matches: order of members, white space, escapes, number forms, codings."""

from __future__ import annotations

import gzip
import zlib
from typing import Any

import brotli  # type: ignore[import-untyped]  # the package has no type hints
from hypothesis import example, given
from hypothesis import strategies as st

from proxy.core.codings import decoded
from proxy.core.compare import compare
from proxy.core.evidence import Answer, Verdict
from proxy.core.model import CompareRules
from tests.core.answers import make_answer, make_rules
from tests.core.written import deep_nodes, nodes, texts, write

MAX_BYTES = 1_000_000
CODINGS = {
    "": bytes,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "gzip, br": lambda body: brotli.compress(gzip.compress(body)),
}


def sent(text: str, coding: str = "") -> Answer:
    """The answer with this document, after the way through a coding and back."""
    body = decoded(CODINGS[coding](text.encode()), coding, MAX_BYTES)
    assert isinstance(body, bytes)
    return make_answer(body)


def verdict(control: str, candidate: str, rules: CompareRules | None = None) -> Verdict:
    return compare(sent(control), sent(candidate), rules or CompareRules()).verdict


@example(("0.10000000000000001", "0.100000000000000010"), "")
@given(
    deep_nodes.flatmap(lambda node: st.tuples(texts(node), texts(node))),
    st.sampled_from([*CODINGS]),
)
def test_document_matches_itself_however_it_is_written(written: Any, coding: str):
    """Whatever it holds: repeated keys, numbers of any length, NaN, halves of characters, deep nesting."""
    control, candidate = written
    found = compare(sent(control), sent(candidate, coding), CompareRules())
    assert (Verdict.MATCH, "", ()) == (found.verdict, found.reason, found.differences)


@given(nodes.flatmap(lambda node: st.tuples(texts(node), texts(node))), st.sampled_from(["$", "$..a", "$[*]", "$..*"]))
def test_no_rule_makes_a_difference_where_there_is_none(written: tuple[str, str], path: str):
    """Each kind of rule, at places that are there or not: what is equal stays equal."""
    for rules in ({"ignore": (path,)}, {"unordered": (path,)}, {"keys": {path: "id"}}, {"tolerance": {path: 0.5}}):
        assert Verdict.MATCH == verdict(*written, make_rules(**rules))


@given(st.lists(nodes, min_size=2, max_size=6), st.randoms(use_true_random=False))
def test_unordered_items_match_however_they_are_written(items: list[Any], chance: Any):
    """In any order: items are found by what they mean, not by their text."""
    control = write(items, chance)
    chance.shuffle(items)
    assert Verdict.MATCH == verdict(control, write(items, chance), make_rules(unordered=("$",)))
