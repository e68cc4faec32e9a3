"""What people decide: holds and triage. Each change and its line in the audit are one transaction.

Every change raises the installation's `version`, which other nodes poll: one number read a second tells them
that there is something to read again.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import lru_cache
from hashlib import sha256
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import delete, insert, select, update

from proxy.core.model import ALL_MILLIPERCENT, EVERY_ROUTE, Hold
from proxy.core.triage import SETTABLE_STATES
from proxy.errors import Conflict, NotFound, Refused, StoreError
from proxy.origin import ORIGIN
from proxy.store.counts import compared
from proxy.store.tables import AUDIT, HOLDS, INSTALLATION, SIGNATURES
from proxy.store.upsert import insert_into
from proxy.store.values import AuditRow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Connection

_Found = TypeVar("_Found", int, str)
_REVISION_CHARACTERS = 12
_DECISION = ("state", "who", "reason", "owner", "ticket", "until")
_decided = itemgetter(*_DECISION, "rule")


def version(connection: Connection) -> int:
    """A number that grows with every change of a hold or a triage decision."""
    found: int | None = connection.execute(select(INSTALLATION.c.version)).scalar_one_or_none()
    return _installed(found)


def installation_id(connection: Connection) -> str:
    """A random name of this store, the same for all of its nodes."""
    found: str | None = connection.execute(select(INSTALLATION.c.installation_id)).scalar_one_or_none()
    return _installed(found)


def holds(connection: Connection) -> tuple[Hold, ...]:
    """All holds, by route."""
    rows = connection.execute(select(HOLDS).order_by(HOLDS.c.route)).mappings()
    return tuple(Hold(**row) for row in rows)


def put_hold(connection: Connection, hold: Hold, agree: Callable[[Hold | None], None] | None) -> None:
    """Sets or replaces a route's hold. Raises Refused for a cap outside 0 to 100 %, and what `agree` raises."""
    if not 0 <= hold.cap_millipercent <= ALL_MILLIPERCENT:
        raise Refused(f"hold on {hold.route}: {hold.cap_millipercent / 1000} is not a percentage; give 0 to 100")
    before = _hold(connection, hold.route)
    if agree is not None:
        agree(None if before is None else Hold(**before))
    values = asdict(hold)
    changed = {name: value for name, value in values.items() if name != "route"}
    upsert = insert_into(connection, HOLDS).on_conflict_do_update(index_elements=[HOLDS.c.route], set_=changed)
    connection.execute(upsert, values)
    action = "kill_switch.on" if hold.route == EVERY_ROUTE else "hold.put"
    _changed(connection, hold.since, hold.who, action, hold.route, before, values, hold.reason)


def delete_hold(
    connection: Connection, route: str, who: str, reason: str, at: float, agree: Callable[[Hold | None], None] | None
) -> None:
    """Lifts a route's hold. Raises NotFound when it has none, and what `agree` raises."""
    before = _hold(connection, route)
    if before is None:
        raise NotFound(f"route {route}: has no hold; `changeover status` lists the holds")
    if agree is not None:
        agree(Hold(**before))
    connection.execute(delete(HOLDS).where(HOLDS.c.route == route))
    action = "kill_switch.off" if route == EVERY_ROUTE else "hold.release"
    _changed(connection, at, who, action, route, before, None, reason)


def set_state(connection: Connection, id_: str, decision: dict[str, Any], at: float, seen: str | None = None) -> None:
    """Stores a triage decision: state, who, reason, owner, ticket, until.

    Raises Refused for a state that only evidence can set, NotFound for an unknown signature, Conflict where its
    decision is no longer the one `seen` (`revision_of`).
    """
    if decision["state"] not in SETTABLE_STATES:
        allowed = ", ".join(sorted(SETTABLE_STATES))
        raise Refused(f"signature {id_}: state {decision['state']!r} can't be set; give one of {allowed}")
    row = connection.execute(select(SIGNATURES).where(SIGNATURES.c.id == id_).with_for_update()).mappings().first()
    if row is None:
        raise unknown_signature(id_)
    if seen is not None:
        refuse_unseen(id_, seen, revision_of(row), row["who"])
    before = {name: row[name] for name in _DECISION}
    connection.execute(update(SIGNATURES).where(SIGNATURES.c.id == id_).values(**decision))
    _changed(connection, at, decision["who"], "diff.state", id_, before, decision, decision["reason"])


def set_rule(connection: Connection, id_: str, rule: str, by: dict[str, Any], at: float) -> None:
    """Stores which rule of the config ignores a signature, or "" for none; nothing where that is stored already.

    `by` holds who and reason, and owner and ticket where a person asked for the rule; then they are stored too.
    Without the rule the evidence begins anew: pairs compared under it could not have shown the signature.
    Raises NotFound.
    """
    row = connection.execute(select(SIGNATURES).where(SIGNATURES.c.id == id_).with_for_update()).mappings().first()
    if row is None:
        raise unknown_signature(id_)
    if row["rule"] == rule and "owner" not in by:
        return
    values: dict[str, Any] = {"rule": rule, "ruled_at": at if rule else None}
    if not rule:
        total = compared(connection, {row["route"]})[row["route"]]
        values |= {"compared_at_last_seen": max(total, row["compared_at_last_seen"]), "fixed_at": None}
    if "owner" in by:
        values |= by
    connection.execute(update(SIGNATURES).where(SIGNATURES.c.id == id_).values(**values))
    before = {"rule": row["rule"]}
    _changed(connection, at, by["who"], "diff.rule", id_, before, {"rule": rule}, by["reason"])


def revision_of(row: Mapping[Any, Any]) -> str:
    """A short name of what is decided about a signature: another one whenever any of it is another."""
    return _revision(_decided(row))


@lru_cache(4_096)  # most of them are undecided, and have the same one
def _revision(decided: tuple[Any, ...]) -> str:
    return sha256(json.dumps(decided).encode()).hexdigest()[:_REVISION_CHARACTERS]


def refuse_unseen(id_: str, seen: str, present: str, who: str) -> None:
    """Raises Conflict unless what is decided is what was seen."""
    if seen != present:
        by = f"{who} has decided about it" if who else "it was seen again, or reopened"
        raise Conflict(f"signature {id_}: {by} meanwhile; look again, and repeat")


def unknown_signature(id_: str) -> NotFound:
    return NotFound(f"signature {id_}: not found; `changeover diffs list` shows those there are")


def add_audit(
    connection: Connection,
    at: float,
    who: str,
    action: str,
    subject: str,
    before: Any,
    after: Any,
    reason: str,
    origin: str,
) -> None:
    """Appends a line; `before` and `after` are JSON values or None."""
    line = {"who": who, "action": action, "subject": subject, "before": before, "after": after, "reason": reason}
    connection.execute(insert(AUDIT), {"at": at, "origin": origin, **line})


def audit(connection: Connection, limit: int, before_id: int | None, subject: str | None) -> list[AuditRow]:
    """The latest lines, of one subject or all, newest first; `before_id` goes on where an earlier answer ended."""
    query = select(AUDIT).order_by(AUDIT.c.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(AUDIT.c.id < before_id)
    if subject is not None:
        query = query.where(AUDIT.c.subject == subject)
    return [AuditRow(**row) for row in connection.execute(query).mappings()]


def _hold(connection: Connection, route: str) -> dict[str, Any] | None:
    """A route's hold; nobody changes or makes one until the transaction ends, as all changes begin with this row."""
    connection.execute(select(INSTALLATION.c.version).with_for_update())
    row = connection.execute(select(HOLDS).where(HOLDS.c.route == route).with_for_update()).mappings().first()
    return None if row is None else dict(row)


def _changed(
    connection: Connection, at: float, who: str, action: str, subject: str, before: Any, after: Any, reason: str
) -> None:
    connection.execute(update(INSTALLATION).values(version=INSTALLATION.c.version + 1))
    add_audit(connection, at, who, action, subject, before, after, reason, ORIGIN.get())


def _installed(found: _Found | None) -> _Found:
    if found is None:
        raise StoreError("store: the row of the installation is missing; restore a backup")
    return found
