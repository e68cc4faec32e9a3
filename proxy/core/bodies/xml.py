"""XML as it is meant: names with their namespaces, attributes in any order, texts; no entity, and never the network.

What Canonical XML (W3C, C14N 1.1) makes one is one: quotes, empty elements' notation, CDATA, character references. Nor
do prefixes count, comments, processing instructions but for style sheets, and blanks between elements. XHTML, a page or
a part of a document, means what it does in pages. The library is an extra.
"""

from __future__ import annotations

import re
from html.entities import html5
from typing import TYPE_CHECKING, Any

from proxy.core.bodies.body import TextForm
from proxy.core.bodies.element import XHTML, Element, check_depth, read_markup
from proxy.core.bodies.html import DOCTYPE, Page, is_json_script, page_attributes, page_label, parse_html
from proxy.core.bodies.layout import Setting, without_unseen_blanks
from proxy.core.document import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from proxy.core.bodies.element import Node
    from proxy.core.content_type import ContentType

STYLE_SHEET = "?xml-stylesheet"
_MAX_DEPTH = 200
# What stands before the root (XML 1.0 §2.8); each part matches in one way only.
_MISC = r"(?:\s|<!--(?:(?!-->).)*+-->|<\?(?:(?!\?>).)*+\?>)*+"
_QUOTED = r"""(?:"[^"]*"|'[^']*')"""
_HEAD = re.compile(
    rf"""(?P<before>{_MISC})(?:<!DOCTYPE\s+[^\s>\["']+\s*(?P<id>(?:PUBLIC|SYSTEM)(?:\s*{_QUOTED})+)?\s*(?P<subset>\[)?)?""",
    re.DOTALL,
)
_DECLARES = re.compile(r"<!(?:ENTITY|ATTLIST)\b")
_STYLE_SHEET = re.compile(r"<\?xml-stylesheet\s+((?:(?!\?>).)*+)\?>", re.DOTALL)
# lxml takes no str with a declaration of its encoding, and needs none.
_DECLARATION = re.compile(r"\s*<\?xml\b[^>]*\?>")
_REFERENCE = re.compile(r"<!\[CDATA\[(?:(?!\]\]>).)*+\]\]>|<!--(?:(?!-->).)*+-->|&([A-Za-z_][\w.\-]*);", re.DOTALL)
_BUILT_IN = frozenset({"amp", "lt", "gt", "quot", "apos"})
# Document types whose entities are known: those of HTML (XHTML 1.0 appendix A.2; RSS 0.91 took over Latin 1).
_HTML_TYPES = re.compile(r"""PUBLIC\s*["']-//(?:W3C|WAPFORUM|Netscape Communications)//DTD (?:XHTML|RSS)\b""")
_XML_SPACE = "{http://www.w3.org/XML/1998/namespace}"
_XLINK = "{http://www.w3.org/1999/xlink}"
_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"


def _is_declared(declared: ContentType) -> bool:
    return declared.essence in {"application/xml", "text/xml"} or declared.essence.endswith("+xml")


def _looks_like(_declared: ContentType, text: str) -> bool:
    return text.lstrip()[:5] == "<?xml"


XML = TextForm("xml", _is_declared, _looks_like, read_markup)
XHTML_PAGE = TextForm(
    "html",
    lambda declared: declared.essence == "application/xhtml+xml",
    lambda _declared, _text: False,
    lambda text: Page(read_markup(text), is_xml=True),
)


def parse_xml(text: str) -> Element | None:
    """The document's tree; None where it isn't well-formed.

    Raises Unreadable: "no_xml" without the extra, "entities" where it declares some (they may grow without end, or
    read files) or names one that only its document type knows, "depth".
    """
    try:
        from lxml import etree  # noqa: PLC0415  # workers, which parse no document, don't load it
    except ImportError:
        raise Unreadable("no_xml") from None
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    bare = _DECLARATION.sub("", _without_entities(text), count=1)
    try:
        root = etree.fromstring(bare.encode("utf-8", "surrogatepass"), parser)
    except etree.XMLSyntaxError as error:
        if "depth" in str(error):
            raise Unreadable("depth") from None
        return None
    return _element(root, 0, None, keeps_blanks=False)


def parse_page(page: Page) -> Element | None:
    """The page's tree, by the parser that browsers have for it; None where it is no well-formed XML. Raises as both."""
    return parse_xml(page.text) if page.is_xml else parse_html(page.text)


def said_before_root(text: str) -> dict[str, str]:
    """The document type and the style sheets, by the places where they are compared."""
    head = _HEAD.match(text)
    if head is None:
        return {}
    sheets = " ".join(_STYLE_SHEET.findall(text, 0, head.end()))
    return ({DOCTYPE: " ".join(head["id"].split())} if head["id"] else {}) | ({STYLE_SHEET: sheets} if sheets else {})


def _without_entities(text: str) -> str:
    """The text with references to HTML's characters as numbers. Without a document type any other is a fault in it."""
    head = _HEAD.match(text)
    if head is None or head.end() == head.end("before"):
        return text
    if head["subset"] and _DECLARES.search(text, head.end()):  # defaults of attributes would be missing as well
        raise Unreadable("entities")
    if not head["id"]:
        return text
    known = html5 if _HTML_TYPES.match(head["id"]) else {}

    def numbered(found: re.Match[str]) -> str:
        name = found[1]
        if name is None or name in _BUILT_IN:
            return found[0]
        if f"{name};" not in known:
            raise Unreadable("entities")
        return "".join(f"&#{ord(character)};" for character in known[f"{name};"])

    return _REFERENCE.sub(numbered, text) if "&" in text else text


def _element(node: Any, depth: int, setting: Setting | None, *, keeps_blanks: bool) -> Element:
    """`setting` is the page's that the element is in, None outside of any; `keeps_blanks` is XML's."""
    space, _, name = str(node.tag).removeprefix("{").rpartition("}")
    if space == XHTML:
        setting = setting or Setting()
    display = "block" if setting is None else setting.display_of(name)
    if space == XHTML and name == "input" and node.get("type") == "hidden":
        display = "none"
    source = _DocumentNode(node, name, depth, setting, is_html=space == XHTML, keeps_blanks=keeps_blanks)
    # As in pages: what has no namespace there is of HTML.
    return Element(name if space == XHTML else f"{{{space}}}{name}", source, display)


class _DocumentNode:
    """An element of libxml2's tree, and what it is in."""

    def __init__(
        self, node: Any, name: str, depth: int, setting: Setting | None, *, is_html: bool, keeps_blanks: bool
    ) -> None:
        self._node = node
        self._name = name
        self._depth = depth
        self._setting = setting
        self._is_html = is_html
        said = node.get(f"{_XML_SPACE}space")
        self._keeps_blanks = said == "preserve" if said in {"preserve", "default"} else keeps_blanks

    def label(self) -> str:
        return page_label(self._name, self._node.get("id")) if self._is_html else self._name

    def attributes(self) -> dict[str, str]:
        given = self._given()
        return dict(page_attributes(self._name, given)) if self._is_html else given

    def children(self) -> Iterable[Node]:
        if self._setting is not None:
            setting = self._setting.within(self._name, self._given())
            raw = self._raw_children(setting)
            is_line = self._setting.display_of(self._name) == "line"
            return raw if setting.keeps_blanks else without_unseen_blanks(raw, is_line=is_line)
        children = [*self._raw_children(None)]
        if not self._keeps_blanks and any(isinstance(child, Element) for child in children):
            return (child for child in children if isinstance(child, Element) or child.strip())
        return children

    def is_json(self) -> bool:
        return self._is_html and is_json_script(self._name, self._node.get("type"))

    def written(self) -> str:
        from lxml import etree  # noqa: PLC0415  # as above

        return f"{self._setting} {self._keeps_blanks} {etree.tostring(self._node, encoding='unicode', with_tail=False)}"

    def _given(self) -> dict[str, str]:
        given = {_attribute(str(name)): str(text) for name, text in self._node.attrib.items()}
        if ":" in (said := given.get(_TYPE, "")):  # the one attribute of which all know that prefixes are in its value
            prefix, _, name = said.partition(":")
            given[_TYPE] = f"{{{self._node.nsmap.get(prefix, prefix)}}}{name}"
        return given

    def _raw_children(self, setting: Setting | None) -> Iterator[Node]:
        shown = str if setting is None else setting.shown
        if self._node.text:
            yield shown(self._node.text)
        for child in self._node:
            check_depth(self._depth + 1, _MAX_DEPTH)
            yield _element(child, self._depth + 1, setting, keeps_blanks=self._keeps_blanks)
            if child.tail:
                yield shown(child.tail)


def _attribute(name: str) -> str:
    """`xml` is bound in every document; `xlink` is what pages call it."""
    return name.replace(_XML_SPACE, "xml:").replace(_XLINK, "xlink:") if name.startswith("{") else name
