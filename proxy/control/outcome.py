"""What a comparer process found out about one pair, and how that travels over its pipes.

Parent to comparer: RULES (JSON: the config's document), PAIR (an encoded pair). Back: READY, then for each
PAIR one OUTCOME: the lengths of its JSON and of the example, both, and the same again of a noise run's other pair.
Frames have the head of `traffic/frames`.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Literal

from proxy.core.evidence import Verdict
from proxy.core.signature import Signature

if TYPE_CHECKING:
    from proxy.core.evidence import Pair

_LENGTHS = struct.Struct("!II")


class Message(IntEnum):
    RULES = 65
    PAIR = 66
    OUTCOME = 67


@dataclass(frozen=True, slots=True)
class Alone:
    """Ids of the places at which one of a noise run's three answers differed from two that agreed: whose it was."""

    new: frozenset[str] = frozenset()
    first: frozenset[str] = frozenset()
    again: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Outcome:
    """The verdict on a pair of `route`. `reason` says why a comparer gave up, else it is "".

    `signatures` are its differences, each once; `has_more` says that there were too many to list. `example` is the
    masked pair as JSON (docs/admin-api.md), meant for the signatures in `example_for`; None where a recent one will do.
    `version` is what the new backend says of itself (`backends.new.version_header`), or "". `request_id` is told of
    pairs that differ. `rules_met` are the rules (`core.rule_use`) found for the first time; None where nobody looked.

    `again` is the outcome of the pair of legacy with itself, where both pairs of a noise run were compared together;
    `alone` says of a whole noise run whose answer differed from the other two.
    """

    route: str
    kind: Literal["candidate", "noise"]
    verdict: Verdict
    reason: str = ""
    signatures: tuple[Signature, ...] = ()
    example: bytes | None = None
    example_for: frozenset[str] = frozenset()
    has_more: bool = False
    version: str = ""
    request_id: str = ""
    rules_met: frozenset[str] | None = None
    again: Outcome | None = None
    alone: Alone = Alone()

    @property
    def both(self) -> tuple[Outcome, ...]:
        """The outcome itself, and that of the noise run's other pair, if there is one."""
        return (self,) if self.again is None else (self, self.again)


def without_finding(pair: Pair, verdict: Verdict, reason: str) -> Outcome:
    """The outcome of a pair that nothing is known of, and of the other one that came with it."""
    again = None if pair.again is None else without_finding(pair.again, verdict, reason)
    return Outcome(pair.route, pair.kind, verdict, reason, again=again)


def hidden_by(outcome: Outcome) -> str:
    """Why other differences of a pair that differs may be unknown, or ""."""
    if outcome.reason:
        return outcome.reason
    if any(signature.kind == "status" for signature in outcome.signatures):
        return "status"
    if any(signature.kind == "body" and signature.shape.startswith("body ") for signature in outcome.signatures):
        return "kind"
    return "unlisted" if outcome.has_more else ""


def encode_outcome(outcome: Outcome) -> bytes:
    head = {
        "route": outcome.route,
        "kind": outcome.kind,
        "verdict": outcome.verdict,
        "reason": outcome.reason,
        "signatures": [asdict(signature) for signature in outcome.signatures],
        "example_for": sorted(outcome.example_for),
        "has_more": outcome.has_more,
        "version": outcome.version,
        "request_id": outcome.request_id,
        "rules_met": None if outcome.rules_met is None else sorted(outcome.rules_met),
        "alone": [sorted(ids) for ids in (outcome.alone.new, outcome.alone.first, outcome.alone.again)],
    }
    text, example = json.dumps(head, separators=(",", ":")).encode(), outcome.example or b""
    again = encode_outcome(outcome.again) if outcome.again is not None else b""
    return b"".join((_LENGTHS.pack(len(text), len(example)), text, example, again))


def decode_outcome(payload: bytes) -> Outcome:
    """The inverse of `encode_outcome`. Raises ValueError."""
    try:
        text_length, example_length = _LENGTHS.unpack_from(payload)
        text_end = _LENGTHS.size + text_length
        end = text_end + example_length
        head = json.loads(payload[_LENGTHS.size : text_end])
        return Outcome(
            route=head["route"],
            kind=head["kind"],
            verdict=Verdict(head["verdict"]),
            reason=head["reason"],
            signatures=tuple(Signature(**signature) for signature in head["signatures"]),
            example=payload[text_end:end] or None,
            example_for=frozenset(head["example_for"]),
            has_more=head["has_more"],
            version=head["version"],
            rules_met=None if head["rules_met"] is None else frozenset(head["rules_met"]),
            request_id=head["request_id"],
            again=decode_outcome(payload[end:]) if len(payload) > end else None,
            alone=Alone(*map(frozenset, head["alone"])),
        )
    except (struct.error, KeyError, TypeError) as error:
        raise ValueError(f"not an outcome: {error}") from error
