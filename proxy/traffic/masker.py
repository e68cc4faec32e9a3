"""The process that masks: `python -m proxy.traffic.masker`, a child of a worker, fed through its stdin.

It makes of a raw pair the encoded pair that may go up the link. It belongs to its worker: what it is told of secrets it
tells nobody, and it has neither socket nor file. What such a child may and may not do is in `child`.
"""

from __future__ import annotations

import json
import sys
from enum import IntEnum
from typing import TYPE_CHECKING, BinaryIO

import structlog

from proxy.child import READY, answer, become_child, frames, pipes
from proxy.core.evidence import encode_pair
from proxy.core.mask import Masker
from proxy.core.model import Redaction
from proxy.core.paths import parse
from proxy.core.raw_pair import decode_raw, observed

if TYPE_CHECKING:
    from proxy.core.paths import Path

log = structlog.get_logger(__name__)


class Message(IntEnum):
    """Frames on the pipes. To the child: RULES (`encode_rules`), RAW (`encode_raw`). For each RAW one MASKED."""

    RULES = 80
    RAW = 81
    MASKED = 82


def encode_rules(redaction: Redaction, key: bytes) -> bytes:
    """What a masker is made of."""
    fields = [str(path) for path in redaction.fields]
    return json.dumps({"headers": sorted(redaction.headers), "fields": fields, "key": key.hex()}).encode()


def make_masker(rules: bytes) -> Masker:
    """From `encode_rules`."""
    said = json.loads(rules)
    fields: tuple[Path, ...] = tuple(map(parse, said["fields"]))
    return Masker(Redaction(frozenset(said["headers"]), fields), bytes.fromhex(said["key"]))


def serve(max_body_bytes: int, feed: BinaryIO, out: BinaryIO) -> None:
    """Answers each RAW in order, until the feed ends; with nothing in it where masking broke."""
    masker: Masker | None = None
    answer(out, READY)
    for kind, payload in frames(feed):
        if kind == Message.RULES:
            masker = make_masker(payload)
        elif masker is not None:
            answer(out, Message.MASKED, _masked(payload, masker, max_body_bytes))


def _masked(payload: bytes, masker: Masker, max_body_bytes: int) -> bytes:
    try:
        return encode_pair(observed(decode_raw(payload), masker, max_body_bytes))
    except Exception:
        log.exception("masking.failed")
        return b""


def main(arguments: list[str]) -> int:
    """Serves the parent until it closes the pipe. The arguments: a memory budget and the largest body, in bytes."""
    memory_bytes, max_body_bytes = map(int, arguments)
    become_child("masker", memory_bytes)
    with pipes() as (feed, out):
        serve(max_body_bytes, feed, out)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
