"""Differences as they come in: grouped by signature, counted exactly, bounded in number per route.

The caller holds the routes (`users.lock_routes`), so that the room left among a route's signatures and the state
a sighting leads to are decided on rows that nobody else changes; a triage decision waits for the row itself.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, delete, func, select

from proxy.core.signature import ALGORITHM
from proxy.core.triage import Track, state_after_sighting, state_at
from proxy.store.counts import compared
from proxy.store.examples import add_examples
from proxy.store.fixed import note_regressed
from proxy.store.tables import DECIDED, SIGNATURES
from proxy.store.trend import add_minutes
from proxy.store.upsert import insert_into
from proxy.store.values import Written

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import Connection, RowMapping

    from proxy.core.signature import Signature
    from proxy.store.limits import Limits
    from proxy.store.values import Sighting

_Groups = dict[str, list["Sighting"]]
MAX_VERSIONS = 10  # of the new backend; which deployment brought a difference is seen in the latest ones
_NOBODY = frozenset({"", "changeover"})
_SHARE_THAT_GIVES_WAY = 20  # one in so many, in one batch
_SLICE = 1_000  # signatures looked up at once; SQLite takes 32,766 parameters, a plan for 1,000 is still quick


def add_sightings(connection: Connection, sightings: Sequence[Sighting], limits: Limits) -> Written:
    """Adds the sightings and their examples; says what found no room."""
    overflow: Counter[str] = Counter()
    oversized: Counter[str] = Counter()
    appeared: list[Signature] = []
    regressed: list[Signature] = []
    all_full: set[str] = set()
    for groups in _slices(_grouped(sightings)):
        rows = _stored(connection, groups)
        tracks = {id_: track(row) for id_, row in rows.items()}
        full, evicted = _made_room(connection, groups, tracks, limits.signatures_per_route)
        overflow.update(evicted)
        all_full |= full
        admitted = _admitted(connection, groups, tracks, limits.signatures_per_route)
        _upsert(connection, admitted, rows, regressed)
        appeared += [
            one for id_, group in admitted.items() if id_ not in rows and (one := group[0].signature).route not in full
        ]
        add_minutes(connection, (one for group in admitted.values() for one in group))
        oversized.update(add_examples(connection, admitted, limits))
        overflow.update(_left_out(groups, admitted))
    return Written(dict(overflow), dict(oversized), tuple(appeared), tuple(regressed), tuple(sorted(all_full)))


def track(row: Mapping[Any, Any]) -> Track:
    """What of a stored signature its state depends on."""
    return Track(
        row["state"],
        row["until"],
        row["count"],
        row["last_seen"],
        row["compared_at_last_seen"],
        row["ruled_at"],
        is_decided=row["who"] not in _NOBODY,
    )


def _grouped(sightings: Iterable[Sighting]) -> _Groups:
    """Signature -> its sightings, oldest first; signatures in the order of their first sighting."""
    groups: _Groups = {}
    for sighting in sorted(sightings, key=lambda sighting: sighting.at):
        groups.setdefault(sighting.signature.id, []).append(sighting)
    return groups


def _slices(groups: _Groups) -> Iterator[_Groups]:
    ids = list(groups)
    for start in range(0, len(ids), _SLICE):
        yield {id_: groups[id_] for id_ in ids[start : start + _SLICE]}


def _stored(connection: Connection, ids: Iterable[str]) -> dict[str, RowMapping]:
    rows = connection.execute(
        select(SIGNATURES).where(SIGNATURES.c.id.in_(ids)).order_by(SIGNATURES.c.id).with_for_update()
    ).mappings()
    return {row["id"]: row for row in rows}


def _made_room(
    connection: Connection, groups: _Groups, stored: Mapping[str, Track], limit: int
) -> tuple[set[str], Counter[str]]:
    """The routes that were full; in each that is, the rarest signatures that nobody decided about give way to new ones.

    Route -> how often those were seen. A flood of new ones in one batch takes no more than a share of the places, and
    the next one the same, or it would drive out what is seen every day.
    """
    new = Counter(_route(group) for id_, group in groups.items() if id_ not in stored)
    numbers = _numbers(connection, set(new))
    lacking = {route: more for route in new if (more := numbers[route] + new[route] - limit) > 0}
    gone: Counter[str] = Counter()
    table = SIGNATURES.c
    for route, number in sorted(lacking.items()):
        undecided = table.who.in_(_NOBODY) & table.state.not_in(DECIDED) & table.id.not_in(list(groups))
        rarest = connection.execute(
            select(table.id, table.count)
            .where(table.route == route, undecided)
            .order_by(table.count, table.last_seen)
            .limit(min(number, max(1, limit // _SHARE_THAT_GIVES_WAY)))
            .with_for_update(skip_locked=True)
        ).all()
        gone[route] += sum(count for _, count in rarest)
        connection.execute(delete(SIGNATURES).where(table.id.in_([id_ for id_, _ in rarest])))
    return {route for route in lacking if numbers[route] >= limit}, gone


def _admitted(connection: Connection, groups: _Groups, stored: Mapping[str, Track], limit: int) -> _Groups:
    """The groups that are known or still find room on their route."""
    unknown = {_route(group) for id_, group in groups.items() if id_ not in stored}
    room = {route: limit - number for route, number in _numbers(connection, unknown).items()}
    admitted: _Groups = {}
    for id_, group in groups.items():
        if id_ not in stored:
            room[_route(group)] -= 1
            if room[_route(group)] < 0:
                continue
        admitted[id_] = group
    return admitted


def _numbers(connection: Connection, routes: set[str]) -> dict[str, int]:
    if not routes:
        return {}
    rows = connection.execute(
        select(SIGNATURES.c.route, func.count()).where(SIGNATURES.c.route.in_(routes)).group_by(SIGNATURES.c.route)
    )
    return dict.fromkeys(routes, 0) | {route: number for route, number in rows}  # noqa: C416  # for mypy


def _upsert(
    connection: Connection, groups: _Groups, stored: Mapping[str, RowMapping], regressed: list[Signature]
) -> None:
    """Stores the groups; those that were fixed are added to `regressed`."""
    if not groups:
        return
    totals = compared(connection, {_route(group) for group in groups.values()})
    rows = [_row(id_, group, stored.get(id_), totals[_route(group)]) for id_, group in sorted(groups.items())]
    for row in rows:
        group, before = groups[row["id"]], stored.get(row["id"])
        if before is not None and state_at(track(before), row["compared_at_last_seen"], group[-1].at) == "fixed":
            regressed.append(group[0].signature)
            note_regressed(connection, group[-1].at, row["id"], track(before), row["compared_at_last_seen"])
    table = SIGNATURES.c
    insert = insert_into(connection, SIGNATURES)
    new = insert.excluded
    connection.execute(
        insert.on_conflict_do_update(
            index_elements=[table.id],
            set_={
                "count": table.count + new.count,
                "state": new.state,
                "versions": new.versions,
                "fixed_at": None,
                "first_seen": case((new.first_seen < table.first_seen, new.first_seen), else_=table.first_seen),
                "last_seen": case((new.last_seen > table.last_seen, new.last_seen), else_=table.last_seen),
                "compared_at_last_seen": case(
                    (new.compared_at_last_seen > table.compared_at_last_seen, new.compared_at_last_seen),
                    else_=table.compared_at_last_seen,
                ),
            },
        ),
        rows,
    )


def _row(id_: str, group: list[Sighting], stored: RowMapping | None, total: int) -> dict[str, Any]:
    signature = group[0].signature
    before = None if stored is None else track(stored)
    so_far = max(total, *(sighting.compared_total for sighting in group))
    return {
        "id": id_,
        "route": signature.route,
        "kind": signature.kind,
        "path": signature.path,
        "shape": signature.shape,
        "algorithm": ALGORITHM,
        "state": state_after_sighting(before, so_far, group[-1].at) if before else "new",
        "count": sum(sighting.count for sighting in group),
        "first_seen": group[0].at,
        "last_seen": group[-1].at,
        "compared_at_last_seen": so_far,
        "versions": _versions(() if stored is None else stored["versions"], group),
    }


def _versions(before: Iterable[str], group: Iterable[Sighting]) -> list[str]:
    """The latest versions, each once, in the order in which they were first met."""
    met = dict.fromkeys([*before, *(version for sighting in group for version in sighting.versions)])
    return list(met)[-MAX_VERSIONS:]


def _left_out(groups: _Groups, admitted: _Groups) -> Counter[str]:
    overflow: Counter[str] = Counter()
    for id_ in groups.keys() - admitted.keys():
        overflow[_route(groups[id_])] += sum(sighting.count for sighting in groups[id_])
    return overflow


def _route(group: list[Sighting]) -> str:
    return group[0].signature.route
