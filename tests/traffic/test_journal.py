"""One wide event for each request that is to be noted: what stands in it, and what never does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from proxy.core.model import ShadowRule
from proxy.traffic import journal as journal_module
from proxy.traffic.journal import Journal
from tests.traffic.stage import ALL, KEYED, NO_SHADOW, QUICK, SHADOWED, staged
from tests.traffic.wire import client, hang, ok, request, run, then_close, until

if TYPE_CHECKING:
    from collections.abc import MutableMapping

EVERYTHING = {"request_log": "all"}
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiIsIm5hbWUiOiJBZGEifQ.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"
FAILING = ok(b"ill", status="503 Service Unavailable")


def noted(entries: list[MutableMapping[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(entry.get(name) for name in names) for entry in entries]


def test_journal_notes_a_served_request_with_its_shadow() -> None:
    """Who answered, why, for how long, and what became of the shadow; in the trace that the backends got."""

    async def scenario() -> None:
        async with staged(ok(b"same"), ok(b"same"), shadow=SHADOWED, users=KEYED, settings=EVERYTHING) as stage:
            await stage.ask("GET", "/feeds?page=2", "X-User: 42", "User-Agent: curl/8")
            await stage.settle()
            (entry,) = stage.events("request.served")
            expected = {
                "http.request.method": "GET",
                "url.path": "/feeds",
                "url.query": "page=2",
                "user_agent.original": "curl/8",
                "url.scheme": "http",
                "server.address": "shop.example",
                "network.protocol.version": "1.1",
                "http.route": "/",
                "changeover.route": "feeds",
                "http.response.status_code": 200,
                "http.response.body.size": 4,
                "client.address": "127.0.0.1",
                "changeover.backend": "legacy",
                "changeover.reason": "bucket",
                "changeover.shadow": "match",
            }
            assert expected == {name: entry[name] for name in expected}
            assert 0 <= entry["changeover.bucket"] < 100_000
            assert entry["changeover.backend.duration_s"] > 0
            assert 0 < entry["changeover.first_byte_s"] == entry["changeover.duration_s"]
            assert entry["trace_id"].encode() in stage.legacy.asked[0].head.raw
            assert entry["trace_id"].encode() in stage.new.asked[0].head.raw

    run(scenario())


def test_journal_says_sent_of_what_is_to_be_compared_and_why_of_what_is_not() -> None:
    """The verdict of an unequal pair is control's to find."""

    async def scenario() -> None:
        async with staged(ok(b"one"), ok(b"two"), shadow=SHADOWED, settings=EVERYTHING, is_linked=True) as stage:
            await stage.ask()
            await stage.ask("POST", "/", body=b"x")
            await stage.settle()
            assert ["sent", "method"] == [each["changeover.shadow"] for each in stage.events("request.served")]

    run(scenario())


def test_journal_waits_for_a_shadow_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line doesn't wait for a shadow that hangs."""
    monkeypatch.setattr(journal_module, "PATIENCE_S", 0.05)

    async def scenario() -> None:
        slow = ShadowRule(ALL, timeout_s=0.6)
        async with staged(ok(b"one"), hang, shadow=slow, settings=EVERYTHING, has_faults=True) as stage:
            await stage.ask()
            await until(lambda: any(entry["event"] == "request.served" for entry in stage.logs))
            assert len(stage.worker.shadows) == 1
            assert [None] == [each.get("changeover.shadow") for each in stage.events("request.served")]

    run(scenario())


@pytest.mark.parametrize(("scope", "expected"), [("all", 2), ("problems", 1), ("off", 0)])
def test_journal_notes_as_much_as_it_is_asked_to(scope: str, expected: int) -> None:
    """With `problems` only the 503 of the two."""

    async def scenario() -> None:
        settings = {"request_log": scope}
        async with staged(FAILING, ok(b"new"), percent=0, shadow=NO_SHADOW, settings=settings) as stage:
            await stage.ask()
            stage.legacy.behave = ok(b"well")
            await stage.ask()
            assert expected == len(stage.events("request.served"))

    run(scenario())


def test_journal_says_what_legacy_stood_in_for() -> None:
    """A fallback is a problem: who answered, and what new had said."""

    async def scenario() -> None:
        async with staged(ok(b"legacy"), FAILING, percent=100, fallback=True, shadow=NO_SHADOW) as stage:
            assert b"legacy" == (await stage.ask()).body
            assert [("legacy", "503", 200)] == noted(
                stage.events("request.served"),
                "changeover.backend",
                "changeover.fell_back",
                "http.response.status_code",
            )

    run(scenario())


def test_journal_tells_failures_broken_answers_and_users_who_left_apart() -> None:
    """Each with the side, the phase and the cause; a user who left is no problem of ours."""

    async def scenario() -> None:
        broken = then_close(b"HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n" + b"x" * 70_000)
        settings = EVERYTHING
        async with staged(broken, shadow=NO_SHADOW, timeouts=QUICK, settings=settings, has_faults=True) as stage:
            await stage.ask()
            await stage.settle()
            assert [("legacy", 200, "truncated")] == noted(
                stage.events("answer.broken_off"), "changeover.backend", "http.response.status_code", "phase"
            )
            stage.legacy.behave = hang
            assert 504 == (await stage.ask()).status
            assert [("legacy", 504, "read")] == noted(
                stage.events("request.failed"), "changeover.backend", "http.response.status_code", "phase"
            )
            async with client(stage.port) as user:
                await user.send(request("GET", "/"))
                await until(lambda: stage.worker.handler.in_flight == 1)
            await stage.settle()
            assert 1 == len(stage.events("request.left"))

    run(scenario())


def test_journal_notes_refusals() -> None:
    """Of what is no request nothing is known but who sent it, and what is wrong with it."""

    async def scenario() -> None:
        async with staged(shadow=NO_SHADOW) as stage:
            await stage.send(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
            assert [(400, "request_refused", "127.0.0.1")] == noted(
                stage.events("request.refused"), "http.response.status_code", "error.type", "client.address"
            )

    run(scenario())


def test_journal_says_what_was_refused_where_it_was_understood() -> None:
    """Method, masked target, route and the user's request id, also of a body that turns out too long on the way."""

    async def scenario() -> None:
        async with staged(hang, shadow=NO_SHADOW, settings={"max_request_body_bytes": 4}) as stage:
            chunked = (
                b"POST /a?token=geheim HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine\r\nTransfer-Encoding: chunked\r\n\r\n"
            )
            await stage.send(chunked + b"5\r\nhello\r\n0\r\n\r\n")
            await stage.send(b"PUT /b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
            await stage.send(b"TRACE /c HTTP/1.1\r\nHost: a\r\n\r\n")
            names = ("http.response.status_code", "http.request.method", "url.path", "changeover.route")
            expected = [(413, "POST", "/a", "feeds"), (413, "PUT", "/b", "feeds"), (405, "TRACE", "/c", None)]
            assert expected == noted(stage.events("request.refused"), *names)
            first = stage.events("request.refused")[0]
            assert ("mine", True) == (first["changeover.request_id"], "geheim" not in first["url.query"])
            assert {"413": 2, "405": 1} == {
                name.removeprefix("refused."): number
                for name, number in stage.worker.gauges().items()
                if name.startswith("refused.")
            }

    run(scenario())


def test_journal_notes_what_no_backend_was_asked() -> None:
    """An OPTIONS that was to go no further."""

    async def scenario() -> None:
        async with staged(shadow=NO_SHADOW, settings=EVERYTHING) as stage:
            await stage.ask("OPTIONS", "/", "Max-Forwards: 0")
            await stage.settle()
            assert [("OPTIONS", "/", 200, None)] == noted(
                stage.events("request.answered"),
                "http.request.method",
                "url.path",
                "http.response.status_code",
                "changeover.backend",
            )

    run(scenario())


def test_journal_writes_much_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """No request waits for the lines of many others: between two slices the loop goes on."""
    monkeypatch.setattr(journal_module, "SLICE_S", 0.0)  # one line at a time
    slices: list[int] = []

    async def scenario() -> None:
        async with staged(shadow=NO_SHADOW, settings=EVERYTHING) as stage:
            journal, write = stage.worker.journal, Journal._write_slice
            monkeypatch.setattr(Journal, "sweep", lambda *_: None)

            def write_noted(each: Journal) -> None:
                slices.append(len(each._ready))
                write(each)

            monkeypatch.setattr(Journal, "_write_slice", write_noted)
            for _ in range(5):
                await stage.ask()
            journal._write_slice()
            await until(lambda: 5 == len([each for each in stage.logs if each["event"] == "request.served"]))
            assert [5, 4, 3, 2, 1] == slices

    run(scenario())


def test_journal_shows_no_secret() -> None:
    """Law 6: neither the user's key nor a token in the target, wherever it stands."""

    async def scenario() -> None:
        async with staged(shadow=NO_SHADOW, users=KEYED, settings=EVERYTHING) as stage:
            await stage.ask(
                "GET",
                "/reset?token=geheim-1&page=2",
                "X-User: geheim-2",
                "Cookie: session=geheim-3",
                "Authorization: Bearer geheim-4",
                f"X-Request-Id: {JWT}",
            )
            (entry,) = stage.events("request.served")
            assert "geheim" not in json.dumps(entry, default=str)
            assert JWT not in json.dumps(entry, default=str)
            assert "page=2" in entry["url.query"]

    run(scenario())


def test_journal_drops_and_counts_what_finds_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Full means dropped: requests don't wait for the log."""
    monkeypatch.setattr(journal_module, "_ROOM", 3)

    async def scenario() -> None:
        async with staged(shadow=NO_SHADOW, settings=EVERYTHING) as stage:
            monkeypatch.setattr(Journal, "sweep", lambda *_: None)
            for _ in range(5):
                assert 200 == (await stage.ask()).status
            assert 2 == stage.worker.gauges()["events_dropped"]
            assert 3 == len(stage.events("request.served"))

    run(scenario())
