"""Stand-ins with the same protocols as the real ones, for tests of what lies above them."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, TypeVar

from proxy.core.evidence import coverage
from proxy.errors import Conflict, NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from proxy.control.changes import Seen

Json = dict[str, Any]
Value = TypeVar("Value")
REVISION = "00000000000a"
SINCE = 1_790_000_000.0


def covered(compared: int, **skipped: int) -> Json:
    """The coverage of a route that compared so many pairs and skipped others."""
    known = coverage({"match": compared, **{f"skipped.{reason}": number for reason, number in skipped.items()}})
    return {
        "compared": compared,
        "partly": {},
        "skipped": skipped,
        "unlisted": 0,
        "expected": known.expected,
        "ratio": known.ratio,
    }


def route_row(name: str = "feeds", **changes: Any) -> Json:
    """One route as the API answers it: compared with 90 % coverage, two mismatches.

    Its evidence is all that was counted, unless `evidence` says from when on (`since`, `because`) and what.
    """
    window = changes.pop("evidence", {})
    row = {
        "name": name,
        "group": name,
        "stage": "shadow",
        "percentage": 5,
        "effective_percentage": 5,
        "hold": None,
        "users": {"legacy": 19, "new": 1},
        "requests": {"legacy": 950, "new": 50},
        "failed": {"legacy": 0, "new": 1},
        "server_errors": {"legacy": 4, "new": 2},
        "pairs": 900,
        "matches": 898,
        "mismatches": 2,
        "match_rate": 898 / 900,
        "coverage": covered(900, timeout=100, not_sampled=7),
        "noise_runs": {"pairs": 0, "matches": 0, "mismatches": 0, "skipped": {}},
        "latency_ms": {
            "legacy": {"p50": 12.5, "p95": 40.0, "p99": 81.25},
            "new": {"p50": None, "p95": None, "p99": None},
        },
        **changes,
    }
    counted = {each: row[each] for each in ("requests", "failed", "server_errors", "pairs", "matches", "mismatches")}
    counted |= {each: row[each] for each in ("match_rate", "coverage", "latency_ms")}
    return {**row, "evidence": {"since": None, "because": {}, **counted, **window}}


def node_row(name: str, **changes: Any) -> Json:
    """A node as its own words have it."""
    return {
        "name": name,
        "at": SINCE,
        "is_silent": False,
        "version": "0.1.0",
        "config": {"digest": "ab" * 32, "since": SINCE, "is_refused": False},
        "rollout_version": 7,
        "workers": {"linked": 2, "expected": 2},
        **changes,
    }


def minute_row(number: int, **changes: Any) -> Json:
    """One minute of a route's last hour."""
    at = SINCE - 3_600 + 60 * number
    return {
        "at": at,
        "requests": {"legacy": 9, "new": 1},
        "mismatches": 1,
        "compared": 9,
        "expected": 10,
        **changes,
    }


def signature_row(signature_id: str = "a1b2c3d4e5f6", **changes: Any) -> Json:
    """One signature as the list of differences answers it."""
    return {
        "id": signature_id,
        "route": "feeds",
        "kind": "body",
        "path": "$.items[*].score",
        "shape": "number to text",
        "count": 1234,
        "first_seen": SINCE,
        "last_seen": SINCE + 60,
        "state": "new",
        "rule": "",
        "versions": [],
        "noise": None,
        "who": "",
        "reason": "",
        "owner": "",
        "ticket": "",
        "until": None,
        "revision": REVISION,
        **changes,
    }


def trend(*counts: tuple[float, int], until: float = SINCE + 3_600) -> Json:
    """Counts of a signature: (seconds before `until`, how many)."""
    listed = [{"at": until - ago_s, "count": number} for ago_s, number in counts]
    return {"until": until, "span_s": 86_400.0, "bucket_s": 60, "counts": listed}


def answer(body: str | None, **changes: Any) -> Json:
    """One backend's answer within an example."""
    size = {"length": len(body or ""), "is_body_cut": False}
    return {"status": 200, "headers": [], "body": body, **size, "digest": "", "elapsed_ms": 1.5, **changes}


def difference(**changes: Any) -> Json:
    """One difference within an example."""
    place = {"signature": "a1b2c3d4e5f6", "kind": "body", "path": "$.items[0].score", "shape": "number to text"}
    return {**place, "before": 1, "after": "1", **changes}


def example(**changes: Any) -> Json:
    """One kept pair of a signature."""
    return {
        "at": SINCE,
        "kind": "candidate",
        "request": {
            "id": "r-1",
            "at": SINCE,
            "method": "GET",
            "target": "/api/feeds?page=2",
            "headers": [["cookie", "session=***"]],
        },
        "served": "legacy",
        "control": answer('{"score": 1, "id": 7}'),
        "candidate": answer('{"score": "1", "id": 7}'),
        "differences": [difference()],
        "differences_left_out": 0,
        **changes,
    }


def status_row(**changes: Any) -> Json:
    return {
        "version": "0.1.0",
        "node": "node-a",
        "config": {
            "file": "config/migration.yaml",
            "digest": "ab" * 32,
            "since": SINCE,
            "error": None,
            "refused_at": None,
            "warnings": [],
        },
        "kill_switch": False,
        "killed_by": None,
        "workers": {"linked": 2, "expected": 2, "links": [worker_row("worker-1"), worker_row("worker-2")]},
        "nodes": [
            node_row("node-a"),
            node_row("node-b", config={"digest": "cd" * 32, "since": SINCE, "is_refused": True}),
        ],
        "comparers": {"processes": 1, "expected": 1, "busy": 0, "backlog": 0, "backlog_bytes": 0, "restarts": 0},
        "store": {"name": "sqlite:///var/changeover.sqlite", "up": True, "error": None, "dropped": 0},
        "webhooks": {"configured": False, "waiting": 0, "delivered": 0, "dropped": {}, "error": None},
        **changes,
    }


def worker_row(name: str) -> Json:
    """A linked worker."""
    return {"name": name, "pid": 4711, "connected_at": SINCE, "gauges": dict(GAUGES)}


# What a worker says of itself with each delta.
GAUGES = {
    "connections": 7.0,
    "in_flight": 3.0,
    "handshakes": 2.0,
    "shadows": 2.0,
    "shadow_bytes": 512.0,
    "masking": 1.0,
    "new_healthy": 1.0,
    "new_breaker": 0.0,
    "events_dropped": 4.0,
    "refused.400": 5.0,
    "served.legacy.connections": 6.0,
    "served.legacy.idle": 4.0,
}


class FakeControl:
    """Keeps what it is told in memory; `calls` has every change it was asked for, `fault` is raised instead."""

    def __init__(self) -> None:
        self.status_answer = status_row()
        self.route_rows = [route_row()]
        self.killed_by: Json | None = None
        self.route_rows_since = [route_row(mismatches=1, match_rate=89 / 90, coverage=covered(90))]
        self.signature_rows = [signature_row()]
        self.examples = [example()]
        self.hint: Json | None = None
        self.ignored: list[str] = []
        self.proposed: Json = {"proposals": [], "unrecognised": []}
        self.calls: list[tuple[Any, ...]] = []
        self.fault: Exception | None = None
        line: Json = {"id": 1, "at": SINCE, "who": "ada", "action": "rollout.set", "subject": "feeds"}
        self.audit_lines: list[Json] = [
            {**line, "id": 2, "action": "diff.state", "before": None, "after": None, "reason": "noise", "origin": ""},
            {**line, "before": {"percentage": 1}, "after": {"percentage": 5}, "reason": "wave 1", "origin": "10.0.0.7"},
        ]

    async def status(self) -> Json:
        return self._answer(self.status_answer)

    async def routes(self, since: float | None = None, /) -> list[Json]:
        if since is not None:
            self.calls.append(("routes", since))
            return self._answer(self.route_rows_since)
        return self._answer(self.route_rows)

    def route_names(self) -> list[str]:
        return [row["name"] for row in self.route_rows]

    async def history(self) -> Json:
        minutes = [minute_row(number, requests={"legacy": number, "new": 60 - number}) for number in range(60)]
        return self._answer(
            {
                "until": SINCE,
                "bucket_s": 60,
                "nodes": [{"name": "node-a", "last_at": SINCE - 60}, {"name": "node-b", "last_at": SINCE - 1_800}],
                "routes": {row["name"]: minutes for row in self.route_rows},
            }
        )

    async def burn_up(self) -> Json:
        buckets = [
            {"at": SINCE - 3_600 + 60 * number, "requests": {"legacy": 60 - number, "new": number}}
            for number in range(60)
        ]
        return self._answer({"until": SINCE, "bucket_s": 60, "buckets": buckets})

    async def preview_rollout(self, route: str, percentage: float, /) -> Json:
        found = self._route(route)
        before = found["percentage"]
        users = {"seen": 20, "forward": 3 if percentage > before else 0, "back": 2 if percentage < before else 0}
        return self._answer(
            {
                "name": route,
                "routes": [route, "items"],
                "percentage": {"before": before, "after": percentage},
                "effective_percentage": {"before": found["effective_percentage"], "after": percentage},
                "hold": found["hold"],
                "users": {**users, "is_estimate": False},
                "span_s": 86_400.0,
            }
        )

    async def set_rollout(
        self, route: str, percentage: float, reason: str, who: str, seen: float | None = None, /
    ) -> Json:
        self.calls.append(("set_rollout", route, percentage, reason, who, *([] if seen is None else [seen])))
        found = self._route(route)
        if seen is not None and found["percentage"] != seen:
            raise Conflict(f"route {route}: somebody changed it")
        found.update(percentage=percentage, effective_percentage=percentage)
        return self._answer({**changed_route(found), "changed": True, "file": "config/migration.yaml", "audited": True})

    async def steering(self, route: str, /) -> Json:
        found = self._route(route)
        shown = {name: found[name] for name in ("name", "percentage", "effective_percentage", "hold")}
        return self._answer({**shown, "own_hold": found["hold"]})

    async def hold(self, route: str, percentage: float, reason: str, who: str, seen: Seen = "any", /) -> Json:
        self.calls.append(("hold", route, percentage, reason, who, *([] if seen == "any" else [seen])))
        found = self._route(route)
        present = None if found["hold"] is None else found["hold"]["percentage"]
        if seen not in {"any", present}:
            raise Conflict(f"hold on {route}: somebody changed it")
        found.update(
            effective_percentage=min(percentage, found["percentage"]),
            hold={"route": route, "percentage": percentage, "who": who, "reason": reason, "since": SINCE},
        )
        return self._answer(changed_route(found))

    async def release(self, route: str, reason: str, who: str, seen: float | None = None, /) -> Json:
        self.calls.append(("release", route, reason, who, *([] if seen is None else [seen])))
        found = self._route(route)
        found.update(effective_percentage=found["percentage"], hold=None)
        return self._answer(changed_route(found))

    async def kill_switch(self) -> Json:
        return self._answer({"on": self.killed_by is not None, "by_file": False, "by_hand": self.killed_by})

    async def put_kill_switch(self, reason: str, who: str, /) -> Json:
        self.calls.append(("put_kill_switch", reason, who))
        self.killed_by = {"who": who, "reason": reason, "since": SINCE}
        return await self.kill_switch()

    async def delete_kill_switch(self, reason: str, who: str, /) -> Json:
        self.calls.append(("delete_kill_switch", reason, who))
        if self.killed_by is None:
            raise NotFound("kill switch: it is off")
        self.killed_by = None
        return await self.kill_switch()

    async def diffs(self, route: str | None, state: str | None, /) -> list[Json]:
        rows = [row for row in self.signature_rows if route in {None, row["route"]} and state in {None, row["state"]}]
        return self._answer(rows)

    async def diff(self, signature_id: str, /) -> Json:
        backends = {"legacy": "http://127.0.0.1:8001", "new": "http://127.0.0.1:8002"}
        return self._answer(
            {
                **self._signature(signature_id),
                "trend": trend(),
                "hint": self.hint,
                "ignored": self.ignored,
                "examples": self.examples,
                "backends": backends,
            }
        )

    async def set_state(
        self,
        signature_id: str,
        state: str,
        reason: str,
        who: str,
        owner: str | None,
        ticket: str | None,
        until: float | None,
        seen: str | None = None,
        /,
    ) -> Json:
        self._decide("set_state", signature_id, seen, state, reason, who, owner, ticket, until)
        found = self._signature(signature_id)
        found["state"] = state
        return self._answer(found)

    def _decide(self, call: str, signature_id: str, seen: str | None, *told: Any) -> None:
        """Keeps the call; a decision that is no longer the one seen is a conflict, else it gets another revision."""
        self.calls.append((call, signature_id, *told, *([] if seen is None else [seen])))
        found = self._signature(signature_id)
        if seen not in {None, found["revision"]}:
            raise Conflict(f"signature {signature_id}: somebody decided about it")
        found["revision"] = f"{int(found['revision'], 16) + 1:012x}"

    async def ignore_by_rule(
        self,
        signature_id: str,
        reason: str,
        who: str,
        owner: str | None,
        ticket: str | None,
        seen: str | None = None,
        /,
    ) -> Json:
        self._decide("ignore_by_rule", signature_id, seen, reason, who, owner, ticket)
        found = self._signature(signature_id)
        found.update(state="ignored", rule=found["path"])
        return self._answer({**found, "file": "config/migration.yaml", "note": ""})

    async def proposals(self, route: str, /) -> Json:
        return self._answer({"route": self._route(route)["name"], **self.proposed})

    async def write_proposals(self, route: str, rules: list[str], reason: str, who: str, /) -> Json:
        self.calls.append(("write_proposals", route, rules, reason, who))
        written = [{**each, "note": ""} for each in self.proposed["proposals"] if each["rule"] in rules]
        return self._answer({"route": route, "file": "config/migration.yaml", "written": written})

    async def retry(self, signature_id: str, who: str, own_headers: Mapping[str, str], /) -> Json:
        self.calls.append(("retry", signature_id, who, dict(own_headers)))
        found = self._signature(signature_id)
        asked = {"method": "GET", "target": "/api/feeds?page=2", "left_out": ["cookie"]}
        after = {**asked, "given": sorted(own_headers), "statuses": [200, 200], "differs": True, "reason": ""}
        line = {"id": 3, "at": SINCE, "who": who, "action": "diff.retry", "subject": signature_id, "before": None}
        self.audit_lines.insert(0, {**line, "after": after, "reason": "", "origin": ""})
        return self._answer({"id": found["id"], "route": found["route"], "at": SINCE, **after, "others": []})

    async def explain(
        self, method: str, path: str, user: str | None, host: str | None, headers: Mapping[str, str], /
    ) -> Json:
        self.calls.append(("explain", method, path, user, host, dict(headers)))
        answer = {"backend": "new", "reason": "bucket", "bucket": 1234, "effective_percentage": 5, "shadow": 100.0}
        return self._answer({"route": "feeds", **answer})

    async def trends(self, signature_ids: Sequence[str], /) -> Json:
        counts = {id_: [0] * 58 + [3, 1] for id_ in signature_ids}
        return self._answer({"until": SINCE, "bucket_s": 60, "counts": counts})

    async def preview_ignore(self, signature_id: str, reason: str, who: str, ticket: str | None, /) -> Json:
        path = self._signature(signature_id)["path"]
        line = {"line": 9, "before": "    match: {}", "after": f"    compare: {{ignore: [{path}]}}  # {who}: {reason}"}
        return self._answer({"rule": path, "file": "config/migration.yaml", "lines": [line], "note": ""})

    async def audit(self, limit: int, subject: str | None = None, before_id: int | None = None, /) -> list[Json]:
        found = [row for row in self.audit_lines if subject in {None, row["subject"]} and row["id"] < (before_id or 99)]
        return self._answer(found[:limit])

    async def reload(self) -> Json:
        self.calls.append(("reload",))
        return self._answer({"changed": False, "digest": "ab" * 32})

    async def metrics_snapshot(self) -> Json:
        counters = {
            "served.legacy": 950,
            "served.new": 50,
            "decided.bucket": 1000,
            "status.legacy.2xx": 949,
            "status.legacy.5xx": 1,
            "pairs": 900,
            "match": 898,
            "mismatch": 2,
            "skipped.timeout": 100,
            "latency.legacy.70": 900,
            "latency.legacy.120": 50,
        }
        return self._answer(
            {
                "version": "0.1.0",
                "routes": {"feeds": counters},
                "rollout": self.route_rows,
                "rollout_version": 3,
                "kill_switch": False,
                "config_refused": False,
                "workers_expected": 2,
                "workers_linked": 2,
                "comparers": self.status_answer["comparers"],
                "webhooks": self.status_answer["webhooks"],
                "workers": [{"name": name, "gauges": dict(GAUGES)} for name in ("worker-1", "worker-2")],
                "store_up": True,
                "records_dropped": 0,
            }
        )

    def _answer(self, value: Value) -> Value:
        if self.fault is not None:
            raise self.fault
        return deepcopy(value)

    def _route(self, name: str) -> Json:
        return _found("route", name, [row for row in self.route_rows if row["name"] == name])

    def _signature(self, signature_id: str) -> Json:
        return _found("signature", signature_id, [row for row in self.signature_rows if row["id"] == signature_id])


def changed_route(row: Json) -> Json:
    """What a change of a route answers."""
    return {name: row[name] for name in ("name", "percentage", "effective_percentage", "hold")} | {"rollout_version": 4}


def _found(noun: str, name: str, rows: list[Json]) -> Json:
    if not rows:
        raise NotFound(f"{noun} {name}: not found")
    return rows[0]
