"""What was seen: answers, pairs, verdicts, tallies, and what they add up to.

A pair is one request with both answers. Everything that should have been compared and was not has a reason
(law 5), and a match rate is only ever given beside its coverage. Names of counters are fixed here, because
worker, control, store and reports meet in them.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from proxy.core.picture import Picture

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from proxy.core.model import Side


class Verdict(StrEnum):
    """What was found out about one pair."""

    MATCH = "match"
    MISMATCH = "mismatch"
    NOISE = "noise"
    SHADOW_FAILED = "shadow_failed"
    GAVE_UP = "gave_up"
    SKIPPED = "skipped"


# --- counters of a route -------------------------------------------------------------------------------------
# served.<side>            requests answered to users by that side
# decided.<reason>         decisions by reason (core/decide)
# failed.<side>            users' requests that ended in 502, 503 or 504 of ours because of that side
# fallback                 requests that legacy answered after new had failed
# status.<side>.<n>xx      answers by class of status
# pairs                    requests for which both answers arrived, compared or not
# match, mismatch, noise   pairs that were compared
# partly.<reason>          of those, pairs that differ and of which the rest is unknown: something could not be
#                          compared (`gave_up`'s reasons), another status or kind of body hides it ("status", "kind"),
#                          or there are more differences than are named ("unlisted")
# skipped.<reason>         requests that were not compared, each with its reason
# retried.<side>           requests sent again after a kept-alive connection turned out to be closed
# retry.budget_spent.<side>
#                          requests that were not sent again then, because too many had been (core/budget)
# client_left              requests whose user left before the end of the answer
# self_pairs, self_matches, self_mismatches
#                          noise runs: legacy asked twice; outside coverage and match rate
# self_skipped.<reason>    noise runs that were not compared, each with its reason
# dropped.signatures       differences seen that have no row: the route has as many signatures as are kept
# dropped.sightings        the same: more kinds came at once than may wait for the store
# users.dropped            users that were not counted because too many came at once
# latency.<side>.<bucket>  answers by time to the last byte, in the buckets of `latency_bucket`
COMPARED = (Verdict.MATCH, Verdict.MISMATCH, Verdict.NOISE)

MAX_VERSION_CHARACTERS = 64  # of what new says of itself: a commit's digest has 40

# Gaps that the operator chose: counted and shown, but not among what should have been compared.
CHOSEN_GAPS = frozenset({"not_sampled", "method", "kill_switch", "no_route"})
# Reasons of what could not be read because an extra isn't installed: such a pair is skipped, the comparer gave not up.
NOT_INSTALLED = frozenset({"no_html", "no_xml", "no_images"})


Unkept = Literal["", "bytes", "charset", "encoding", "size"]


@dataclass(frozen=True, slots=True)
class Answer:
    """One side's answer. Header names are in lower case, in the order received, duplicates kept.

    `body` is None where it was not kept or may not travel (binary, too large, unreadable); `length` (bytes on the
    wire) and `digest` (SHA-256, hex, or "" where the body was not read whole) stand for it. `elapsed_us` runs from
    the request's dispatch to the answer's last byte. `content_length` and `content_digest` are those of a body that was
    not kept without its content codings, where it has some and they could be undone. `unkept` says why it was not: it
    is no text ("bytes"), one not in its charset ("charset"), a coding could not be undone ("encoding"), it is too
    large ("size"); "" where nobody knows.
    `picture` is the fingerprint of a body that is one, on routes that compare pictures.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes | None
    length: int
    digest: str
    elapsed_us: int = 0
    content_length: int = 0
    content_digest: str = ""
    unkept: Unkept = ""
    picture: Picture | None = None

    @property
    def content_type(self) -> str:
        """The first line of that name, as workers take it; "" where there is none."""
        return next((value for name, value in self.headers if name == "content-type"), "")


@dataclass(frozen=True, slots=True)
class Pair:
    """One request with both answers, masked. `at` is Unix seconds.

    `control` and `candidate` are the two sides of the comparison: legacy and new, or, where `kind` is "noise",
    legacy twice. `served` says which side the user got. `first_difference` is the index of the first byte, without
    content codings, in which two bodies differ that were both not kept; None where that isn't known, or they don't.

    A noise run makes two pairs. Where both differ they come as one: `again` is that of legacy with itself. Where one
    does, `is_other_equal` says that the other was found equal, and not that it was lost.
    """

    request_id: str
    route: str
    kind: Literal["candidate", "noise"]
    served: Side
    at: float
    method: str
    target: str
    request_headers: tuple[tuple[str, str], ...]
    control: Answer
    candidate: Answer
    first_difference: int | None = None
    is_other_equal: bool = False
    again: Pair | None = None


_LENGTHS = struct.Struct("!III")  # of the JSON part, of control's body, of candidate's body


def encode_pair(pair: Pair) -> bytes:
    """The pair as bytes: three lengths, a JSON part, both bodies, and the same again of `again`."""
    control, candidate = pair.control, pair.candidate
    head = {
        "request_id": pair.request_id,
        "route": pair.route,
        "kind": pair.kind,
        "served": pair.served,
        "at": pair.at,
        "method": pair.method,
        "target": pair.target,
        "request_headers": pair.request_headers,
        "control": _answer_head(control),
        "candidate": _answer_head(candidate),
        "first_difference": pair.first_difference,
        "is_other_equal": pair.is_other_equal,
        "has_again": pair.again is not None,
    }
    text = json.dumps(head, separators=(",", ":")).encode()
    first, second = control.body or b"", candidate.body or b""
    again = encode_pair(pair.again) if pair.again is not None else b""
    return b"".join((_LENGTHS.pack(len(text), len(first), len(second)), text, first, second, again))


def decode_pair(data: bytes) -> Pair:
    """The inverse of `encode_pair`. Raises ValueError on bytes that are not a pair."""
    try:
        text_length, first_length, second_length = _LENGTHS.unpack_from(data)
        text_end = _LENGTHS.size + text_length
        first_end = text_end + first_length
        end = first_end + second_length
        if end > len(data):
            raise ValueError("lengths don't add up")
        head = json.loads(data[_LENGTHS.size : text_end])
        if not head["has_again"] and end != len(data):
            raise ValueError("lengths don't add up")
        return Pair(
            request_id=head["request_id"],
            route=head["route"],
            kind=head["kind"],
            served=head["served"],
            at=head["at"],
            method=head["method"],
            target=head["target"],
            request_headers=_header_tuples(head["request_headers"]),
            control=_answer(head["control"], data[text_end:first_end]),
            candidate=_answer(head["candidate"], data[first_end:end]),
            first_difference=head["first_difference"],
            is_other_equal=head["is_other_equal"],
            again=decode_pair(data[end:]) if head["has_again"] else None,
        )
    except (struct.error, KeyError, TypeError, IndexError) as error:
        raise ValueError(f"not an encoded pair: {error}") from error


def _answer_head(answer: Answer) -> list[object]:
    kept = answer.body is not None
    measured = [answer.length, answer.digest, answer.elapsed_us, answer.content_length, answer.content_digest]
    picture = None if answer.picture is None else answer.picture.plain()
    return [answer.status, answer.headers, kept, *measured, answer.unkept, picture]


def _answer(head: list[object], body: bytes) -> Answer:
    status, headers, kept, length, digest, elapsed_us, content_length, content_digest, unkept, picture = head
    return Answer(
        status=status,  # type: ignore[arg-type]  # our own encoding; a wrong one fails in the comparer
        headers=_header_tuples(headers),  # type: ignore[arg-type]
        body=body if kept else None,
        length=length,  # type: ignore[arg-type]
        digest=digest,  # type: ignore[arg-type]
        elapsed_us=elapsed_us,  # type: ignore[arg-type]
        content_length=content_length,  # type: ignore[arg-type]
        content_digest=content_digest,  # type: ignore[arg-type]
        unkept=unkept,  # type: ignore[arg-type]
        picture=None if picture is None else Picture.of(picture),  # type: ignore[arg-type]
    )


def _header_tuples(headers: Iterable[Iterable[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in headers)


# --- latency -------------------------------------------------------------------------------------------------
# Eight buckets for each power of two of microseconds: a quantile is at most 6.25 % off (half a bucket).
_SUB_BITS = 3


def latency_bucket(elapsed_us: int) -> int:
    """The histogram bucket of a duration: exact up to 15 µs, then eight to a power of two."""
    shift = max(elapsed_us.bit_length() - _SUB_BITS - 1, 0)
    return (shift << _SUB_BITS) + (elapsed_us >> shift)


def latency_bucket_middle_us(bucket: int) -> float:
    """The middle of a bucket in microseconds."""
    shift = max((bucket >> _SUB_BITS) - 1, 0)
    mantissa = bucket - (shift << _SUB_BITS)
    return ((mantissa << shift) + ((mantissa + 1) << shift) - 1) / 2


def latency_quantiles_ms(
    buckets: Mapping[int, int], quantiles: Iterable[float] = (0.5, 0.95, 0.99)
) -> list[float | None]:
    """For each quantile its milliseconds, or None without data. `buckets` maps bucket -> count."""
    total = sum(buckets.values())
    return [_quantile_ms(buckets, total * quantile) if total else None for quantile in quantiles]


def _quantile_ms(buckets: Mapping[int, int], rank: float) -> float:
    seen = 0
    bucket = 0
    for bucket in sorted(buckets):  # the last bucket is the answer when rank == total
        seen += buckets[bucket]
        if seen >= rank:
            break
    return round(latency_bucket_middle_us(bucket) / 1000, 3)


# --- what counters add up to ---------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of what should have been compared was. `ratio` is None before anything should have been.

    `partly` are the pairs among the compared ones of which only a part was, by reason.
    """

    compared: int
    expected: int
    skipped: Mapping[str, int]
    partly: Mapping[str, int]

    @property
    def ratio(self) -> float | None:
        return self.compared / self.expected if self.expected else None


def _by_reason(counts: Mapping[str, int], *kinds: str) -> tuple[dict[str, int], ...]:
    """For each kind of counters its reasons, by name, with how often each was met: "shed" of `skipped.shed`."""
    found: dict[str, dict[str, int]] = {kind: {} for kind in kinds}
    wanted = tuple(f"{kind}." for kind in kinds)
    for name, count in counts.items():
        if count and name.startswith(wanted):  # most aren't; pages ask this of ten thousand minutes
            kind, _, reason = name.partition(".")
            found[kind][reason] = count
    return tuple(dict(sorted(reasons.items())) for reasons in found.values())


def coverage(counts: Mapping[str, int]) -> Coverage:
    """From a route's counters. Chosen gaps (`CHOSEN_GAPS`) are listed in `skipped` but not expected."""
    compared = sum(counts.get(verdict, 0) for verdict in COMPARED)
    skipped, partly = _by_reason(counts, "skipped", "partly")
    lost = sum(count for reason, count in skipped.items() if reason not in CHOSEN_GAPS)
    return Coverage(compared, compared + lost, skipped, partly)


def lost_noise_runs(counts: Mapping[str, int]) -> dict[str, int]:
    """Reason -> how many times legacy was asked twice, or should have been, and its answers were not compared."""
    return _by_reason(counts, "self_skipped")[0]


def wholly_compared(counts: Mapping[str, int]) -> int:
    """Pairs of a route that would have shown any difference: those that were compared, less those only in part."""
    covered = coverage(counts)
    return covered.compared - sum(covered.partly.values())


def match_rate(counts: Mapping[str, int]) -> float | None:
    """The share of compared pairs that match (noise counts as a match), or None when nothing was compared."""
    compared = sum(counts.get(verdict, 0) for verdict in COMPARED)
    return 1 - counts.get(Verdict.MISMATCH, 0) / compared if compared else None


def latency_counts(counts: Mapping[str, int], side: Side) -> dict[int, int]:
    """Bucket -> count of one side, from a route's counters."""
    prefix = f"latency.{side}."
    length = len(prefix)
    return {int(name[length:]): count for name, count in counts.items() if name.startswith(prefix)}
