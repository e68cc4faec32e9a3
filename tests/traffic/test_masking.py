"""Masking: a worker's child that is killed, stopped, flooded and told of new rules; each pair ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from proxy.core.model import LEGACY, Redaction
from proxy.core.paths import parse as parse_path
from proxy.core.raw_pair import RawAnswer, RawPair, decode_raw, encode_raw
from proxy.traffic import masking as masking_module
from proxy.traffic.masking import Masking
from proxy.traffic.tasks import Tasks
from tests.traffic.stage import SHADOWED, Stage, staged
from tests.traffic.wire import ok, run, until

if TYPE_CHECKING:
    import pytest

    from proxy.core.evidence import Pair

KEY = b"0123456789abcdef"
LARGE = json.dumps({"side": "SIDE", "items": [{"id": number, "tint": "Zq-secret"} for number in range(3000)]}).encode()


def large(side: str) -> bytes:
    return ok(LARGE.replace(b"SIDE", side.encode()), "content-type: application/json")


def raw_pair(body: bytes = LARGE) -> RawPair:
    lines = b"content-type: application/json\r\n"
    answers = RawAnswer(200, lines, (body,), 1), RawAnswer(200, lines, (body, b" "), 2)
    return RawPair("id", "feeds", "candidate", LEGACY, 1.5, "GET", b"/?token=a", b"host: a\r\n", *answers, False)


@given(
    target=st.binary(max_size=9),
    lines=st.binary(max_size=9),
    bodies=st.lists(st.lists(st.binary(max_size=9), max_size=3), min_size=2, max_size=3),
)
def test_raw_pairs_travel_whole(target: bytes, lines: bytes, bodies: list[list[bytes]]):
    """Whatever bytes they are made of, in however many pieces, with legacy's second answer or without."""
    control, candidate, *again = (RawAnswer(200, lines, (b"".join(pieces),), 7) for pieces in bodies)
    pair = RawPair(
        "ä", "feeds", "noise", LEGACY, 0.1, "GET", target, lines, control, candidate, True, not again, *again
    )
    in_pieces = [RawAnswer(200, lines, pieces, 7) for pieces in bodies]
    sent = replace(pair, control=in_pieces[0], candidate=in_pieces[1], again=in_pieces[2] if again else None)
    assert pair == decode_raw(b"".join(encode_raw(sent)))


def test_a_killed_child_is_replaced_and_users_notice_nothing():
    """It is gone with the pair that it had, if it had one; the next pair has the next child."""

    async def scenario() -> None:
        async with staged(large("legacy"), large("new"), is_linked=True, shadow=SHADOWED) as stage:
            await stage.ask()
            await stage.control.wait_pairs(1)
            first = pid_of(stage)
            os.kill(first, signal.SIGKILL)
            await until(lambda: not is_alive(first))
            while len(stage.control.pairs) < 2:  # the loop may hear of the death only when it has handed it a pair
                assert 200 == (await stage.ask()).status
                await asyncio.sleep(0.3)
            assert first != pid_of(stage)
            await stage.check_nothing_lost()

    run(scenario())


def test_a_child_that_is_late_is_replaced(monkeypatch: pytest.MonkeyPatch):
    """Its pair is counted; users have had their answers long ago."""
    monkeypatch.setattr(masking_module, "_TIMEOUT_S", 0.3)

    async def scenario() -> None:
        async with staged(large("legacy"), large("new"), is_linked=True, shadow=SHADOWED) as stage:
            while not stage.control.pairs:  # one may be late of itself on a busy machine
                await stage.ask()
                await asyncio.sleep(0.3)
            os.kill(pid_of(stage), signal.SIGSTOP)
            assert 200 == (await stage.ask()).status
            counts = await stage.check_nothing_lost()
            assert counts["skipped.masking_failed"] >= 1

    run(scenario())


def test_a_child_that_cant_be_started_is_not_tried_for_each_pair(monkeypatch: pytest.MonkeyPatch):
    """All that wait are counted, and for a while no other is taken."""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")

    async def scenario() -> None:
        async with staged(large("legacy"), large("new"), is_linked=True, shadow=SHADOWED) as stage:
            for _ in range(3):
                assert 200 == (await stage.ask()).status
            counts = await stage.check_nothing_lost()
            assert 3 == counts["skipped.masking_failed"]
            assert "masking_failed" == stage.worker.masking.refusal(1)

    run(scenario())


def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch):
    """By number and by bytes; at the end each pair that was taken has ended once."""
    monkeypatch.setattr(masking_module, "MAX_QUEUED", 3)
    monkeypatch.setattr(masking_module, "MAX_QUEUED_BYTES", 1_000_000)
    ended: list[str] = []

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        async with Tasks() as tasks:
            masking = Masking(tasks, KEY, 1_000_000, loop.time)
            for _ in range(3):
                assert masking.refusal(200_000) is None
                masking.submit(raw_pair(), Redaction(), lambda _: ended.append("masked"), ended.append)
            assert ("masking_busy", "masking_busy") == (masking.refusal(1), masking.refusal(900_000))
            await masking.close()
        assert ["stopped"] * 3 == ended

    run(scenario())


def test_what_could_not_be_masked_in_time_is_not_read_in_vain(monkeypatch: pytest.MonkeyPatch):
    """While the child has enough to do, the route that brought it is shed before new is asked; then it goes on."""
    monkeypatch.setattr(masking_module, "MAX_QUEUED", 2)

    async def scenario() -> None:
        async with staged(large("legacy"), large("new"), is_linked=True, shadow=SHADOWED) as stage:
            await stage.ask()
            await stage.control.wait_pairs(1)
            os.kill(pid_of(stage), signal.SIGSTOP)
            for number in range(1, 4):  # one in the child's hands, two that wait
                await stage.ask()
                await until(partial(is_masking, stage, number))
            await stage.ask()
            await until(lambda: stage.counts()["skipped.masking_busy"])
            asked = len(stage.new.asked)
            assert [200, 200] == [(await stage.ask()).status for _ in range(2)]
            assert asked == len(stage.new.asked)
            os.kill(pid_of(stage), signal.SIGCONT)
            await stage.control.wait_pairs(4)
            await stage.ask()
            await stage.control.wait_pairs(5)
            counts = await stage.check_nothing_lost()
            assert (1, 2) == (counts["skipped.masking_busy"], counts["skipped.shed"])

    run(scenario())


def test_the_child_follows_the_rules_in_force():
    """What the config redacts since a moment ago is redacted in the child as well."""

    async def scenario() -> None:
        async with staged(large("legacy"), large("new"), is_linked=True, shadow=SHADOWED) as stage:
            await stage.ask()
            assert b"Zq-secret" in body_of(await stage.control.wait_pairs(1))
            redaction = Redaction(fields=(parse_path("$.items[*].tint"),))
            rollout = stage.worker.reader.current.rollout
            stage.worker.apply(replace(rollout, migration=replace(rollout.migration, redaction=redaction)))
            await stage.ask()
            assert b"Zq-secret" not in body_of(await stage.control.wait_pairs(2))

    run(scenario())


def test_the_child_ends_with_its_worker():
    """Nothing is left of it."""

    async def scenario() -> None:
        async with staged(large("legacy"), large("new"), is_linked=True, shadow=SHADOWED) as stage:
            await stage.ask()
            await stage.control.wait_pairs(1)
            child = pid_of(stage)
        assert not is_alive(child)

    run(scenario())


def is_masking(stage: Stage, number: int) -> bool:
    return len(stage.worker.masking) == number


def pid_of(stage: Stage) -> int:
    pid = stage.worker.masking.pid
    assert pid is not None
    return pid


def body_of(pairs: list[Pair]) -> bytes:
    return pairs[-1].control.body or b""


def is_alive(pid: int) -> bool:
    """Whether a process has this number; not one that only waits for its parent to look."""
    return os.access(f"/proc/{pid}/exe", os.R_OK)
