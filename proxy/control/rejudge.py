"""Stored examples are judged again when the rules have changed, so that the list of differences is right at once.

1. A signature none of whose examples shows it any more is marked with the rule that hides it, and reads as `ignored`.
2. One example that shows it takes the mark away; so it comes back when the rule goes.
3. What can't be judged (no example, a cut body, a comparison that gave up) is decided by the rules' text alone.
4. Pairs of users come first: one example is under way at a time, through the same comparers, and at most MAX_SIGNATURES
   of a route are looked at, the most frequent ones.
5. Under which rules a route was judged stands in the store. So rules that changed while no node ran are found by the
   first that starts, and what one node has judged the others leave alone.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import fields, is_dataclass, replace
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import structlog

from proxy.control.example import decode_example
from proxy.core.evidence import Verdict, encode_pair
from proxy.core.ignoring import covering_rule
from proxy.core.signature import ALGORITHM
from proxy.errors import NotFound, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from proxy.control.comparers import Comparers
    from proxy.control.outcome import Outcome
    from proxy.control.store_threads import StoreThreads
    from proxy.core.model import CompareRules
    from proxy.store import SignatureRow, Store

log = structlog.get_logger(__name__)

MAX_SIGNATURES = 200  # eight examples each, some milliseconds of a comparer for one
RETRY_S = 5.0  # after the store was away
ROOM_S, ROOM_TRIES = 0.2, 50  # how long one example waits for room among the pairs of users
WHO = "changeover"
_SECTIONS = ("ignore", "ignore_headers", "unordered", "keys", "images")


class Rejudge:
    """See the module. `rules` tells those in force: route -> rules."""

    def __init__(
        self, store: Store, threads: StoreThreads, comparers: Comparers, rules: Callable[[], Mapping[str, CompareRules]]
    ) -> None:
        self._store = store
        self._threads = threads
        self._comparers = comparers
        self._rules = rules
        self._judged: dict[str, CompareRules] = {}  # what this node knows to have been judged: route -> rules
        self._wanted = asyncio.Event()

    def wake(self) -> None:
        """Something else is in force."""
        self._wanted.set()

    async def run(self) -> None:
        """Judges whenever the rules have changed, for ever."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                await self.judge()
            except StoreError:
                await asyncio.sleep(RETRY_S)
                self._wanted.set()
            except Exception:  # a fault of ours must not end it
                log.exception("examples.unjudged")

    async def judge(self) -> None:
        """The signatures of routes that were judged under other rules."""
        rules = {route: replace(each, noise_millipercent=0) for route, each in self._rules().items()}
        changed = {route: own for route, own in rules.items() if self._judged.get(route) != own}
        stored = await self._threads.run(self._store.judged_rules) if changed else {}
        for route, own in changed.items():
            digest = rules_digest(own)
            if stored.get(route) != digest:
                rows = await self._threads.run(partial(self._store.signatures, route))
                for row in rows[:MAX_SIGNATURES]:
                    await self._judge_signature(row, own)
                await self._threads.run(partial(self._store.set_judged_rules, route, digest))
            self._judged[route] = own

    async def _judge_signature(self, row: SignatureRow, rules: CompareRules) -> None:
        shown = await self._is_shown(row)
        covering = covering_rule(rules, row.kind, row.path)
        if shown is None:
            rule = covering or ""
        elif shown:
            rule = ""
        else:
            rule = covering or _named(rules) or row.rule
        if rule != row.rule:
            reason = "no example shows it under the config's rules" if rule else "the config's rules show it"
            by = {"who": WHO, "reason": reason}
            await self._threads.run(lambda: self._store.set_rule(row.id, rule, by))

    async def _is_shown(self, row: SignatureRow) -> bool | None:
        """Whether an example shows the signature by the rules in force; None where that can't be said."""
        try:
            detail = await self._threads.run(lambda: self._store.signature(row.id))
        except NotFound:
            return None
        is_certain = bool(detail.examples)
        for example in detail.examples:
            pair = decode_example(example.payload, row.route)
            outcome = None if pair is None else await self._compare(encode_pair(pair))
            if outcome is not None and any(each.id == row.id for each in outcome.signatures):
                return True
            is_certain = is_certain and outcome is not None and _is_full(outcome)
        return False if is_certain else None

    async def _compare(self, encoded: bytes) -> Outcome | None:
        """None where the comparers have no room for long."""
        done: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def settle(outcome: Outcome) -> None:
            if not done.done():
                done.set_result(outcome)

        for _ in range(ROOM_TRIES):
            if self._comparers.submit(encoded, settle):
                return await done
            await asyncio.sleep(ROOM_S)
        return None


def rules_digest(rules: CompareRules) -> str:
    """A name of rules that equal ones share in every process, and of the algorithm of the signatures."""
    return sha256(json.dumps([ALGORITHM, _plain(rules)]).encode()).hexdigest()


def digest_of(value: Any) -> str:
    """A name of a value of the config's model that equal ones share in every process."""
    return sha256(json.dumps(_plain(value)).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """A value made of what JSON has, sets in order."""
    if is_dataclass(value):
        return [type(value).__name__, *(_plain(getattr(value, each.name)) for each in fields(value))]
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return repr(value)


def _is_full(outcome: Outcome) -> bool:
    """Whether every difference is known."""
    return outcome.verdict in {Verdict.MATCH, Verdict.MISMATCH} and not outcome.reason and not outcome.has_more


def _named(rules: CompareRules) -> str:
    """The kinds of rules a route has, where no single one covers the signature; "" for none."""
    kinds = dict.fromkeys(rule.kind for _, rule in (*rules.values, *rules.header_values))
    names = [*(name for name in _SECTIONS if getattr(rules, name)), *kinds]
    return f"compare: {', '.join(names)}" if names else ""
