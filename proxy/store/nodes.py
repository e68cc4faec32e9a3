"""How each node of an installation is, by its own words: on any of them people see the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select

from proxy.store.tables import NODES
from proxy.store.upsert import insert_into
from proxy.store.values import NodeRow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

FORGOTTEN_S = 86_400.0  # a node that ended a day ago is history


def say_node(connection: Connection, node: str, at: float, state: Mapping[str, Any]) -> None:
    """Replaces what is known of a node, and forgets those that have said nothing for a day."""
    insert = insert_into(connection, NODES)
    changed = {"at": insert.excluded.at, "state": insert.excluded.state}
    upsert = insert.on_conflict_do_update(index_elements=[NODES.c.node], set_=changed)
    connection.execute(upsert, {"node": node, "at": at, "state": dict(state)})
    connection.execute(delete(NODES).where(NODES.c.at < at - FORGOTTEN_S))


def nodes(connection: Connection) -> list[NodeRow]:
    """By name."""
    return [NodeRow(**row) for row in connection.execute(select(NODES).order_by(NODES.c.node)).mappings()]
