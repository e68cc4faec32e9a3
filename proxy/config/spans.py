"""Spans of a config's text: where a value stands, and putting other text there. Nothing else of the text changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ruamel.yaml.nodes import MappingNode, Node

from proxy.errors import Refused

if TYPE_CHECKING:
    from proxy.config.source import Source


@dataclass(frozen=True, slots=True)
class Change:
    """Text to put in the place of the characters from `start` to `end`."""

    start: int
    end: int
    text: str


def applied(text: str, changes: list[Change]) -> str:
    """The text with all changes, whose spans don't overlap."""
    for change in sorted(changes, key=lambda each: each.start, reverse=True):
        text = text[: change.start] + change.text + text[change.end :]
    return text


def own(source: Source, loc: tuple[str, ...], advice: str) -> Node:
    """The node written at a place. Raises Refused, with the advice, for one from an alias or a merge key."""
    node = source.root
    for depth, key in enumerate(loc, start=1):
        entry = source.entries(mapping(node))[key]
        # An alias stands for a node that begins before its own key.
        if entry.is_merged or entry.value.start_mark.index < entry.key.end_mark.index:
            line = entry.value.start_mark.line + 1
            raise Refused(
                f"{'.'.join(loc[:depth])} comes from an alias or a merge key (line {line}), which others may share; "
                f"{advice} {loc[1]!r}, or edit line {line} by hand"
            )
        node = entry.value
    return node


def mapping(node: Node) -> MappingNode:
    if not isinstance(node, MappingNode):  # pragma: no cover  # the config is valid
        raise Refused(f"line {node.start_mark.line + 1} is not a mapping; edit it by hand")
    return node


def first_entry(text: str, source: Source, loc: tuple[str, ...], entry: str, advice: str) -> Change:
    """The entry put before the first one of a mapping, in the mapping's own style."""
    node = mapping(own(source, loc, advice))
    if not node.value:
        at = text.index("{", node.start_mark.index) + 1
        return Change(at, at, entry)
    at = node.value[0][0].start_mark.index
    if node.flow_style:
        return Change(at, at, f"{entry}, ")
    line_start = text.rfind("\n", 0, at) + 1
    indentation = text[line_start:at]
    if indentation.strip():
        raise Refused(f"{'.'.join(loc)} begins in the middle of a line; write {entry} into it by hand")
    newline = "\r\n" if text[:line_start].endswith("\r\n") else "\n"
    return Change(at, at, f"{entry}{newline}{indentation}")
