"""The breaker in a worker: while new's answers fail, its users are on legacy; nobody else is ever moved.

Breakers here cool down for a minute; a test that wants it over says so (`cool`).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from proxy.core.breaker import TRIALS_AT_ONCE, TRIALS_TO_CLOSE, State
from proxy.core.decide import decide
from proxy.core.model import BreakerRule, Pin, Timeouts
from tests.traffic.stage import NO_SHADOW, PATIENT, QUICK, SHADOWED, Stage, make_stage_rollout, staged
from tests.traffic.wire import chunked, free_port, hang, ok, request, reset, run, stale, then_close, until

if TYPE_CHECKING:
    from tests.traffic.wire import Asked

RULE = BreakerRule(min_requests=4, cool_down_s=60.0)
BUSY = ok(b"busy", status="503 Service Unavailable")
HEAD = b"HTTP/1.1 200 OK\r\n"
FAILURES: dict[str, Any] = {
    "refused": None,
    "reset": reset,
    "closed": then_close(b""),
    "half a head": then_close(b"HTTP/1.1 200 OK\r\ncontent-le"),
    "garbage": then_close(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
    "timeout": hang,
    "502": ok(b"gateway", status="502 Bad Gateway"),
    "503": BUSY,
    "504": ok(b"late", status="504 Gateway Timeout"),
    "truncated": then_close(HEAD + b"content-length: 10\r\n\r\nhalf"),
    "truncated chunks": then_close(HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunked(b"half")),
}
USERS = tuple(f"u{number}" for number in range(40))
ON_NEW: dict[str, Any] = {"percent": 100, "shadow": NO_SHADOW, "timeouts": PATIENT, "breaker": RULE}


def breaker_of(stage: Stage) -> Any:
    return stage.worker.health._sides["new"].breaker


def state(stage: Stage) -> State:
    return stage.worker.health.breaker_state("new")


def cool(stage: Stage, for_s: float = 0.0) -> None:
    """Lets the breaker be half-open since `for_s` seconds."""
    breaker_of(stage)._since = asyncio.get_running_loop().time() - for_s
    assert state(stage) is State.HALF_OPEN


async def bodies(stage: Stage, number: int, method: str = "GET") -> list[bytes]:
    """One request after the other, of different users."""
    return [(await stage.ask(method, user=f"u{each}")).body for each in range(number)]


async def break_new(stage: Stage) -> None:
    """Asks new until its breaker opens; it must be failing."""
    await bodies(stage, RULE.min_requests)
    assert state(stage) is State.OPEN


# --- opening ---
@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_breaker_opens_at_every_kind_of_failure(failure: str, method: str) -> None:
    """Four failed requests, of whatever kind: the fifth user of new is served by legacy, for the reason unhealthy."""

    async def scenario() -> None:
        new = {"new_port": free_port()} if failure == "refused" else {"new": FAILURES[failure]}
        timeouts = QUICK if failure == "timeout" else PATIENT
        async with staged(ok(b"legacy"), **new, **ON_NEW | {"timeouts": timeouts}) as stage:
            for number in range(RULE.min_requests):
                assert state(stage) is State.CLOSED
                await stage.ask(method, f"/{number}", body=b"body" if method == "POST" else b"")
            await until(lambda: state(stage) is State.OPEN)
            reply = await stage.ask(method, "/after")
            assert (200, b"legacy") == (reply.status, reply.body)
            assert ["/after"] == [asked.target for asked in stage.legacy.asked]
            counts = await stage.check_nothing_lost()
            assert (RULE.min_requests, 1) == (counts["decided.bucket"], counts["decided.unhealthy"])

    run(scenario())


def test_breaker_says_that_it_has_turned() -> None:
    """The log has what turned and why, the gauges have it as numbers."""

    async def scenario() -> None:
        async with staged(ok(b"legacy"), BUSY, **ON_NEW) as stage:
            await break_new(stage)
            turned = [(entry["backend"], entry["healthy"], entry["cause"]) for entry in stage.events("backend.turned")]
            assert [("new", False, "breaker")] == turned
            (entry,) = stage.events("breaker.turned")
            assert ("open", 60.0, 4, 4) == tuple(
                entry[name] for name in ("state", "cool_down_s", "failures", "requests")
            )
            gauges = stage.worker.gauges()
            assert (0.0, 2.0, 1) == tuple(gauges[name] for name in ("new_healthy", "new_breaker", "new_turned"))

    run(scenario())


@pytest.mark.parametrize("status", ["200 OK", "301 Moved", "404 Not Found", "429 Too Many", "500 Oops", "501 No"])
def test_breaker_bears_every_other_status(status: str) -> None:
    """A 500 is an answer of the application: what users get on legacy may be the same one."""

    async def scenario() -> None:
        async with staged(ok(b"legacy"), ok(b"new", status=status), **ON_NEW) as stage:
            assert [b"new"] * 20 == await bodies(stage, 20)
            assert state(stage) is State.CLOSED

    run(scenario())


def test_breaker_bears_less_than_its_share_of_failures() -> None:
    """Every third answer is a 503: below a half, new goes on serving; answers of every way count alike."""
    number = 0

    async def behave(asked: Asked) -> None:
        nonlocal number
        await asked.read_body()
        number += 1
        await asked.write(BUSY if number % 3 == 0 else ok(b"new"))

    async def scenario() -> None:
        async with staged(ok(b"legacy"), behave, **ON_NEW) as stage:
            for method, body in (("GET", b""), ("POST", b"body")):
                for _ in range(15):
                    await stage.ask(method, body=body)
            assert 30 == len(stage.new.asked)
            assert (10, 30) == breaker_of(stage).failed_of

    run(scenario())


def test_breaker_counts_a_failed_answer_that_breaks_off_once() -> None:
    """A 503 whose body is cut off is one failure of one request."""
    cut = then_close(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 10\r\n\r\nhalf")

    async def scenario() -> None:
        async with staged(ok(b"legacy"), cut, **ON_NEW) as stage:
            await bodies(stage, RULE.min_requests - 1)
            await stage.settle()
            await stage.ask()
            assert (RULE.min_requests, RULE.min_requests) == breaker_of(stage).failed_of

    run(scenario())


def test_breaker_bears_users_who_leave() -> None:
    """Who goes away while new takes its time proves nothing against it."""

    async def scenario() -> None:
        async with staged(ok(b"legacy"), hang, **ON_NEW | {"timeouts": PATIENT}) as stage:
            for number in range(1, 9):
                user = await stage.connect()
                await user.send(request())
                await stage.new.wait_asked(number)
                user.abort()
            await stage.settle()
            assert state(stage) is State.CLOSED

    run(scenario())


def test_breaker_bears_users_who_find_all_connections_taken() -> None:
    """New was not asked, so that proves nothing against it; who has a connection is served."""

    async def scenario() -> None:
        rule = BreakerRule(failure_percentage=1, min_requests=1)
        timeouts = Timeouts(pool_s=0.05)
        fields = ON_NEW | {"timeouts": timeouts, "breaker": rule, "connections": 1}
        async with staged(ok(b"legacy"), hang, **fields) as stage, stage.client() as user:
            await user.send(request())
            await stage.new.wait_asked()
            assert [503] * 5 == [(await stage.ask(method)).status for method in ("GET", "POST", "GET", "PUT", "GET")]
            counts = stage.counts()
            assert (5, 1, 0) == (counts["failed.new"], len(stage.new.asked), len(stage.legacy.asked))
            assert state(stage) is State.CLOSED

    run(scenario())


def test_breaker_bears_users_who_fall_back_because_all_connections_are_taken() -> None:
    """Legacy stands in where the request may be repeated, as for any other failure (law 4); new keeps its users."""

    async def scenario() -> None:
        rule = BreakerRule(failure_percentage=1, min_requests=1)
        fields = ON_NEW | {"timeouts": Timeouts(pool_s=0.05), "breaker": rule, "connections": 1, "fallback": True}
        async with staged(ok(b"legacy"), hang, **fields) as stage, stage.client() as user:
            await user.send(request())
            await stage.new.wait_asked()
            assert [200, 503] == [(await stage.ask(method)).status for method in ("GET", "POST")]
            counts = stage.counts()
            assert (1, 1, 1) == (counts["fallback"], counts["failed.new"], len(stage.legacy.asked))
            assert ["pool"] == [event["changeover.fell_back"] for event in stage.events("request.served")]
            assert state(stage) is State.CLOSED

    run(scenario())


def test_breaker_bears_stale_connections_that_a_retry_mends() -> None:
    """A request that got its answer in the second try is one answer, and no failure."""

    async def scenario() -> None:
        rule = BreakerRule(failure_percentage=1, min_requests=1)
        async with staged(ok(b"legacy"), stale(ok(b"new")), **ON_NEW | {"breaker": rule}) as stage:
            assert [b"new"] * 10 == await bodies(stage, 10)
            assert (await stage.settle())["retried.new"] > 0
            assert state(stage) is State.CLOSED

    run(scenario())


def test_breaker_that_is_off_leaves_users_on_new() -> None:
    """Without a breaker new's users share its fate."""

    async def scenario() -> None:
        async with staged(ok(b"legacy"), BUSY, **ON_NEW | {"breaker": None}) as stage:
            assert [b"busy"] * 50 == await bodies(stage, 50)
            assert ([], 0.0) == (stage.legacy.asked, stage.worker.gauges()["new_breaker"])

    run(scenario())


def test_breaker_spares_users_the_detour_of_a_fallback() -> None:
    """With a fallback nobody sees a failure, before and after it opens; from then on new isn't asked at all."""

    async def scenario() -> None:
        async with staged(ok(b"legacy"), BUSY, **ON_NEW, fallback=True) as stage:
            assert [b"legacy"] * 20 == await bodies(stage, 20)
            counts = await stage.check_nothing_lost()
            assert (RULE.min_requests, 20) == (len(stage.new.asked), len(stage.legacy.asked))
            assert RULE.min_requests == counts["fallback"]

    run(scenario())


# --- whom it concerns ---
def test_breaker_never_sends_users_of_legacy_to_new() -> None:
    """Legacy fails as much as it likes: its users stay on it, new's on new, and no breaker opens."""

    async def scenario() -> None:
        async with staged(BUSY, ok(b"new"), **ON_NEW | {"percent": 50}) as stage:
            before = await bodies(stage, 40)
            assert {b"busy", b"new"} == set(before)
            assert before == await bodies(stage, 40)
            assert state(stage) is State.CLOSED

    run(scenario())


def test_breaker_moves_only_users_of_new() -> None:
    """Open and half-open alike: who is on legacy gets nothing of new, not even a trial."""

    async def scenario() -> None:
        async with staged(ok(b"legacy"), BUSY, **ON_NEW | {"percent": 50}) as stage:
            await bodies(stage, 40)
            assert state(stage) is State.OPEN
            rollout = stage.worker.reader.current.rollout
            (route,) = rollout.migration.routes
            decided = {user: decide(rollout, route, user, lambda _: None, is_new_healthy=True) for user in USERS}
            on_legacy = [user for user, decision in decided.items() if decision.backend == "legacy"][:5]
            stage.new.behave = ok(b"new")
            cool(stage)
            asked = len(stage.new.asked)
            for user in on_legacy * 4:
                assert b"legacy" == (await stage.ask(user=user)).body
            assert asked == len(stage.new.asked)

    run(scenario())


def test_breaker_holds_for_pinned_users_too() -> None:
    """A pin to new is a wish; unknown and ill mean legacy (law 9)."""

    async def scenario() -> None:
        pins = (Pin("staff", "new", headers=(("x-user", "u1"),)),)
        async with staged(ok(b"legacy"), BUSY, **ON_NEW | {"percent": 0}, pins=pins) as stage:
            for _ in range(RULE.min_requests):
                assert b"busy" == (await stage.ask(user="u1")).body
            assert b"legacy" == (await stage.ask(user="u1")).body

    run(scenario())


def test_breaker_takes_no_notice_of_shadows() -> None:
    """Shadows fail by the dozen and go on: no user is concerned."""

    async def scenario() -> None:
        async with staged(ok(b"legacy"), reset, **ON_NEW | {"percent": 0, "shadow": SHADOWED}) as stage:
            for _ in range(20):
                await stage.ask()
                await stage.settle_shadows()
            counts = await stage.check_nothing_lost()
            assert (0, State.CLOSED) == (counts["skipped.unhealthy"], state(stage))

    run(scenario())


def test_breaker_lets_shadows_through_again_after_the_cool_down() -> None:
    """Nobody is on new any more after a rollback: open, shadows are skipped and counted; half-open, they go on."""

    async def scenario() -> None:
        async with staged(ok(b"legacy"), BUSY, **ON_NEW | {"shadow": SHADOWED}) as stage:
            await break_new(stage)
            await stage.settle_shadows()
            backend = stage.worker.reader.current.rollout.migration.new
            rollout = make_stage_rollout(
                stage.legacy.port, backend.port, percent=0, shadow=SHADOWED, timeouts=PATIENT, breaker=RULE
            )
            stage.worker.apply(rollout)
            asked = len(stage.new.asked)
            await bodies(stage, 2)
            await stage.settle_shadows()
            assert asked == len(stage.new.asked)
            cool(stage)
            await bodies(stage, 3)
            counts = await stage.check_nothing_lost()
            assert (2, asked + 3) == (counts["skipped.unhealthy"], len(stage.new.asked))
            assert state(stage) is State.HALF_OPEN

    run(scenario())


# --- half-open ---
def test_breaker_gives_users_back_to_a_backend_that_recovered() -> None:
    """After the cool-down requests of new's users go there again; enough answers close the breaker."""

    async def scenario() -> None:
        async with staged(ok(b"legacy"), BUSY, **ON_NEW) as stage:
            await break_new(stage)
            stage.new.behave = ok(b"new")
            assert [b"legacy"] * 3 == await bodies(stage, 3)
            cool(stage)
            assert [b"new"] * (TRIALS_TO_CLOSE + 3) == await bodies(stage, TRIALS_TO_CLOSE + 3)
            assert state(stage) is State.CLOSED
            assert [False, True] == [entry["healthy"] for entry in stage.events("backend.turned")]
            counts = await stage.check_nothing_lost()
            assert 3 == counts["decided.unhealthy"]

    run(scenario())


def test_breaker_opens_again_at_the_first_failed_trial() -> None:
    """One user's request finds new still broken; the next one is spared."""

    async def scenario() -> None:
        async with staged(ok(b"legacy"), BUSY, **ON_NEW) as stage:
            await break_new(stage)
            cool(stage)
            assert [b"busy", b"legacy", b"legacy"] == await bodies(stage, 3)
            assert ["open", "open"] == [entry["state"] for entry in stage.events("breaker.turned")]
            assert [False] == [entry["healthy"] for entry in stage.events("backend.turned")]

    run(scenario())


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_breaker_tries_new_at_no_users_cost_where_there_is_a_fallback(method: str) -> None:
    """A failed trial is answered by legacy."""

    async def scenario() -> None:
        async with staged(ok(b"legacy"), BUSY, **ON_NEW, fallback=True) as stage:
            await break_new(stage)
            asked = len(stage.new.asked)
            cool(stage)
            assert [b"legacy"] * 3 == await bodies(stage, 3, method)
            assert asked + 1 == len(stage.new.asked)

    run(scenario())


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
def test_breaker_tries_unsafe_requests_last(method: str) -> None:
    """A write that nothing could save goes to new as a trial only when nothing harmless came for a cool-down."""

    async def scenario() -> None:
        async with staged(ok(b"legacy"), BUSY, **ON_NEW) as stage:
            await break_new(stage)
            stage.new.behave = ok(b"new")
            cool(stage)
            assert [b"legacy"] * 3 == await bodies(stage, 3, method)
            cool(stage, for_s=RULE.cool_down_s)
            assert [b"new"] * 3 == await bodies(stage, 3, method)

    run(scenario())


def test_breaker_tries_few_requests_at_once() -> None:
    """New hangs: three users wait for it, all others are on legacy at once; when it answers, it has its users back."""
    recovered = asyncio.Event()

    async def behave(asked: Asked) -> None:
        await recovered.wait()
        await asked.write(ok(b"new"))

    async def scenario() -> None:
        async with staged(ok(b"legacy"), BUSY, **ON_NEW | {"timeouts": PATIENT}) as stage:
            await break_new(stage)
            asked = len(stage.new.asked)
            stage.new.behave = behave
            cool(stage)
            waiting = [asyncio.create_task(stage.ask(user=f"t{n}")) for n in range(TRIALS_AT_ONCE)]
            await stage.new.wait_asked(asked + TRIALS_AT_ONCE)
            assert [b"legacy"] * 10 == await bodies(stage, 10)
            recovered.set()
            assert [b"new"] * TRIALS_AT_ONCE == [reply.body for reply in await asyncio.gather(*waiting)]
            assert [b"new"] * 10 == await bodies(stage, 10)
            assert state(stage) is State.CLOSED

    run(scenario())


def test_breaker_frees_the_place_of_a_trial_whose_user_left() -> None:
    """New hangs and users give up: each one's place is the next one's, and nothing is held against new."""

    async def scenario() -> None:
        async with staged(ok(b"legacy"), BUSY, **ON_NEW | {"timeouts": PATIENT}) as stage:
            await break_new(stage)
            asked = len(stage.new.asked)
            stage.new.behave = hang
            cool(stage)
            for number in range(1, 2 * TRIALS_AT_ONCE + 1):
                user = await stage.connect()
                await user.send(request())
                await (await stage.new.wait_asked(asked + number)).writer.drain()
                user.abort()
                await stage.settle()
            assert state(stage) is State.HALF_OPEN
            assert 0 == breaker_of(stage)._trials

    run(scenario())


def test_breaker_frees_the_place_of_a_trial_that_finds_no_connection() -> None:
    """One user of the time before has new's only connection: trials come to nothing, one after the other."""

    async def scenario() -> None:
        fields = ON_NEW | {"timeouts": Timeouts(pool_s=0.05), "connections": 1}
        async with staged(ok(b"legacy"), BUSY, **fields) as stage, stage.client() as user:
            await break_new(stage)
            stage.new.behave = hang
            cool(stage)
            await user.send(request())
            await stage.new.wait_asked(RULE.min_requests + 1)
            statuses = [(await stage.ask()).status for _ in range(2 * TRIALS_AT_ONCE)]
            assert [503] * 2 * TRIALS_AT_ONCE == statuses
            assert (State.HALF_OPEN, 1) == (state(stage), breaker_of(stage)._trials)

    run(scenario())


def test_breaker_forgets_requests_of_the_time_before_it_opened() -> None:
    """Slow failures of requests that began in bad times don't break a backend that has recovered."""

    async def behave(asked: Asked) -> None:
        await (hang(asked) if asked.target == "/slow" else asked.write(BUSY))

    async def scenario() -> None:
        async with staged(ok(b"legacy"), behave, **ON_NEW | {"timeouts": QUICK}) as stage:
            slow = [asyncio.create_task(stage.ask(target="/slow")) for _ in range(6)]
            await stage.new.wait_asked(6)
            await break_new(stage)
            stage.new.behave = ok(b"new")
            cool(stage)
            assert [b"new"] * TRIALS_TO_CLOSE == await bodies(stage, TRIALS_TO_CLOSE)
            assert [504] * 6 == [reply.status for reply in await asyncio.gather(*slow)]
            assert state(stage) is State.CLOSED

    run(scenario())


# --- with the rollout ---
def test_breaker_begins_anew_with_another_backend() -> None:
    """Another address, or another rule, has no record yet."""

    async def scenario() -> None:
        async with staged(ok(b"legacy"), BUSY, **ON_NEW) as stage:
            await break_new(stage)
            rule = BreakerRule(min_requests=5)
            port = stage.new.port
            stage.worker.apply(make_stage_rollout(stage.legacy.port, port, **ON_NEW | {"breaker": rule}))
            assert [b"busy"] * 5 + [b"legacy"] == await bodies(stage, 6)

    run(scenario())


def test_breaker_stays_as_it_is_when_only_the_rollout_changes() -> None:
    """Raising a percentage makes no broken backend whole."""

    async def scenario() -> None:
        async with staged(ok(b"legacy"), BUSY, **ON_NEW) as stage:
            await break_new(stage)
            stage.worker.apply(make_stage_rollout(stage.legacy.port, stage.new.port, **ON_NEW | {"percent": 99}))
            assert state(stage) is State.OPEN

    run(scenario())
