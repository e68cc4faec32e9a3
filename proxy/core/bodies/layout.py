"""Which blanks of a page are seen, as far as its elements say; style sheets may say otherwise, and aren't read.

1. Where blanks mean nothing, a run of them is one (CSS Text level 3, §4.1.1).
2. A blank at the beginning or the end of a line isn't shown (§4.1.2): beside a block, and at the edges of what has
   lines of its own. What stands in a line has no edges, and an element that nobody knows stands in a line.
3. `pre` and its like keep all their blanks, and so does all that is in them; so does what says so in its own `style`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from proxy.core.bodies.element import Display, Node

_BLANKS = re.compile(r"[ \t\n\r\f]+")

# HTML standard §15.3: browsers' own style sheet. What isn't named is in a line, as for browsers.
_HTML: dict[str, Display] = {
    **dict.fromkeys(("html", "body", "frameset", "frame", "br", "hr"), "block"),
    **dict.fromkeys(("address", "article", "aside", "blockquote", "center", "dialog", "div", "figcaption"), "block"),
    **dict.fromkeys(("figure", "footer", "form", "fieldset", "header", "hgroup", "legend", "listing"), "block"),
    **dict.fromkeys(("main", "nav", "p", "plaintext", "pre", "search", "section", "xmp", "details"), "block"),
    **dict.fromkeys(("summary", "h1", "h2", "h3", "h4", "h5", "h6", "optgroup", "option"), "block"),
    **dict.fromkeys(("dd", "dir", "dl", "dt", "li", "menu", "ol", "ul"), "block"),
    **dict.fromkeys(("table", "caption", "colgroup", "col", "thead", "tbody", "tfoot", "tr", "td", "th"), "block"),
    **dict.fromkeys(("applet", "audio", "button", "canvas", "embed", "iframe", "img", "input", "marquee"), "box"),
    **dict.fromkeys(("math", "meter", "object", "progress", "select", "svg", "textarea", "video"), "box"),
    **dict.fromkeys(("area", "base", "basefont", "datalist", "head", "link", "meta", "noembed"), "none"),
    **dict.fromkeys(("noframes", "param", "rp", "script", "source", "style", "template", "title", "track"), "none"),
}
_VERBATIM = frozenset({"pre", "textarea", "script", "style", "listing", "xmp", "plaintext"})
# In pictures and formulas; around all else in them blanks mean nothing (SVG 2 §11.7, MathML 3 §2.1.7).
_IN_PICTURES: dict[str, Display] = dict.fromkeys(("tspan", "textPath", "a"), "line")
_HOLD_HTML = frozenset({"foreignObject", "desc", "title", "annotation-xml", "mi", "mn", "mo", "ms", "mtext"})
_WHITE_SPACE = re.compile(r"white-space(?:-collapse)?\s*:\s*([a-z-]+)", re.IGNORECASE)
_COLLAPSING = frozenset({"normal", "nowrap", "collapse"})


@dataclass(frozen=True, slots=True)
class Setting:
    """What an element is in: whether blanks are kept there, and whose elements stand there."""

    keeps_blanks: bool = False
    vocabulary: Literal["html", "picture"] = "html"

    def display_of(self, name: str) -> Display:
        """How an element of this name stands among its siblings."""
        return _HTML.get(name, "line") if self.vocabulary == "html" else _IN_PICTURES.get(name, "block")

    def within(self, name: str, attributes: Mapping[str, str | None]) -> Setting:
        """What the element's children are in."""
        setting = self
        if self.vocabulary == "html" and name in {"svg", "math"}:
            setting = replace(setting, vocabulary="picture")
        elif self.vocabulary == "picture" and name in _HOLD_HTML:
            setting = replace(setting, vocabulary="html")
        keeps = _keeps_blanks(name, attributes)
        return setting if keeps is None else replace(setting, keeps_blanks=keeps)

    def shown(self, text: str) -> str:
        """A text with each run of blanks as it is shown in the middle of a line."""
        return text if self.keeps_blanks else _BLANKS.sub(" ", text)


def _keeps_blanks(name: str, attributes: Mapping[str, str | None]) -> bool | None:
    """Whether the element keeps blanks; None where it is as around it."""
    if said := _WHITE_SPACE.findall(attributes.get("style") or ""):
        return said[-1].lower() not in _COLLAPSING
    if (space := attributes.get("xml:space")) in {"preserve", "default"}:
        return space == "preserve"
    return True if name in _VERBATIM else None


def without_unseen_blanks(children: Iterable[Node], *, is_line: bool) -> list[Node]:
    """The children without blanks at the edges of lines. `is_line`: their parent is in a line itself."""
    from_left = [*_without_blanks(children, str.lstrip, last=-1, is_line=is_line)]
    return [*_without_blanks(reversed(from_left), str.rstrip, last=0, is_line=is_line)][::-1]


def _without_blanks(
    children: Iterable[Node], strip: Callable[[str, str], str], *, last: int, is_line: bool
) -> Iterator[Node]:
    """From one side; `last` is what comes last in a child from there."""
    shown: Node | None = None
    for child in children:
        node = child
        if isinstance(node, str):
            bare = strip(node, " ")
            if bare != node and (not is_line if shown is None else _ends_line(shown, last)):
                node = bare
            if not node:
                continue
        yield node
        if isinstance(node, str) or node.display != "none":
            shown = node


def _ends_line(node: Node, last: int) -> bool:
    """Whether a line ends with the node; with -1 after it, with 0 before it."""
    if isinstance(node, str) or node.display != "line":
        return not isinstance(node, str) and node.display == "block"
    for child in node.children if last == 0 else reversed(node.children):
        if isinstance(child, str) or child.display != "none":
            return _ends_line(child, last)
    return False
