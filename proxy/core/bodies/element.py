"""An element of a page or of XML as it is compared: of it is read what somebody asks for.

What makes one, from whatever parser, is a `Source`. Elements that are written alike are equal; of the others the digest
decides, which takes all that is in them to be read.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Literal, Protocol

from proxy.core.document import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable

TEXT = "#text"
XHTML = "http://www.w3.org/1999/xhtml"


class Source(Protocol):
    """What an element is read from. Each method is asked at most once."""

    def label(self) -> str:
        """What paths say in place of the name."""
        ...

    def attributes(self) -> dict[str, str]:
        """Name -> value, as they are compared."""
        ...

    def children(self) -> Iterable[Node]:
        """As they are compared, in their order. Raises Unreadable("depth")."""
        ...

    def is_json(self) -> bool:
        """Whether its text is a JSON document."""
        ...

    def written(self) -> str | None:
        """A text that says all that is in the element; None where there's no such text."""
        ...


Display = Literal["block", "line", "box", "none"]
"""How an element of a page stands there: on its own lines, in a line, in one but with lines of its own, or hidden."""


class Element:
    """One element, of which is read what somebody asks for. Equal are those of one digest; `name` is compared."""

    __slots__ = ("_attributes", "_children", "_digest", "_label", "_written", "display", "name", "source")

    def __init__(self, name: str, source: Source, display: Display = "block") -> None:
        self.name = name
        self.source = source
        self.display = display
        self._label: str | None = None
        self._attributes: dict[str, str] | None = None
        self._children: tuple[Node, ...] | None = None
        self._written: str | None = None
        self._digest: bytes | None = None

    @property
    def label(self) -> str:
        if self._label is None:
            self._label = self.source.label()
        return self._label

    @property
    def attributes(self) -> dict[str, str]:
        if self._attributes is None:
            self._attributes = self.source.attributes()
        return self._attributes

    @property
    def children(self) -> tuple[Node, ...]:
        if self._children is None:
            self._children = tuple(self.source.children())
        return self._children

    @property
    def written(self) -> str:
        """Elements written alike are equal, others may be. Texts in place of elements begin with `#`, these don't."""
        if self._written is None:
            self._written = self.source.written() or self.digest.hex()
        return self._written

    @property
    def digest(self) -> bytes:
        if self._digest is None:
            whole = self.name, sorted(self.attributes.items()), [*map(digest_of, self.children)]
            self._digest = sha256(repr(whole).encode()).digest()
        return self._digest


Node = Element | str


def namespace_of(element: Element) -> str:
    """The namespace; "" where there is none. Names without braces are those of HTML."""
    return element.name[1:].partition("}")[0] if element.name.startswith("{") else XHTML


def local_name_of(element: Element) -> str:
    """The name without its namespace."""
    return element.name.rpartition("}")[2]


def name_of(node: Node) -> str:
    """What two nodes share that may be one: elements of one name and label."""
    return TEXT if isinstance(node, str) else f"{node.name}\0{node.label}"


def digest_of(node: Node) -> str | bytes:
    """Equal for equal nodes, and for no others."""
    return node if isinstance(node, str) else node.digest


def written_of(node: Node) -> str:
    """Equal for equal nodes only, but not for all of them."""
    return f"#{node}" if isinstance(node, str) else node.written


def text_of(element: Element) -> str:
    """The texts that stand in the element itself."""
    return "".join(child for child in element.children if isinstance(child, str))


def read_markup(text: str) -> str:
    """The text itself: it is parsed when it is compared. Raises ValueError for what has no tag."""
    if "<" not in text:
        raise ValueError("no tag")
    return text


def check_depth(depth: int, limits_depth: int) -> None:
    """Raises Unreadable("depth") where an element is nested more deeply than that."""
    if depth > limits_depth:
        raise Unreadable("depth")
