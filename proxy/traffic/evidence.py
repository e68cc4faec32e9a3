"""What becomes of a pair with both answers: settled here when byte-equal, else masked and sent up the link.

1. No unmasked secret leaves the worker (law 6): `core/observation` says what may. Small bodies are masked here, others
   in the worker's own child (`masking`).
2. What can't be sent is counted with its reason (law 5); a fault in here is a verdict, not an exception (law 1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from proxy.core.codings import decoded
from proxy.core.evidence import encode_pair
from proxy.core.head import fields_of
from proxy.core.model import LEGACY
from proxy.core.pairing import is_same
from proxy.core.raw_pair import RawAnswer, RawPair, observed

if TYPE_CHECKING:
    from proxy.traffic.link import Link
    from proxy.traffic.masking import Masking
    from proxy.traffic.pair import OpenPair

log = structlog.get_logger(__name__)

# Masking takes 2 to 7 ms for 100 kB, and ten times that where a text is full of secrets: above this, decoded, it is the
# child's work, so that users' requests get their turn. So is whatever may be a picture: 24 kB may take 30 ms to decode.
_IN_LINE_BYTES = 8_192


class Evidence:
    """Takes finished pairs. `max_body_bytes` bounds one decoded body."""

    def __init__(self, link: Link, masking: Masking, max_body_bytes: int) -> None:
        self._link = link
        self._masking = masking
        self._max_body_bytes = max_body_bytes

    def take(self, pair: OpenPair) -> None:
        """Settles the pair, or sends it to be compared."""
        try:
            is_noise = pair.kind == "noise"
            pair.tally.count("self_pairs" if is_noise else "pairs")
            if _is_same(pair):
                pair.tally.count("self_matches" if is_noise else "match")
                pair.has_become("match")
            else:
                self._hand_on(pair)
        except Exception:  # rule 2
            pair.skip("fault")
            log.exception("pair.faulted")

    def _hand_on(self, pair: OpenPair) -> None:
        refusal = self._link.refusal()
        if refusal is not None:
            pair.skip(refusal)
        elif pair.route.compare.images is None and pair.bytes_kept <= _IN_LINE_BYTES and _unpacks_small(pair):
            masked = observed(_raw(pair), pair.current.masker, self._max_body_bytes)
            self._send(pair, encode_pair(masked))
        else:
            self._mask_beside(pair)

    def _mask_beside(self, pair: OpenPair) -> None:
        refusal = self._masking.refusal(pair.bytes_kept)
        if refusal is not None:
            pair.skip(refusal)
            return
        redaction = pair.current.rollout.migration.redaction
        self._masking.submit(_raw(pair), redaction, lambda encoded: self._send(pair, encoded), pair.skip)

    def _send(self, pair: OpenPair, encoded: bytes) -> None:
        pair.has_become("sent")
        self._link.send_pair(encoded, pair.skip)


def _raw(pair: OpenPair) -> RawPair:
    """What the pair has collected."""
    shadow = pair.shadow
    if shadow is None:
        raise RuntimeError("a pair is finished only after its shadow")
    served = RawAnswer(
        pair.served_status, pair.served_head.lines, b"".join(pair.served_body), int(pair.served_elapsed_s * 1e6)
    )
    shadow_us = int((shadow.finished_at - shadow.started_at) * 1e6)
    other = RawAnswer(shadow.status, shadow.head.lines, b"".join(pair.shadow_body), shadow_us)
    is_control_served = pair.kind == "noise" or pair.served_side == LEGACY
    control, candidate = (served, other) if is_control_served else (other, served)
    return RawPair(
        request_id=pair.request_id,
        route=pair.route.name,
        kind=pair.kind,
        served=pair.served_side,
        at=pair.at,
        method=pair.method,
        target=pair.target,
        request_lines=pair.request_lines,
        control=control,
        candidate=candidate,
        has_pictures=pair.route.compare.images is not None,
    )


def _is_same(pair: OpenPair) -> bool:
    shadow = pair.shadow
    if shadow is None:
        raise RuntimeError("a pair is finished only after its shadow")
    return shadow.is_as_expected or is_same(
        pair.served_status,
        pair.served_head.lines,
        pair.served_body,
        shadow.status,
        shadow.head.lines,
        pair.shadow_body,
        pair.current.uncompared[pair.route.name],
    )


def _unpacks_small(pair: OpenPair) -> bool:
    """Whether both bodies take as little time as they are small: a few bytes of gzip may hold megabytes.

    Stops unpacking where they aren't, so that finding it out costs the loop no more than masking a small body.
    """
    shadow = pair.shadow
    sides = [(pair.served_head.lines, pair.served_body)]
    sides += [(shadow.head.lines, pair.shadow_body)] if shadow is not None else []
    for lines, chunks in sides:
        names = lines.lower()
        if b"multipart/" in names:  # many parts take ten times as long as one
            return False
        if b"content-encoding" in names:
            fields = fields_of(lines)
            coding = ", ".join(value.decode("latin-1") for name, value in fields if name == b"content-encoding")
            if decoded(b"".join(chunks), coding, _IN_LINE_BYTES) == "size":
                return False
    return True
