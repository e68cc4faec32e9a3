"""Comparers: real comparer processes that are stopped, killed and starved; every pair gets its one outcome."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from proxy.control.comparers import NARROW_WINDOW, WIDE_WINDOW, Comparers, next_window
from proxy.control.outcome import Outcome
from proxy.core.evidence import Verdict
from tests.control.pairs import encoded_pair, make_answer, make_document

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

EQUAL = encoded_pair(make_answer(b'{"a": 1, "b": 2}'), make_answer(b'{"b":2,"a":1}'))
UNEQUAL = encoded_pair({"a": 1}, {"a": 2})


class Asker:
    """Submits pairs and waits for their outcomes."""

    def __init__(self, comparers: Comparers) -> None:
        self._comparers = comparers

    def submit(self, encoded: bytes) -> asyncio.Future[Outcome]:
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        assert self._comparers.submit(encoded, outcome.set_result)
        return outcome

    async def ask(self, encoded: bytes) -> Outcome:
        return await self.submit(encoded)


def run(scenario: Callable[[Comparers, Asker], Awaitable[None]], **options: Any) -> None:
    """Runs the scenario with one comparer process that knows a route "feeds".

    It doesn't give way: on a machine that the tests fill it would never go on.
    """
    options = {"gives_way": False, **options}

    async def bounded() -> None:
        async with asyncio.timeout(90), Comparers(1, options.pop("timeout_s", 30.0), **options) as comparers:
            comparers.set_rules(make_document())
            await scenario(comparers, Asker(comparers))

    asyncio.run(bounded())


async def until(is_so: Callable[[], bool]) -> None:
    while not is_so():  # noqa: ASYNC110  # what happens in another process has no event here
        await asyncio.sleep(0.001)


def refused(outcome: Outcome) -> None:
    pytest.fail(f"a pair that was refused has an outcome: {outcome}")


def is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_comparers_judge_pairs_by_the_rules_that_were_set_last():
    """A change of rules holds for every pair that is begun after it."""

    async def scenario(comparers: Comparers, asker: Asker) -> None:
        before = await asker.ask(UNEQUAL)
        comparers.set_rules(make_document(ignore=["$.a"]))
        after = await asker.ask(UNEQUAL)
        assert (Verdict.MISMATCH, Verdict.MATCH) == (before.verdict, after.verdict)

    run(scenario)


def test_comparers_kill_a_process_at_the_deadline_and_go_on_with_another():
    """A comparison that hangs costs its own pair only; the process that hung is gone."""

    async def scenario(comparers: Comparers, asker: Asker) -> None:
        await asker.ask(EQUAL)
        [hanging] = comparers.pids
        os.kill(hanging, signal.SIGSTOP)
        hung, following = asker.submit(UNEQUAL), asker.submit(EQUAL)
        assert Outcome("feeds", "candidate", Verdict.GAVE_UP, "time") == await hung
        assert Outcome("feeds", "candidate", Verdict.MATCH) == await following
        assert (False, [hanging]) != (is_running(hanging), comparers.pids)
        assert 1 == comparers.restarts

    run(scenario, timeout_s=0.5)


def test_comparers_say_crash_for_the_pair_of_a_process_that_died():
    """A process that dies under a pair: that pair gave up, the next one is compared."""

    async def scenario(comparers: Comparers, asker: Asker) -> None:
        await asker.ask(EQUAL)
        [pid] = comparers.pids
        os.kill(pid, signal.SIGSTOP)  # so that it surely dies with the pair in its hands
        crashed = asker.submit(UNEQUAL)
        await until(lambda: comparers.busy == 1)
        os.kill(pid, signal.SIGKILL)
        assert Outcome("feeds", "candidate", Verdict.GAVE_UP, "crash") == await crashed
        assert Outcome("feeds", "candidate", Verdict.MATCH) == await asker.ask(EQUAL)

    run(scenario)


def test_comparers_blame_no_pair_for_a_process_that_died_while_idle():
    """What the system killed in between is replaced before the next pair, which is compared."""

    async def scenario(comparers: Comparers, asker: Asker) -> None:
        await asker.ask(EQUAL)
        [pid] = comparers.pids
        os.kill(pid, signal.SIGKILL)
        await until(lambda: pid not in comparers.pids)
        assert Outcome("feeds", "candidate", Verdict.MATCH) == await asker.ask(EQUAL)

    run(scenario)


def test_comparers_give_up_a_pair_that_takes_too_much_memory():
    """The budget of a process ends in a verdict, not in the kernel's choice of a victim; the process goes on."""
    rows = b"[" + b",".join(b'{"number": %d, "text": "x%d"}' % (i, i) for i in range(25_000)) + b"]"
    huge = encoded_pair(make_answer(rows), make_answer(rows.replace(b'"x24999"', b'"y24999"')))

    async def scenario(comparers: Comparers, asker: Asker) -> None:
        assert Outcome("feeds", "candidate", Verdict.GAVE_UP, "memory") == await asker.ask(huge)
        assert Outcome("feeds", "candidate", Verdict.MATCH) == await asker.ask(EQUAL)
        assert 0 == comparers.restarts

    run(scenario, memory_bytes=12 * 1024 * 1024)


def test_comparers_that_wait_for_a_processor_are_not_late():
    """The deadline is of work: a child that got nothing for three times as long goes on where it was."""

    async def scenario(comparers: Comparers, asker: Asker) -> None:
        await asker.ask(EQUAL)
        [pid] = comparers.pids
        os.kill(pid, signal.SIGSTOP)
        outcome = asker.submit(EQUAL)
        await asyncio.sleep(0.6)
        os.kill(pid, signal.SIGCONT)
        assert (Verdict.MATCH, [pid]) == ((await outcome).verdict, comparers.pids)

    run(scenario, timeout_s=0.2)


def test_comparers_that_never_come_back_are_given_up():
    """What doesn't work at all is replaced, too: after ten times as long."""

    async def scenario(comparers: Comparers, asker: Asker) -> None:
        await asker.ask(EQUAL)
        [pid] = comparers.pids
        os.kill(pid, signal.SIGSTOP)
        assert Outcome("feeds", "candidate", Verdict.GAVE_UP, "time") == await asker.ask(EQUAL)
        await until(lambda: pid not in comparers.pids)

    run(scenario, timeout_s=0.05)


def test_comparers_run_below_the_workers():
    """Comparing never competes with serving for the processor (law 1)."""

    async def scenario(comparers: Comparers, asker: Asker) -> None:
        await asker.ask(EQUAL)
        [pid] = comparers.pids
        assert os.SCHED_IDLE == os.sched_getscheduler(pid)
        assert os.getsid(0) == os.getsid(pid)  # where Linux groups processes by sessions, it counts only within one
        assert pid == os.getpgid(pid)  # a terminal's Ctrl-C is not for it

    run(scenario, gives_way=True)


def test_comparers_that_need_not_give_way_get_a_little():
    """On a machine that others fill, what is of the policy for idle times would hardly go on."""

    async def scenario(comparers: Comparers, asker: Asker) -> None:
        await asker.ask(EQUAL)
        [pid] = comparers.pids
        assert os.SCHED_OTHER == os.sched_getscheduler(pid)
        assert max(10, os.getpriority(os.PRIO_PROCESS, 0)) == os.getpriority(os.PRIO_PROCESS, pid)

    run(scenario, gives_way=False)


def test_comparers_refuse_what_their_backlog_has_no_room_for():
    """Full means refused, by number and by bytes; nothing of it is held."""

    async def scenario(comparers: Comparers, asker: Asker) -> None:
        taken = [asker.submit(EQUAL), asker.submit(EQUAL)]  # the process isn't ready yet
        assert not comparers.submit(EQUAL, refused)
        assert (2, 2 * len(EQUAL)) == (comparers.backlog, comparers.backlog_bytes)
        assert [Verdict.MATCH, Verdict.MATCH] == [(await outcome).verdict for outcome in taken]
        assert (0, 0) == (comparers.backlog, comparers.backlog_bytes)
        assert not comparers.submit(b"x" * 10_001, refused)

    run(scenario, max_backlog=2, max_backlog_bytes=10_000)


def test_comparers_narrow_the_window_as_the_backlog_fills_and_widen_it_again():
    """Workers are told to stop before pairs must be dropped, and to go on when there is room."""
    windows: list[int] = []

    async def scenario(comparers: Comparers, asker: Asker) -> None:
        taken = [asker.submit(EQUAL) for _ in range(16)]
        assert [NARROW_WINDOW, 0] == windows
        await asyncio.gather(*taken)
        assert [NARROW_WINDOW, 0, NARROW_WINDOW, WIDE_WINDOW] == windows

    run(scenario, max_backlog=16, on_window=windows.append)


@pytest.mark.parametrize(
    ("window", "fill", "following"),
    [
        (WIDE_WINDOW, 0.49, WIDE_WINDOW),
        (WIDE_WINDOW, 0.5, NARROW_WINDOW),
        (WIDE_WINDOW, 0.75, 0),
        (0, 0.5, 0),
        (0, 0.25, 0),
        (0, 0.24, NARROW_WINDOW),
        (NARROW_WINDOW, 0.24, NARROW_WINDOW),
        (NARROW_WINDOW, 0.12, WIDE_WINDOW),
    ],
)
def test_next_window_closes_early_and_opens_late(window: int, fill: float, following: int):
    """The gap between closing and opening keeps it from changing with each pair."""
    assert following == next_window(window, fill)


def test_drain_waits_for_what_is_under_way():
    """At a stop the pairs that were taken are still compared, as long as there is time."""

    async def scenario(comparers: Comparers, asker: Asker) -> None:
        taken = [asker.submit(EQUAL) for _ in range(5)]
        await comparers.drain(60)
        assert [Verdict.MATCH] * 5 == [outcome.result().verdict for outcome in taken]

    run(scenario)


def test_drain_gives_up_what_does_not_end_in_time():
    """What there is no time for is counted as stopped (law 5)."""

    async def scenario(comparers: Comparers, asker: Asker) -> None:
        waiting = asker.submit(EQUAL)  # the process isn't ready yet
        await comparers.drain(0)
        assert Outcome("feeds", "candidate", Verdict.SKIPPED, "stopped") == await waiting

    run(scenario)


def test_leaving_the_context_ends_every_process_and_settles_every_pair():
    """No process stays behind, and no pair without an outcome, be it waiting or in a child's hands."""

    async def scenario() -> None:
        async with asyncio.timeout(60):
            async with Comparers(1, 30.0, gives_way=False) as comparers:
                comparers.set_rules(make_document())
                asker = Asker(comparers)
                await asker.ask(EQUAL)
                [pid] = comparers.pids
                os.kill(pid, signal.SIGSTOP)
                taken = [asker.submit(EQUAL), asker.submit(EQUAL)]
                await until(lambda: comparers.busy == 1)
            stopped = Outcome("feeds", "candidate", Verdict.SKIPPED, "stopped")
            assert [stopped, stopped] == [outcome.result() for outcome in taken]
            assert not is_running(pid)

    asyncio.run(scenario())


def test_comparers_that_cannot_start_leave_no_pair_waiting(monkeypatch: pytest.MonkeyPatch):
    """Without a single process there is nothing to wait for: the pairs are skipped, and starting is tried again."""
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")

    async def scenario(_: Comparers, asker: Asker) -> None:
        assert Outcome("feeds", "candidate", Verdict.SKIPPED, "comparer_busy") == await asker.ask(EQUAL)
        monkeypatch.undo()
        while (outcome := await asker.ask(EQUAL)).verdict == Verdict.SKIPPED:
            pass
        assert outcome.verdict == Verdict.MATCH

    run(scenario)


def test_a_pair_that_is_none_gives_up_without_a_route():
    """Damaged bytes get an outcome like any other, so that its sender can be hung up on."""

    async def scenario(_: Comparers, asker: Asker) -> None:
        assert Outcome("", "candidate", Verdict.GAVE_UP, "unreadable") == await asker.ask(b"nonsense")

    run(scenario)
