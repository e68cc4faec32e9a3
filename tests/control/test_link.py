"""Link: control's end against the worker's real end, and against raw bytes that no worker sends."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
from typing import TYPE_CHECKING, Any

import pytest

from proxy.control import link as link_module
from proxy.control.link import LinkServer, listen
from proxy.errors import StartError
from proxy.traffic.frames import Kind, encode, encode_json, encode_numbered
from tests.control.nodes import linked, run, until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from proxy.control.delta import Delta
    from proxy.control.link import Arrived

HELLO = encode_json(Kind.HELLO, {"worker": "worker-1", "pid": 1})


class Taken:
    """Takes everything over and keeps it."""

    def __init__(self) -> None:
        self.deltas: list[Delta] = []
        self.pairs: list[Arrived] = []

    def take_delta(self, delta: Delta) -> None:
        self.deltas.append(delta)

    def take_pair(self, arrived: Arrived) -> None:
        self.pairs.append(arrived)


def serve(folder: Path, scenario: Callable[[LinkServer, Taken, Path], Awaitable[None]]) -> None:
    """Runs the scenario with a server that has a rollout in force."""

    async def bounded() -> None:
        taken, path = Taken(), folder / "link.sock"
        server = LinkServer(path, taken, 64)
        server.publish({"version": 1})
        await server.start()
        try:
            await scenario(server, taken, path)
        finally:
            await server.stop()

    run(bounded)


def test_link_brings_the_rollout_at_once_and_at_each_change(tmp_path: Path):
    """A worker has what is in force when it connects, and what comes to be in force afterwards."""

    async def scenario(server: LinkServer, _taken: Taken, path: Path) -> None:
        async with linked(path) as worker:
            server.publish({"version": 2})
            await until(lambda: len(worker.rollouts) == 2)
            assert [1, 2] == worker.versions
            assert ["worker-1"] == [each.name for each in server.workers]

    serve(tmp_path, scenario)


def test_link_acknowledges_a_tally_once_it_is_taken_over(tmp_path: Path):
    """A delta arrives once; its acknowledgement lets the worker send the next one; gauges are kept."""

    async def scenario(server: LinkServer, taken: Taken, path: Path) -> None:
        async with linked(path) as worker:
            for number in (1, 2):
                worker.tally.route("feeds").count("pairs", number)
                worker.link.send_tally()
                await until(lambda: worker.link._sent_delta is None)
            counted = [delta.counts["feeds"]["pairs"] for delta in taken.deltas if delta.counts]
            assert [1, 2] == counted
            assert {"new_healthy": 1.0} == server.workers[0].gauges

    serve(tmp_path, scenario)


def test_link_acknowledges_pairs_when_they_are_settled(tmp_path: Path):
    """A pair stays the worker's until its verdict is counted."""

    async def scenario(_server: LinkServer, taken: Taken, path: Path) -> None:
        async with linked(path) as worker:
            for encoded in (b"one", b"two"):
                worker.send(encoded)
            await until(lambda: len(taken.pairs) == 2)
            assert ([b"one", b"two"], 2) == ([pair.encoded for pair in taken.pairs], worker.unsettled)
            for pair in taken.pairs:
                pair.settle()
            await until(lambda: not worker.unsettled)
            assert [] == worker.skipped

    serve(tmp_path, scenario)


def test_link_passes_the_window_on(tmp_path: Path):
    """A closed window makes the worker count its pairs as `comparer_busy`; an open one lets them through again."""

    async def scenario(server: LinkServer, taken: Taken, path: Path) -> None:
        async with linked(path) as worker:
            server.set_window(0)
            await until(lambda: worker.link.refusal() == "comparer_busy")
            worker.send(b"refused")
            server.set_window(8)
            await until(lambda: worker.link.refusal() is None)
            worker.send(b"taken")
            await until(lambda: taken.pairs)
            assert (["comparer_busy"], [b"taken"]) == (worker.skipped, [pair.encoded for pair in taken.pairs])

    serve(tmp_path, scenario)


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nhost: a\r\n\r\n",
        encode(Kind.HELLO, b"{"),
        encode_json(Kind.HELLO, {"worker": "worker-1"}),
        encode_json(Kind.TALLY, {"seq": 1}),
        encode_numbered(Kind.PAIR, 1, b"pair"),
        HELLO + encode_json(Kind.ROLLOUT, {}),
        HELLO + encode(Kind.PAIR, b"1"),
        HELLO + encode_json(Kind.TALLY, {"seq": 1, "at": 1.0, "routes": [], "users": {}, "gauges": {}}),
        HELLO + encode_json(Kind.TALLY, {"seq": 1, "at": 1.0, "routes": {"a": {"b": -1}}, "users": {}, "gauges": {}}),
    ],
)
def test_link_hangs_up_on_what_no_worker_sends(tmp_path: Path, sent: bytes):
    """Broken frames end their own link, with nothing of them counted, and no other link."""

    async def scenario(server: LinkServer, taken: Taken, path: Path) -> None:
        async with linked(path) as worker:
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(sent)
            with pytest.raises(ConnectionResetError):
                await _read_to_end(reader)
            writer.close()
            await until(lambda: len(server.links) == 1)
            worker.link.send_tally()
            await until(lambda: taken.deltas)
            assert ([], ["worker-1"]) == (taken.pairs, [each.name for each in server.workers])

    serve(tmp_path, scenario)


async def _read_to_end(reader: asyncio.StreamReader) -> None:
    """To a reset, which is how the server ends a link; a plain end is no reset."""
    while await reader.read(65_536):
        pass
    raise ConnectionResetError


def test_link_voids_the_pairs_of_a_worker_it_hung_up_on(tmp_path: Path):
    """Such a worker counts them as lost by itself; those of a worker that died are still compared."""

    async def scenario(server: LinkServer, taken: Taken, path: Path) -> None:
        async with linked(path) as worker:
            worker.send(b"void")
            await until(lambda: taken.pairs)
            next(iter(server.links)).hang_up("a test")
            await until(lambda: worker.skipped)
            assert (["link_lost"], True) == (worker.skipped, taken.pairs[0].is_void)
        _reader, writer = await asyncio.open_unix_connection(path)
        writer.write(HELLO + encode_numbered(Kind.PAIR, 1, b"of a dead worker"))
        await until(lambda: len(taken.pairs) == 2)
        writer.transport.abort()
        await until(lambda: not server.links)
        taken.pairs[1].settle()
        assert not taken.pairs[1].is_void

    serve(tmp_path, scenario)


def test_link_drops_a_worker_that_does_not_read(tmp_path: Path, monkeypatch: Any):
    """What waits for a stopped worker is bounded: it is hung up on, while the others get the latest rollout."""
    monkeypatch.setattr(link_module, "STALLED_S", 0.05)

    async def scenario(server: LinkServer, _taken: Taken, path: Path) -> None:
        with socket.socket(socket.AF_UNIX) as deaf:
            deaf.setblocking(False)
            await asyncio.get_running_loop().sock_connect(deaf, str(path))
            async with linked(path) as worker:
                for version in range(2, 12):
                    server.publish({"version": version, "filling": "." * 200_000})
                await until(lambda: len(server.links) == 1)
                await until(lambda: worker.rollouts[-1]["version"] == 11)

    serve(tmp_path, scenario)


def test_link_skips_rollouts_that_a_slow_worker_had_no_time_for(tmp_path: Path):
    """The last value wins: a worker that reads late gets the newest rollout, not all of them."""

    async def scenario(server: LinkServer, _taken: Taken, path: Path) -> None:
        reader, writer = await asyncio.open_unix_connection(path, limit=1)
        await until(lambda: server.links)
        for version in range(2, 42):
            server.publish({"version": version, "filling": "." * 100_000})
            await asyncio.sleep(0)
        versions: list[int] = []
        while not versions or versions[-1] != 41:
            head = await reader.readexactly(5)
            payload = await reader.readexactly(int.from_bytes(head[:4]))
            if head[4] == Kind.ROLLOUT:
                versions.append(json.loads(payload)["version"])
        assert len(versions) < 41
        assert versions == sorted(versions)
        writer.close()

    serve(tmp_path, scenario)


def test_link_socket_is_for_this_user_and_goes_with_the_server(tmp_path: Path):
    """Nobody else may connect; after the end no socket is left."""

    async def scenario(_server: LinkServer, _taken: Taken, path: Path) -> None:
        assert 0o600 == stat.S_IMODE(os.stat(path).st_mode)  # noqa: PTH116  # at once

    serve(tmp_path, scenario)
    assert [] == list(tmp_path.iterdir())


def test_link_replaces_the_socket_of_a_killed_process(tmp_path: Path):
    """A socket file that nobody listens on is removed."""
    path = tmp_path / "link.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    listen(path).close()


def test_link_refuses_a_state_folder_in_use(tmp_path: Path):
    """Two nodes on one state folder would take each other's evidence."""
    path = tmp_path / "link.sock"
    with listen(path), pytest.raises(StartError, match="another Changeover runs in this state folder"):
        listen(path)


def test_link_says_why_it_can_not_listen(tmp_path: Path):
    """A folder that isn't there, or a path too long for a socket, is a clear error."""
    for folder in (tmp_path / "missing", tmp_path / ("long" * 30)):
        with pytest.raises(StartError, match="--state-dir"):
            listen(folder / "link.sock")
