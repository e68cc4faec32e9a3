"""One pair as people look at it: the masked request, both answers, and each difference, as JSON.

It is what the store keeps for a signature and what `changeover diffs show` prints (docs/admin-api.md). The bodies
are cut; that they are is said.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proxy.core.charset import read_text
from proxy.core.content_type import parse_content_type
from proxy.core.evidence import Answer, Pair
from proxy.core.paths import write
from proxy.core.picture import Picture

if TYPE_CHECKING:
    from collections.abc import Iterable

    from proxy.core.compare import Difference
    from proxy.core.signature import Signature

MAX_BODY_BYTES = 65_536  # of each side: more than anybody reads, and eight examples of it fit any store
MAX_DIFFERENCES = 50
_REPLACEMENT = "\ufffd"


@dataclass(frozen=True, slots=True)
class Signed:
    """A difference and the signature it belongs to."""

    signature: Signature
    difference: Difference


def encode_example(pair: Pair, differences: Iterable[Signed]) -> bytes:
    """The pair with its first MAX_DIFFERENCES differences as a JSON object."""
    listed = list(differences)
    content = {
        "kind": pair.kind,
        "served": pair.served,
        "request": {
            "id": pair.request_id,
            "at": pair.at,
            "method": pair.method,
            "target": pair.target,
            "headers": pair.request_headers,
        },
        "control": _answer(pair.control),
        "candidate": _answer(pair.candidate),
        "first_difference": pair.first_difference,
        "differences": [_difference(each) for each in listed[:MAX_DIFFERENCES]],
        "differences_left_out": max(len(listed) - MAX_DIFFERENCES, 0),
    }
    return json.dumps(content, separators=(",", ":")).encode()


def decode_example(payload: bytes, route: str) -> Pair | None:
    """The pair of an example, to be compared again; None where a comparison would mislead.

    That is where a body was cut, or holds bytes that were no characters and are all the same now.
    """
    content = json.loads(payload)
    sides = content["control"], content["candidate"]
    if any(side["is_body_cut"] for side in sides):
        return None
    request = content["request"]
    if any(_REPLACEMENT in (side["body"] or "") for side in sides):
        return None
    control, candidate = map(_read_answer, sides)
    return Pair(
        request_id=request["id"],
        route=route,
        kind=content["kind"],
        served=content["served"],
        at=request["at"],
        method=request["method"],
        target=request["target"],
        request_headers=_read_headers(request["headers"]),
        control=control,
        candidate=candidate,
        first_difference=content.get("first_difference"),
    )


def _read_answer(side: dict[str, Any]) -> Answer:
    return Answer(
        status=side["status"],
        headers=_read_headers(side["headers"]),
        body=None if side["body"] is None else side["body"].encode(side.get("codec", "utf-8"), "replace"),
        length=side["length"],
        digest=side["digest"],
        elapsed_us=round(side["elapsed_ms"] * 1000),
        content_length=side.get("content_length", 0),
        content_digest=side.get("content_digest", ""),
        unkept=side.get("unkept", ""),
        picture=Picture.of(side["picture"]) if side.get("picture") else None,
    )


def _read_headers(headers: Iterable[Iterable[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in headers)


def _answer(answer: Answer) -> dict[str, Any]:
    body, codec = answer.body, _codec(answer)
    return {
        "status": answer.status,
        "headers": answer.headers,
        "body": None if body is None else body[:MAX_BODY_BYTES].decode(codec, "replace"),
        "codec": codec,
        "is_body_cut": body is not None and len(body) > MAX_BODY_BYTES,
        "length": answer.length,
        "digest": answer.digest,
        "elapsed_ms": answer.elapsed_us / 1000,
        "content_length": answer.content_length,
        "content_digest": answer.content_digest,
        "unkept": answer.unkept,
        "picture": None if answer.picture is None else answer.picture.plain(),
    }


def _codec(answer: Answer) -> str:
    """In which the body's characters are written, by Python's name."""
    text = None if answer.body is None else read_text(parse_content_type(answer.content_type), answer.body)
    return "utf-8" if text is None else text.codec


def _difference(signed: Signed) -> dict[str, Any]:
    difference = signed.difference
    return {
        "signature": signed.signature.id,
        "kind": difference.kind,
        "path": _place(difference),
        "shape": difference.change,
        "before": difference.before,
        "after": difference.after,
    }


def _place(difference: Difference) -> str:
    """Where in the answer: a JSON path, a header's name, "" for the status."""
    if difference.kind == "body":
        return write(difference.path)
    return ".".join(map(str, difference.path))
