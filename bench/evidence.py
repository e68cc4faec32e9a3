"""A store as full as a large migration's after a month: routes, minutes, signatures, users and decisions.

The rows are made directly, as the store's own way in takes one batch a second. What they say is made up; how many there
are, and how long each is, is what counts.
"""

from __future__ import annotations

import hashlib
import json
import time
import zlib
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, insert, make_url

from proxy.core.evidence import latency_bucket
from proxy.core.signature import ALGORITHM
from proxy.store import Store
from proxy.store.tables import (
    AUDIT,
    EXAMPLES,
    ROUTE_MINUTES,
    ROUTE_TOTALS,
    ROUTES,
    SERVED_MINUTES,
    SIGNATURE_MINUTES,
    SIGNATURES,
    USERS,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy import Connection, Table

NODE = "bench"
EACH_MINUTES = 3  # of the last day: with traffic on each route in each minute it would not fit into the default size
USERS_PER_ROUTE = 200
EXAMPLES_PER_SIGNATURE = 2
AUDIT_LINES = 2_000
TREND_MINUTES = 60
_DAY, _HOUR = 1_440, 60
_ROWS = 5_000  # in one statement
_LATENCIES_MS = (2, 3, 4, 5, 7, 9, 12, 20, 45, 120)


def fill(url: str, routes: int, signatures: int, days: int) -> dict[str, int]:
    """Table -> rows. The store must be empty; its schema is made."""
    store = Store(url)
    store.upgrade()
    store.close()
    drivername = "postgresql+psycopg" if url.startswith("postgresql") else "sqlite"
    engine = create_engine(make_url(url).set(drivername=drivername))
    names = [f"r{number:03}" for number in range(routes)]
    now = time.time()
    filled: Counter[str] = Counter()
    with engine.begin() as connection:
        for table, rows in (
            (ROUTES, (_route(name) for name in names)),
            (ROUTE_TOTALS, (_total(name) for name in names)),
            (ROUTE_MINUTES, _minutes(names, int(now // 60), days)),
            (SERVED_MINUTES, _served(int(now // 60), days)),
            (USERS, _users(names, now)),
            (SIGNATURES, (_signature(number, names, now) for number in range(signatures))),
            (SIGNATURE_MINUTES, _trends(signatures, int(now // 60))),
            (EXAMPLES, _examples(signatures, now)),
            (AUDIT, _decisions(names, now)),
        ):
            filled[table.name] = _insert(connection, table, rows)
    if drivername != "sqlite":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("ANALYZE")  # as its own vacuum does within minutes
    engine.dispose()
    return dict(filled)


def _insert(connection: Connection, table: Table, rows: Iterable[dict[str, Any]]) -> int:
    number, rest = 0, iter(rows)
    while chunk := list(islice(rest, _ROWS)):
        connection.execute(insert(table), chunk)
        number += len(chunk)
    return number


def _counts(requests: int) -> dict[str, int]:
    """The counters that a route has after so many requests."""
    new = requests // 10
    counts = {
        "pairs": requests,
        "match": requests - 3,
        "mismatch": 2,
        "skipped.timeout": 1,
        "decided.bucket": requests,
        "served.legacy": requests - new,
        "served.new": new,
        "status.legacy.2xx": requests - new,
        "status.new.2xx": new,
    }
    for side in ("legacy", "new"):
        for milliseconds in _LATENCIES_MS:
            counts[f"latency.{side}.{latency_bucket(milliseconds * 1_000)}"] = requests // len(_LATENCIES_MS) + 1
    return counts


def _route(name: str) -> dict[str, Any]:
    new = USERS_PER_ROUTE // 10
    return {"route": name, "user_level": 0, "legacy_users": USERS_PER_ROUTE - new, "new_users": new}


def _total(name: str) -> dict[str, Any]:
    counts = _counts(1_000_000)
    return {"node": NODE, "route": name, "compared": counts["match"] + counts["mismatch"], "counts": counts}


def _minutes(names: list[str], minute: int, days: int) -> Iterator[dict[str, Any]]:
    """The last day by the minute, what was before by the hour."""
    hour = (minute - _DAY) // _HOUR * _HOUR
    moments = [*range(hour - (days - 1) * _DAY, hour, _HOUR), *range(hour, minute + 1, EACH_MINUTES)]
    for place, moment in enumerate(moments):
        counts = _counts(100 + place % 50)
        for name in names:
            yield {"node": NODE, "route": name, "minute": moment, "counts": counts}


def _served(minute: int, days: int) -> Iterator[dict[str, Any]]:
    for moment in range(minute - days * _DAY, minute + 1):
        yield {"minute": moment, "node": NODE, "legacy": 9_000, "new": 1_000}


def _users(names: list[str], now: float) -> Iterator[dict[str, Any]]:
    for name in names:
        for number in range(USERS_PER_ROUTE):
            digest = hashlib.blake2b(f"{number}".encode(), digest_size=8).digest()
            side = "new" if number % 10 == 0 else "legacy"
            yield {"route": name, "hash": int.from_bytes(digest, signed=True), "side": side, "last_seen": now - number}


def _id(number: int) -> str:
    return f"{number:012x}"


def _signature(number: int, names: list[str], now: float) -> dict[str, Any]:
    return {
        "id": _id(number),
        "route": names[number % len(names)],
        "kind": "body",
        "path": f"$.items[*].member_{number}",
        "shape": "number→numeric string",
        "algorithm": ALGORITHM,
        "state": ("new", "new", "known", "ignored")[number % 4],
        "count": 10 + number,
        "first_seen": now - 86_400 * (number % 30),
        "last_seen": now - number % 3_600,
        "compared_at_last_seen": 1_000_000,
        "owner": "bo" if number % 4 == 2 else "",
    }


def _trends(signatures: int, minute: int) -> Iterator[dict[str, Any]]:
    for moment in range(minute - TREND_MINUTES + 1, minute + 1):
        for number in range(signatures):
            yield {"minute": moment, "signature": _id(number), "count": 1 + number % 7}


def _examples(signatures: int, now: float) -> Iterator[dict[str, Any]]:
    body = json.dumps({"items": [{"id": number, "score": number / 7, "title": "a title"} for number in range(40)]})
    answer = {
        "status": 200,
        "headers": [["content-type", "application/json"]],
        "body": body,
        "is_body_cut": False,
        "length": len(body),
        "digest": "0" * 16,
        "elapsed_ms": 3.5,
    }
    for number in range(signatures):
        difference = {"signature": _id(number), "kind": "body", "path": "$.items[0].score", "shape": "value"}
        example = {
            "at": now,
            "kind": "candidate",
            "served": "legacy",
            "request": {"id": f"r-{number}", "at": now, "method": "GET", "target": "/r000/1", "headers": []},
            "control": answer,
            "candidate": answer,
            "differences": [{**difference, "before": 1, "after": 2}],
        }
        payload = json.dumps(example).encode()
        for each in range(EXAMPLES_PER_SIGNATURE):
            packed = {"payload_bytes": len(payload), "payload": zlib.compress(payload, 1)}
            yield {"signature": _id(number), "at": now - each, **packed}


def _decisions(names: list[str], now: float) -> Iterator[dict[str, Any]]:
    for number in range(AUDIT_LINES):
        before, after = {"percentage": number % 50}, {"percentage": number % 50 + 1}
        line = {"who": "ada", "action": "rollout.set", "subject": names[number % len(names)], "reason": "next wave"}
        yield {**line, "at": now - 60 * (AUDIT_LINES - number), "before": before, "after": after}
