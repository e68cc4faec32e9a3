"""Law 1: whatever the shadow side does, the served bytes are those of a worker that shadows nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from proxy.core.model import LEGACY, NEW, Pin, ShadowRule, Timeouts
from proxy.traffic import evidence as evidence_module
from proxy.traffic.deadlines import Deadlines
from proxy.traffic.link import Link
from proxy.traffic.pair import OpenPair
from proxy.traffic.shadow import Shadows
from tests.traffic.stage import ALL, NO_SHADOW, QUICK, SHADOWED, Stage, make_stage_rollout, staged
from tests.traffic.wire import chunked, client, free_port, hang, ok, request, reset, run, then_close, until

PIECES = tuple(bytes([65 + number]) * 700 for number in range(5))
ANSWERS: dict[str, bytes] = {
    "/length": ok(b"x" * 3000, "set-cookie: a=1", "set-cookie: b=2", "content-type: text/plain"),
    "/chunked": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunked(*PIECES) + b"0\r\n\r\n",
    "/empty": ok(b""),
    "/204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "/404": ok(b"nothing", status="404 Not Found"),
}
ATTEMPTS = 3


async def answer(asked: Any) -> None:
    """The side that serves: each target has its answer."""
    await asked.read_body()
    await asked.write(ANSWERS[asked.target])


async def drip(asked: Any) -> None:
    """A byte now and then, for as long as anybody reads."""
    await asked.read_body()
    await asked.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
    while not asked.reader.at_eof():
        await asked.write(b".")
        await asyncio.sleep(0.02)


async def flood(asked: Any) -> None:
    """50 MB, as fast as they are read."""
    await asked.write(b"HTTP/1.1 200 OK\r\ncontent-length: 50000000\r\n\r\n")
    for _ in range(50):
        await asked.write(b"f" * 1_000_000)


SHADOWS: dict[str, tuple[Any, str]] = {
    "refused": (None, "skipped.shadow_failed.connect"),
    "hanging": (hang, "skipped.shadow_failed.timeout"),
    "dripping": (drip, "skipped.shadow_failed.timeout"),
    "garbage": (then_close(b"\x00\xff\x16\x03\x01 what is this\r\n\r\n"), "skipped.shadow_failed.protocol"),
    "50 MB": (flood, "skipped.too_large"),
    "closing amid the answer": (
        then_close(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"),
        "skipped.shadow_failed.truncated",
    ),
    "reset": (reset, "skipped.shadow_failed.read"),
    "closing at once": (then_close(b""), "skipped.shadow_failed.read"),
    "answering twice": (ok(b"one") + ok(b"two"), "skipped.link_down"),
    "500": (ok(b"oops", status="500 Internal Server Error"), "skipped.link_down"),
    "huge head": (then_close(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 1_000_000), "skipped.shadow_failed.protocol"),
}


async def serve_all(stage: Stage) -> dict[str, set[bytes]]:
    """The raw bytes that users got for each target, all asked at once."""

    async def raw(target: str) -> bytes:
        async with client(stage.port) as user:
            await user.send(request("GET", target, "Connection: close"))
            return await user.rest()

    found: dict[str, set[bytes]] = {}
    for target in ANSWERS:
        found[target] = set(await asyncio.gather(*(raw(target) for _ in range(ATTEMPTS))))
    return found


@pytest.fixture(scope="module")
def unshadowed() -> dict[str, set[bytes]]:
    """What users get where nothing is shadowed."""
    found: dict[str, set[bytes]] = {}

    async def scenario() -> None:
        async with staged(answer, answer, shadow=NO_SHADOW) as stage:
            found.update(await serve_all(stage))

    run(scenario())
    assert all(len(raw) == 1 for raw in found.values())
    return found


@pytest.mark.parametrize("served", ["legacy", "new"])
@pytest.mark.parametrize("manner", SHADOWS)
def test_harmless_shadow_changes_no_served_byte(manner: str, served: str, unshadowed: dict[str, set[bytes]]) -> None:
    """Bytes are those of an unshadowed worker, and each request is counted under the shadow's own failure.

    Only where answers are too large, one after the other, the shadows of some requests may be shed.
    """
    behave, reason = SHADOWS[manner]
    ports: dict[str, Any] = {f"{'legacy' if served == 'new' else 'new'}_port": free_port()} if behave is None else {}
    sides = (answer, behave) if served == "legacy" else (behave, answer)

    async def scenario() -> None:
        async with staged(
            *sides,
            percent=100 if served == "new" else 0,
            shadow=ShadowRule(ALL, timeout_s=0.3),
            settings={"max_compared_bytes": 500_000, "shadow_bytes_per_s": 1 << 40},
            **ports,
        ) as stage:
            assert unshadowed == await serve_all(stage)
            counts = await stage.check_nothing_lost()
            shed = counts["skipped.shed"] if reason == "skipped.too_large" else 0
            assert (len(ANSWERS) * ATTEMPTS, True) == (counts[reason] + shed, counts[reason] > 0)
            assert len(ANSWERS) * ATTEMPTS == counts[f"served.{served}"]

    run(scenario())


def test_harmless_shadow_is_never_waited_for() -> None:
    """A user's answer is whole while the shadow has not said a word."""

    async def scenario() -> None:
        async with staged(answer, hang, shadow=SHADOWED) as stage:
            reply = await stage.ask("GET", "/length")
            shadow = await stage.new.wait_asked()
            assert reply.is_whole
            assert not shadow.left.is_set()
            assert 1 == len(stage.worker.shadows)

    run(scenario())


def test_harmless_shadow_has_connections_of_its_own() -> None:
    """With one connection allowed for each backend, a hanging shadow takes none from users."""

    async def scenario() -> None:
        async with staged(answer, hang, shadow=SHADOWED, connections=1, percent=0) as stage:
            await stage.ask("GET", "/length")
            await stage.new.wait_asked()
            stage.new.behave = answer
            stage.worker.apply(
                make_stage_rollout(
                    stage.legacy.port,
                    stage.new.port,
                    percent=100,
                    shadow=SHADOWED,
                    connections=1,
                    timeouts=Timeouts(pool_s=1.0),
                ),
            )
            assert 200 == (await stage.ask("GET", "/length")).status

    run(scenario())


# --- bounds ---
def test_harmless_load_beyond_the_number_of_shadows_is_shed() -> None:
    """With two shadows at a time, ten users are served and eight requests are counted as shed."""

    async def scenario() -> None:
        async with staged(
            answer, hang, shadow=ShadowRule(ALL, timeout_s=1.0), settings={"shadow_concurrency": 2}
        ) as stage:
            replies = [await stage.ask("GET", "/length") for _ in range(10)]
            assert [200] * 10 == [reply.status for reply in replies]
            assert 2 == len(stage.worker.shadows)
            counts = await stage.check_nothing_lost()
            assert 8 == counts["skipped.shed"]
            assert 2 == counts["skipped.shadow_failed.timeout"]

    run(scenario())


def test_harmless_shadows_take_no_connection_from_users() -> None:
    """Shadows that hang in legacy hold all connections that shadows may have; legacy's users have their own."""

    async def behave(asked: Any) -> None:
        await (hang(asked) if asked.is_shadow else answer(asked))

    async def scenario() -> None:
        on_new, on_legacy = Pin("a", NEW, users=frozenset({"a"})), Pin("b", LEGACY, users=frozenset({"b"}))
        timeouts = Timeouts(pool_s=0.2)
        async with staged(
            behave,
            answer,
            shadow=ShadowRule(ALL, timeout_s=5.0),
            pins=(on_new, on_legacy),
            connections=2,
            timeouts=timeouts,
        ) as stage:
            assert [200] * 4 == [(await stage.ask("GET", "/length", user="a")).status for _ in range(4)]
            await until(lambda: stage.counts()["skipped.shed"] == 2)  # who waited for a connection in vain
            assert 2 == len(stage.legacy.asked)
            assert [200] * 4 == [
                reply.status for reply in await asyncio.gather(*(stage.ask("GET", "/length", user="b") for _ in "1234"))
            ]
            stage.legacy.behave = answer
            counts = await stage.check_nothing_lost()
            assert (4, 4) == (counts["served.new"], counts["served.legacy"])

    run(scenario())


def test_harmless_answers_that_come_all_at_once_are_masked_one_in_a_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend that was silent and then answers everything: between two pairs the loop hears users."""
    number, rounds = 30, 0
    masked_in: list[int] = []
    send_pair = Link.send_pair

    def watched(*arguments: Any) -> None:
        masked_in.append(rounds)
        send_pair(*arguments)

    monkeypatch.setattr(Link, "send_pair", watched)

    async def count_rounds() -> None:
        nonlocal rounds
        while True:
            await asyncio.sleep(0)
            rounds += 1

    async def scenario() -> None:
        silent = asyncio.Event()

        async def behave(asked: Any) -> None:
            await silent.wait()
            await asked.write(ok(b"late"))

        async with staged(ok(b"now"), behave, is_linked=True, shadow=SHADOWED) as stage:
            await asyncio.gather(*(stage.ask() for _ in range(number)))
            await stage.new.wait_asked(number)
            counting = asyncio.create_task(count_rounds())
            silent.set()
            await stage.control.wait_pairs(number)
            counting.cancel()
            assert number == len(set(masked_in)) == len(masked_in)
            await stage.check_nothing_lost()

    run(scenario())


def test_harmless_answers_that_wait_to_be_masked_are_within_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each pair is kept until its turn: of those that come at once one waits where two would be too large."""
    monkeypatch.setattr(evidence_module, "MAX_QUEUED_BYTES", 30_000)
    gate = asyncio.Event()

    async def late(asked: Any) -> None:
        await gate.wait()
        await asked.write(ok(b"n" * 10_000))

    async def scenario() -> None:
        async with staged(ok(b"o" * 10_000), late, is_linked=True, shadow=SHADOWED) as stage:
            take = stage.worker.evidence.take
            ended: list[tuple[Any, Any]] = []
            stage.worker.shadows.finished = lambda pair, again: ended.append((pair, again))
            await asyncio.gather(*(stage.ask() for _ in range(3)))
            gate.set()
            await until(lambda: len(ended) == 3)
            for pair, again in ended:  # in one round of the loop
                take(pair, again)
            assert 1 == len(stage.worker.evidence)
            counts = await stage.check_nothing_lost()
            assert (2, 1) == (counts["skipped.masking_busy"], len(stage.control.pairs))

    run(scenario())


def test_harmless_load_at_once_keeps_the_bound() -> None:
    """Requests that begin together before any shadow is sent don't get past the bound either."""

    async def scenario() -> None:
        async with staged(
            answer, hang, shadow=ShadowRule(ALL, timeout_s=0.5), settings={"shadow_total_concurrency": 3}
        ) as stage:
            await asyncio.gather(*(stage.ask("GET", "/length") for _ in range(20)))
            assert len(stage.worker.shadows) <= 3
            assert len(stage.new.asked) <= 3
            await stage.check_nothing_lost()

    run(scenario())


def test_harmless_load_beyond_the_bytes_of_all_shadows_is_shed() -> None:
    """Answers kept for the comparer stay within the worker's byte budget; the rest is counted as shed."""

    async def scenario() -> None:
        async with staged(
            ok(b"x" * 40_000),
            hang,
            shadow=ShadowRule(ALL, timeout_s=1.0),
            settings={"shadow_total_bytes": 100_000},
        ) as stage:
            for _ in range(5):
                await stage.ask()
                assert stage.worker.shadows.bytes_kept <= 100_000
            counts = await stage.check_nothing_lost()
            assert 3 == counts["skipped.shed"]

    run(scenario())


def test_harmless_request_bodies_waiting_for_shadows_are_within_the_byte_budget() -> None:
    """Copies of requests count, too: a queue of writes behind a slow one can't hold more than the budget."""

    async def scenario() -> None:
        async with staged(
            ok(), hang, shadow=ShadowRule(ALL, writes=True, timeout_s=1.0), settings={"shadow_total_bytes": 100_000}
        ) as stage:
            for _ in range(5):
                await stage.ask("POST", "/", body=b"b" * 40_000)
            assert 40_000 <= stage.worker.shadows.bytes_kept <= 100_000
            counts = await stage.check_nothing_lost()
            assert 3 == counts["skipped.shed"]

    run(scenario())


def test_harmless_answers_too_large_to_keep_are_served_whole() -> None:
    """Above `max_compared_bytes` the copy is given up, not the answer."""

    async def scenario() -> None:
        async with staged(
            ok(b"x" * 300_000), ok(b"x" * 300_000), shadow=SHADOWED, settings={"max_compared_bytes": 1000}
        ) as stage:
            reply = await stage.ask()
            assert 300_000 == len(reply.body)
            counts = await stage.check_nothing_lost()
            assert 1 == counts["skipped.too_large"]

    run(scenario())


# --- faults in our own code ---
class Planted(Exception):
    """Raised where no code raises."""


FAULTS: dict[str, tuple[Any, str]] = {
    "refusing": (Shadows, "refusal"),
    "opening": (Shadows, "open"),
    "launching": (Shadows, "launch"),
    "starting": (Shadows, "_start"),
    "keeping": (OpenPair, "keep"),
    "noting the answer": (OpenPair, "answered"),
    "reading the shadow": (OpenPair, "_take"),
    "settling": (OpenPair, "_settle"),
    "judging": (evidence_module, "_is_same"),
    "comparing": (evidence_module, "is_same"),
    "masking": (evidence_module, "observed"),
    "collecting": (evidence_module, "_raw"),
}


@pytest.mark.parametrize("place", FAULTS)
def test_harmless_fault_in_shadow_code_leaves_the_answer_intact(
    place: str, unshadowed: dict[str, set[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug on the shadow side is a verdict: counted once for each request, logged, and no slot stays taken."""

    def fail(*_: object, **__: object) -> None:
        raise Planted(place)

    async def scenario() -> None:
        different = ok(b"something else")
        async with staged(answer, different, shadow=SHADOWED, has_faults=True, is_linked=True) as stage:
            monkeypatch.setattr(*FAULTS[place], fail)
            assert unshadowed == await serve_all(stage)
            counts = await stage.check_nothing_lost()
            assert len(ANSWERS) * ATTEMPTS == counts["skipped.fault"]
            assert 0 == len(stage.worker.shadows)
            assert {} == stage.worker.shadows._lanes

    run(scenario())


def test_harmless_fault_in_a_shadows_timeout_leaves_deadlines_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines are shared with users' requests: a bug met while a shadow expires must not stop them."""

    def fail(*_: object) -> None:
        raise Planted

    async def scenario() -> None:
        async with staged(
            answer, hang, shadow=ShadowRule(ALL, timeout_s=0.1), timeouts=QUICK, has_faults=True
        ) as stage:
            monkeypatch.setattr(OpenPair, "progress", fail)
            await stage.ask("GET", "/length")
            await until(lambda: not len(stage.worker.deadlines))
            stage.legacy.behave = hang
            assert 504 == (await stage.ask("GET", "/length")).status

    run(scenario())


def test_harmless_fault_of_one_deadline_leaves_the_others_at_work() -> None:
    """One exchange whose expiry raises doesn't end the sweep."""

    class Bad:
        deadline = 0.0
        expired = False

        def expire(self, now: float) -> None:
            self.expired = True
            raise Planted

    class Good:
        deadline = 0.0
        expired = False

        def expire(self, now: float) -> None:
            self.expired = True
            deadlines.discard(self)

    deadlines = Deadlines()

    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        bad = Bad()
        deadlines.add(bad)
        deadlines.start()
        await until(lambda: bad.expired)
        good = Good()
        deadlines.add(good)
        await until(lambda: good.expired)
        deadlines.stop()

    run(scenario())


def test_harmless_foreign_error_of_a_shadow_upstream_is_counted() -> None:
    """An upstream that raises what it shouldn't costs its pair only."""

    async def scenario() -> None:
        async with staged(answer, answer, shadow=SHADOWED, has_faults=True) as stage:
            upstream = stage.worker.reader.current.shadows["new"]

            async def fail(exchange: Any) -> None:
                raise ValueError("label too long")

            upstream.open = fail  # type: ignore[method-assign]
            assert 200 == (await stage.ask("GET", "/length")).status
            counts = await stage.check_nothing_lost()
            assert 1 == counts["skipped.fault"]

    run(scenario())


def test_harmless_shadow_error_never_names_the_served_side() -> None:
    """An UpstreamError of the shadow is evidence, not a failure of a user's request."""

    async def scenario() -> None:
        async with staged(answer, reset, shadow=SHADOWED) as stage:
            await stage.ask("GET", "/length")
            counts = await stage.check_nothing_lost()
            assert 0 == counts["failed.new"] + counts["failed.legacy"]

    run(scenario())
