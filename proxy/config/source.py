"""A YAML text as a graph of nodes that know their places, and as plain values.

YAML 1.2 by ruamel.yaml: `off`, `no` and `22:30` are text. Read here are the nodes and not what ruamel makes of them,
because a node keeps its exact source text (12.345 stays exact) and its span (for `edit`). Equal keys, empty values,
unknown tags and documents that grow by aliases are faults. What the values mean is for `shape`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import MaxDepthExceededError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

Loc = tuple[str | int, ...]

MAX_VALUES = 100_000  # after aliases: a file of 1 MiB written out has fewer, "a billion laughs" has more
MAX_DEPTH = 40  # the deepest key of a config is at 6; far below Python's recursion limit
NOT_UNICODE = "holds half of a surrogate pair, which is no character; write the whole character"
_TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"
_TAGS = "tag:yaml.org,2002:"
_KINDS = frozenset({"map", "seq", "str", "int", "float", "bool", "null", "timestamp", "merge"})
_INTEGER = re.compile(r"[-+]?[0-9]{1,30}")
_DECIMAL = re.compile(r"[-+]?(?:[0-9]{1,30}\.?[0-9]{0,30}|\.[0-9]{1,30})(?:[eE][-+]?[0-9]{1,3})?")


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong at a place: 1-based line and column, the keys that lead there, and what to do."""

    line: int
    column: int
    loc: Loc
    message: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a mapping; `is_merged` when a merge key `<<` brought it in."""

    key: Node
    value: Node
    is_merged: bool = False


class Malformed(Exception):  # never leaves this package: `load` makes a ConfigError of it
    """The text is not YAML that can be read; `fault` says where and why."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        super().__init__(fault.message)


@dataclass(slots=True)
class Source:
    """The nodes of one text. `value` is its content as dict, list, str, bool, int, Decimal; `faults` what is wrong."""

    root: Node
    value: Any = None
    faults: list[Fault] = field(default_factory=list)
    _entries: dict[int, dict[str, Entry]] = field(default_factory=dict)
    _values_left: int = MAX_VALUES

    def __post_init__(self) -> None:
        self.value = self._read(self.root, ())

    # --- places --------------------------------------------------------------------------------------------
    def node(self, loc: Loc) -> Node:
        """The node at a place, or the deepest one on the way to it that exists."""
        node = self.root
        for step in loc:
            following = self._child(node, step)
            if following is None:
                break
            node = following
        return node

    def _child(self, node: Node, step: str | int) -> Node | None:
        if isinstance(node, MappingNode):
            entry = self.entries(node).get(str(step))
            return entry.value if entry else None
        if isinstance(node, SequenceNode) and isinstance(step, int):
            item: Node = node.value[step]
            return item
        return None

    def position(self, loc: Loc) -> tuple[int, int]:
        """Line and column, from 1, of the value at a place, or of what is nearest to it."""
        return _position(self.node(loc))

    def key_position(self, loc: Loc) -> tuple[int, int]:
        """Line and column, from 1, of the last key of a place."""
        parent = self.node(loc[:-1])
        entry = self.entries(parent).get(str(loc[-1])) if loc and isinstance(parent, MappingNode) else None
        return _position(entry.key) if entry else self.position(loc)

    def entries(self, node: MappingNode) -> dict[str, Entry]:
        """A mapping's keys in the file's order, those of merge keys after its own."""
        return self._read_entries(node, ())

    # --- values --------------------------------------------------------------------------------------------
    def _fault(self, node: Node, loc: Loc, message: str) -> None:
        self.faults.append(Fault(*_position(node), loc, message))

    def _read_entries(self, node: MappingNode, loc: Loc) -> dict[str, Entry]:
        if id(node) in self._entries:
            return self._entries[id(node)]
        # Remembered at once, while it is empty: a mapping that merges itself ends here.
        entries = self._entries[id(node)] = {}
        merged: dict[str, Entry] = {}
        for key, value in node.value:
            if _tag(key) == "merge":
                self._merge(merged, value, loc)
            elif not isinstance(key, ScalarNode):
                self._fault(key, loc, "a key must be plain text")
            elif not is_unicode(key.value):
                self._fault(key, loc, NOT_UNICODE)
            elif key.value in entries:
                first, _ = _position(entries[key.value].key)
                self._fault(key, (*loc, key.value), f"duplicate key, first given in line {first}; remove one")
            else:
                entries[key.value] = Entry(key, value)
        for name, entry in merged.items():
            entries.setdefault(name, entry)
        return entries

    def _merge(self, merged: dict[str, Entry], value: Node, loc: Loc) -> None:
        """Add what `<<: *anchor` or `<<: [*first, *second]` brings; the first that has a key wins."""
        for node in value.value if isinstance(value, SequenceNode) else [value]:
            if not isinstance(node, MappingNode):
                self._fault(value, (*loc, "<<"), "a merge key takes a mapping or a list of mappings")
                continue
            for name, entry in self._read_entries(node, loc).items():
                merged.setdefault(name, Entry(entry.key, entry.value, is_merged=True))

    def _read(self, node: Node, loc: Loc, key: Node | None = None) -> Any:
        self._values_left -= 1
        if self._values_left < 0:
            message = f"the document has more than {MAX_VALUES:,} values once its aliases are written out"
            raise Malformed(Fault(*_position(node), (), message))
        if len(loc) > MAX_DEPTH:
            raise Malformed(Fault(*_position(node), (), _TOO_DEEP))
        if _tag(node) not in _KINDS:
            self._fault(node, loc, f"the tag {_tag(node)} is not supported; write a plain value")
            return None
        if isinstance(node, MappingNode):
            entries = self._read_entries(node, loc)
            return {name: self._read(each.value, (*loc, name), each.key) for name, each in entries.items()}
        if isinstance(node, SequenceNode):
            return [self._read(item, (*loc, index)) for index, item in enumerate(node.value)]
        if _tag(node) == "null":
            # Nothing at all has the place of whatever comes next; its key says more.
            at = key if key is not None and not node.value else node
            self._fault(at, loc, "is empty; give it a value or remove the key")
            return None
        if not is_unicode(node.value):
            self._fault(node, loc, NOT_UNICODE)
            return None
        return scalar_value(_tag(node), node.value)


def is_unicode(text: str) -> bool:
    r"""Whether the text can be written as UTF-8: a lone surrogate, `"\\ud800"`, can't."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def scalar_value(kind: str, text: str) -> str | bool | int | Decimal:
    """The value of a scalar by YAML 1.2's core schema; a form that the schema doesn't know stays text."""
    if kind == "bool" and text.lower() in {"true", "false"}:
        return text.lower() == "true"
    if kind in {"int", "float"}:
        if _INTEGER.fullmatch(text):
            return int(text)
        if _DECIMAL.fullmatch(text):
            return Decimal(text)
    return text


def _tag(node: Node) -> str:
    return (node.tag or "").removeprefix(_TAGS)


def _position(node: Node) -> tuple[int, int]:
    return _place(node.start_mark)


def compose(text: str) -> Source | None:
    """The source of a text, or None for an empty one. Raises Malformed for what is not YAML, or grows without end."""
    yaml = YAML(typ="rt")
    yaml.max_depth = MAX_DEPTH
    yaml.composer.warn_double_anchors = False  # YAML 1.2 §7.1 allows to use an anchor's name again
    try:
        root = yaml.compose(text)
    except MaxDepthExceededError as error:
        raise Malformed(Fault(*_place(error.problem_mark), (), _TOO_DEEP)) from error
    except MarkedYAMLError as error:
        raise Malformed(_marked_fault(error)) from error
    except ReaderError as error:
        raise Malformed(_reader_fault(error, text)) from error
    except (YAMLError, ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, ValueError) as error:
        # ruamel raises these, without a mark, for `%YAML 3.9`, for `"\UFFFFFFFF"` and what else a fuzzer finds.
        raise Malformed(Fault(1, 1, (), f"not YAML that can be read: {type(error).__name__} {error}")) from error
    return None if root is None else Source(root)


def _marked_fault(error: MarkedYAMLError) -> Fault:
    what = ", ".join(part for part in (error.context, error.problem) if part)
    return Fault(*_place(error.problem_mark or error.context_mark), (), f"not YAML: {what}")


def _place(mark: Any) -> tuple[int, int]:
    """Line and column, from 1, of one of ruamel's marks, of which some errors have none."""
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _reader_fault(error: ReaderError, text: str) -> Fault:
    before = text[: error.position]
    line = before.count("\n") + 1
    column = error.position - before.rfind("\n")
    return Fault(line, column, (), f"not YAML: the character U+{ord(text[error.position]):04X} is not allowed")
