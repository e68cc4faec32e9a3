"""What a comparer process found out about one pair, and how that travels over its pipes.

Parent to comparer: RULES (JSON: the config's document), PAIR (an encoded pair). Back: READY, then for each
PAIR one OUTCOME: the length of its JSON, the JSON, the example. Frames have the head of `traffic/frames`.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Literal

from proxy.core.evidence import Verdict
from proxy.core.signature import Signature

_LENGTH = struct.Struct("!I")


class Message(IntEnum):
    RULES = 65
    PAIR = 66
    OUTCOME = 67


@dataclass(frozen=True, slots=True)
class Outcome:
    """The verdict on a pair of `route`. `reason` says why a comparer gave up, else it is "".

    `signatures` are its differences, each once; `has_more` says that there were too many to list. `example` is the
    masked pair as JSON (docs/admin-api.md), meant for the signatures in `example_for`; None where a recent one will do.
    `version` is what the new backend says of itself (`backends.new.version_header`), or "". `request_id` is told of
    pairs that differ. `rules_met` are the rules (`core.rule_use`) found for the first time; None where nobody looked.
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
    }
    text = json.dumps(head, separators=(",", ":")).encode()
    return b"".join((_LENGTH.pack(len(text)), text, outcome.example or b""))


def decode_outcome(payload: bytes) -> Outcome:
    """The inverse of `encode_outcome`. Raises ValueError."""
    try:
        end = _LENGTH.size + _LENGTH.unpack_from(payload)[0]
        head = json.loads(payload[_LENGTH.size : end])
        return Outcome(
            route=head["route"],
            kind=head["kind"],
            verdict=Verdict(head["verdict"]),
            reason=head["reason"],
            signatures=tuple(Signature(**signature) for signature in head["signatures"]),
            example=payload[end:] or None,
            example_for=frozenset(head["example_for"]),
            has_more=head["has_more"],
            version=head["version"],
            rules_met=None if head["rules_met"] is None else frozenset(head["rules_met"]),
            request_id=head["request_id"],
        )
    except (struct.error, KeyError, TypeError) as error:
        raise ValueError(f"not an outcome: {error}") from error
