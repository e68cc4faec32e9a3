"""No question that pages and commands ask reads through a table that grows with traffic or time.

Asked of SQLite's planner (EXPLAIN QUERY PLAN), without statistics, as in a store that was just made.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event

from proxy.store import Batch, Sighting, Store

if TYPE_CHECKING:
    from collections.abc import Callable

# Rows for each minute, user, example or change. Totals, routes, signatures and holds are read whole: all are shown.
GROWING = ("route_minutes", "signature_minutes", "users", "examples", "audit")
MINUTE = 30_000_000
ID = "a" * 12
QUESTIONS: dict[str, Callable[[Store], object]] = {
    "minutes": lambda store: store.minutes("feeds", MINUTE),
    "recent minutes": lambda store: store.recent_minutes(MINUTE),
    "recent nodes": lambda store: store.recent_nodes(MINUTE),
    "first minute": lambda store: store.first_minute(MINUTE),
    "served": lambda store: store.served(MINUTE, 60),
    "totals": lambda store: store.totals(),
    "user hashes": lambda store: store.user_hashes(["feeds", "items"], 0.0),
    "signatures": lambda store: store.signatures(),
    "signatures of a route": lambda store: store.signatures("feeds"),
    "trends": lambda store: store.trends([ID], 0.0),
    "holds": lambda store: store.holds(),
    "audit": lambda store: store.audit(),
    "audit, further": lambda store: store.audit(before_id=7),
    "version": lambda store: store.version(),
}
BY_ROW_NUMBER = {"audit", "audit, further"}  # the latest lines: from the end of the table, as many as are asked for


@pytest.mark.parametrize("name", QUESTIONS)
def test_question_reads_through_no_table_that_grows(sqlite_url: str, name: str, sighting: Callable[..., Sighting]):
    """Each table that grows is searched by an index or its key."""
    store = Store(sqlite_url)
    store.write(Batch("one", 0.0, {("feeds", MINUTE): {"match": 1}}, sightings=[sighting()]))
    plans = plans_of(store, QUESTIONS[name])
    assert plans
    scanned = [line for line in plans if re.match(rf"SCAN ({'|'.join(GROWING)})\b", line)]
    assert [] == [line for line in scanned if name not in BY_ROW_NUMBER]
    store.close()


def plans_of(store: Store, question: Callable[[Store], object]) -> list[str]:
    """What the planner would do for each statement of a question."""
    engine = store._database.engine
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    question(store)
    event.remove(engine, "before_cursor_execute", note)
    with engine.connect() as connection:
        return [
            row[3]
            for statement, parameters in asked
            if statement.lstrip().upper().startswith(("SELECT", "WITH"))
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]
