"""One percentage changed in the text of a config, and nothing else: comments, quotes and line ends stay.

1. The value is replaced by its span in the source; no YAML is written anew.
2. All lines of a group that state the percentage change together (law 2).
3. The result is read again: unless exactly the wished routes changed, the edit is refused. That is how values that
   other routes share through an alias are left alone.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import TYPE_CHECKING

from proxy.config import scalars
from proxy.config.load import parse
from proxy.config.source import compose
from proxy.config.spans import Change, applied, first_entry, mapping, own
from proxy.config.suggest import suggestion
from proxy.errors import ConfigError, NotFound, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from proxy.config.source import Source
    from proxy.core.model import Migration

_ADVICE = "write rollout: {percentage: ...} into the route"


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
    changed = applied(text, _changes(text, source, route, members, str(scalars.percentage_number(wanted))))
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
    node = own(source, ("routes", route, "rollout", "percentage"), _ADVICE)
    # The span of a node begins at its anchor or tag; the number stands at its end.
    start = node.end_mark.index - len(node.value)
    if text[start : node.end_mark.index] != node.value:
        raise Refused(f"the percentage of the route {route!r} is written in an unusual way; edit it by hand")
    return Change(start, node.end_mark.index, number)


def _addition(text: str, source: Source, route: str, number: str) -> Change:
    loc = ("routes", route)
    rollout = source.entries(mapping(own(source, loc, _ADVICE))).get("rollout")
    if rollout is None:
        return first_entry(text, source, loc, f"rollout: {{percentage: {number}}}", _ADVICE)
    return first_entry(text, source, (*loc, "rollout"), f"percentage: {number}", _ADVICE)
