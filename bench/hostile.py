"""Answers whose bodies mean harm to whoever compares them, each within the largest body that is compared by default.

They are made once, at the start: each costs the backend nothing but sending it. What Changeover must make of them is in
tests/control/test_hostile_bodies.py.
"""

from __future__ import annotations

import gzip
import json
import random

_MIB = 1 << 20
_JSON = "application/json"


def hostile_answers() -> list[bytes]:
    """Whole answers, to be given in turn."""
    numbers = list(range(10_000))
    shuffled = random.Random(1).sample(numbers, len(numbers))
    names = {f"{chr(97 + number % 26)}x{number}": 1 for number in range(60_000)}
    bomb = gzip.compress(bytes(10 * _MIB))
    return [
        _answer(bomb, _JSON, "gzip"),
        _answer(bomb * 90, _JSON, "gzip"),
        _answer(gzip.compress(b"") * 50_000, _JSON, "gzip"),
        _answer(b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
        _answer(b'"' + b"a" * (900 * 1024) + b'"'),
        _answer(json.dumps([-1, *shuffled]).encode()),
        _answer(json.dumps([{"v": number} for number in shuffled]).encode()),
        _answer(json.dumps([shuffled[:400]] * 300).encode()),
        _answer(json.dumps(names).encode()),
        _answer(b"a" + b" " * (900 * 1024) + b"b", "text/plain"),
        _answer(b'{"a": "\xc3\x28"}'),
    ]


def _answer(body: bytes, content_type: str = _JSON, coding: str = "") -> bytes:
    lines = ["HTTP/1.1 200 OK", f"content-type: {content_type}", f"content-length: {len(body)}"]
    lines += [f"content-encoding: {coding}"] if coding else []
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
