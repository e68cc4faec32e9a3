"""HTML as it is meant: the tree that browsers make of it, without what says nothing or is new with each page.

Browsers' own algorithm reads it (WHATWG's HTML standard §13.2, by lexbor), so that every text is a page and entities,
quotes, the order of attributes, left out tags and letter case of names mean nothing. Comments aren't compared; of the
doctype only the mode is in which browsers show the page. The library is an extra.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proxy.core.bodies.assets import ASSETS, without_build
from proxy.core.bodies.body import TextForm
from proxy.core.bodies.element import XHTML, Element, check_depth, read_markup
from proxy.core.bodies.layout import Setting, without_unseen_blanks
from proxy.core.document import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from proxy.core.bodies.element import Node
    from proxy.core.content_type import ContentType

DOCTYPE = "!doctype"
_MAX_DEPTH = 200
_LABEL_ID = re.compile(r"[A-Za-z][A-Za-z_-]*")
# New with each page or each build: nonces (CSP level 3), digests of what a URL leads to. That there is one counts:
# without it a browser may refuse what is there.
_NEW_EACH_TIME = frozenset({"nonce", "integrity"})
_LOADED = frozenset({"script", "style", "link"})
_TOKEN_NAMES = frozenset(
    {
        *("csrf", "csrf-token", "csrf_token", "csrftoken", "csrfmiddlewaretoken", "_csrf", "_csrf_token"),
        *("_token", "authenticity_token", "xsrf-token", "__requestverificationtoken"),
    }
)
# Before it only blanks and comments; anything else means that there is none.
_DOCTYPE = re.compile(
    r"""(?:\s|<!--(?:(?!-->).)*+-->|<\?[^>]*>)*+<!doctype\s*(?P<name>[^\s>]+)
    (?:\s+public\s*(?P<public>"[^">]*"|'[^'>]*'))?(?:\s*(?:system\s*)?(?P<system>"[^">]*"|'[^'>]*'))?""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
# Public identifiers by their beginnings. The standard lists some sixty quirky ones: all of HTML before 4, in short.
_QUIRKY = (
    *("-//ietf//dtd html", "-//w3c//dtd html 3", "-//w3c//dtd html experimental", "-//w3c//dtd w3 html", "html"),
    *(
        "-//w3o//dtd w3 html",
        "-/w3c/dtd html 4.0 transitional/en",
        "-//w3c//dtd html 4.0 ",
        "-//microsoft//dtd internet",
    ),
    *("-//netscape comm", "-//softquad", "-//sun microsystems", "-//webtechs", "-//o'reilly", "-//spyglass", "-//sq//"),
)
_HTML_4 = ("-//w3c//dtd html 4.01 transitional//", "-//w3c//dtd html 4.01 frameset//")
_LIMITED = ("-//w3c//dtd xhtml 1.0 transitional//", "-//w3c//dtd xhtml 1.0 frameset//")
_QUIRKY_SYSTEM = "http://www.ibm.com/data/dtd/v11/ibmxhtml1-transitional.dtd"
_FOREIGN = re.compile(r"<(?:svg|math)\b")
_RAW = re.compile(r"<(?:style|script|xmp|iframe|noembed|noframes|noscript|plaintext)\b")
_JSON_SCRIPTS = ("application/json", "application/ld+json", "importmap", "speculationrules")


def _is_declared(declared: ContentType) -> bool:
    return declared.essence == "text/html"


def _looks_like(_declared: ContentType, text: str) -> bool:
    return text.lstrip()[:15].lower().startswith(("<!doctype html", "<html"))


def rendering_of(text: str) -> str:
    """The mode in which browsers show the page, by its doctype (HTML standard §13.2.6.4.1).

    One of "standards", "limited quirks" and "quirks".
    """
    found = _DOCTYPE.match(text)
    if found is None or found["name"].lower() != "html":
        return "quirks"
    public, system = ((found[name] or "").strip("\"'").lower() for name in ("public", "system"))
    if public.startswith(_QUIRKY) or (public.startswith(_HTML_4) and not system) or system == _QUIRKY_SYSTEM:
        return "quirks"
    return "limited quirks" if public.startswith((*_HTML_4, *_LIMITED)) else "standards"


@dataclass(frozen=True, slots=True)
class Page:
    """A page as it came, and whether it came as XML, which browsers read by other rules."""

    text: str
    is_xml: bool = False


HTML = TextForm("html", _is_declared, _looks_like, lambda text: Page(read_markup(text)))


def parse_html(text: str) -> Element:
    """The page's tree. Raises Unreadable("no_html") without the extra."""
    try:
        from selectolax.lexbor import LexborHTMLParser  # noqa: PLC0415  # workers, which parse no page, don't load it
    except ImportError:
        raise Unreadable("no_html") from None
    root: Any = LexborHTMLParser(text).root
    if root is None:
        raise Unreadable("unreadable")
    return _element(root, root.tag, Setting(), 0)


def _element(node: Any, name: str, setting: Setting, depth: int) -> Element:
    check_depth(depth, _MAX_DEPTH)
    display = setting.display_of(name)
    if name == "input" and (node.attributes.get("type") or "").lower() == "hidden":
        display = "none"
    return Element(name, _PageNode(node, setting, is_line=display == "line", depth=depth), display)


class _PageNode:
    """An element of lexbor's tree, and what it is in."""

    def __init__(self, node: Any, setting: Setting, *, is_line: bool, depth: int) -> None:
        self._node = node
        self._setting = setting
        self._is_line = is_line
        self._depth = depth

    def label(self) -> str:
        return page_label(self._node.tag, self._node.attributes.get("id"))

    def attributes(self) -> dict[str, str]:
        return dict(page_attributes(self._node.tag, self._node.attributes))

    def children(self) -> Iterable[Node]:
        setting = self._setting.within(self._node.tag, self._node.attributes)
        if setting.keeps_blanks:
            return self._raw_children(setting)
        return without_unseen_blanks(self._raw_children(setting), is_line=self._is_line)

    def is_json(self) -> bool:
        return is_json_script(self._node.tag, self._node.attributes.get("type"))

    def written(self) -> str | None:
        written: str = self._node.html or ""
        # Of raw text in pictures and formulas lexbor writes what isn't escaped like what is.
        if _FOREIGN.search(written) and _RAW.search(written):
            return None
        return f"{self._setting.vocabulary} {self._setting.keeps_blanks} {written}"

    def _raw_children(self, setting: Setting) -> Iterator[Node]:
        """Elements, and texts with what only comments part in one."""
        text = ""
        child = self._first_child()
        while child is not None:
            name = child.tag
            if name == "-text":
                text += child.text_content or ""
            elif not name.startswith(("-", "_", "!")):
                if text:
                    yield setting.shown(text)
                    text = ""
                yield _element(child, name, setting, self._depth + 1)
            child = child.next
        if text:
            yield setting.shown(text)

    def _first_child(self) -> Any:
        if self._node.tag == "template" and self._setting.vocabulary == "html":  # its content is no child of it
            return self._node.template_fragments()[0].child
        return self._node.child


def page_label(name: str, id_: str | None) -> str:
    """The name, and an id that reads like a word: one with digits is data."""
    return f"{name}#{id_}" if id_ and _LABEL_ID.fullmatch(id_) else name


def is_json_script(name: str, type_: str | None) -> bool:
    """Whether the element holds a JSON document."""
    return name == "script" and (type_ or "").lower() in _JSON_SCRIPTS


def page_attributes(element: str, given: Mapping[str, str | None]) -> Iterator[tuple[str, str]]:
    """The attributes of an element of HTML as they are compared."""
    for name, value in given.items():
        text = value or ""
        if name == "xmlns" and text == XHTML:
            continue  # "has absolutely no effect" in HTML (HTML standard §3.2.6)
        if name == "class":
            text = " ".join(sorted({*text.split()}))
        elif name in _NEW_EACH_TIME and element in _LOADED:
            text = "(new each time)" if text else ""
        elif name in {"value", "content"} and _is_token(element, given):
            text = "(token)" if text else ""
        elif element in ASSETS:
            text = without_build(element, given, name, text)
        yield name, text


def _is_token(element: str, attributes: Mapping[str, str | None]) -> bool:
    """Whether a hidden input or a meta tag holds a token; what users may see or write is none."""
    if element == "input" and (attributes.get("type") or "").lower() != "hidden":
        return False
    return element in {"input", "meta"} and (attributes.get("name") or "").lower() in _TOKEN_NAMES
