"""How long a request's body may take, by a clock of the test's own."""

from __future__ import annotations

from proxy.core.forwarding import Forwarding
from proxy.core.headers import read_request
from proxy.core.trusted import TrustedProxies
from proxy.traffic.incoming import Incoming
from proxy.traffic.turns import LARGE_BYTES

FORWARDING = Forwarding(TrustedProxies())
HEAD = read_request(
    b"Host: a\r\nContent-Length: 1000000\r\n",
    frozenset(),
    peer=FORWARDING.peer("192.0.2.7", "http"),
    forwarding=FORWARDING,
)


def test_incoming_body_is_late_after_silence() -> None:
    """However much has come before, and however little: each new byte gives the whole time again."""
    body = Incoming(HEAD, 0, 0.0)
    assert (False, True) == (body.is_late(60.0, 60.0), body.is_late(60.1, 60.0))
    body.feed(b"x" * 100_000)
    assert not body.is_late(61.0, 60.0)
    assert (False, True) == (body.is_late(121.0, 60.0), body.is_late(121.1, 60.0))
    body.take()
    assert body.is_late(121.1, 60.0)  # what the backend takes is nothing new
    body.feed(b"x")
    assert not body.is_late(122.0, 60.0)


def test_incoming_body_is_late_below_its_rate() -> None:
    """500 bytes a second, after a time in which nothing is asked of it."""
    body = Incoming(HEAD, 0, 0.0)
    late = [second for second in range(1, 200) if body.feed(b"x" * 250) or body.is_late(float(second), 60.0)]
    assert 121 == late[0]


def test_incoming_body_is_not_late_while_nobody_reads_it() -> None:
    """The time in which nothing is read counts neither as silence nor for the rate."""
    body = Incoming(HEAD, 0, 0.0)
    body.feed(b"x")
    assert not body.is_late(1.0, 60.0)
    body.rested(1000.0)
    assert (False, True) == (body.is_late(1060.0, 60.0), body.is_late(1061.1, 60.0))


def test_incoming_body_that_is_whole_is_never_late() -> None:
    """Nor is a tunnel, which has no end."""
    body = Incoming(HEAD, 0, 0.0)
    body.feed(b"x" * 1_000_000)
    assert not body.is_late(1e9, 60.0)
    assert not Incoming(HEAD, 0, 0.0, is_raw=True).is_late(1e9, 60.0)


def test_incoming_body_is_taken_in_pieces_that_others_need_not_wait_for_long() -> None:
    """It is whole only once the last of them was taken; small ones are taken together."""
    body = Incoming(HEAD, 0, 0.0)
    body.feed(b"a" * 10)
    body.feed(b"b" * 10)
    assert b"a" * 10 + b"b" * 10 == body.take()
    sent = bytes(range(250)) * 4_000
    rest = body.feed(sent)
    taken = []
    while not body.is_whole:
        assert body.has_pieces
        taken.append(body.take())
    assert (sent[: 1_000_000 - 20], sent[1_000_000 - 20 :]) == (b"".join(taken), rest)
    assert max(map(len, taken)) <= LARGE_BYTES
