"""What is asked of the other side: which requests, how marked, in which order."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from proxy.core.model import CompareRules, ShadowRule
from tests.traffic.stage import ALL, SHADOWED, WITH_WRITES, make_stage_rollout, staged
from tests.traffic.wire import chunked, hang, ok, request, reset, run, until


@pytest.mark.parametrize(("percent", "serving"), [(0, "legacy"), (100, "new")])
def test_shadow_is_asked_of_the_side_that_does_not_serve(percent: int, serving: str) -> None:
    """Users on legacy are shadowed to new, and the other way round; only the shadow is marked."""

    async def scenario() -> None:
        async with staged(ok(b"legacy"), ok(b"new"), percent=percent, shadow=SHADOWED) as stage:
            assert serving.encode() == (await stage.ask()).body
            await stage.settle()
            assert (serving == "new") == stage.legacy.asked[0].is_shadow
            assert (serving == "legacy") == stage.new.asked[0].is_shadow
            shadow = stage.legacy.asked[0] if serving == "new" else stage.new.asked[0]
            assert ["1"] == shadow.head.all("x-changeover-shadow")

    run(scenario())


def test_shadow_mark_of_a_user_is_dropped() -> None:
    """A user can't pass a request off as a shadow, however the name is written."""

    async def scenario() -> None:
        async with staged(shadow=SHADOWED) as stage:
            await stage.ask("GET", "/", "X-Changeover-Shadow: 1", "x-changeover-SHADOW: 0")
            await stage.settle()
            assert [] == stage.legacy.asked[0].head.all("x-changeover-shadow")
            assert ["1"] == stage.new.asked[0].head.all("x-changeover-shadow")

    run(scenario())


def test_shadow_gets_the_same_request() -> None:
    """Line, fields and body are those of the served request, but for the mark and the span in its trace."""

    async def scenario() -> None:
        async with staged(shadow=WITH_WRITES) as stage:
            await stage.ask("POST", "/a?b=%zz", "X-A: 1", "Cookie: s=2", body=b"payload")
            await stage.settle()
            served, shadow = stage.legacy.asked[0], stage.new.asked[0]
            assert served.head.start == shadow.head.start
            differing = {"x-changeover-shadow", "traceparent"}
            fields = [[field for field in each.head.fields if field[0] not in differing] for each in (served, shadow)]
            assert fields[0] == fields[1]
            traces = [each.head.all("traceparent")[0].split("-") for each in (served, shadow)]
            assert traces[0][1] == traces[1][1]
            assert traces[0][2] != traces[1][2]
            assert b"payload" == bytes(served.body) == bytes(shadow.body)

    run(scenario())


def test_shadow_gets_a_chunked_body_whole() -> None:
    """A body that came in chunks is sent in chunks, with the same bytes."""

    async def scenario() -> None:
        async with staged(shadow=WITH_WRITES) as stage, stage.client() as user:
            await user.send(request("POST", "/", "Transfer-Encoding: chunked") + chunked(b"one"))
            await stage.legacy.wait_asked()
            await user.send(chunked(b"two") + b"0\r\n\r\n")
            assert 200 == (await user.answer()).status
            await stage.settle()
            assert b"onetwo" == bytes(stage.new.asked[0].body)
            assert ["chunked"] == stage.new.asked[0].head.all("transfer-encoding")

    run(scenario())


def test_shadow_of_a_body_over_the_limit_is_not_asked() -> None:
    """A body that can't be kept is served as it streams, and counted."""

    async def scenario() -> None:
        async with staged(shadow=WITH_WRITES, settings={"max_shadow_body_bytes": 1000}) as stage:
            assert 200 == (await stage.ask("POST", "/", body=b"x" * 1001)).status
            assert 200 == (await stage.ask("POST", "/", body=b"x" * 1000)).status
            counts = await stage.check_nothing_lost()
            assert (1, 1) == (counts["skipped.request_too_large"], counts["match"])
            assert 1 == len(stage.new.asked)

    run(scenario())


def test_shadow_sample_is_a_share_of_requests() -> None:
    """With 30 % about that share is asked; the rest is counted as not sampled."""

    async def scenario() -> None:
        async with staged(shadow=ShadowRule(30_000)) as stage, stage.client() as user:
            for number in range(400):
                await user.send(request("GET", "/", f"X-Request-Id: r-{number}"))
                await user.answer()
            counts = await stage.check_nothing_lost()
            assert 400 == counts["match"] + counts["skipped.not_sampled"]
            assert 90 <= counts["match"] <= 150
            assert counts["match"] == len(stage.new.asked)

    run(scenario())


def test_shadow_is_off_under_the_kill_switch() -> None:
    """Everything legacy, and nothing asked of new."""

    async def scenario() -> None:
        async with staged(shadow=SHADOWED, percent=100, kill_switch=True) as stage:
            await stage.ask()
            counts = await stage.check_nothing_lost()
            assert (1, 1) == (counts["skipped.kill_switch"], counts["decided.kill_switch"])
            assert [] == stage.new.asked

    run(scenario())


def test_shadow_rules_of_a_new_rollout_are_in_force_for_the_next_request() -> None:
    """A change of the rollout needs no restart, and reuses what has not changed."""

    async def scenario() -> None:
        async with staged(shadow=SHADOWED) as stage:
            await stage.ask()
            before = stage.worker.reader.current
            stage.worker.apply(make_stage_rollout(stage.legacy.port, stage.new.port, percent=100, kill_switch=False))
            after = stage.worker.reader.current
            assert before.served["legacy"] is after.served["legacy"]
            await stage.ask()
            counts = await stage.check_nothing_lost()
            assert (1, 1) == (counts["match"], counts["skipped.not_sampled"])

    run(scenario())


# --- noise runs ---
def test_noise_run_asks_legacy_a_second_time() -> None:
    """Of a user on legacy, legacy is asked twice: once to serve, once marked as shadow."""

    async def scenario() -> None:
        async with staged(shadow=SHADOWED, compare=CompareRules(noise_millipercent=ALL)) as stage:
            await stage.ask()
            counts = await stage.check_nothing_lost()
            assert [False, True] == sorted(asked.is_shadow for asked in stage.legacy.asked)
            assert (1, 1, 1) == (counts["match"], counts["self_pairs"], counts["self_matches"])

    run(scenario())


def test_noise_run_is_asked_beside_new() -> None:
    """Legacy's second answer and new's are asked for at the same moment: neither waits for another's answer."""
    all_asked = asyncio.Event()
    number = 0

    async def behave(asked: Any) -> None:
        nonlocal number
        number += 1
        if number == 3:
            all_asked.set()
        await all_asked.wait()
        await asked.write(ok())

    async def scenario() -> None:
        async with staged(behave, behave, shadow=SHADOWED, compare=CompareRules(noise_millipercent=ALL)) as stage:
            await stage.ask()
            counts = await stage.check_nothing_lost()
            assert (1, 1, 3) == (counts["match"], counts["self_matches"], number)

    run(scenario())


def test_noise_run_that_differs_goes_up_as_noise() -> None:
    """A legacy that doesn't agree with itself: a pair of kind noise, beside that with new."""
    number = 0

    async def behave(asked: Any) -> None:
        nonlocal number
        number += 1
        await asked.write(ok(b"answer %d" % number, "content-type: text/plain"))

    async def scenario() -> None:
        async with staged(
            behave, shadow=SHADOWED, compare=CompareRules(noise_millipercent=ALL), is_linked=True
        ) as stage:
            await stage.ask()
            pairs = await stage.control.wait_pairs(2)
            assert ["candidate", "noise"] == sorted(pair.kind for pair in pairs)
            await stage.check_nothing_lost()

    run(scenario())


def test_noise_run_that_fails_is_no_gap_in_the_evidence() -> None:
    """The pair with new counts; legacy's second answer is only needed to learn from."""

    async def behave(asked: Any) -> None:
        if asked.is_shadow:
            await reset(asked)
        else:
            await asked.write(ok())

    async def scenario() -> None:
        async with staged(behave, shadow=SHADOWED, compare=CompareRules(noise_millipercent=ALL)) as stage:
            await stage.ask()
            counts = await stage.check_nothing_lost()
            assert (1, 0) == (counts["match"], counts["self_pairs"])

    run(scenario())


@pytest.mark.parametrize(("method", "percent"), [("POST", 0), ("GET", 100)])
def test_noise_run_is_for_safe_requests_on_legacy_only(method: str, percent: int) -> None:
    """A write is never repeated, and legacy is not asked twice beside new's answer."""

    async def scenario() -> None:
        async with staged(shadow=WITH_WRITES, percent=percent, compare=CompareRules(noise_millipercent=ALL)) as stage:
            await stage.ask(method)
            await stage.settle()
            assert (1, 1) == (len(stage.legacy.asked), len(stage.new.asked))

    run(scenario())


# --- order ---
def test_shadow_of_a_read_waits_for_the_same_users_write() -> None:
    """What a user wrote is there on the other side before the user's next read is asked of it."""
    may_write = asyncio.Event()

    async def behave(asked: Any) -> None:
        await asked.read_body()
        if asked.method == "POST":
            await may_write.wait()
        await asked.write(ok())

    async def scenario() -> None:
        async with staged(ok(), behave, shadow=WITH_WRITES) as stage:
            await stage.ask("POST", "/w", body=b"x", user="anna")
            await stage.new.wait_asked()
            await stage.ask("GET", "/r1", user="anna")
            await stage.ask("PUT", "/w2", body=b"y", user="anna")
            await stage.ask("GET", "/r2", user="anna")
            await stage.ask("GET", "/other", user="bert")
            await stage.new.wait_asked(2)
            assert ["POST /w", "GET /other"] == stage.new.requests
            may_write.set()
            counts = await stage.check_nothing_lost()
            order = [line for line in stage.new.requests if line != "GET /other"]
            assert ["POST /w", "GET /r1", "PUT /w2", "GET /r2"] == order
            assert 5 == counts["match"]

    run(scenario())


@pytest.mark.parametrize("ending", ["timeout", "reset"])
def test_shadow_of_a_read_goes_on_after_a_write_that_failed(ending: str) -> None:
    """A lane is never blocked for good: the write's failure ends it, too."""

    async def behave(asked: Any) -> None:
        if asked.method == "POST":
            await (hang if ending == "timeout" else reset)(asked)
        else:
            await asked.write(ok())

    async def scenario() -> None:
        async with staged(ok(), behave, shadow=ShadowRule(ALL, writes=True, timeout_s=0.2)) as stage:
            await stage.ask("POST", "/w", body=b"x")
            await stage.ask("GET", "/r")
            counts = await stage.check_nothing_lost()
            assert ["POST /w", "GET /r"] == stage.new.requests
            assert 1 == counts["match"]
            assert {} == stage.worker.shadows._lanes

    run(scenario())


def test_shadow_of_a_write_is_carried_out_even_where_the_served_answer_is_too_large() -> None:
    """The other side's state must follow the user's writes, whether or not the answers can be compared."""

    async def behave(asked: Any) -> None:
        await asked.read_body()
        done.set()
        await asked.write(ok())

    done = asyncio.Event()

    async def scenario() -> None:
        async with staged(
            ok(b"x" * 100_000), behave, shadow=WITH_WRITES, settings={"max_compared_bytes": 100}
        ) as stage:
            await stage.ask("POST", "/w", body=b"x")
            await done.wait()
            counts = await stage.check_nothing_lost()
            assert 1 == counts["skipped.too_large"]

    run(scenario())


def test_shadow_slots_are_given_back() -> None:
    """After a hundred shadows of every outcome none is left open."""

    async def scenario() -> None:
        outcomes: list[Any] = [ok(), hang, reset, ok(b"other"), ok(status="500 Oops")]
        turn = 0

        async def behave(asked: Any) -> None:
            nonlocal turn
            turn += 1
            manner = outcomes[turn % len(outcomes)]
            await (asked.write(manner) if isinstance(manner, bytes) else manner(asked))

        async with staged(ok(), behave, shadow=ShadowRule(ALL, timeout_s=0.1)) as stage:
            for _ in range(20):
                await asyncio.gather(*(stage.ask() for _ in range(5)))
            await until(lambda: not len(stage.worker.shadows))
            await stage.check_nothing_lost()
            assert {"feeds": 0} == stage.worker.shadows._open_by_route

    run(scenario())
