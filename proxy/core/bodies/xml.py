"""XML as it is meant: names with their namespaces, attributes in any order, texts; no entity, and never the network.

What Canonical XML (W3C, C14N 1.1) makes one is one: quotes, empty elements' notation, CDATA, character references. Nor
do prefixes count, comments, processing instructions, and blanks between elements. The library is an extra.
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

_MAX_DEPTH = 200
_ENTITY = re.compile(r"<!ENTITY\b", re.IGNORECASE)
# lxml takes no str with a declaration of its encoding, and needs none.
_DECLARATION = re.compile(r"\s*<\?xml\b[^>]*\?>")
_SPACE = "{http://www.w3.org/XML/1998/namespace}space"


def _is_declared(declared: ContentType) -> bool:
    return declared.essence in {"application/xml", "text/xml"} or declared.essence.endswith("+xml")


def _looks_like(_declared: ContentType, text: str) -> bool:
    return text.lstrip()[:5] == "<?xml"


XML = TextForm("xml", _is_declared, _looks_like, read_markup)


def parse_xml(text: str) -> Element | None:
    """The document's tree; None where it isn't well-formed.

    Raises Unreadable: "no_xml" without the extra, "entities" where it declares some (they may grow without end, or
    read files), "depth".
    """
    try:
        from lxml import etree  # noqa: PLC0415  # workers, which parse no document, don't load it
    except ImportError:
        raise Unreadable("no_xml") from None
    if _ENTITY.search(text):
        raise Unreadable("entities")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(_DECLARATION.sub("", text, count=1).encode("utf-8", "surrogatepass"), parser)
    except etree.XMLSyntaxError as error:
        if "depth" in str(error):
            raise Unreadable("depth") from None
        return None
    return _element(root, 0)


def _element(node: Any, depth: int) -> Element:
    check_depth(depth, _MAX_DEPTH)
    attributes = {str(name): str(text) for name, text in node.attrib.items()}
    children = [*_children(node, depth)]
    if attributes.get(_SPACE) != "preserve" and any(isinstance(child, Element) for child in children):
        children = [child for child in children if isinstance(child, Element) or child.strip()]
    return Element(str(node.tag), _local(str(node.tag)), attributes, tuple(children))


def _children(node: Any, depth: int) -> Iterator[Node]:
    if node.text:
        yield node.text
    for child in node:
        yield _element(child, depth + 1)
        if child.tail:
            yield child.tail


def _local(name: str) -> str:
    return name.rpartition("}")[2]
