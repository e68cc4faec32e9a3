"""The worker's end of the link: evidence up without loss or repetition, the rollout down, and life without control."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

import pytest

from proxy import config
from proxy.traffic.frames import Kind, encode, encode_json
from tests.traffic.stage import SHADOWED, Control, Stage, staged
from tests.traffic.wire import client, ok, request, run, until


def document(stage: Stage, percentage: float, version: int = 2, **changes: Any) -> dict[str, Any]:
    """A rollout as control sends it, for this stage's backends."""
    written = {
        "version": 1,
        "backends": {
            "legacy": {"url": f"http://127.0.0.1:{stage.legacy.port}"},
            "new": {"url": f"http://127.0.0.1:{stage.new.port}"},
        },
        "users": {"key": ["header:x-user"], "salt": "inkzee-2026"},
        "routes": {
            "feeds": {
                "match": {"prefix": "/"},
                "rollout": {"percentage": percentage},
                "shadow": {"percentage": 100},
            }
        },
    }
    loaded = config.parse(json.dumps(written | changes), "test.yaml", {})
    return config.rollout_document(loaded.document, loaded.digest, version, ())


def pairs_sent(control: Control) -> int:
    return len(control.pairs)


async def tallied(stage: Stage, requests: int) -> None:
    """Until control has counters of that many requests."""
    while stage.control.counts["decided.bucket"] < requests:
        stage.control.happened.clear()
        stage.worker.link.send_tally()
        await stage.control.happened.wait()


# --- up ---
def test_link_says_who_it_is() -> None:
    """The first frame names worker and process."""

    async def scenario() -> None:
        async with staged(is_linked=True) as stage:
            assert "worker-1" == stage.control.hellos[0]["worker"]
            assert {"worker", "pid"} <= set(stage.control.hellos[0])

    run(scenario())


def test_link_carries_counters_as_deltas() -> None:
    """Each tally holds what has happened since the one before; their sum is everything, once."""

    async def scenario() -> None:
        async with staged(shadow=SHADOWED, is_linked=True) as stage:
            for number in range(1, 4):
                await stage.ask(user=f"u{number}")
                await until(lambda: not len(stage.worker.shadows))
                await tallied(stage, number)
            counts = stage.control.counts
            assert (3, 3, 3) == (counts["decided.bucket"], counts["match"], counts["served.legacy"])
            users = [
                hashed
                for tally in stage.control.tallies
                for hashed in tally["users"].get("feeds", {}).get("legacy", [])
            ]
            assert 3 == len(users) == len(set(users))

    run(scenario())


def test_link_puts_back_counters_that_were_not_acknowledged() -> None:
    """A tally that control did not take is part of the next one after the link is back: nothing lost or doubled."""

    async def scenario() -> None:
        async with staged(shadow=SHADOWED, is_linked=True) as stage:
            stage.control.acks = False
            await stage.ask()
            await stage.settle_shadows()
            await tallied(stage, 1)
            lost = list(stage.control.tallies)
            await stage.control.stop()
            await until(lambda: not stage.worker.link.is_up)
            await stage.ask()
            await stage.settle_shadows()
            stage.control.tallies.clear()
            stage.control.acks = True
            stage.control.hellos.clear()
            await stage.control.start()
            await stage.control.wait(lambda: stage.control.hellos)
            await tallied(stage, 2)
            assert 1 == Counter(lost[-1]["routes"]["feeds"])["match"]
            assert (2, 2) == (stage.control.counts["decided.bucket"], stage.control.counts["match"])

    run(scenario())


def test_link_sends_no_second_tally_before_the_first_is_acknowledged() -> None:
    """One delta is under way at most, so that what comes back after a break is known exactly."""

    async def scenario() -> None:
        async with staged(is_linked=True) as stage:
            await stage.control.wait(lambda: stage.control.tallies)
            stage.control.acks = False
            stage.worker.link.send_tally()
            await until(lambda: stage.worker.link._sent_delta)
            sent = stage.worker.link._sent_delta
            stage.worker.link.send_tally()
            assert sent is stage.worker.link._sent_delta

    run(scenario())


def test_link_carries_unequal_pairs_with_both_answers() -> None:
    """Control is legacy's, candidate new's, whoever served."""

    async def scenario() -> None:
        for percent, served in ((0, "legacy"), (100, "new")):
            async with staged(
                ok(b"legacy", "content-type: text/plain"),
                ok(b"new", "content-type: text/plain"),
                percent=percent,
                shadow=SHADOWED,
                is_linked=True,
            ) as stage:
                await stage.ask("GET", "/a?b=1", "X-Request-Id: r-1")
                (pair,) = await stage.control.wait_pairs()
                assert ("r-1", "feeds", "candidate", served) == (pair.request_id, pair.route, pair.kind, pair.served)
                assert ("GET", "/a?b=1") == (pair.method, pair.target)
                assert (b"legacy", b"new") == (pair.control.body, pair.candidate.body)
                assert (200, 6, 200, 3) == (
                    pair.control.status,
                    pair.control.length,
                    pair.candidate.status,
                    pair.candidate.length,
                )
                await stage.check_nothing_lost()

    run(scenario())


def test_link_settles_byte_equal_pairs_without_control() -> None:
    """Equal answers cost no frame: they are matches where they stand, also when fields differ in order only."""

    async def scenario() -> None:
        async with staged(
            ok(b"x", "x-a: 1", "x-b: 2", "date: now"), ok(b"x", "date: then", "x-b: 2", "x-a: 1"), shadow=SHADOWED
        ) as stage:
            await stage.ask()
            counts = await stage.check_nothing_lost()
            assert (1, 1) == (counts["match"], counts["pairs"])

    run(scenario())


def test_link_never_calls_unsettled_pairs_equal() -> None:
    """Without control an unequal pair is a gap with its reason, not a match."""

    async def scenario() -> None:
        async with staged(ok(b"legacy"), ok(b"new"), shadow=SHADOWED) as stage:
            await stage.ask()
            counts = await stage.check_nothing_lost()
            assert (0, 1, 1) == (counts["match"], counts["pairs"], counts["skipped.link_down"])

    run(scenario())


def test_link_keeps_at_most_a_window_of_pairs_unacknowledged() -> None:
    """Control says how many pairs it can take; more are counted as comparer_busy until it has caught up."""

    async def scenario() -> None:
        async with staged(ok(b"legacy"), ok(b"new"), shadow=SHADOWED, is_linked=True) as stage:
            stage.control.acks = False
            stage.control.send(Kind.CREDIT, {"window": 2})
            await until(lambda: stage.worker.link._window == 2)
            for _ in range(5):
                await stage.ask()
                await stage.settle_shadows()
            counts = await stage.check_nothing_lost()
            assert (2, 3) == (len(stage.control.pairs), counts["skipped.comparer_busy"])
            stage.control.send(Kind.PAIR_ACK, {"numbers": [number for number, _ in stage.control.pairs]})
            await until(lambda: not stage.worker.link._unacked)
            await stage.ask()
            await stage.control.wait_pairs(3)
            await stage.check_nothing_lost()

    run(scenario())


def test_link_counts_pairs_that_were_under_way_when_it_broke() -> None:
    """Pairs that control took and never settled are link_lost: a gap, not a match."""

    async def scenario() -> None:
        async with staged(ok(b"legacy"), ok(b"new"), shadow=SHADOWED, is_linked=True) as stage:
            stage.control.acks = False
            for _ in range(3):
                await stage.ask()
            await stage.control.wait_pairs(3)
            await stage.control.stop()
            await until(lambda: not stage.worker.link.is_up)
            counts = await stage.check_nothing_lost()
            assert 3 == counts["skipped.link_lost"]

    run(scenario())


# --- down ---
def test_link_brings_a_rollout_into_force() -> None:
    """The next request is decided by it."""

    async def scenario() -> None:
        async with staged(ok(b"legacy"), ok(b"new"), is_linked=True) as stage:
            assert b"legacy" == (await stage.ask()).body
            stage.control.send(Kind.ROLLOUT, document(stage, 100))
            await until(lambda: stage.worker.reader.current.rollout.version == 2)
            assert b"new" == (await stage.ask()).body

    run(scenario())


def test_link_refuses_a_broken_rollout_and_keeps_the_last_good_one() -> None:
    """Law 7: what can't be read changes nothing, the refusal is logged, and the link stays."""

    async def scenario() -> None:
        async with staged(ok(b"legacy"), ok(b"new"), is_linked=True) as stage:
            stage.control.send(Kind.ROLLOUT, document(stage, 100))
            good = document(stage, 0, 4)
            broken: list[dict[str, Any]] = [
                {},
                {"format": 99, "version": 3, "digest": "", "holds": [], "config": {}},
                good | {"config": {"version": 1}},
                good | {"config": None},
                good | {"holds": [{"route": "feeds"}]},
                good | {"version": "four"},
            ]
            for each in broken:
                stage.control.send(Kind.ROLLOUT, each)
            await until(lambda: len(stage.events("rollout.refused")) == len(broken))
            assert b"new" == (await stage.ask()).body
            assert stage.worker.link.is_up
            stage.control.send(Kind.ROLLOUT, good)
            await until(lambda: stage.worker.reader.current.rollout.version == 4)
            assert b"legacy" == (await stage.ask()).body

    run(scenario())


@pytest.mark.parametrize(
    "data",
    [
        b"\xff" * 100,
        encode(99, b"{}"),
        encode(Kind.PAIR_ACK, b"not json"),
        encode(Kind.PAIR_ACK, b"[]"),
        encode_json(Kind.PAIR_ACK, {}),
        encode_json(Kind.PAIR_ACK, {"numbers": 7}),
        encode_json(Kind.CREDIT, {"window": "many"}),
        encode_json(Kind.CREDIT, {"window": None}),
        encode_json(Kind.HELLO, {}),
    ],
    ids=lambda data: repr(data[:30]),
)
def test_link_hangs_up_on_frames_that_control_never_sends_and_connects_again(data: bytes) -> None:
    """Bytes that can't be trusted end the connection, never the worker."""

    async def scenario() -> None:
        async with staged(is_linked=True) as stage:
            stage.control.writers[-1].write(data)
            await stage.control.wait(lambda: len(stage.control.hellos) == 2)
            assert 200 == (await stage.ask()).status

    run(scenario())


def test_link_reads_frames_however_they_are_split() -> None:
    """A rollout that arrives byte by byte is one rollout."""

    async def scenario() -> None:
        async with staged(ok(b"legacy"), ok(b"new"), is_linked=True) as stage:
            data = encode_json(Kind.ROLLOUT, document(stage, 100))
            for start in range(0, len(data), 7):
                stage.control.writers[-1].write(data[start : start + 7])
                await asyncio.sleep(0)
            await until(lambda: stage.worker.reader.current.rollout.version == 2)

    run(scenario())


# --- without control ---
def test_link_is_not_needed_to_serve() -> None:
    """No control from the start: users are served, byte-equal pairs are settled."""

    async def scenario() -> None:
        async with staged(shadow=SHADOWED) as stage:
            assert 200 == (await stage.ask()).status
            assert not stage.worker.link.is_up
            counts = await stage.check_nothing_lost()
            assert 1 == counts["match"]

    run(scenario())


def test_link_comes_back_by_itself_and_no_request_fails_meanwhile() -> None:
    """Control dies amid traffic and comes again: every request is answered, evidence goes on."""

    async def scenario() -> None:
        async with staged(ok(b"legacy"), ok(b"new"), shadow=SHADOWED, is_linked=True) as stage:
            statuses: list[int] = []
            stop = asyncio.Event()

            async def traffic() -> None:
                async with client(stage.port) as user:
                    while not stop.is_set():
                        await user.send(request())
                        statuses.append((await user.answer()).status)

            busy = asyncio.create_task(traffic())
            await stage.control.wait_pairs(3)
            stage.control.hellos.clear()
            await stage.control.stop()
            await until(lambda: not stage.worker.link.is_up)
            await stage.control.start()
            await stage.control.wait(lambda: stage.control.hellos)
            sent = pairs_sent(stage.control)
            await stage.control.wait_pairs(sent + 3)
            stop.set()
            await busy
            assert {200} == set(statuses)

    run(scenario())


def test_link_of_a_control_that_does_not_read_costs_no_request() -> None:
    """A control that is stuck fills the window, then evidence is counted as busy; users notice nothing."""

    async def scenario() -> None:
        async with staged(
            ok(b"l" * 4_000, "content-type: text/plain"),
            ok(b"n" * 4_000, "content-type: text/plain"),
            shadow=SHADOWED,
            is_linked=True,
        ) as stage:
            stage.control.acks = False
            async with stage.client() as user:
                for _ in range(100):
                    await user.send(request())
                    assert 200 == (await user.answer()).status
            counts = await stage.check_nothing_lost()
            assert 36 == counts["skipped.comparer_busy"]

    run(scenario())


def test_link_says_the_last_counters_when_the_worker_stops() -> None:
    """What was counted up to the end reaches control."""
    controls: list[Control] = []

    async def scenario() -> None:
        async with staged(shadow=SHADOWED, is_linked=True) as stage:
            controls.append(stage.control)
            await stage.ask()
            await stage.ask()
        assert 2 == controls[0].counts["match"]

    run(scenario())
