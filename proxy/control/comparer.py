"""The process that compares: `python -m proxy.control.comparer`, a child of control, fed through its stdin.

What such a child may and may not do is in `child`.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO
from zlib import crc32

import structlog

from proxy import config
from proxy.child import READY, answer, become_child, frames, pipes
from proxy.control.example import Signed, encode_example
from proxy.control.outcome import Alone, Message, Outcome, encode_outcome, hidden_by, without_finding
from proxy.core.compare import Limits, compare
from proxy.core.compared_headers import Reached
from proxy.core.evidence import MAX_VERSION_CHARACTERS, Verdict, decode_pair
from proxy.core.model import LEGACY, NEW, VERSION_HEADER
from proxy.core.rule_use import RuleWatch
from proxy.core.signature import place_id, sign
from proxy.traffic.frames import decode_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from proxy.core.compare import Comparison, Difference
    from proxy.core.evidence import Pair
    from proxy.core.model import Backend, CompareRules

log = structlog.get_logger(__name__)

MAX_SIGNATURES = 50  # of one pair; a page that is another page altogether has no more to say
EXAMPLE_INTERVAL_S = 1.0  # encoding an example costs more than many a comparison; the store keeps eight
_REMEMBERED = 4096


class Examples:
    """Says for which signatures an example is due: at most one in EXAMPLE_INTERVAL_S for each."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._last: dict[str, float] = {}

    def due(self, ids: Iterable[str]) -> frozenset[str]:
        """Those of `ids` that have had none lately; they have now."""
        now = self._now()
        if len(self._last) > _REMEMBERED:
            self._last.clear()
        due = frozenset(id_ for id_ in ids if now - self._last.get(id_, float("-inf")) >= EXAMPLE_INTERVAL_S)
        self._last.update(dict.fromkeys(due, now))
        return due


class Comparer:
    """Compares pairs by the rules of their routes. `max_body_bytes` is what workers keep of an answer."""

    def __init__(self, max_body_bytes: int, examples: Examples | None = None) -> None:
        # The bound was kept by the worker, before it masked: a mask may be longer than what it hides.
        self._limits = Limits(max_bytes=max_body_bytes * 5 // 4)
        self._rules: dict[str, CompareRules] = {}
        self._watches: dict[str, RuleWatch] = {}
        self._addresses = {LEGACY: "", NEW: ""}
        self._version_header = VERSION_HEADER
        self._examples = examples or Examples()

    def set_rules(self, document: dict[str, object]) -> None:
        """Takes the rules from a config's document (`config.Loaded.document`)."""
        migration = config.build(document)
        self._rules = {route.name: route.compare for route in migration.routes}
        self._watches = {route: RuleWatch(rules) for route, rules in self._rules.items()}
        self._version_header = migration.new.version_header
        self._addresses = {LEGACY: _authority(migration.legacy), NEW: _authority(migration.new)}

    def judge(self, encoded: bytes) -> Outcome:
        """The outcome for an encoded pair; a fault in here is a verdict too (law 10)."""
        try:
            pair = decode_pair(encoded)
        except ValueError:
            return Outcome("", "candidate", Verdict.GAVE_UP, "unreadable")
        try:
            return self._judge_run(pair)
        except MemoryError:
            return without_finding(pair, Verdict.GAVE_UP, "memory")
        except Exception:
            log.exception("comparison.failed", route=pair.route, request_id=pair.request_id)
            return without_finding(pair, Verdict.GAVE_UP, "fault")

    def _judge_run(self, pair: Pair) -> Outcome:
        """Of a noise run that is whole, both outcomes, and whose answer stood alone."""
        outcome = self._judge(pair)
        if pair.again is not None:
            again = self._judge(pair.again)
            return replace(outcome, again=again, alone=self._alone(pair, outcome, again))
        if pair.is_other_equal:
            shown = _visible([outcome])
            return replace(outcome, alone=Alone(again=shown) if pair.kind == "noise" else Alone(new=shown))
        return outcome

    def _alone(self, pair: Pair, outcome: Outcome, again: Outcome) -> Alone:
        """By all three comparisons: an answer stands alone at a place where it differs from two that agree.

        The third one isn't implied by the two: with a tolerance, one answer may be near two that are far apart.
        """
        of_new, of_self = (_visible([each, other]) for each, other in ((outcome, again), (again, outcome)))
        if pair.again is None or not of_new | of_self:
            return Alone()
        third = self._compared(replace(pair, control=pair.again.candidate, first_difference=None))
        apart = {place_id(sign(pair.route, each)) for each in third.differences}
        return Alone((of_new - of_self) & apart, (of_new & of_self) - apart, (of_self - of_new) & apart)

    def _judge(self, pair: Pair) -> Outcome:
        if pair.route not in self._rules:
            return Outcome(pair.route, pair.kind, Verdict.GAVE_UP, "route_gone")
        found = self._compared(pair)
        signed = _signed(pair.route, found.differences)
        first = _first_of_each(signed, pair.request_id)
        due = self._examples.due(first)
        return Outcome(
            route=pair.route,
            kind=pair.kind,
            verdict=found.verdict,
            reason=found.reason,
            signatures=tuple(each.signature for each in first.values()),
            example=encode_example(pair, [*first.values(), *_others(signed, first)]) if due else None,
            example_for=due,
            has_more=any(each.signature.id not in first for each in signed),
            version=_version(pair, self._version_header),
            request_id=pair.request_id if first else "",
            rules_met=self._watches[pair.route].look(pair.control, pair.candidate),
        )

    def _compared(self, pair: Pair) -> Comparison:
        rules, reached = self._rules[pair.route], self._reached(pair)
        return compare(pair.control, pair.candidate, rules, self._limits, reached, pair.first_difference)

    def _reached(self, pair: Pair) -> Reached:
        """A noise run asks legacy twice."""
        return Reached(
            hosts=frozenset(value.lower() for name, value in pair.request_headers if name == "host"),
            control=self._addresses[LEGACY],
            candidate=self._addresses[LEGACY if pair.kind == "noise" else NEW],
            at=pair.at,
        )


def _authority(backend: Backend) -> str:
    """As a URL has it: without the scheme's own port."""
    return backend.base_url.partition("://")[2].lower().removesuffix(":80" if backend.scheme == "http" else ":443")


def _version(pair: Pair, header: str) -> str:
    """What the new backend says of itself in its answer; "" where it says nothing, or was not asked."""
    if pair.kind != "candidate":
        return ""
    said = (value for name, value in pair.candidate.headers if name == header)
    return next(said, "")[:MAX_VERSION_CHARACTERS]


def _signed(route: str, differences: Iterable[Difference]) -> list[Signed]:
    return [Signed(sign(route, difference), difference) for difference in differences]


def _first_of_each(signed: Iterable[Signed], request_id: str) -> dict[str, Signed]:
    """Signature id -> its first difference in the pair, at most MAX_SIGNATURES.

    Of more, each pair names others, chosen by its id: in time every one is named, not always the same first ones.
    """
    first: dict[str, Signed] = {}
    for each in signed:
        first.setdefault(each.signature.id, each)
    if len(first) <= MAX_SIGNATURES:
        return first
    start = crc32(request_id.encode("utf-8", "surrogatepass")) % len(first)
    in_turn = [*first.items()]
    return dict((in_turn[start:] + in_turn[:start])[:MAX_SIGNATURES])


def _others(signed: Iterable[Signed], first: dict[str, Signed]) -> list[Signed]:
    return [each for each in signed if first.get(each.signature.id) is not each]


def _visible(outcomes: list[Outcome]) -> frozenset[str]:
    """The places that the first of a run's pairs shows and that would have been seen in every one.

    That is all of them, or the status alone where anything hides what else there is.
    """
    hidden = any(hidden_by(each) for each in outcomes)
    return frozenset(place_id(each) for each in outcomes[0].signatures if each.kind == "status" or not hidden)


# --- the process ---
def main(arguments: list[str]) -> int:
    """Serves the parent until it closes the pipe. The arguments: a memory budget and the largest body, in bytes."""
    memory_bytes, max_body_bytes = map(int, arguments)
    become_child("comparer", memory_bytes)
    with pipes() as (feed, out):
        serve(Comparer(max_body_bytes), feed, out)
    return 0


def serve(comparer: Comparer, feed: BinaryIO, out: BinaryIO) -> None:
    """Answers each PAIR in order, until the feed ends."""
    answer(out, READY)
    for kind, payload in frames(feed):
        if kind == Message.RULES:
            comparer.set_rules(decode_json(payload))
        else:
            answer(out, Message.OUTCOME, encode_outcome(comparer.judge(payload)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
