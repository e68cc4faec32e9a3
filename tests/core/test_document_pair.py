"""Parsed side by side, two documents are what they are when each is parsed alone; only the time differs."""

from __future__ import annotations

from random import Random
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxy.core.bodies import read
from proxy.core.canonical import canonical
from proxy.core.compare import Comparison, compare
from proxy.core.document import Unreadable, parse_document
from proxy.core.document_pair import Documents, parse_documents
from tests.core.answers import make_answer, make_rules
from tests.core.written import Members, deep_nodes, nodes, write

PIECES = st.sampled_from(
    ["", "0", "1", ".5", "e3", ",", "]", "}", "{", "[", '"', ":", " ", "\n", "null", "NaN", "-", "a"]
)


@st.composite
def alike(draw: st.DrawFn) -> tuple[str, str]:
    """Two texts of much in common, as answers to one request are; now and then one of them is no JSON any more."""
    items = draw(st.lists(nodes, min_size=1, max_size=5))
    changed = list(items)
    where = draw(st.integers(0, len(items) - 1))
    changed[where : where + draw(st.integers(0, 2))] = draw(st.lists(nodes, max_size=2))
    wrap = draw(st.sampled_from(["list", "members", "named", "both"]))
    seed = draw(st.integers(0, 50))
    one, other = (write(wrapped(each, wrap), Random(seed)) for each in (items, changed))
    if draw(st.booleans()):
        at, end = sorted(draw(st.tuples(*[st.integers(0, len(other))] * 2)))
        other = other[:at] + draw(PIECES) + other[min(end, at + 2) :]
    return one, other


def wrapped(items: list[Any], how: str) -> Any:
    if how == "list":
        return items
    if how == "named":
        return Members(tuple((f"n{number}", item) for number, item in enumerate(items)))
    if how == "both":
        return Members((("page", 1), ("data", Members((("items", [[item] for item in items]), ("more", items[0:1]))))))
    return Members((("items", [Members((("id", number), ("v", item))) for number, item in enumerate(items)]),))


def alone(before: str, after: str) -> Documents:
    """What the pair must be."""
    return Documents(parse_document(before), parse_document(after))


def outcome(parse: Any, texts: tuple[str, str]) -> Any:
    try:
        found = parse(*texts)
    except ValueError as error:
        return type(error), str(error)
    except Unreadable as error:
        return error.reason
    return canonical(found.before), canonical(found.after)


@example(("[{}]", "[{}"))
@example(('{"a": 1}', '{"a": 12}'))
@example(('{"a": 1}', '{"a": 1.0}'))
@example(('{"a": 1, "a": 1}', '{"a": 1}'))
@example(('{"a": {"b": 1}}', '{"b": {"b": 1}}'))
@example(("[[1], [2]]", "[[1]]"))
@example(('{"a": [{}]}', '{"a": [{},]}'))
@example(("{}", '{"a": 1}'))
@example(("[{}] ", "[{}] x"))
@example(("", "{}"))
@given(alike())
def test_documents_are_those_of_each_text_alone(texts: tuple[str, str]):
    """Values, types, repeated keys, numbers of any length, and faults."""
    assert outcome(alone, texts) == outcome(parse_documents, texts)


@given(st.tuples(deep_nodes, st.integers(0, 9)), st.tuples(deep_nodes, st.integers(0, 9)))
def test_documents_of_nothing_in_common_are_those_of_each_text_alone(one: tuple[Any, int], other: tuple[Any, int]):
    """Where nothing is shared it is still the same."""
    texts = write(one[0], Random(one[1])), write(other[0], Random(other[1]))
    assert outcome(alone, texts) == outcome(parse_documents, texts)


PATHS = st.sampled_from(
    ["$..a", "$.items[*].v", "$.items", "$[*]", "$[0]", "$.data..*", "$.items[1]", "$.data.items[*]"]
)


@given(alike(), st.lists(PATHS, max_size=2), st.lists(PATHS, max_size=2))
def test_findings_are_those_of_documents_that_share_nothing(
    texts: tuple[str, str], ignored: list[str], unordered: list[str]
):
    """Under rules too, that change documents before they are compared: what is shared is changed once."""
    rules = make_rules(ignore=tuple(ignored), unordered=tuple(unordered))

    def findings() -> Comparison:
        one, other = (make_answer(text.encode("utf-8", "surrogatepass")) for text in texts)
        return compare(one, other, rules)

    found = findings()
    with patch.object(read, "parse_documents", alone):
        assert findings() == found


@pytest.mark.parametrize(
    ("before", "after", "shared"),
    [
        ('[{"a": 1}, {"b": 2}]', '[{"a": 1}, {"b": 3}]', 1),
        ('{"x": {"items": [[1], [2], [3]]}}', '{"x": {"items": [[1], [2], [4]]}}', 2),
        ('{"x": {"a": [1]}}', '{"y": {"a": [1]}}', 0),
        ('[{"a": 1}]', '[{}, {"a": 1}]', 0),
        ('{"a": [1, 2], "b": 1}', '{"a": [1, 2], "b": 2}', 1),
    ],
)
def test_documents_share_what_stands_in_both_at_the_same_place(before: str, after: str, shared: int):
    """It is one object, and needs no look."""
    assert shared == len(parse_documents(before, after).shared)


def test_an_object_of_many_short_members_is_not_taken_apart():
    """It would take longer than it saves; the documents are the same."""
    texts = tuple("{" + ", ".join(f'"m{number}": [{number}]' for number in range(last)) + "}" for last in (100, 101))
    found = parse_documents(*texts)
    assert (100, 101, frozenset()) == (len(found.before), len(found.after), found.shared)
