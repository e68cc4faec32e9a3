"""One rule added to `compare.ignore`, `unordered` or `pattern` of a route, with a comment that says who and why.

One line changes.

1. The rule comes first in a section that is there; where there is no section or no `compare`, it is begun.
2. The comment ends the line; one that is there stays before it.
3. The result is read again: unless the route's rules grew by this one alone, the edit is refused.
"""

from __future__ import annotations

import json
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from ruamel.yaml.nodes import MappingNode, SequenceNode

from proxy.config.load import parse
from proxy.config.source import compose
from proxy.config.spans import Change, applied, first_entry, mapping, own
from proxy.config.suggest import suggestion
from proxy.core.paths import parse as parse_path
from proxy.core.value_rules import Pattern
from proxy.errors import ConfigError, NotFound, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxy.config.source import Source
    from proxy.core.model import CompareRules, Migration
    from proxy.core.rule_line import RuleLine
    from proxy.core.value_rules import ValueRule

_Place = TypeVar("_Place")  # a path of a body, or the name of a header
_ADVICE = "write compare: {ignore: [...]} into the route"
_BEFORE_PATTERNS = frozenset({"tolerance", "round", "time_window"})  # in the order in which a config is read
MAX_COMMENT_CHARACTERS = 200


def add_rule(
    text: str,
    route: str,
    line: RuleLine,
    comment: str,
    file: str = "config",
    environ: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """The text with one more rule; the same text where it is in force already.

    Raises ConfigError when the text is not a config, NotFound for an unknown route, Refused where the rule can't be
    added without changing something else (an alias, a merge key), or where a variable of `environ` would hide it.
    """
    loaded = parse(text, file, environ)
    found = loaded.migration.route(route)
    if found is None:
        names = [each.name for each in loaded.migration.routes]
        raise NotFound(f"route {route!r} is not in {file}{suggestion(route, names)}")
    wanted = _with(found.compare, line)
    if wanted == found.compare:
        return text
    _refuse_overridden(route, loaded.overridden, line.section)
    source = compose(text)
    if source is None:  # pragma: no cover  # parse has read it
        raise Refused(f"{file} is empty")
    changed = _commented(text, _change(text, source, route, line), comment)
    _verify(loaded.migration, changed, file, environ, route, wanted)
    return changed


def _with(rules: CompareRules, line: RuleLine) -> CompareRules:
    """The rules as they will be read."""
    header = line.place.removeprefix("header:") if line.place.startswith("header:") else None
    if line.section == "pattern":
        pattern = Pattern(line.form)
        if header is not None:
            return replace(rules, header_values=_with_pattern(rules.header_values, header, pattern))
        return replace(rules, values=_with_pattern(rules.values, parse_path(line.place), pattern))
    if header is not None:
        return replace(rules, ignore_headers=rules.ignore_headers | {header})
    path = parse_path(line.place)
    if line.section == "unordered":
        return rules if path in rules.unordered else replace(rules, unordered=(path, *rules.unordered))
    return rules if path in rules.ignore else replace(rules, ignore=(path, *rules.ignore))


def _with_pattern(
    rules: tuple[tuple[_Place, ValueRule], ...], place: _Place, pattern: Pattern
) -> tuple[tuple[_Place, ValueRule], ...]:
    """First among the patterns. One that `defaults` has for the place no longer holds: the route's own wins."""
    if (place, pattern) in rules:
        return rules
    before = [each for each in rules if each[1].kind in _BEFORE_PATTERNS]
    after = [each for each in rules if each[1].kind not in _BEFORE_PATTERNS]
    others = [each for each in after if each[0] != place or not isinstance(each[1], Pattern)]
    return (*before, (place, pattern), *others)


def _refuse_overridden(route: str, overridden: Mapping[str, str], section: str) -> None:
    for place in ("routes", f"routes.{route}", f"routes.{route}.compare", f"routes.{route}.compare.{section}"):
        if place in overridden:
            raise Refused(
                f"{place} comes from the variable {overridden[place]}, which wins over the file; "
                "add the rule there, and restart"
            )


def _change(text: str, source: Source, route: str, line: RuleLine) -> Change:
    loc, section, item = ("routes", route), line.section, json.dumps(line.place, ensure_ascii=False)
    if section == "pattern":
        item = f"{item}: {json.dumps(line.form, ensure_ascii=False)}"
    whole = f"{section}: {{{item}}}" if section == "pattern" else f"{section}: [{item}]"
    if not _has(source, loc, "compare"):
        return first_entry(text, source, loc, f"compare: {{{whole}}}", _ADVICE)
    if not _has(source, (*loc, "compare"), section):
        return first_entry(text, source, (*loc, "compare"), whole, _ADVICE)
    if isinstance(own(source, (*loc, "compare", section), _ADVICE), MappingNode):
        return first_entry(text, source, (*loc, "compare", section), item, _ADVICE)
    return _first_item(text, source, (*loc, "compare", section), item)


def _has(source: Source, loc: tuple[str, ...], key: str) -> bool:
    return key in source.entries(mapping(own(source, loc, _ADVICE)))


def _first_item(text: str, source: Source, loc: tuple[str, ...], item: str) -> Change:
    """The item put before the first one of a list, in the list's own style."""
    node = own(source, loc, _ADVICE)
    if not isinstance(node, SequenceNode):  # pragma: no cover  # the config is valid
        raise Refused(f"{'.'.join(loc)} is not a list; add {item} by hand")
    if node.flow_style:
        at = text.index("[", node.start_mark.index) + 1
        return Change(at, at, f"{item}, " if node.value else item)
    line_start = text.rfind("\n", 0, node.value[0].start_mark.index) + 1
    line = text[line_start : node.value[0].start_mark.index]
    if line.strip() != "-":
        raise Refused(f"{'.'.join(loc)} is written in an unusual way; add {item} to it by hand")
    newline = "\r\n" if text[:line_start].endswith("\r\n") else "\n"
    return Change(line_start, line_start, f"{line}{item}{newline}")


def _commented(text: str, change: Change, comment: str) -> str:
    """The text with the change, and the comment at the end of the line on which the change ends."""
    words = "".join(each if each.isprintable() else " " for each in comment)
    note = f"  # {' '.join(words.split())[:MAX_COMMENT_CHARACTERS]}"
    line, newline, rest = change.text.partition("\n")
    if newline:
        carriage = "\r" if line.endswith("\r") else ""
        return applied(text, [replace(change, text=f"{line.removesuffix(carriage)}{note}{carriage}{newline}{rest}")])
    end = text.find("\n", change.end)
    end = len(text) if end < 0 else end
    end -= text[:end].endswith("\r")
    return applied(text, [change, Change(end, end, note)])


def _verify(
    before: Migration, changed: str, file: str, environ: Mapping[str, str], route: str, wanted: CompareRules
) -> None:
    routes = tuple(replace(each, compare=wanted) if each.name == route else each for each in before.routes)
    try:
        after = parse(changed, file, environ).migration
    except ConfigError as error:
        raise Refused(f"the rule would make the config invalid; add it by hand: {error}") from error
    if after != replace(before, routes=routes):
        raise Refused(f"other values share the rules of the route {route!r} and would change too; add the rule by hand")
