"""WebSockets through the proxy, with the client and the server of `websockets` on their ends.

A connection is opened at the user's side, carries whatever both ends say, and ends as they end it; it isn't shadowed.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from queue import Queue
from socket import SHUT_RDWR
from typing import TYPE_CHECKING, Any, Self

import pytest
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus
from websockets.sync.client import connect
from websockets.sync.server import serve as serve_sockets

from tests.e2e.node import Node, serving, write_config
from tests.e2e.program import until
from tests.e2e.sides import CONFIG, USERS, at_percentages, side_of, sides_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from websockets.http11 import Request, Response
    from websockets.sync.client import ClientConnection
    from websockets.sync.server import ServerConnection

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

PATIENCE_S = 10.0


class SocketServer:
    """A backend that speaks WebSocket; `ended` gets path and close code of each connection."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.ended: Queue[tuple[str, int | None]] = Queue()
        self._server = serve_sockets(
            self._converse,
            "127.0.0.1",
            0,
            select_subprotocol=lambda _, offered: "chat.v2" if "chat.v2" in offered else None,  # type: ignore[arg-type, return-value]  # a NewType of str
            process_request=self._refuse_some,
            process_response=self._sign,
            max_size=None,
        )
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.socket.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(PATIENCE_S)

    @staticmethod
    def _refuse_some(connection: ServerConnection, request: Request) -> Response | None:
        return connection.respond(403, "not you\n") if request.path.endswith("/refused") else None

    def _sign(self, _: ServerConnection, __: Request, response: Response) -> Response:
        response.headers["x-backend"] = self.name
        return response

    def _converse(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        path = connection.request.path
        try:
            if path.endswith("/bye"):
                connection.recv()
                connection.close(4002, "enough")
            elif path.endswith("/vanish"):
                connection.recv()
                connection.socket.shutdown(SHUT_RDWR)
            elif path.endswith("/pinged"):
                assert connection.ping().wait(PATIENCE_S)
                connection.send("ponged")
            for message in connection:
                connection.send(message)
        except ConnectionClosed:
            pass
        finally:
            self.ended.put((path, connection.close_code))


@dataclass(slots=True)
class Sockets:
    """A node between two backends that speak WebSocket; `asked` counts attempts to open one, by percentage."""

    node: Node
    backends: dict[str, SocketServer]
    asked: Counter[int] = field(default_factory=Counter)

    def connect(self, percentage: int, path: str, user: str = USERS[0], **options: Any) -> ClientConnection:
        self.asked[percentage] += 1
        return connect(
            f"{self.node.url.replace('http', 'ws', 1)}/{percentage}/{path}",
            additional_headers={"x-user-id": user},
            proxy=None,
            open_timeout=PATIENCE_S,
            **options,
        )

    def ended(self, percentage: int, user: str = USERS[0]) -> tuple[str, int | None]:
        """What the user's backend saw at the end of the connection that ended next."""
        return self.backends[side_of(self.node, percentage, user)].ended.get(timeout=PATIENCE_S)


@pytest.fixture(scope="module")
def module_sockets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sockets]:
    folder = tmp_path_factory.mktemp("sockets")
    with ExitStack() as stack:
        legacy, new = (stack.enter_context(SocketServer(name)) for name in ("legacy", "new"))
        config = write_config(folder, CONFIG.format(legacy=legacy.url, new=new.url))
        node = stack.enter_context(serving(config, folder))
        yield Sockets(node, {"legacy": legacy, "new": new})
        assert node.stop() == 0


@pytest.fixture
def sockets(module_sockets: Sockets) -> Sockets:
    """The module's, with nothing left from tests before."""
    for backend in module_sockets.backends.values():
        while not backend.ended.empty():
            backend.ended.get()
    return module_sockets


@at_percentages
def test_websocket_carries_text_and_binary_both_ways(percentage: int, sockets: Sockets):
    """Messages of every size up to a mebibyte come back as they were sent, compressed by agreement of both ends."""
    big = random.Random(1).randbytes(1 << 20)
    messages: list[str | bytes] = ["", "text, größer als ASCII", b"", b"\x00\xff" * 70, "a" * 200_000, big]
    with sockets.connect(percentage, "echo", max_size=None) as connection:
        for message in messages:
            connection.send(message)
            assert message == connection.recv(timeout=PATIENCE_S)
    assert (f"/{percentage}/echo", 1000) == sockets.ended(percentage)


@at_percentages
def test_websocket_agrees_on_subprotocol_and_answers_pings(percentage: int, sockets: Sockets):
    """What the backend chose is what the client gets; pings reach the other end, whoever sends them."""
    with sockets.connect(percentage, "pinged", subprotocols=["chat.v1", "chat.v2"]) as connection:
        assert "chat.v2" == connection.subprotocol
        assert connection.ping().wait(PATIENCE_S)
        assert "ponged" == connection.recv(timeout=PATIENCE_S)
    assert (f"/{percentage}/pinged", 1000) == sockets.ended(percentage)


@at_percentages
def test_websocket_close_codes_arrive(percentage: int, sockets: Sockets):
    """Code and reason of whoever closes are seen at the other end."""
    with sockets.connect(percentage, "echo") as connection:
        connection.close(4001, "done")
    assert (f"/{percentage}/echo", 4001) == sockets.ended(percentage)
    with sockets.connect(percentage, "bye") as connection:
        connection.send("and?")
        with pytest.raises(ConnectionClosed) as closed:
            connection.recv(timeout=PATIENCE_S)
    assert closed.value.rcvd is not None
    assert (4002, "enough") == (closed.value.rcvd.code, closed.value.rcvd.reason)
    assert (f"/{percentage}/bye", 4002) == sockets.ended(percentage)


@at_percentages
def test_websocket_end_without_a_close_is_seen_at_the_other_end(percentage: int, sockets: Sockets):
    """A client or a backend that vanishes takes its other half with it: code 1006, which no frame can carry."""
    left = sockets.connect(percentage, "echo")
    left.send("still there")
    assert "still there" == left.recv(timeout=PATIENCE_S)
    left.socket.shutdown(SHUT_RDWR)
    assert (f"/{percentage}/echo", 1006) == sockets.ended(percentage)
    with sockets.connect(percentage, "vanish") as connection:
        connection.send("now")
        with pytest.raises(ConnectionClosedError) as closed:
            connection.recv(timeout=PATIENCE_S)
    assert closed.value.rcvd is None
    assert (f"/{percentage}/vanish", 1006) == sockets.ended(percentage)


@at_percentages
def test_refused_websocket_is_an_ordinary_answer(percentage: int, sockets: Sockets):
    """The backend's 403 and its body reach the client."""
    with pytest.raises(InvalidStatus) as refused:
        sockets.connect(percentage, "refused")
    assert (403, b"not you\n") == (refused.value.response.status_code, refused.value.response.body)


@at_percentages
def test_websocket_sticks_to_the_decided_side_and_is_counted(percentage: int, sockets: Sockets):
    """Each user's connections go where the user's requests go; none is shadowed, each is counted as that."""
    node, met = sockets.node, []
    for user in (*USERS, *USERS):
        with sockets.connect(percentage, "echo", user) as connection:
            assert connection.response is not None
            met.append((user, connection.response.headers["x-backend"]))
        sockets.ended(percentage, user)
    assert [(user, side_of(node, percentage, user)) for user, _ in met] == met
    assert sides_at(percentage) == {side for _, side in met}
    assert all(backend.ended.empty() for backend in sockets.backends.values())
    asked = sockets.asked[percentage]  # also by tests before: opened or refused
    until(lambda: counted(node, percentage) == asked, f"{asked} counted", within_s=PATIENCE_S)
    assert (asked, asked) == node.accounts(f"at_{percentage}")


def counted(node: Node, percentage: int) -> int:
    """WebSockets that weren't shadowed, and why."""
    skipped = node.route(f"at_{percentage}")["coverage"]["skipped"]
    return int(skipped.get("websocket", 0))
