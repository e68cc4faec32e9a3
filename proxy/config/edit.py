"""One percentage changed in the text of a config, and nothing else: comments, quotes and line ends stay.

1. The value is replaced by its span in the source; no YAML is written anew.
2. All lines of a group that state the percentage change together (law 2).
3. The result is read again: unless exactly the wished routes changed, the edit is refused. That is how values that
   other routes share through an alias are left alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import TYPE_CHECKING

from ruamel.yaml.nodes import MappingNode, Node

from proxy.config import scalars
from proxy.config.load import parse
from proxy.config.source import Source, compose
from proxy.config.suggest import suggestion
from proxy.errors import ConfigError, NotFound, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from proxy.core.model import Migration


@dataclass(frozen=True, slots=True)
class Change:
    """Text to put in the place of the characters from `start` to `end`."""

    start: int
    end: int
    text: str


def set_percentage(
    text: str,
    route: str,
    percentage: str | float,
    file: str = "config",
    environ: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """The text with the percentage of a route, and of its whole group.

    Where nobody in the group states one, it is added to the route. Raises ConfigError when the text is not a
    config (`file` is what it names), NotFound for an unknown route, Refused for a percentage that isn't one, and
    where the value can't be changed without changing others (an alias, a merge key), or where a variable of
    `environ` would override it.
    """
    loaded = parse(text, file, environ)
    before, wanted = loaded.migration, _wanted(percentage)
    found = before.route(route)
    if found is None:
        raise NotFound(f"route {route!r} is not in {file}{suggestion(route, [r.name for r in before.routes])}")
    source = compose(text)
    if source is None:  # pragma: no cover  # parse has read it
        raise Refused(f"{file} is empty")
    members = [each.name for each in before.routes if each.group == found.group]
    _refuse_overridden(members, loaded.overridden)
    changed = _applied(text, _changes(text, source, route, members, str(scalars.percentage_number(wanted))))
    _verify(before, lambda: parse(changed, file, environ).migration, found.group, wanted)
    return changed


def _wanted(percentage: str | float) -> int:
    try:
        number = Decimal(percentage) if isinstance(percentage, str) else percentage
        return scalars.millipercent(number)
    except InvalidOperation as error:
        message = f"{percentage!r} is not a number; a percentage is a number from 0 to 100"
        raise Refused(message) from error
    except ValueError as error:
        raise Refused(str(error)) from error


def _applied(text: str, changes: list[Change]) -> str:
    for change in sorted(changes, key=lambda each: each.start, reverse=True):
        text = text[: change.start] + change.text + text[change.end :]
    return text


def _refuse_overridden(members: list[str], overridden: Mapping[str, str]) -> None:
    """Refuse an edit that a variable would hide."""
    for name in members:
        for place in ("routes", f"routes.{name}", f"routes.{name}.rollout", f"routes.{name}.rollout.percentage"):
            if place in overridden:
                raise Refused(
                    f"the percentage of the route {name!r} comes from the variable {overridden[place]}, which wins "
                    "over the file; change or unset the variable, and restart"
                )


def _verify(before: Migration, reread: Callable[[], Migration], group: str, wanted: int) -> None:
    """Refuse an edit whose result is anything but the old config with the new percentage in the group."""
    routes = tuple(replace(each, millipercent=wanted) if each.group == group else each for each in before.routes)
    try:
        after = reread()
    except ConfigError as error:
        raise Refused(f"the change would make the config invalid; edit the percentage by hand: {error}") from error
    if after != replace(before, routes=routes):
        raise Refused(
            f"other values share the percentage of the group {group!r} through an alias and would change with it; "
            "edit it by hand"
        )


# --- where to change -------------------------------------------------------------------------------------------
def _changes(text: str, source: Source, route: str, members: list[str], number: str) -> list[Change]:
    stating = [name for name in members if _states(source, name)]
    if not stating:
        return [_addition(text, source, route, number)]
    return [_replacement(text, source, name, number) for name in stating]


def _states(source: Source, route: str) -> bool:
    rollout = source.value["routes"][route].get("rollout", {})
    return "percentage" in rollout


def _replacement(text: str, source: Source, route: str, number: str) -> Change:
    node = _own(source, ("routes", route, "rollout", "percentage"))
    # The span of a node begins at its anchor or tag; the number stands at its end.
    start = node.end_mark.index - len(node.value)
    if text[start : node.end_mark.index] != node.value:
        raise Refused(f"the percentage of the route {route!r} is written in an unusual way; edit it by hand")
    return Change(start, node.end_mark.index, number)


def _addition(text: str, source: Source, route: str, number: str) -> Change:
    loc = ("routes", route)
    rollout = source.entries(_mapping(_own(source, loc))).get("rollout")
    if rollout is None:
        return _first_entry(text, source, loc, f"rollout: {{percentage: {number}}}")
    return _first_entry(text, source, (*loc, "rollout"), f"percentage: {number}")


def _own(source: Source, loc: tuple[str, ...]) -> Node:
    """The node at a place that is written there, and not brought there by an alias or a merge key."""
    node = source.root
    for depth, key in enumerate(loc, start=1):
        entry = source.entries(_mapping(node))[key]
        # An alias stands for a node that begins before its own key.
        if entry.is_merged or entry.value.start_mark.index < entry.key.end_mark.index:
            line = entry.value.start_mark.line + 1
            raise Refused(
                f"{'.'.join(loc[:depth])} comes from an alias or a merge key (line {line}), which others may share; "
                f"write rollout: {{percentage: ...}} into the route {loc[1]!r}, or edit line {line} by hand"
            )
        node = entry.value
    return node


def _mapping(node: Node) -> MappingNode:
    if not isinstance(node, MappingNode):  # pragma: no cover  # the config is valid
        raise Refused(f"line {node.start_mark.line + 1} is not a mapping; edit it by hand")
    return node


def _first_entry(text: str, source: Source, loc: tuple[str, ...], entry: str) -> Change:
    """The entry put before the first one of a mapping, in the mapping's own style."""
    node = _mapping(_own(source, loc))
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
