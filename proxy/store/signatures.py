"""Signatures as people read them: with the state that the evidence gives them now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from proxy.core.signature import Signature
from proxy.core.triage import ALL_STATES, state_at
from proxy.errors import Refused
from proxy.store.counts import compared
from proxy.store.decisions import revision_of, unknown_signature
from proxy.store.examples import examples
from proxy.store.noise import noise_counts
from proxy.store.sightings import track
from proxy.store.tables import SIGNATURES
from proxy.store.trend import TREND_S, minutes_of
from proxy.store.values import SignatureDetail, SignatureRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Connection

    from proxy.store.noise import NoiseCounts


def signatures(connection: Connection, route: str | None, state: str | None, now: float) -> list[SignatureRow]:
    """The signatures of one route or all, in one state or all; by route, the most frequent first."""
    if state is not None and state not in ALL_STATES:
        raise Refused(f"state {state!r}: unknown; give one of {', '.join(sorted(ALL_STATES))}")
    table = SIGNATURES.c
    query = select(SIGNATURES).order_by(table.route, table.count.desc(), table.id)
    if route is not None:
        query = query.where(table.route == route)
    result = connection.execute(query)
    names = tuple(result.keys())
    # Thousands: a RowMapping takes ten times as long to read.
    rows = [dict(zip(names, row, strict=True)) for row in result]
    totals = compared(connection, {row["route"] for row in rows})
    noise = noise_counts(connection, route)
    places = _places(row for row in rows if row["route"] in noise.pairs)
    found = [_signature(row, totals[row["route"]], noise, places, now) for row in rows]
    return [row for row in found if state is None or row.state == state]


def signature(connection: Connection, id_: str, now: float) -> SignatureDetail:
    """One signature with its examples. Raises NotFound."""
    row = connection.execute(select(SIGNATURES).where(SIGNATURES.c.id == id_)).mappings().first()
    if row is None:
        raise unknown_signature(id_)
    total = compared(connection, {row["route"]})[row["route"]]
    noise = noise_counts(connection, row["route"])
    table = SIGNATURES.c
    of_route = select(table.id, table.route, table.kind, table.path).where(table.route == row["route"])
    places = _places(connection.execute(of_route.where(table.path == row["path"])).mappings())
    minutes = minutes_of(connection, id_, now - TREND_S, now)
    return SignatureDetail(_signature(row, total, noise, places, now), examples(connection, id_), minutes, now)


def _places(rows: Iterable[Mapping[Any, Any]]) -> dict[tuple[str, ...], list[str]]:
    """Place -> the ids of its signatures."""
    places: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        places.setdefault(_place(row), []).append(row["id"])
    return places


def _place(row: Mapping[Any, Any]) -> tuple[str, ...]:
    return row["route"], row["kind"], row["path"]


def _signature(
    row: Mapping[Any, Any], total: int, noise: NoiseCounts, places: Mapping[tuple[str, ...], list[str]], now: float
) -> SignatureRow:
    """`places` has those of routes with noise runs: nothing else is judged."""
    judged = None
    if row["route"] in noise.pairs:
        signature = Signature(row["id"], row["route"], row["kind"], row["path"], row["shape"])
        judged = noise.judge(signature, places[_place(row)])
    return SignatureRow(
        id=row["id"],
        route=row["route"],
        kind=row["kind"],
        path=row["path"],
        shape=row["shape"],
        algorithm=row["algorithm"],
        state=state_at(track(row), total, now, "mismatch" if judged is None else judged.verdict),
        count=row["count"],
        first_seen=row["first_seen"],
        last_seen=row["last_seen"],
        who=row["who"],
        reason=row["reason"],
        owner=row["owner"],
        ticket=row["ticket"],
        until=row["until"],
        rule=row["rule"],
        versions=tuple(row["versions"]),
        noise=judged,
        revision=revision_of(row),
    )
