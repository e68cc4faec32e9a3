"""No statement reads through a table that grows: not one of those that pages, files, API, metrics or the recorder make.

Every address of the admin listener is asked of a real control plane with a filled store, changes included, and then
batches are written. Each statement that the engine saw meanwhile is explained by the database itself. What is asked
is whether there is an index for it: SQLite says SEARCH or SCAN; PostgreSQL is told to use any index that it can
(`enable_seqscan`), since of tables as small as a test's it rightly reads the whole, and must name a condition then.
"""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import httpx
from sqlalchemy import event

from bench.evidence import fill
from proxy.admin.access.rights import RIGHTS
from proxy.admin.api import create_app
from proxy.admin.room.live import PATH as LIVE
from proxy.control.control import Control
from proxy.core.model import LEGACY, NEW
from proxy.store import Batch, Store
from proxy.store.values import Shown
from tests.control.nodes import make_settings
from tests.live import serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Connection
    from starlette.types import Receive, Scope, Send

    from proxy.store import Sighting

# Few rows, whatever the traffic: one for each route, or each route and node.
FEW = {
    *(
        "alembic_version",
        "holds",
        "installation",
        "nodes",
        "noise_routes",
        "route_days",
        "route_totals",
        "route_windows",
    ),
    "routes",
}
SHOWN_WHOLE = {"signatures", "noise_places"}  # bounded for each route; all are shown, and where not, there is a WHERE
MOST_SIGNATURES = "WHERE signatures.fixed_at IS NULL ORDER BY signatures.id"  # all that may become fixed
SIGNATURE, OTHER = f"{7:012x}", f"{3:012x}"
CONFIG = """\
version: 1
backends:
  legacy: {url: "BACKEND"}
  new: {url: "BACKEND"}
users: {key: ["header:x-user-id"], salt: test}
routes:
  r003: {match: {prefix: /r003/}, rollout: {percentage: 10}}
  r007: {match: {prefix: /r007/}, rollout: {percentage: 10, group: g}, compare: {noise: {percentage: 1}}}
  r008: {match: {prefix: /r008/}, rollout: {percentage: 10, group: g}}
"""
NAMES = {"name": "r007", "id": SIGNATURE, "token": "none"}
QUERIES: dict[str, tuple[str, ...]] = {
    "/": ("route=r007",),
    "/diffs": ("route=r007&state=new&text=member", "version=1.2"),
    "/diffs.csv": ("route=r007&state=undecided",),
    "/audit": ("subject=r007", "before=99"),
    "/audit.csv": ("subject=r007",),
    "/history.csv": ("route=r007",),
    "/routes/{name}": ("percentage=50",),
    "/explain": ("path=/r007/1&user=9",),
    "/api/v1/routes": ("since={now}", "since=1", "limit=2"),
    "/api/v1/diffs": ("route=r007", "state=new", "limit=5"),
    "/api/v1/audit": ("subject=r007&before=99", "before=99", "limit=1000"),
    "/api/v1/trends": (f"id={SIGNATURE}&id={OTHER}",),
    "/api/v1/explain": ("path=/r007/1&user=9",),
    "/api/v1/routes/{name}/preview": ("percentage=50",),
    "/diffs/{id}/ignore": ("reason=r",),
}
NEED_A_QUERY = {"/api/v1/trends", "/api/v1/explain", "/api/v1/routes/{name}/preview", "/diffs/{id}/ignore"}
REASON = {"reason": "r"}
# In this order: what is set is taken back. The statuses are those of a change that was made.
CHANGES: dict[tuple[str, str], tuple[dict[str, Any], int]] = {
    ("PUT", "/api/v1/routes/{name}/rollout"): ({"percentage": 11, **REASON}, 200),
    ("POST", "/routes/{name}/rollout"): ({"percentage": "12", "seen": "11", **REASON}, 303),
    ("PUT", "/api/v1/routes/{name}/hold"): ({"percentage": 5, **REASON}, 200),
    ("DELETE", "/api/v1/routes/{name}/hold"): ({}, 200),
    ("POST", "/routes/{name}/hold"): ({"percentage": "5", "seen": "none", **REASON}, 303),
    ("POST", "/routes/{name}/release"): ({"seen": "5", **REASON}, 303),
    ("PUT", "/api/v1/kill-switch"): (REASON, 200),
    ("DELETE", "/api/v1/kill-switch"): ({}, 200),
    ("POST", "/kill-switch"): (REASON, 303),
    ("POST", "/kill-switch/off"): ({"confirm": "off", **REASON}, 303),
    ("POST", "/api/v1/diffs/{id}/state"): ({"state": "known", **REASON}, 200),
    ("POST", "/diffs/{id}/state"): ({"action": "ignore", "seen": "{revision}", **REASON}, 303),
    ("POST", "/api/v1/diffs/{id}/retry"): ({}, 200),
    ("POST", "/diffs/{id}/retry"): ({}, 303),
    ("POST", "/api/v1/routes/{name}/proposals"): ({"rules": ["$.none"], **REASON}, 400),
    ("POST", "/api/v1/reload"): ({}, 200),
    ("POST", "/sign-in"): ({"token": "x"}, 401),
    ("POST", "/sign-out"): ({}, 303),
}


def test_every_statement_has_an_index(url: str, tmp_path: Path, sighting: Callable[..., Sighting]) -> None:
    """Of pages, files, API, metrics, changes and the recorder, on both databases."""
    fill(url, routes=12, signatures=240, days=3)
    with serve(answer_nothing) as backend, closing(Store(url)) as store:
        settings = make_settings(tmp_path, text=CONFIG.replace("BACKEND", backend), store_url=url)
        with noted(store) as statements:
            asyncio.run(ask_for_everything(store, settings))
            write_twice(store, sighting)
        assert 60 < len(statements)  # else nothing was noted
        found = [
            f"{table}: {statement}"
            for statement, values in statements.items()
            for table in read_through(store, statement, values)
        ]
        assert not found, "\n".join(found)


async def answer_nothing(_scope: Scope, _receive: Receive, send: Send) -> None:
    """The backend, for those that try again."""
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


def write_twice(store: Store, sighting: Callable[..., Sighting]) -> None:
    """As there are rows the second time."""
    now = time.time()
    users = {("r003", LEGACY): [1, 2], ("r003", NEW): [3]}
    counts = {("r003", int(now // 60)): {"match": 5, "mismatch": 1, "self_matches": 1, "served.new": 3}}
    shown = {f"{5:012x}": Shown("r003", 1, 1, 1)}
    for _ in range(2):
        seen = sighting("x", "r003", at=now, example=b"{}")
        store.write(Batch("one", now, counts, users, [seen], shown=shown))


@contextmanager
def noted(store: Store) -> Iterator[dict[str, Any]]:
    """Statement -> the values with which it was first executed."""
    found: dict[str, Any] = {}

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, _context: Any, is_many: bool) -> None:
        found.setdefault(statement, values[0] if is_many else values)

    event.listen(store._database.engine, "before_cursor_execute", note)
    yield found
    event.remove(store._database.engine, "before_cursor_execute", note)


async def ask_for_everything(store: Store, settings: Any) -> None:
    """Each address that the listener has; what can be changed is changed. A new one is asked, too, or fails here."""
    asked = {(method, path) for path, methods in RIGHTS.items() for method in methods if method != "GET"}
    assert asked == set(CHANGES)
    async with Control(settings, store, {}) as control, asyncio.timeout(100):
        app = create_app(control, settings)
        transport = httpx.ASGITransport(app)
        headers = {"origin": "http://127.0.0.1:9000"}
        async with httpx.AsyncClient(transport=transport, base_url=headers["origin"], headers=headers) as client:
            for path, methods in RIGHTS.items():
                if "GET" in methods and path != LIVE:  # which shows what "/" does
                    await look(client, path)
            for (method, path), (body, status) in CHANGES.items():
                answer = await client.request(method, path.format(**NAMES), **await sent(client, path, body))
                assert (method, path, status) == (method, path, answer.status_code), answer.text


async def sent(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """What carries the body: a form to pages, JSON to the API."""
    revision = (await client.get(f"/api/v1/diffs/{SIGNATURE}")).json()["revision"]
    given = {name: revision if value == "{revision}" else value for name, value in body.items()}
    if not path.startswith("/api/"):
        return {"data": given, "headers": {"content-type": "application/x-www-form-urlencoded"}}
    return {"json": given} if given else {}


async def look(client: httpx.AsyncClient, path: str) -> None:
    for query in (*([""] if path not in NEED_A_QUERY else []), *QUERIES.get(path, ())):
        target = f"{path.format(**NAMES)}?{query.format(now=int(time.time()) - 600)}"
        answer = await client.get(target)
        expected = {"/shared/{token}": 404, "/static/{name}": 404, "/readyz": 503, "/sign-in": 303}.get(path, 200)
        assert (target, expected) == (target, answer.status_code), answer.text


def read_through(store: Store, statement: str, values: Any) -> list[str]:
    """The tables that the statement reads without an index, and may not."""
    if not re.match(r"\s*(SELECT|WITH|INSERT|UPDATE|DELETE)\b", statement) or "pg_" in statement:
        return []
    if statement.startswith("DELETE") and "SKIP LOCKED" in statement:
        return []  # retention: so many rows at a time, which PostgreSQL may join as it likes
    with store._database.writing() as connection:
        scanned = scans_sqlite if store.is_sqlite else scans_postgres
        found = scanned(connection, statement, values)
        connection.rollback()
    is_narrowed = " WHERE " in statement.replace("\n", " ") and not statement.rstrip().endswith(MOST_SIGNATURES)
    may = FEW | (set() if is_narrowed else SHOWN_WHOLE)
    is_first = "LIMIT" in statement and not is_narrowed  # so many in the order of an index, as the latest of the audit
    return sorted(found - may - ({"audit"} if is_first else set()))


def scans_sqlite(connection: Connection, statement: str, values: Any) -> set[str]:
    rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
    return {found[1] for row in rows if (found := re.match(r"SCAN (?:TABLE )?(\w+)", row[3])) and found[1].islower()}


def scans_postgres(connection: Connection, statement: str, values: Any) -> set[str]:
    connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
    plan = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", values).scalar_one()
    return set(unconditional(plan[0]["Plan"]))


def unconditional(node: dict[str, Any]) -> Iterator[str]:
    """Tables of which a node of the plan reads all rows, or a whole index."""
    kind = node["Node Type"]
    if kind == "Seq Scan" or (kind.startswith("Index") and "Index Cond" not in node):
        yield node["Relation Name"]
    if kind == "Bitmap Index Scan" and "Index Cond" not in node:
        yield node["Index Name"]
    for each in node.get("Plans", ()):
        yield from unconditional(each)
