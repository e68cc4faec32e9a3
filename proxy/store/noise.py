"""How often pairs differ at each place, with new and between two answers of legacy; shared by all nodes.

Both kinds of pairs are counted from a route's first noise run on, so that their shares are of the same time. All counts
of a route are halved when they are a week old, or a day where there are many (`halve`): what legacy, or new, did long
ago fades, and both shares stay.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import and_, bindparam, delete, or_, select, update

from proxy.core.evidence import COMPARED
from proxy.core.noise import Judgement, Rates, judge
from proxy.core.signature import place_id
from proxy.store.tables import NOISE_PLACES, NOISE_ROUTES
from proxy.store.upsert import insert_into
from proxy.store.users import lock_routes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Connection

    from proxy.core.signature import Signature
    from proxy.store.values import Shown

HALVED_AFTER_S = 7 * 86_400.0  # weekdays and weekends are in every week; last month's noise fades by 94 %
MANY_HALVED_AFTER_S = 86_400.0  # nights and days
MANY_SELF_PAIRS = 20_000  # half of them still find 1 % beside 3 % (docs/comparing.md)
_SELF_COMPARED = ("self_matches", "self_mismatches")
_SHOWN = ("self_shown", "new_shown", "both_shown", "new_alone", "first_alone", "again_alone")  # as in `Shown`
_NOTHING = (0,) * len(_SHOWN)


@dataclass(frozen=True, slots=True)
class NoiseCounts:
    """`pairs`: route -> pairs of legacy with itself, and with new. `shown`: id -> the numbers of `_SHOWN`."""

    pairs: Mapping[str, tuple[int, int]]
    shown: Mapping[str, tuple[int, ...]]

    def judge(self, signature: Signature, at_place: Iterable[str]) -> Judgement | None:
        """`at_place`: the ids of all signatures of its place. None where the route had no noise run."""
        route = signature.route
        if route not in self.pairs:
            return None
        others = (self._rates(route, id_) for id_ in at_place if id_ != signature.id)
        return judge(self._rates(route, place_id(signature)), self._rates(route, signature.id), others)

    def _rates(self, route: str, id_: str) -> Rates:
        self_pairs, new_pairs = self.pairs[route]
        self_shown, new_shown, *others = self.shown.get(id_, _NOTHING)
        return Rates(self_shown, self_pairs, new_shown, new_pairs, *others)


def add_pairs(connection: Connection, counts: Mapping[tuple[str, int], Mapping[str, int]], at: float) -> None:
    """Adds what was compared, from the counters of a batch; a route without noise runs takes no row."""
    pairs: dict[str, Counter[str]] = {}
    for (route, _), deltas in counts.items():
        pairs.setdefault(route, Counter()).update(
            of_self=sum(deltas.get(name, 0) for name in _SELF_COMPARED),
            of_new=sum(deltas.get(verdict, 0) for verdict in COMPARED),
        )
    first = [
        {"route": route, "since": at, "self_pairs": 0, "new_pairs": 0}
        for route, number in sorted(pairs.items())
        if number["of_self"]
    ]
    if first:
        connection.execute(insert_into(connection, NOISE_ROUTES).on_conflict_do_nothing(), first)
    grown = [{"of_route": route, **number} for route, number in sorted(pairs.items()) if number.total()]
    if grown:
        table = NOISE_ROUTES.c
        connection.execute(
            update(NOISE_ROUTES)
            .where(table.route == bindparam("of_route"))
            .values(
                self_pairs=table.self_pairs + bindparam("of_self"), new_pairs=table.new_pairs + bindparam("of_new")
            ),
            grown,
        )


def add_shown(connection: Connection, shown: Mapping[str, Shown], limit: int) -> None:
    """Adds pairs that showed a place. The caller holds the routes; beyond `limit` rows of one nothing is added."""
    counted = _counted_routes(connection, {each.route for each in shown.values()})
    rows = [
        {"id": id_, "route": each.route, **dict(zip(_SHOWN, each.numbers, strict=True))}
        for id_, each in sorted(shown.items())
    ]
    for route in sorted(counted):
        _add_places(connection, route, [row for row in rows if row["route"] == route], limit)


def _counted_routes(connection: Connection, routes: set[str]) -> set[str]:
    if not routes:
        return set()
    return set(connection.scalars(select(NOISE_ROUTES.c.route).where(NOISE_ROUTES.c.route.in_(routes))))


def _add_places(connection: Connection, route: str, rows: list[dict[str, object]], limit: int) -> None:
    table = NOISE_PLACES.c
    known = set(connection.scalars(select(table.id).where(table.route == route)))
    room = limit - len(known)
    fresh = [row for row in rows if row["id"] not in known][: max(room, 0)]
    admitted = [row for row in rows if row["id"] in known] + fresh
    if not admitted:
        return
    insert = insert_into(connection, NOISE_PLACES)
    connection.execute(
        insert.on_conflict_do_update(
            index_elements=[table.id], set_={name: table[name] + insert.excluded[name] for name in _SHOWN}
        ),
        sorted(admitted, key=lambda row: str(row["id"])),
    )


def noise_counts(connection: Connection, route: str | None) -> NoiseCounts:
    """Of one route, or of all."""
    routes, places = NOISE_ROUTES.c, NOISE_PLACES.c
    pairs = select(routes.route, routes.self_pairs, routes.new_pairs).where(routes.self_pairs > 0)
    shown = select(places.id, *(places[name] for name in _SHOWN))
    if route is not None:
        pairs, shown = pairs.where(routes.route == route), shown.where(places.route == route)
    return NoiseCounts(
        {name: (of_self, of_new) for name, of_self, of_new in connection.execute(pairs)},
        {id_: tuple(numbers) for id_, *numbers in connection.execute(shown)},
    )


def halve(connection: Connection, now: float) -> int:
    """Halves the counts of routes that are old, and forgets what has become nothing; how many routes."""
    table = NOISE_ROUTES.c
    is_old = or_(
        table.since < now - HALVED_AFTER_S,
        and_(table.since < now - MANY_HALVED_AFTER_S, table.self_pairs >= MANY_SELF_PAIRS),
    )
    lock_routes(connection, set(connection.scalars(select(table.route).where(is_old))))
    chosen = select(table.route).where(is_old).order_by(table.route).with_for_update()  # in the order of `add_pairs`
    old = set(connection.scalars(chosen))
    if not old:
        return 0
    halves = {name: table[name] // 2 for name in ("self_pairs", "new_pairs")}
    connection.execute(update(NOISE_ROUTES).where(table.route.in_(old)).values(since=now, **halves))
    places = NOISE_PLACES.c
    shown = {name: places[name] // 2 for name in _SHOWN}
    connection.execute(update(NOISE_PLACES).where(places.route.in_(old)).values(**shown))
    gone = select(table.route).where(table.self_pairs == 0)
    connection.execute(
        delete(NOISE_PLACES).where(
            places.route.in_(old), or_((places.self_shown + places.new_shown) == 0, places.route.in_(gone))
        )
    )
    connection.execute(delete(NOISE_ROUTES).where(table.self_pairs == 0))
    return len(old)
