"""One comparer process seen from its parent: a framed child that is asked for one pair at a time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from proxy.child import ChildLost, FramedChild
from proxy.control.outcome import Message, Outcome, decode_outcome

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Mapping


class ComparerProcess(FramedChild):
    """A running comparer; after ChildLost it must be killed."""

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self._rules: Mapping[str, Any] | None = None

    @classmethod
    async def start_comparer(cls, memory_bytes: int, max_body_bytes: int, *, gives_way: bool = True) -> ComparerProcess:
        """As `start`."""
        return await cls.start("proxy.control.comparer", memory_bytes, max_body_bytes, gives_way=gives_way)

    async def compare(self, encoded: bytes, rules: Mapping[str, Any] | None, timeout_s: float) -> Outcome:
        """What the child finds within `timeout_s` of work. `rules` is sent when it isn't the document sent last.

        Raises ChildLost: "time" at the deadline, "crash" when the child ended or answered nonsense.
        """
        if rules is not None and rules is not self._rules:
            self.send(Message.RULES, json.dumps(rules, separators=(",", ":")).encode())
            self._rules = rules
        self.send(Message.PAIR, encoded)
        payload = await self.receive(Message.OUTCOME, timeout_s)
        try:
            return decode_outcome(payload)
        except ValueError as error:
            raise ChildLost("crash") from error
