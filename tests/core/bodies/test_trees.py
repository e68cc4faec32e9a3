"""Trees of elements: any single change is found at its place, and a library that isn't there is said to be missing."""

from __future__ import annotations

import subprocess
import sys
from html import escape
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.bodies.element import Element
from proxy.core.bodies.html import parse_html, rendering_of
from proxy.core.bodies.tree import TreeWalk
from proxy.core.compare import compare
from proxy.core.difference import Limits
from proxy.core.evidence import Verdict
from tests.core.answers import make_answer, make_rules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.core.bodies.element import Node
    from proxy.core.compare import Comparison
    from proxy.core.model import CompareRules
    from proxy.core.paths import Concrete

NAMES = ["div", "p", "section", "article"]
# A tree is (name, attributes, children); a text child is a str. Without `p` around blocks, which would end it.
words = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8)
attributes = st.dictionaries(st.sampled_from(["title", "lang", "data-x"]), words, max_size=2)
Tree = tuple[str, dict[str, str], list[Any]]
leaves = st.tuples(st.sampled_from(["p", "span", "h2"]), attributes, st.lists(words, min_size=1, max_size=1))
trees = st.recursive(
    leaves,
    lambda inner: st.tuples(
        st.sampled_from(["div", "section", "article"]), attributes, st.lists(inner, min_size=1, max_size=4)
    ),
    max_leaves=12,
)


def written(tree: Tree | str) -> str:
    if isinstance(tree, str):
        return escape(tree)
    name, own, children = tree
    listed = "".join(f' {key}="{escape(value)}"' for key, value in own.items())
    return f"<{name}{listed}>{''.join(map(written, children))}</{name}>"


def compared(before: Tree, after: Tree, kind: str) -> Comparison:
    one, other = (make_answer(written(tree).encode(), kind) for tree in (before, after))
    return compare(one, other, make_rules())


def places(tree: Tree) -> list[list[int]]:
    """The way to every element of the tree, by the children's indexes."""
    found: list[list[int]] = [[]]
    for index, child in enumerate(tree[2]):
        if not isinstance(child, str):
            found += [[index, *rest] for rest in places(child)]
    return found


def changed(tree: Tree, way: list[int], change: str) -> tuple[Tree, list[str]]:
    """The tree with one change at the way's end, and the labels that lead to it."""
    name, own, children = tree
    if way:
        below, labels = changed(children[way[0]], way[1:], change)
        return (name, own, [*children[: way[0]], below, *children[way[0] + 1 :]]), [name, *labels]
    if change == "attribute":
        return (name, {**own, "title": own.get("title", "") + "!"}, children), [name, "@title"]
    if change == "extra":
        return (name, own, [*children, ("em", {}, ["new"])]), [name, "em"]
    return (name, own, [*children, "!"]), [name, "#text"]


@pytest.mark.parametrize("kind", ["text/html", "application/xml"])
@given(tree=trees)
def test_tree_matches_itself(tree: Tree, kind: str):
    """However it is written: here with its attributes in another order, and a comment."""
    name, own, children = tree
    other = (name, dict(reversed(own.items())), children)
    texts = (written(tree), f"{written(other)}<!-- c -->")
    control, candidate = (make_answer(text.encode(), kind) for text in texts)
    assert compare(control, candidate, make_rules()).verdict == Verdict.MATCH


@pytest.mark.parametrize("kind", ["text/html", "application/xml"])
@pytest.mark.parametrize("change", ["attribute", "extra", "text"])
@given(tree=trees, data=st.data())
def test_single_change_is_one_difference_at_its_place(tree: Tree, change: str, kind: str, data: st.DataObject):
    """Whatever stands around it."""
    way = data.draw(st.sampled_from(places(tree)))
    other, labels = changed(tree, way, change)
    above = () if kind == "application/xml" else ("html", "body")
    found = compared(tree, other, kind)
    assert [(*above, *labels)] == [difference.path for difference in found.differences]


@given(tree=trees, data=st.data())
def test_removed_element_is_one_difference(tree: Tree, data: st.DataObject):
    """However much is in it; among equal siblings it may be any of them."""
    ways = [way for way in places(tree) if way]
    if not ways:
        return
    way = data.draw(st.sampled_from(ways))
    found = compared(tree, without(tree, way), "text/html")
    assert ["missing"] == [difference.change for difference in found.differences]
    assert len(way) + 3 == len(found.differences[0].path)


def without(tree: Tree, way: list[int]) -> Tree:
    name, own, children = tree
    rest = [] if len(way) == 1 else [without(children[way[0]], way[1:])]
    return name, own, [*children[: way[0]], *rest, *children[way[0] + 1 :]]


class Unwritten:
    """An element of which nobody knows how it is written: it is read whole."""

    def __init__(self, element: Element) -> None:
        self._element = element

    def label(self) -> str:
        return self._element.label

    def attributes(self) -> dict[str, str]:
        return self._element.attributes

    def children(self) -> Iterator[Node]:
        for child in self._element.children:
            yield child if isinstance(child, str) else Element(child.name, Unwritten(child))

    def is_json(self) -> bool:
        return self._element.source.is_json()

    def written(self) -> None:
        return None


def found_in(before: Element, after: Element, rules: CompareRules) -> list[tuple[Concrete, str]]:
    walk = TreeWalk(rules, Limits(), lambda _old, _new, _path: None)
    walk.compare(before, after)
    return [(difference.path, difference.change) for difference in walk.differences]


alike = st.builds(
    "<{0}{1}>{2}{3}</{0}>".format,
    st.sampled_from(["p", "b"]),
    st.sampled_from(["", " title=x"]),
    st.sampled_from("12"),
    st.sampled_from(["", "<!-- c -->"]),
)
"""Siblings of which many are equal, some only in other writing."""
siblings = st.lists(
    alike | st.just("1") | st.lists(alike, max_size=3).map(lambda inner: f"<div>{''.join(inner)}</div>"), max_size=7
)
page_rules = st.sampled_from(
    [
        make_rules(),
        make_rules(ignore=("$..b",)),
        make_rules(ignore=('$..["#text"]',)),
        make_rules(unordered=("$.html.body",)),
        make_rules(keys={"$.html.body": "title"}),
    ]
)


@given(before=siblings, after=siblings, rules=page_rules)
def test_what_is_read_in_part_differs_where_the_whole_does(before: list[str], after: list[str], rules: CompareRules):
    """That elements are written alike only spares work. Which of several equal ones is the other's may differ."""
    one, other = (parse_html("".join(each)) for each in (before, after))
    whole = found_in(Element(one.name, Unwritten(one)), Element(other.name, Unwritten(other)), rules)
    found = found_in(one, other, rules)
    assert bool(whole) == bool(found)
    assert ("reordered" in dict(whole).values()) == ("reordered" in dict(found).values())


@pytest.mark.parametrize(
    ("kind", "module", "reason"), [("text/html", "selectolax", "no_html"), ("application/xml", "lxml", "no_xml")]
)
def test_library_that_is_not_there_is_a_reason(kind: str, module: str, reason: str):
    """Equal bytes still match; anything else is skipped, and never called equal (law 10)."""
    program = f"""
import sys
sys.modules[{module!r}] = None
from proxy.core.bodies.html import parse_html, rendering_of
from proxy.core.bodies.element import Element
from proxy.core.bodies.tree import TreeWalk
from proxy.core.compare import compare
from proxy.core.difference import Limits
from tests.core.answers import make_answer, make_rules
pairs = [(b"<a>1</a>", b"<a>1</a>"), (b"<a>1</a>", b"<a >1</a>")]
for pair in pairs:
    found = compare(*(make_answer(text, {kind!r}) for text in pair), make_rules())
    print(found.verdict.value, found.reason)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert ["match ", f"skipped {reason}"] == done.stdout.splitlines()


ROWS = ['<b id="1">x</b>', '<b id="1">y</b>', '<b id="2">x</b>']


@pytest.mark.parametrize("rule", [{"unordered": ("$.div",)}, {"unordered": ("$.div",), "keys": {"$.div": "title"}}])
@given(inner=st.lists(trees, max_size=6), data=st.data())
def test_order_means_nothing_where_a_rule_says_so(rule: dict[str, Any], inner: list[Tree], data: st.DataObject):
    """Of the element's own children, whatever is in them; repetition counts."""
    control = make_answer(written(("div", {}, inner)).encode(), "application/xml")
    other = make_answer(written(("div", {}, data.draw(st.permutations(inner)))).encode(), "application/xml")
    more = make_answer(written(("div", {}, [*inner, ("p", {}, ["x"])])).encode(), "application/xml")
    assert compare(control, other, make_rules(**rule)).verdict == Verdict.MATCH
    assert ["extra"] == [each.change for each in compare(control, more, make_rules(**rule)).differences]


def test_order_means_nothing_among_children_of_one_key():
    """Where a rule says so: each has an equal one."""
    texts = (f"<a>{''.join(each)}</a>" for each in (ROWS, ROWS[::-1]))
    one, other = (make_answer(text.encode(), "application/xml") for text in texts)
    assert Verdict.MATCH == compare(one, other, make_rules(unordered=("$.a",), keys={"$.a": "id"})).verdict


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<!doctype html><p>", "standards"),
        ("\ufeff \n<!-- a --><?xml version='1.0'?><!DOCTYPE HTML><p>".lstrip("\ufeff"), "standards"),
        ("<!doctype html SYSTEM 'about:legacy-compat'><p>", "standards"),
        ('<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "x"><p>', "standards"),
        ('<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "x"><p>', "limited quirks"),
        ('<!DOCTYPE html PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN" "x"><p>', "limited quirks"),
        ('<!DOCTYPE html PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN"><p>', "quirks"),
        ('<!DOCTYPE html PUBLIC "-//W3C//DTD HTML 3.2 Final//EN"><p>', "quirks"),
        ("<!doctype svg><p>", "quirks"),
        ("<p><!doctype html>", "quirks"),
        ("text <!doctype html>", "quirks"),
        ("<!--" * 200_000, "quirks"),
        (" " * 900_000, "quirks"),
        ("<!doctype html public '" + "a" * 900_000, "standards"),
    ],
)
def test_mode_of_a_page_is_that_of_browsers(text: str, expected: str):
    """By the doctype, which stands before everything but comments; and at once, however long it is."""
    assert expected == rendering_of(text)
