"""Where elements stand in a page, and which blanks are seen there."""

from __future__ import annotations

import pytest

from proxy.core.bodies.html import parse_html
from proxy.core.bodies.layout import Setting


@pytest.mark.parametrize(
    ("name", "in_html", "in_picture"),
    [
        ("div", "block", "block"),
        ("br", "block", "block"),
        ("price-tag", "line", "block"),
        ("tspan", "line", "line"),
        ("svg", "box", "block"),
        ("script", "none", "block"),
    ],
)
def test_element_stands_where_browsers_put_it(name: str, in_html: str, in_picture: str):
    """Without a style sheet of the page's own."""
    assert (in_html, in_picture) == (
        Setting().display_of(name),
        Setting(vocabulary="picture").display_of(name),
    )


@pytest.mark.parametrize(
    ("way", "expected"),
    [
        ([("div", {})], Setting()),
        ([("pre", {}), ("code", {})], Setting(keeps_blanks=True)),
        ([("pre", {"style": "white-space: normal"})], Setting()),
        ([("pre", {}), ("p", {"style": "color:red;WHITE-SPACE:nowrap"})], Setting()),
        ([("p", {"style": "white-space:normal; white-space:pre-line"})], Setting(keeps_blanks=True)),
        ([("p", {"style": None})], Setting()),
        ([("svg", {})], Setting(vocabulary="picture")),
        ([("svg", {}), ("foreignObject", {})], Setting()),
        ([("svg", {}), ("foreignObject", {}), ("math", {})], Setting(vocabulary="picture")),
        ([("math", {}), ("mtext", {})], Setting()),
        (
            [("svg", {"xml:space": "preserve"}), ("text", {})],
            Setting(keeps_blanks=True, vocabulary="picture"),
        ),
        (
            [("svg", {"xml:space": "preserve"}), ("text", {"xml:space": "default"})],
            Setting(vocabulary="picture"),
        ),
    ],
)
def test_setting_is_passed_on(way: list[tuple[str, dict[str, str | None]]], expected: Setting):
    """Whether blanks are kept, and whose elements stand there."""
    setting = Setting()
    for name, attributes in way:
        setting = setting.within(name, attributes)
    assert expected == setting


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (" a ", ["a"]),
        ("a <b>x</b> c", ["a ", "b", " c"]),
        (" <b>x</b> ", ["b"]),
        ("a <div>x</div> c", ["a", "div", "c"]),
        ("<b>x</b> <b>y</b>", ["b", " ", "b"]),
        (" <script></script> <b>x</b>", ["script", "b"]),
        ("a <script></script> <div>x</div>", ["a", "script", "div"]),
        ("<x-a><div>1</div></x-a> <x-a><div>2</div></x-a>", ["x-a", "x-a"]),
        ("<x-a><i></i><div>1</div></x-a> b", ["x-a", "b"]),
        ("<x-a><script></script></x-a> b", ["x-a", " b"]),
        ("a <x-a><script></script><p>1</p>2</x-a> b", ["a", "x-a", " b"]),
        ("a <x-a>1<p>2</p></x-a> b", ["a ", "x-a", "b"]),
    ],
)
def test_blanks_at_the_edges_of_lines_are_not_seen(content: str, expected: list[str]):
    """Texts as they are, elements by their names."""
    body = parse_html(f"<section>{content}</section>").children[1]
    assert not isinstance(body, str)
    (section,) = body.children
    assert not isinstance(section, str)
    assert expected == [child if isinstance(child, str) else child.name for child in section.children]


def test_many_unseen_elements_are_passed_once():
    """Blanks between twenty thousand scripts take no time that grows with its square."""
    root = parse_html("<div>" + "<script></script> " * 20_000 + "</div>")
    body = root.children[1]
    assert not isinstance(body, str)
    (div,) = body.children
    assert not isinstance(div, str)
    assert {"script"} == {child if isinstance(child, str) else child.name for child in div.children}
