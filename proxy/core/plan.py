"""What another config would change: for each route the users it moves, and every key that reads differently.

1. A user is on new in a route when `bucket < percentage * 1000` (law 2). As long as salt, group and keys of the users
   stay, raising a percentage from p to q moves q - p of all users forward and nobody back; lowering it only back.
2. Another salt, group, or place where the user's key is taken from deals the users anew: of those on new (p) all but q
   of them go back, and of the others q of them go forward. That is the expected share, and it is said as a reshuffle.
3. Shares are of all users with a key; pins and holds are not counted. An added route's users come from legacy, where
   unmatched requests go, and a removed one's go there (law 9): what another route would match instead isn't looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from proxy.core.model import ALL_MILLIPERCENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from proxy.core.model import Migration, Route

Fate = Literal["added", "removed", "kept"]


@dataclass(frozen=True, slots=True)
class RoutePlan:
    """One route before and after. `before` and `after` are percentages in force but for holds, None where it isn't.

    `forward` and `back` are percentages of all users: those who come to new, and those who go back to legacy.
    """

    name: str
    fate: Fate
    before: float | None
    after: float | None
    forward: float
    back: float
    is_reshuffled: bool


@dataclass(frozen=True, slots=True)
class Change:
    """A key that reads differently. `path` is as in the file: `routes.feeds.shadow.timeout`; None: it isn't set."""

    path: str
    before: Any
    after: Any


def plan_routes(before: Migration, after: Migration) -> list[RoutePlan]:
    """A line for each route: those of the new config in its order, then the removed ones."""
    old = {route.name: route for route in before.routes}
    new = {route.name: route for route in after.routes}
    names = [*new, *(name for name in old if name not in new)]
    return [_plan_route(before, after, old.get(name), new.get(name)) for name in names]


def _plan_route(before: Migration, after: Migration, old: Route | None, new: Route | None) -> RoutePlan:
    was, becomes = _in_force(before, old), _in_force(after, new)
    is_reshuffled = _is_dealt_anew(before, after, old, new) and max(was, becomes) > 0 and min(was, becomes) < 1
    if is_reshuffled:
        forward, back = (1 - was) * becomes, was * (1 - becomes)
    else:
        forward, back = max(becomes - was, 0), max(was - becomes, 0)
    route = new or old
    return RoutePlan(
        name=route.name if route is not None else "",
        fate="added" if old is None else "removed" if new is None else "kept",
        before=None if old is None else _percent(was),
        after=None if new is None else _percent(becomes),
        forward=_percent(forward),
        back=_percent(back),
        is_reshuffled=is_reshuffled,
    )


def _in_force(migration: Migration, route: Route | None) -> float:
    """The share of users on new, 0 to 1."""
    return 0.0 if route is None or migration.kill_switch else route.millipercent / ALL_MILLIPERCENT


def _is_dealt_anew(before: Migration, after: Migration, old: Route | None, new: Route | None) -> bool:
    if old is None or new is None:
        return False
    return (before.users.salt, before.users.key, old.group) != (after.users.salt, after.users.key, new.group)


def _percent(share: float) -> float:
    return round(share * 100, 3)


def changed_keys(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """Every key that two configs' documents give another value; in the order of the new one, removed keys last.

    Lists are compared whole. Routes that only stand in another order, which decides what matches first, are one change.
    """
    changes = list(_changed(before, after, ""))
    order, other = list(before.get("routes", {})), list(after.get("routes", {}))
    if order != other and sorted(order) == sorted(other):
        changes.append(Change("routes (their order)", order, other))
    return changes


def _changed(before: Any, after: Any, path: str) -> Iterator[Change]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in [*after, *(name for name in before if name not in after)]:
            yield from _changed(before.get(name), after.get(name), f"{path}.{name}" if path else name)
    elif before != after:
        yield Change(path, before, after)
