"""One row of the corpus: two answers as backends send them, and what their comparison must find.

A module of this folder has rows of one topic in `ROWS`; `test_corpus` finds and runs them all, from the wire on:
codings undone, secrets masked, bodies read, differences signed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proxy.core.difference import Limits
from proxy.core.evidence import Verdict
from tests.core.answers import make_rules

if TYPE_CHECKING:
    from proxy.core.model import CompareRules

Signed = tuple[str, str, str]
"""Kind, general path and shape, as in a signature."""
MAX_BYTES = 100_000  # of a decoded body
LIMITS = Limits(max_bytes=MAX_BYTES * 5 // 4)


@dataclass(frozen=True, slots=True)
class Sent:
    """An answer as a backend sends it: lines in order, the body with its content codings."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Row:
    """`expected` are the signatures of all differences, in any order."""

    name: str
    control: Sent
    candidate: Sent
    rules: CompareRules
    verdict: Verdict
    reason: str
    expected: frozenset[Signed]
    limits: Limits = LIMITS


def sent(body: Any = b"", content_type: str = "", *headers: tuple[str, str], status: int = 200) -> Sent:
    """An answer; a str is written as UTF-8, anything but bytes as JSON."""
    content = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    lines = (("content-type", content_type), *headers) if content_type else headers
    return Sent(status, lines, content)


def equal(name: str, control: Sent, candidate: Sent, **rules: Any) -> Row:
    """All was compared, and nothing differs."""
    return Row(name, control, candidate, make_rules(**rules), Verdict.MATCH, "", frozenset())


def differs(name: str, control: Sent, candidate: Sent, *expected: Signed, reason: str = "", **rules: Any) -> Row:
    """These differences and no others; `reason` where a part could not be compared as well."""
    return Row(name, control, candidate, make_rules(**rules), Verdict.MISMATCH, reason, frozenset(expected))


def gives_up(name: str, control: Sent, candidate: Sent, reason: str, limits: Limits = LIMITS, **rules: Any) -> Row:
    """No difference was found, and not everything could be compared (law 10)."""
    return Row(name, control, candidate, make_rules(**rules), Verdict.GAVE_UP, reason, frozenset(), limits)


def body(path: str, shape: str) -> Signed:
    return "body", path, shape


def header(path: str, shape: str) -> Signed:
    return "header", path, shape


def status(shape: str) -> Signed:
    return "status", "status", shape
