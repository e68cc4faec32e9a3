"""Under which rules the stored examples of a route were judged last, by a digest that the caller makes.

It outlives the process: rules that change while no node runs are found changed by the first that starts, and a node
whose rules another has judged by already has nothing to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select, update

from proxy.store.tables import ROUTES
from proxy.store.users import lock_routes

if TYPE_CHECKING:
    from sqlalchemy import Connection


def judged_rules(connection: Connection) -> dict[str, str]:
    """Route -> digest; without routes whose examples were never judged."""
    found = connection.execute(select(ROUTES.c.route, ROUTES.c.judged_rules).where(ROUTES.c.judged_rules != ""))
    return {route: digest for route, digest in found}  # noqa: C416  # dict() doesn't take rows, for mypy


def set_judged_rules(connection: Connection, route: str, digest: str) -> None:
    """Notes the digest of the rules under which the route's examples have been judged."""
    lock_routes(connection, {route})
    connection.execute(update(ROUTES).where(ROUTES.c.route == route).values(judged_rules=digest))
