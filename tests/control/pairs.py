"""Pairs as workers send them, with valid defaults."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

from proxy.core.evidence import Answer, Pair, encode_pair


def make_answer(body: Any = None, **fields: Any) -> Answer:
    """A JSON answer, or one with the given bytes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    defaults: dict[str, Any] = {
        "status": 200,
        "headers": (("content-type", "application/json"),),
        "body": content,
        "length": len(content),
        "digest": sha256(content).hexdigest(),
        "elapsed_us": 1500,
    }
    return Answer(**(defaults | fields))


def make_pair(control: Any = None, candidate: Any = None, **fields: Any) -> Pair:
    defaults: dict[str, Any] = {
        "request_id": "r-1",
        "route": "feeds",
        "kind": "candidate",
        "served": "legacy",
        "at": 1_800_000_000.0,
        "method": "GET",
        "target": "/api/feeds?page=1",
        "request_headers": (("accept", "*/*"),),
        "control": control if isinstance(control, Answer) else make_answer(control),
        "candidate": candidate if isinstance(candidate, Answer) else make_answer(candidate),
    }
    return Pair(**(defaults | fields))


def encoded_pair(control: Any = None, candidate: Any = None, **fields: Any) -> bytes:
    return encode_pair(make_pair(control, candidate, **fields))


def make_document(**compare: Any) -> dict[str, Any]:
    """A config's document with one route, "feeds", and its rules."""
    return {
        "version": 1,
        "backends": {"legacy": {"url": "http://127.0.0.1:8001"}, "new": {"url": "http://127.0.0.1:8002"}},
        "users": {"salt": "inkzee-2026"},
        "routes": {"feeds": {"match": {"prefix": "/"}, "compare": compare}},
    }
