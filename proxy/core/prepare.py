"""A parsed document made ready for the walk: what is ignored is taken out, unordered lists are put in one order.

Rules without `..` go straight to their places, so their cost is that of the places, not of the document.
Documents are changed in place: they belong to one comparison. What two of them share is made ready with the first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from proxy.core.canonical import canonical
from proxy.core.document import Repeated, Repeating
from proxy.core.paths import DEEP, EACH, advanced, closed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from proxy.core.model import CompareRules
    from proxy.core.paths import Path, Step


class _Ignored:
    """Stands in a list for an ignored item, so that the indexes of the others stay true."""

    def __repr__(self) -> str:
        return "<ignored>"


IGNORED_ITEM: Final = _Ignored()
_Container = dict[str, Any] | list[Any]
_Found = tuple["_Container", "str | int"]


def prepare(document: Any, rules: CompareRules, ready: frozenset[int] = frozenset()) -> Any:
    """The document without ignored places and with each unordered list sorted. `$` ignored leaves None.

    `ready` are the identities of containers in it that are ready already, whose place is the same in both documents.
    """
    for path in rules.ignore:
        if not path.steps:
            return None
        _remove(document, path, ready)
    # Longer paths first, so that inner lists are in order before the items around them are.
    for path in sorted(rules.unordered, key=lambda path: -len(path.steps)):
        _sort_places(document, path, ready)
    return document


def mark_ignored(document: Any, ignored: Iterable[Path], mark: object) -> Any:
    """The document with `mark` in each ignored place, for people to look at. It is changed in place."""
    for path in ignored:
        if not path.steps:
            return mark
        for container, part in list(_places(document, path.steps, frozenset())):
            container[part] = mark  # type: ignore[index]  # a name with a dict, an index with a list
    return document


def has_place(document: Any, path: Path) -> bool:
    """Whether the path leads anywhere in the document."""
    return not path.steps or next(_places(document, path.steps, frozenset()), None) is not None


def _remove(document: Any, path: Path, ready: frozenset[int]) -> None:
    """Take out every place that the path names."""
    for container, part in list(_places(document, path.steps, ready)):
        if isinstance(container, dict):
            container.pop(str(part), None)
        elif isinstance(part, int):
            container[part] = IGNORED_ITEM
    # An ignored item at the end of one list must not be missing from the other.
    for container, _ in list(_places(document, path.steps, ready)):
        if isinstance(container, list):
            while container and container[-1] is IGNORED_ITEM:
                container.pop()


def _sort_places(document: Any, path: Path, ready: frozenset[int]) -> None:
    if not path.steps:
        _sort(document)
        return
    for container, part in list(_places(document, path.steps, ready)):
        value = container[part]  # type: ignore[index]  # a name with a dict, an index with a list
        if id(value) not in ready:
            _sort(value)


def _sort(value: Any) -> None:
    if isinstance(value, Repeated):
        for item in value:
            _sort(item)
    elif isinstance(value, list):
        value[:] = sorted((item for item in value if item is not IGNORED_ITEM), key=canonical)


def _places(value: Any, steps: tuple[Step, ...], ready: frozenset[int]) -> Iterator[_Found]:
    """Each (container, name or index) that the steps lead to; inner ones before the ones around them."""
    if DEEP in steps:
        yield from _deep_places(value, steps, {0}, ready)
        return
    step, rest = steps[0], steps[1:]
    for container, part in _selected(value, step):
        if not rest:
            yield container, part
            continue
        below = container[part]  # type: ignore[index]  # as above
        if id(below) not in ready:
            yield from _places(below, rest, ready)


def _deep_places(value: Any, steps: tuple[Step, ...], states: set[int], ready: frozenset[int]) -> Iterator[_Found]:
    """As `_places`. `states` are the steps that may come next: with them each value is visited once, however many
    ways lead to it, which for `$..a..b..c` are as many as there are triples of levels.
    """
    states = closed(states, steps)
    for container, part in _selected(value, EACH):
        following = advanced(states, steps, part)
        below = container[part]  # type: ignore[index]  # as above
        if following and id(below) not in ready:
            yield from _deep_places(below, steps, following, ready)
        if len(steps) in following:
            yield container, part


def _selected(value: Any, step: Step) -> Iterator[_Found]:
    if isinstance(value, Repeating):
        yield from _selected(value.members, step)
        yield from _selected(value.earlier, step)
    elif isinstance(value, Repeated):
        for item in value:
            yield from _selected(item, step)
    elif isinstance(value, dict):
        if step is EACH:
            yield from [(value, key) for key in value]
        elif isinstance(step, str) and step in value:
            yield value, step
    elif isinstance(value, list):
        if step is EACH:
            yield from [(value, index) for index in range(len(value))]
        elif isinstance(step, int) and step < len(value):
            yield value, step
