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


def test_noise_run_that_differs_goes_up_with_the_pair() -> None:
    """A legacy that doesn't agree with itself, nor with new: all three answers are judged together."""
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
            [pair] = await stage.control.wait_pairs()
            assert pair.again is not None
            assert ("candidate", "noise") == (pair.kind, pair.again.kind)
            assert (b"answer 1", b"ok") == (pair.control.body, pair.candidate.body)
            assert (b"answer 1", b"answer 2") == (pair.again.control.body, pair.again.candidate.body)
            counts = await stage.check_nothing_lost()
            assert (1, 1) == (counts["pairs"], counts["self_pairs"])

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
            assert (1, 0, 1) == (counts["match"], counts["self_pairs"], counts["self_skipped.shadow_failed.read"])

    run(scenario())


@pytest.mark.parametrize("percent", [0, 100])
def test_noise_run_is_for_safe_requests_only(percent: int) -> None:
    """A write is never repeated, whoever serves."""

    async def scenario() -> None:
        async with staged(shadow=WITH_WRITES, percent=percent, compare=CompareRules(noise_millipercent=ALL)) as stage:
            await stage.ask("POST")
            await stage.settle()
            assert (1, 1) == (len(stage.legacy.asked), len(stage.new.asked))

    run(scenario())


@pytest.mark.parametrize("body", [b"the same", b"x" * 40_000], ids=["small", "large"])
def test_noise_run_beside_new_asks_legacy_twice(body: bytes) -> None:
    """Of a user on new, both of legacy's answers are shadows, and they are compared with each other."""

    async def scenario() -> None:
        async with staged(
            ok(body), ok(body), percent=100, shadow=SHADOWED, compare=CompareRules(noise_millipercent=ALL)
        ) as stage:
            await stage.ask()
            counts = await stage.check_nothing_lost()
            assert [True, True] == [asked.is_shadow for asked in stage.legacy.asked]
            assert [False] == [asked.is_shadow for asked in stage.new.asked]
            assert (1, 1, 1) == (counts["match"], counts["self_pairs"], counts["self_matches"])

    run(scenario())


def test_noise_run_beside_new_compares_both_answers_of_legacy() -> None:
    """What goes up as noise is what legacy said twice, and nothing of new's answer."""
    number = 0

    async def behave(asked: Any) -> None:
        nonlocal number
        number += 1
        await asked.write(ok(b"answer %d" % number, "content-type: text/plain"))

    async def scenario() -> None:
        async with staged(
            behave, percent=100, shadow=SHADOWED, compare=CompareRules(noise_millipercent=ALL), is_linked=True
        ) as stage:
            await stage.ask()
            [pair] = await stage.control.wait_pairs()
            assert pair.again is not None
            assert {b"answer 1", b"answer 2"} == {pair.again.control.body, pair.again.candidate.body}
            assert (pair.again.control.body, b"ok") == (pair.control.body, pair.candidate.body)
            await stage.check_nothing_lost()

    run(scenario())


def test_noise_run_that_may_be_too_large_for_a_frame_goes_up_in_two() -> None:
    """Where bodies of twenty megabytes are compared, four of them are not sent at once."""
    number = 0

    async def behave(asked: Any) -> None:
        nonlocal number
        number += 1
        await asked.write(ok(b"answer %d" % number))

    async def scenario() -> None:
        async with staged(
            behave,
            shadow=SHADOWED,
            compare=CompareRules(noise_millipercent=ALL),
            settings={"max_compared_bytes": 20 * 1024 * 1024},
            is_linked=True,
        ) as stage:
            await stage.ask()
            pairs = await stage.control.wait_pairs(2)
            assert [("candidate", None), ("noise", None)] == sorted((pair.kind, pair.again) for pair in pairs)
            await stage.check_nothing_lost()

    run(scenario())


@pytest.mark.parametrize("percent", [0, 100])
@pytest.mark.parametrize("odd", ["new", "again"])
def test_noise_run_of_which_one_pair_differs_says_so(odd: str, percent: int) -> None:
    """The other pair was equal: that isn't the same as lost."""
    number = 0

    async def behave(asked: Any) -> None:
        nonlocal number
        number += 1
        await asked.write(ok(b"odd" if odd == "again" and number == 2 else b"even"))

    async def scenario() -> None:
        async with staged(
            behave,
            ok(b"odd" if odd == "new" else b"even"),
            percent=percent,
            shadow=SHADOWED,
            compare=CompareRules(noise_millipercent=ALL),
            is_linked=True,
        ) as stage:
            await stage.ask()
            [pair] = await stage.control.wait_pairs()
            assert ("candidate" if odd == "new" else "noise", True, None) == (
                pair.kind,
                pair.is_other_equal,
                pair.again,
            )
            await stage.check_nothing_lost()

    run(scenario())


def test_noise_run_of_which_one_pair_is_lost_says_nothing_of_it() -> None:
    """What is known of the pair that is left is that it differs."""

    async def behave(asked: Any) -> None:
        if asked.is_shadow:
            await reset(asked)
        await asked.write(ok(b"legacy"))

    async def scenario() -> None:
        async with staged(
            behave, ok(b"new"), shadow=SHADOWED, compare=CompareRules(noise_millipercent=ALL), is_linked=True
        ) as stage:
            await stage.ask()
            [pair] = await stage.control.wait_pairs()
            assert ("candidate", False, None) == (pair.kind, pair.is_other_equal, pair.again)
            await stage.check_nothing_lost()

    run(scenario())


@pytest.mark.parametrize(
    ("failing", "lost"),
    [
        (1, {"skipped.shadow_failed.read": 1, "self_skipped.shadow_failed.read": 1}),
        (2, {"self_skipped.shadow_failed.read": 1}),
    ],
)
def test_noise_run_beside_new_that_fails_is_counted(failing: int, lost: dict[str, int]) -> None:
    """Without legacy's first answer there is no pair at all; without its second only that with new."""
    number = 0

    async def behave(asked: Any) -> None:
        nonlocal number
        number += 1
        if number == failing:
            await reset(asked)
        await asked.write(ok())

    async def scenario() -> None:
        async with staged(behave, percent=100, shadow=SHADOWED, compare=CompareRules(noise_millipercent=ALL)) as stage:
            await stage.ask()
            counts = await stage.check_nothing_lost()
            assert lost == {name: count for name, count in counts.items() if "skipped." in name}

    run(scenario())


@pytest.mark.parametrize("percent", [0, 100])
@pytest.mark.parametrize(
    ("bound", "reason"),
    [
        ({"shadow_total_concurrency": 1}, "shed"),
        ({"max_compared_bytes": 10_000}, "too_large"),
    ],
)
def test_noise_run_without_room_is_counted(percent: int, bound: dict[str, int], reason: str) -> None:
    """Nothing about legacy's second answer is silently gone: no room to ask for it, or an answer that is too large."""
    large = ok(b"x" * 20_001)

    async def scenario() -> None:
        async with staged(
            large,
            large,
            percent=percent,
            shadow=SHADOWED,
            settings=bound,
            compare=CompareRules(noise_millipercent=ALL),
        ) as stage:
            await stage.ask()
            counts = await stage.check_nothing_lost()
            assert {f"self_skipped.{reason}": 1} == {
                name: count for name, count in counts.items() if name.startswith("self_")
            }

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
