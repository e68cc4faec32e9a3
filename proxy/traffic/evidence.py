"""What becomes of a pair with both answers: settled here when byte-equal, else masked and sent up the link.

1. No unmasked secret leaves this process (law 6): `core/observation` says what may.
2. What can't be sent is counted with its reason (law 5); a fault in here is a verdict, not an exception (law 1).
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import structlog

from proxy.core.codings import decoded
from proxy.core.evidence import Pair, encode_pair
from proxy.core.head import fields_of
from proxy.core.model import LEGACY
from proxy.core.observation import Observation
from proxy.core.pairing import is_same

if TYPE_CHECKING:
    from proxy.core.evidence import Answer
    from proxy.traffic.link import Link
    from proxy.traffic.pair import OpenPair

log = structlog.get_logger(__name__)

# Masking takes 2 to 7 ms for 100 kB: above this, decoded, it goes to a thread, so that users' requests get their turn.
# So does whatever may be a picture: 24 kB may take 30 ms to decode.
_IN_LINE_BYTES = 32_768
_MAX_QUEUED = 64


class Evidence:
    """Takes finished pairs. `max_body_bytes` bounds one decoded body."""

    def __init__(self, link: Link, max_body_bytes: int) -> None:
        self._link = link
        self._max_body_bytes = max_body_bytes
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mask")
        self._queued = 0
        self._loop = asyncio.get_running_loop()

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

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
            self._send(pair, self.encode(pair))
        else:
            self._encode_beside(pair)

    def _encode_beside(self, pair: OpenPair) -> None:
        if self._queued >= _MAX_QUEUED:
            pair.skip("masking_busy")
            return
        self._queued += 1
        encoding = self._loop.run_in_executor(self._thread, self.encode, pair)
        encoding.add_done_callback(lambda done: self._encoded(pair, done))

    def _encoded(self, pair: OpenPair, done: asyncio.Future[bytes]) -> None:
        self._queued -= 1
        if done.cancelled():
            pair.skip("stopped")
        elif done.exception() is not None:
            pair.skip("fault")
            log.error("pair.faulted", exc_info=done.exception())
        else:
            self._send(pair, done.result())

    def _send(self, pair: OpenPair, encoded: bytes) -> None:
        pair.has_become("sent")
        self._link.send_pair(encoded, pair.skip)

    def encode(self, pair: OpenPair) -> bytes:
        """The pair, masked, as it goes up the link. Runs in any thread: it only reads."""
        shadow = pair.shadow
        if shadow is None:
            raise RuntimeError("a pair is finished only after its shadow")
        masker = pair.current.masker
        seen = Observation(masker, self._max_body_bytes, has_pictures=pair.route.compare.images is not None)
        served = _answer(seen, pair.served_status, pair.served_head.lines, pair.served_body, pair.served_elapsed_s)
        shadow_s = shadow.finished_at - shadow.started_at
        other = _answer(seen, shadow.status, shadow.head.lines, pair.shadow_body, shadow_s)
        is_control_served = pair.kind == "noise" or pair.served_side == LEGACY
        control, candidate = (served, other) if is_control_served else (other, served)
        return encode_pair(
            Pair(
                request_id=pair.request_id,
                route=pair.route.name,
                kind=pair.kind,
                served=pair.served_side,
                at=pair.at,
                method=pair.method,
                target=masker.target(pair.target.decode("latin-1")),
                request_headers=masker.headers(_text(pair.request_lines)),
                control=control,
                candidate=candidate,
                first_difference=seen.first_difference(),
            )
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


def _answer(seen: Observation, status: int, lines: bytes, chunks: list[bytes], elapsed_s: float) -> Answer:
    return seen.answer(status, _text(lines), b"".join(chunks), int(elapsed_s * 1e6))


def _text(lines: bytes) -> tuple[tuple[str, str], ...]:
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in fields_of(lines))


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
            coding = _joined(_text(lines), "content-encoding")
            if decoded(b"".join(chunks), coding, _IN_LINE_BYTES) == "size":
                return False
    return True


def _joined(headers: tuple[tuple[str, str], ...], wanted: str) -> str:
    """Lines of a list-valued field as one (RFC 9110 §5.3)."""
    return ", ".join(value for name, value in headers if name == wanted)
