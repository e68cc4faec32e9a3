"""What becomes of a pair with both answers: settled here when byte-equal, else masked and sent up the link.

1. No unmasked secret leaves the worker (law 6): `core/observation` says what may. Small bodies are masked here, others
   in the worker's own child (`masking`).
2. What can't be sent is counted with its reason (law 5); a fault in here is a verdict, not an exception (law 1).
3. What differs is handed on one by one, each in a round of the loop of its own: a backend that was silent and then
   answers everything at once must not hold up users for as long as it takes to mask it all.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from proxy.core.codings import decoded
from proxy.core.evidence import MAX_VERSION_CHARACTERS, encode_pair
from proxy.core.head import fields_of
from proxy.core.model import LEGACY, NEW
from proxy.core.pairing import is_same
from proxy.core.raw_pair import RawAnswer, RawPair, observed
from proxy.traffic.frames import MAX_PAYLOAD_BYTES
from proxy.traffic.masking import MAX_QUEUED_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proxy.traffic.link import Link
    from proxy.traffic.masking import Masking
    from proxy.traffic.pair import OpenPair

log = structlog.get_logger(__name__)

# Masking takes 2 to 7 ms for 100 kB, and ten times that where a text is full of secrets: above this, decoded, it is the
# child's work, so that users' requests get their turn. So is whatever may be a picture: 24 kB may take 30 ms to decode.
_IN_LINE_BYTES = 8_192
# What four bodies may have grown to by their marks, of the largest one that is kept (as `core/observation` has it).
_RUN_GROWTH = 5


class Evidence:
    """Takes finished pairs. `max_body_bytes` bounds one decoded body; where those of a noise run might not go into one
    frame, its pairs are sent one by one, and nobody knows whose answer stood alone.
    """

    def __init__(self, link: Link, masking: Masking, max_body_bytes: int) -> None:
        self._link = link
        self._masking = masking
        self._max_body_bytes = max_body_bytes
        self._goes_together = max_body_bytes * _RUN_GROWTH < MAX_PAYLOAD_BYTES
        # What differs, and whether the other pair of its noise run is equal.
        self._waiting: deque[tuple[list[OpenPair], bool]] = deque()
        self._waiting_bytes = 0
        self._versions: dict[str, str] = {}

    def __len__(self) -> int:
        """Pairs, those of a noise run counted as one, whose turn has not come."""
        return len(self._waiting)

    def take_versions(self) -> dict[str, str]:
        """Route -> the version of new that answered first since the last call, of those that said one.

        Looked for in the first equal pair of each route only: one that is sent says it itself.
        """
        versions, self._versions = self._versions, {}
        return {route: version for route, version in versions.items() if version}

    def take(self, pair: OpenPair, again: OpenPair | None) -> None:
        """Settles the pair, or sends it to be compared; of a noise run both, and what differs in one piece."""
        if again is not None and not self._goes_together:
            self.take(pair, None)
            self.take(again, None)
            return
        both = [pair] if again is None else [pair, again]
        differing = both
        try:
            differing = [each for each in both if not _settle(each)]
            if pair.route.name not in self._versions and pair not in differing:
                self._versions[pair.route.name] = version_of(pair)
            if differing:
                self._queue(differing, is_other_equal=len(both) > len(differing))
        except Exception:  # rule 2
            _skip(differing, "fault")
            log.exception("pair.faulted")

    def _queue(self, pairs: list[OpenPair], *, is_other_equal: bool) -> None:
        """Rule 3. As many wait at the most as the link would take, and as many bytes as the masking child would."""
        size = sum(pair.bytes_kept for pair in pairs)
        refusal = self._link.refusal(len(self._waiting))
        if refusal is None and self._waiting and self._waiting_bytes + size > MAX_QUEUED_BYTES:
            refusal = "masking_busy"
        if refusal is not None:
            _skip(pairs, refusal)
            return
        self._waiting.append((pairs, is_other_equal))
        self._waiting_bytes += size
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        pairs, is_other_equal = self._waiting[0]
        try:
            self._hand_on(pairs, is_other_equal=is_other_equal)
        except Exception:  # rule 2
            _skip(pairs, "fault")
            log.exception("pair.faulted")
        finally:
            self._waiting.popleft()
            self._waiting_bytes -= sum(pair.bytes_kept for pair in pairs)
            if self._waiting:
                asyncio.get_running_loop().call_soon(self._next)

    def _hand_on(self, pairs: list[OpenPair], *, is_other_equal: bool) -> None:
        refusal = self._link.refusal()
        if refusal is not None:
            _skip(pairs, refusal)
            return
        raw = _raw(pairs[0], is_other_equal=is_other_equal)
        if len(pairs) > 1:
            raw = replace(raw, again=_raw(pairs[1]).candidate)
        current = pairs[0].current
        if raw.has_pictures or not all(pair.bytes_kept <= _IN_LINE_BYTES and _unpacks_small(pair) for pair in pairs):
            self._mask_beside(pairs, raw)
        else:
            self._send(pairs, [encode_pair(observed(raw, current.masker, self._max_body_bytes))])

    def _mask_beside(self, pairs: list[OpenPair], raw: RawPair) -> None:
        refusal = self._masking.refusal(raw.size)
        if refusal is not None:
            for pair in pairs:
                pair.shadows.was_masked_too_late(pair.route)
            _skip(pairs, refusal)
            return
        redaction = pairs[0].current.rollout.migration.redaction
        self._masking.submit(
            raw, redaction, lambda encoded: self._send(pairs, encoded), lambda reason: _skip(pairs, reason)
        )

    def _send(self, pairs: list[OpenPair], encoded: Sequence[bytes]) -> None:
        for pair in pairs:
            pair.has_become("sent")
        self._link.send_pair(encoded, lambda reason: _skip(pairs, reason))


def _settle(pair: OpenPair) -> bool:
    """Counts the pair, and whether it is equal."""
    is_noise = pair.kind == "noise"
    pair.tally.count("self_pairs" if is_noise else "pairs")
    if not _is_same(pair):
        return False
    pair.tally.count("self_matches" if is_noise else "match")
    pair.has_become("match")
    return True


def version_of(pair: OpenPair) -> str:
    """What new says of itself in a pair's answer, masked as all that leaves here; "" where it says nothing."""
    if pair.kind == "noise" or pair.shadow is None:
        return ""
    name = pair.current.rollout.migration.new.version_header
    is_served = pair.served_side == NEW or pair.shadow.is_as_expected  # else its head is the same, byte by byte
    lines = (pair.served_head if is_served else pair.shadow.head).lines
    if name.encode() not in lines.lower():
        return ""
    said = next((value for field, value in fields_of(lines) if field == name.encode()), b"")
    masked = pair.current.masker.headers([(name, said.decode("latin-1"))])
    return masked[0][1][:MAX_VERSION_CHARACTERS]


def _skip(pairs: list[OpenPair], reason: str) -> None:
    for pair in pairs:
        pair.skip(reason)


def _raw(pair: OpenPair, *, is_other_equal: bool = False) -> RawPair:
    """What the pair has collected."""
    shadow = pair.shadow
    if shadow is None:
        raise RuntimeError("a pair is finished only after its shadow")
    served = RawAnswer(pair.served_status, pair.served_head.lines, pair.served_body, int(pair.served_elapsed_s * 1e6))
    shadow_us = int((shadow.finished_at - shadow.started_at) * 1e6)
    other = RawAnswer(shadow.status, shadow.head.lines, pair.shadow_body, shadow_us)
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
        is_other_equal=is_other_equal,
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
