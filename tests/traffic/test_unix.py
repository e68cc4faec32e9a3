"""Unix sockets on both ends of a worker: users come by one, backends are reached by one."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from proxy.addresses import UnixAddress
from proxy.core.model import Timeouts
from proxy.listeners import bind, release
from proxy.traffic.upstream.adapter import AdapterUpstream
from tests.certificates import Authority
from tests.factories import make_backend, make_rollout, make_route
from tests.traffic.stage import KEYED, NO_SHADOW, SHADOWED, Stage, staged
from tests.traffic.wire import Backend, Client, ok, request, reset, run, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from tests.traffic.wire import Asked

_LIMIT = 1 << 20
LARGE = bytes(range(256)) * 32_768  # 8 MiB


# --- users ---
@asynccontextmanager
async def unix_stage(path: Path, *behave: Any, **options: Any) -> AsyncIterator[Stage]:
    """A stage whose users come by a Unix socket."""
    listener = bind(UnixAddress(str(path)), "--listen")
    async with staged(*behave, listener=listener, **options) as stage:
        yield stage


@asynccontextmanager
async def unix_client(path: Path, **options: Any) -> AsyncIterator[Client]:
    user = Client(*await asyncio.open_unix_connection(str(path), limit=_LIMIT, **options))
    try:
        yield user
    finally:
        user.abort()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "app.sock"


def test_unix_user_is_served_and_has_no_address(path: Path) -> None:
    """Requests and answers pass as by TCP; who asked is told as unknown."""

    async def scenario() -> None:
        async with unix_stage(path, ok(b"hello"), shadow=NO_SHADOW) as stage, unix_client(path) as user:
            for _ in range(2):
                await user.send(request("POST", "/a?b", body=b"body"))
                reply = await user.answer()
                assert (200, b"hello") == (reply.status, reply.body)
            asked = stage.legacy.asked[0]
            assert ("/a?b", b"body", "shop.example") == (asked.target, bytes(asked.body), asked.head.get("host"))
            assert ("unknown", "http") == (asked.head.get("x-forwarded-for"), asked.head.get("x-forwarded-proto"))

    run(scenario())


def test_unix_user_gets_and_sends_large_bodies(path: Path) -> None:
    """8 MiB at a time, byte for byte."""

    async def echo(asked: Asked) -> None:
        await asked.write(ok(await asked.read_body()))

    async def scenario() -> None:
        async with unix_stage(path, echo, shadow=NO_SHADOW), unix_client(path) as user:
            sending = asyncio.create_task(user.send(request("PUT", body=LARGE)))
            assert (await user.answer()).body == LARGE
            await sending

    run(scenario())


def test_unix_user_sees_that_an_answer_broke_off(path: Path) -> None:
    """The connection ends before the answer does."""

    async def behave(asked: Asked) -> None:
        await asked.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")
        await asyncio.sleep(0.05)  # so that the worker has begun to pass it on
        await reset(asked)

    async def scenario() -> None:
        async with unix_stage(path, behave, shadow=NO_SHADOW), unix_client(path) as user:
            await user.send(request())
            assert not (await user.answer()).is_whole

    run(scenario())


def test_unix_user_who_leaves_ends_the_backends_work(path: Path) -> None:
    """As by TCP."""

    async def hang(asked: Asked) -> None:
        await asked.wait_left()

    async def scenario() -> None:
        async with unix_stage(path, hang, shadow=NO_SHADOW) as stage:
            async with unix_client(path) as user:
                await user.send(request())
                asked = await stage.legacy.wait_asked()
            await asked.left.wait()

    run(scenario())


def test_unix_listener_may_speak_tls(path: Path, tmp_path: Path) -> None:
    """A process beside us may want it."""
    authority = Authority(tmp_path)

    async def scenario() -> None:
        async with (
            unix_stage(path, settings=authority.issue().settings, shadow=NO_SHADOW) as stage,
            unix_client(path, ssl=authority.trusting(), server_hostname="localhost") as user,
        ):
            await user.send(request())
            assert 200 == (await user.answer()).status
            assert "https" == stage.legacy.asked[0].head.get("x-forwarded-proto")

    run(scenario())


def test_unix_listeners_file_outlives_its_worker_and_not_its_release(path: Path) -> None:
    """A worker that ends leaves the socket to the next one; who has bound it removes it."""
    listener = bind(UnixAddress(str(path)), "--listen")

    async def serve_one(copy: Any) -> None:
        async with staged(listener=copy, shadow=NO_SHADOW), unix_client(path) as user:
            await user.send(request())
            assert 200 == (await user.answer()).status

    for _ in range(2):  # as workers inherit it
        run(serve_one(listener.dup()))
        assert path.exists()
    release(listener)
    assert not path.exists()


# --- backends ---
class UnixBackend(Backend):
    """A backend on a Unix socket."""

    def __init__(self, path: Path, behave: bytes | Callable[[Asked], Awaitable[None]]) -> None:
        super().__init__(behave)
        self._path = path

    async def start(self, port: int = 0) -> None:
        self._server = await asyncio.start_unix_server(self._accepted, str(self._path), limit=_LIMIT)
        self.port = port


@asynccontextmanager
async def unix_backend(
    path: Path, behave: bytes | Callable[[Asked], Awaitable[None]] | None = None
) -> AsyncIterator[UnixBackend]:
    started = UnixBackend(path, ok() if behave is None else behave)
    await started.start()
    try:
        yield started
    finally:
        await started.stop()


def point(stage: Stage, side: str, path: Path, *, percent: float = 0, timeouts: Any = None, **route: Any) -> None:
    """Has a side of the stage reached by a Unix socket from now on."""
    sides = {"legacy": make_backend("legacy", stage.legacy.port), "new": make_backend("new", stage.new.port)}
    sides[side] = make_backend(
        side, 80, host="localhost", socket_path=str(path), timeouts=timeouts or Timeouts(), connections=2
    )
    fields: dict[str, Any] = {"shadow": NO_SHADOW, "millipercent": int(percent * 1000)} | route
    stage.worker.apply(make_rollout(make_route(**fields), users=KEYED, **sides))


def test_unix_backend_serves_and_gets_the_users_host(path: Path) -> None:
    """Over one connection that is kept; the bytes are those that any backend gets."""

    async def scenario() -> None:
        async with staged() as stage, unix_backend(path, ok(b"near")) as near:
            await stage.ask("PUT", "/a//b?c=%2F", "Connection: close", body=b"body")
            point(stage, "legacy", path)
            for _ in range(3):
                reply = await stage.ask("PUT", "/a//b?c=%2F", "Connection: close", body=b"body")
                assert (200, b"near") == (reply.status, reply.body)
            by_tcp, by_unix = stage.legacy.asked[0], near.asked[0]
            assert (1, "shop.example") == (near.connections, by_unix.head.get("host"))
            assert (by_tcp.head.start, by_tcp.body) == (by_unix.head.start, by_unix.body)
            own = {"x-request-id", "traceparent"}
            assert [field for field in by_tcp.head.fields if field[0] not in own] == [
                field for field in by_unix.head.fields if field[0] not in own
            ]

    run(scenario())


def test_unix_backend_carries_large_bodies_both_ways(path: Path) -> None:
    """8 MiB at a time, byte for byte."""

    async def echo(asked: Asked) -> None:
        await asked.write(ok(await asked.read_body()))

    async def scenario() -> None:
        async with staged() as stage, unix_backend(path, echo), stage.client() as user:
            point(stage, "legacy", path)
            sending = asyncio.create_task(user.send(request("PUT", body=LARGE)))
            assert (await user.answer()).body == LARGE
            await sending

    run(scenario())


def test_unix_backend_is_shadowed(path: Path) -> None:
    """A shadow goes by its socket as well, and is marked as one."""

    async def scenario() -> None:
        async with staged(ok(b"same")) as stage, unix_backend(path, ok(b"same")) as new:
            point(stage, "new", path, shadow=SHADOWED)
            assert b"same" == (await stage.ask()).body
            counts = await stage.check_nothing_lost()
            assert (1, True) == (counts["match"], new.asked[0].is_shadow)

    run(scenario())


def test_unix_backends_keep_to_the_limit_of_connections(path: Path) -> None:
    """The pool's rules are the same: twenty users, two connections."""

    async def scenario() -> None:
        async with staged() as stage, unix_backend(path) as near:
            point(stage, "legacy", path)
            replies = await asyncio.gather(*(stage.ask(user=f"u{number}") for number in range(20)))
            assert ({200}, 2) == ({reply.status for reply in replies}, near.connections)

    run(scenario())


def test_unix_backend_that_is_down_is_a_502_that_tells_nothing(path: Path) -> None:
    """No file, a file that nobody listens on, a file that is none: the log has the path, the user has not."""

    async def scenario() -> None:
        async with staged() as stage:
            point(stage, "legacy", path)
            bind(UnixAddress(str(path)), "--listen").close()
            for prepare in (lambda: None, path.unlink, lambda: path.write_text("")):
                prepare()
                reply = await stage.ask()
                assert (502, False) == (reply.status, str(path).encode() in reply.head.raw + reply.body)
                assert f"unix:{path}" in stage.events("request.failed")[-1]["cause"]

    run(scenario())


def test_unix_backend_that_comes_back_serves_again(path: Path) -> None:
    """On a new socket in the old place, as after its restart."""

    async def scenario() -> None:
        async with staged() as stage:
            point(stage, "legacy", path)
            for _ in range(2):
                async with unix_backend(path) as near:
                    assert 200 == (await stage.ask("PUT")).status
                    connection = near.asked[0]
                connection.writer.close()
                await until(connection.reader.at_eof)
                path.unlink(missing_ok=True)  # noqa: ASYNC240  # between two requests
                assert 502 == (await stage.ask("PUT")).status

    run(scenario())


def test_unix_backend_that_is_new_falls_back_to_legacy(path: Path) -> None:
    """As any other failure of new before the first byte (law 4)."""

    async def scenario() -> None:
        async with staged(ok(b"legacy")) as stage:
            point(stage, "new", path, percent=100, fallback=True)
            assert b"legacy" == (await stage.ask()).body

    run(scenario())


def test_unix_backend_is_asked_through_the_adapter(path: Path) -> None:
    """The transports of httpx take the socket; the URL that they are given is the one that stands for it."""

    def make(given: Any, _purpose: str, _deadlines: Any) -> AdapterUpstream:
        return AdapterUpstream(given, httpx.AsyncHTTPTransport(uds=given.socket_path), tasks[0])

    tasks: list[Any] = []

    async def scenario() -> None:
        from proxy.traffic.tasks import Tasks

        async with Tasks() as owner, unix_backend(path, ok(b"near")):
            tasks.append(owner)
            async with staged(make_upstream=make) as stage:
                point(stage, "legacy", path)
                assert b"near" == (await stage.ask()).body

    run(scenario())
