"""HTML as it is meant: the tree that browsers make of it, without what says nothing or is new with each page.

Browsers' own algorithm reads it (WHATWG's HTML standard §13.2, by lexbor), so that every text is a page and entities,
quotes, the order of attributes, left out tags and letter case of names mean nothing. Comments aren't compared; of the
doctype only the mode is in which browsers show the page. The library is an extra.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from proxy.core.bodies.body import TextForm
from proxy.core.bodies.tree import Element, check_depth, read_markup
from proxy.core.document import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.core.bodies.tree import Node
    from proxy.core.content_type import ContentType

DOCTYPE = "!doctype"
_MAX_DEPTH = 200
_BLANKS = re.compile(r"[ \t\n\r\f]+")
_LABEL_ID = re.compile(r"[A-Za-z][A-Za-z_-]*")
# Whose blanks are shown, or are part of a program (HTML standard §15.3.10, §4.12).
_VERBATIM = frozenset({"pre", "textarea", "script", "style", "listing"})
# In a line with the text around them (HTML standard §3.2.5.2.5): a blank beside them is seen.
_PHRASING = frozenset(
    {
        *("a", "abbr", "b", "bdi", "bdo", "button", "cite", "code", "data", "del", "dfn", "em", "font", "i"),
        *("img", "input", "ins", "kbd", "label", "mark", "meter", "output", "progress", "q", "ruby", "s", "samp"),
        *("select", "small", "span", "strong", "sub", "sup", "svg", "textarea", "time", "tt", "u", "var", "video"),
        *("wbr"),
    }
)
# New with each page or each build: nonces (CSP level 3), digests of what a URL leads to.
_NEW_EACH_TIME = frozenset({"nonce", "integrity"})
_TOKEN_NAMES = frozenset(
    {
        *("csrf", "csrf-token", "csrf_token", "csrftoken", "csrfmiddlewaretoken", "_csrf", "_csrf_token"),
        *("_token", "authenticity_token", "xsrf-token", "__requestverificationtoken"),
    }
)
_URL_ATTRIBUTES = frozenset({"src", "href", "srcset", "data-src", "poster"})
# app.3f9a1c2b.js, app-BxY12abC.css: eight characters or more with a digit among them, before the extension.
_HASHED_NAME = re.compile(
    r"([.\-_])(?=[\w-]*[0-9])[0-9A-Za-z_-]{8,64}(?=(?:\.min)?\.(?:js|mjs|css|map|png|jpe?g|gif|svg|webp|avif|ico|woff2?)\b)"
)
_HASHED_QUERY = re.compile(r"([?&](?:v|ver|version|h|hash|t|cb)=)[0-9A-Za-z._-]{1,64}")
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
_JSON_SCRIPTS = ("application/json", "application/ld+json", "importmap", "speculationrules")


def _is_declared(declared: ContentType) -> bool:
    return declared.essence in {"text/html", "application/xhtml+xml"}


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


HTML = TextForm("html", _is_declared, _looks_like, read_markup)


def parse_html(text: str) -> Element:
    """The page's tree. Raises Unreadable: "no_html" without the extra, "depth"."""
    try:
        from selectolax.lexbor import LexborHTMLParser  # noqa: PLC0415  # workers, which parse no page, don't load it
    except ImportError:
        raise Unreadable("no_html") from None
    root = LexborHTMLParser(text).root
    if root is None:
        raise Unreadable("unreadable")
    return _element(root, 0)


def _element(node: Any, depth: int) -> Element:
    check_depth(depth, _MAX_DEPTH)
    name = node.tag
    attributes = dict(_attributes(name, node.attributes))
    is_verbatim = name in _VERBATIM
    if name == "template":  # its content is a document of its own, which the parser gives as markup only
        children: list[Node] = [_BLANKS.sub(" ", node.html or "")]
    else:
        children = [*_children(node, depth, is_verbatim=is_verbatim)]
    if not is_verbatim:
        children = [*_without_unseen_blanks(children, is_line=name in _PHRASING)]
    is_json = name == "script" and attributes.get("type", "").lower() in _JSON_SCRIPTS
    return Element(name, _label(name, attributes), attributes, tuple(children), is_json)


def _label(name: str, attributes: dict[str, str]) -> str:
    """The name, and an id that reads like a word: one with digits is data."""
    id_ = attributes.get("id", "")
    return f"{name}#{id_}" if _LABEL_ID.fullmatch(id_) else name


def _children(node: Any, depth: int, *, is_verbatim: bool) -> Iterator[Node]:
    child = node.child
    while child is not None:
        if child.tag == "-text":
            text = child.text_content or ""
            yield text if is_verbatim else _BLANKS.sub(" ", text)
        elif not child.tag.startswith(("-", "_", "!")):
            yield _element(child, depth + 1)
        child = child.next


def _without_unseen_blanks(children: list[Node], *, is_line: bool) -> Iterator[Node]:
    """Blanks at the edges of blocks aren't shown (CSS Text level 3, §4.1)."""
    for index, child in enumerate(children):
        if isinstance(child, Element):
            yield child
            continue
        text = child
        if _is_edge(children, index - 1, is_line=is_line):
            text = text.lstrip(" ")
        if _is_edge(children, index + 1, is_line=is_line):
            text = text.rstrip(" ")
        if text:
            yield text


def _is_edge(children: list[Node], index: int, *, is_line: bool) -> bool:
    if not 0 <= index < len(children):
        return not is_line
    neighbour = children[index]
    return isinstance(neighbour, Element) and neighbour.name not in _PHRASING


def _attributes(element: str, attributes: dict[str, str | None]) -> Iterator[tuple[str, str]]:
    is_token = _is_token(attributes)
    for name, given in attributes.items():
        text = given or ""
        if name in _NEW_EACH_TIME:
            continue
        if name == "class":
            text = " ".join(sorted(set(text.split())))
        elif is_token and name in {"value", "content"}:
            text = "(token)" if text else ""
        elif name in _URL_ATTRIBUTES and element != "a":
            text = _HASHED_QUERY.sub(r"\1{hash}", _HASHED_NAME.sub(r"\1{hash}", text))
        yield name, text


def _is_token(attributes: dict[str, str | None]) -> bool:
    return (attributes.get("name") or "").lower() in _TOKEN_NAMES
