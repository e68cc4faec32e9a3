"""Whatever backends send under whatever type is read, masked and judged."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy.core.bodies.read import may_travel, read_body
from proxy.core.compare import compare
from proxy.core.document import Unreadable
from proxy.core.evidence import Answer, Verdict
from proxy.core.mask import Masker
from proxy.core.model import CompareRules, Redaction
from proxy.core.observation import Observation

MASKER = Masker(Redaction(), b"k" * 16)
TYPES = st.sampled_from(
    [
        "",
        "application/json",
        "application/x-ndjson",
        "application/json-seq",
        "text/event-stream",
        "application/x-www-form-urlencoded",
        "text/plain",
        "text/html",
        "application/xml; charset=utf-16",
        "image/png",
    ]
)
CODINGS = st.sampled_from(["", "", "", "gzip", "zstd", "br", "gzip, zstd"])
PIECES = [
    *(
        "{",
        "}",
        "[",
        "]",
        '"',
        ":",
        ",",
        "1",
        "a",
        "null",
        "\n",
        "\r",
        "\x1e",
        "\ufeff",
        "data:",
        "id: ",
        "=",
        "&",
        "%",
    ),
    *('{"a": 1}\n', '"token": "x"', "é", "\x00", "\ud800", "<p>", "\\u00e9"),
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
WIRES = TEXTS.flatmap(
    lambda text: st.sampled_from(["utf-8", "utf-16", "cp1252"]).map(lambda codec: text.encode(codec, "replace"))
) | st.binary(max_size=30)


def observed(seen: Observation, content_type: str, coding: str, wire: bytes) -> Answer:
    return seen.answer(200, (("content-type", content_type), ("content-encoding", coding)), wire)


@given(WIRES, WIRES, TYPES, TYPES, CODINGS)
def test_any_answers_get_a_verdict(one: bytes, other: bytes, content_type: str, other_type: str, coding: str):
    """Never an exception; a mismatch has its differences, and what was given up has its reason (law 10)."""
    seen = Observation(MASKER, 1_000)
    control, candidate = observed(seen, content_type, coding, one), observed(seen, other_type, coding, other)
    found = compare(control, candidate, CompareRules(), first_difference=seen.first_difference())
    assert (found.verdict == Verdict.MISMATCH) == bool(found.differences)
    assert (found.verdict == Verdict.GAVE_UP) <= bool(found.reason)


@given(WIRES, TYPES)
def test_any_answer_equals_itself(wire: bytes, content_type: str):
    """In another process, with the same key, its masked body is the same too."""
    one, other = (observed(Observation(MASKER, 1_000), content_type, "", wire) for _ in range(2))
    assert one == other
    assert compare(one, other, CompareRules()).verdict == Verdict.MATCH


@given(WIRES, TYPES)
def test_what_is_masked_is_read_as_the_same_kind(wire: bytes, content_type: str):
    """A mark must not make a text of a document: the comparer would report another kind."""
    if may_travel(content_type, wire):
        masked = MASKER.body(content_type, wire)
        assert _kind(content_type, wire) == _kind(content_type, masked)
        assert MASKER.body(content_type, masked) == masked


def _kind(content_type: str, body: bytes) -> str:
    try:
        return read_body(content_type, body).kind
    except Unreadable as unreadable:
        return unreadable.reason
