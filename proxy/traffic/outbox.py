"""What is to be sent goes out together, when everything that had come by then has been read.

A sent message wakes whoever waits for it, and the kernel's part of that is the dearest of a request: more than reading,
deciding and comparing it. Sent back to back, most messages find their receiver awake. So a message that could go out at
once waits until the loop has read what else was there, a few requests' time at most; with little to do it waits for
nothing. `MOST` bounds how many wait for each other.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 64


class Sender(Protocol):
    """Somebody with something to send."""

    def send_waiting(self) -> None:
        """Sends it, if it is still to be sent. Must not raise: others wait behind."""


class Outbox:
    """The senders that wait, in order; made and used within one event loop."""

    __slots__ = ("_call_soon", "_senders")

    def __init__(self) -> None:
        self._call_soon: Callable[..., object] = asyncio.get_running_loop().call_soon
        self._senders: list[Sender] = []

    def add(self, sender: Sender) -> None:
        """`sender` is asked for what it has when the loop has read what else was there; at `MOST`, at once."""
        senders = self._senders
        if not senders:
            self._call_soon(self._send)
        senders.append(sender)
        if len(senders) >= MOST:
            self._send()

    def _send(self) -> None:
        senders, self._senders = self._senders, []
        for sender in senders:
            sender.send_waiting()
