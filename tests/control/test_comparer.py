"""Comparer: the outcome for a pair, and when an example goes with it. Its process is in test_comparers."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import pytest

from proxy.child import READY
from proxy.control import comparer as comparer_module
from proxy.control.comparer import MAX_SIGNATURES, Comparer, Examples, serve
from proxy.control.example import decode_example
from proxy.control.outcome import Alone, Message, Outcome, decode_outcome
from proxy.core.evidence import Verdict, encode_pair
from proxy.core.signature import Signature, place_id
from proxy.traffic.frames import HEAD, encode, encode_json
from tests.control.pairs import encoded_pair, make_answer, make_document, make_pair

MAX_BODY_BYTES = 1_000_000


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def comparer(clock: Clock) -> Comparer:
    """A comparer with a route "feeds" that has no rules."""
    comparer = Comparer(MAX_BODY_BYTES, Examples(clock))
    comparer.set_rules(make_document())
    return comparer


def example_of(outcome: Outcome) -> dict[str, Any]:
    assert outcome.example is not None
    content: dict[str, Any] = json.loads(outcome.example)
    return content


def test_judge_finds_equal_documents_equal(comparer: Comparer):
    """Other bytes, same content: a match without signatures or example."""
    encoded = encoded_pair(make_answer(b'{"a": 1, "b": 2}'), make_answer(b'{"b":2,"a":1}'))
    assert Outcome("feeds", "candidate", Verdict.MATCH) == comparer.judge(encoded)


def test_judge_names_each_difference_once(comparer: Comparer):
    """Three items with the same fault are one signature, another fault is another."""
    before = {"items": [{"n": 1}, {"n": 2}, {"n": 3}], "total": 3}
    after = {"items": [{"n": "1"}, {"n": "2"}, {"n": "3"}], "total": None}
    outcome = comparer.judge(encoded_pair(before, after))
    assert Verdict.MISMATCH == outcome.verdict
    assert ["$.items[*].n", "$.total"] == sorted(signature.path for signature in outcome.signatures)


def test_judge_keeps_the_rules_of_the_route(comparer: Comparer):
    """What the operator ignores is no difference, from the moment that the rules are set."""
    encoded = encoded_pair({"at": 1}, {"at": 2})
    before = comparer.judge(encoded).verdict
    comparer.set_rules(make_document(ignore=["$.at"]))
    assert (Verdict.MISMATCH, Verdict.MATCH) == (before, comparer.judge(encoded).verdict)


def test_judge_notes_the_version_that_new_names(comparer: Comparer):
    """In the header that the config says; it is noted, and no difference."""
    versions = (("content-type", "application/json"), ("x-version", "v7"), ("x-build", "b8"))
    encoded = encoded_pair({"n": 1}, make_answer({"n": 2}, headers=versions))
    said = []
    for backends in ({}, {"version_header": "x-build"}):
        document = make_document()
        document["backends"]["new"].update(backends)
        comparer.set_rules(document)
        outcome = comparer.judge(encoded)
        said.append((outcome.version, {signature.path for signature in outcome.signatures}))
    assert [("v7", {"$.n", "x-build"}), ("b8", {"$.n"})] == said


def judged_run(comparer: Comparer, first: Any, again: Any, new: Any) -> Outcome:
    """Of a noise run of which both pairs differ."""
    return comparer.judge(encode_pair(replace(make_pair(first, new), again=make_pair(first, again, kind="noise"))))


def places(*paths: str) -> frozenset[str]:
    return frozenset(place_id(Signature("", "feeds", "body", path, "")) for path in paths)


def test_run_says_whose_answer_stands_alone(comparer: Comparer):
    """One answer of three that differs from two equal ones; where all three differ it is nobody's."""
    first, again = {"new": 1, "first": 2, "again": 1, "all": 1}, {"new": 1, "first": 1, "again": 2, "all": 2}
    outcome = judged_run(comparer, first, again, {"new": 2, "first": 1, "again": 1, "all": 3})
    assert Alone(places("$.new"), places("$.first"), places("$.again")) == outcome.alone
    assert [("candidate", Verdict.MISMATCH), ("noise", Verdict.MISMATCH)] == [
        (each.kind, each.verdict) for each in outcome.both
    ]


def test_run_with_a_tolerance_has_answers_between_two_others(comparer: Comparer):
    """Who is near one that is near the third doesn't stand alone, nor does the third."""
    comparer.set_rules(make_document(tolerance={"$.a": 1}))
    new = {"a": 3, "b": 1}
    assert Alone() == judged_run(comparer, {"a": 1, "b": 1}, {"a": 2, "b": 1}, new).alone
    assert Alone(again=places("$.b")) == judged_run(comparer, {"a": 1, "b": 1}, {"a": 2, "b": 2}, new).alone


@pytest.mark.parametrize(
    ("kind", "expected"), [("candidate", Alone(new=places("$.a"))), ("noise", Alone(again=places("$.a")))]
)
def test_pair_whose_other_was_equal_says_who_stands_alone(comparer: Comparer, kind: str, expected: Alone):
    """It needs no third comparison; where the other pair was lost nothing is said."""
    said = [comparer.judge(encoded_pair({"a": 1}, {"a": 2}, kind=kind, is_other_equal=each)) for each in (True, False)]
    assert [expected, Alone()] == [outcome.alone for outcome in said]


def test_run_with_another_status_says_nothing_of_what_it_hides(comparer: Comparer):
    """Legacy's second answer is an error page: its status stands alone, and what new's body shows is no evidence."""
    again = make_answer({"error": 1}, status=503)
    outcome = judged_run(comparer, {"a": 1}, again, {"a": 2})
    status = place_id(Signature("", "feeds", "status", "status", ""))
    assert Alone(again=frozenset({status})) == outcome.alone


def test_judge_gives_up_on_a_route_without_rules(comparer: Comparer):
    """A route that left the config while its pair was under way: not compared, and never called equal (law 10)."""
    outcome = comparer.judge(encoded_pair({}, {"a": 1}, route="gone"))
    assert Outcome("gone", "candidate", Verdict.GAVE_UP, "route_gone") == outcome


def test_judge_gives_up_on_bytes_that_are_no_pair(comparer: Comparer):
    """Damaged bytes have a verdict too, and no route."""
    assert Outcome("", "candidate", Verdict.GAVE_UP, "unreadable") == comparer.judge(b"nonsense")


def test_judge_gives_up_on_a_body_over_the_limit(comparer: Comparer):
    """The reason comes from the comparison itself."""
    large = json.dumps("x" * (MAX_BODY_BYTES * 2)).encode()
    outcome = comparer.judge(encoded_pair(make_answer(large), make_answer(large[:-2] + b'y"')))
    assert (Verdict.GAVE_UP, "size") == (outcome.verdict, outcome.reason)


@pytest.mark.parametrize(("error", "reason"), [(MemoryError(), "memory"), (RuntimeError("a bug"), "fault")])
def test_judge_makes_a_verdict_of_a_fault(
    comparer: Comparer, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
):
    """Whatever breaks inside is said in the verdict; the next pair is compared as if nothing had been."""

    def break_down(*_: Any) -> None:
        raise error

    with monkeypatch.context() as broken:
        broken.setattr(comparer_module, "compare", break_down)
        assert Outcome("feeds", "noise", Verdict.GAVE_UP, reason) == comparer.judge(encoded_pair(1, 2, kind="noise"))
    assert comparer.judge(encoded_pair([], [])).verdict == Verdict.MATCH


def test_judge_bounds_the_signatures_of_one_pair(comparer: Comparer):
    """A page that is another page altogether doesn't fill the store."""
    many = {f"field_{chr(97 + i // 26)}{chr(97 + i % 26)}": i for i in range(MAX_SIGNATURES * 2)}
    outcome = comparer.judge(encoded_pair(many, {name: str(value) for name, value in many.items()}))
    assert (MAX_SIGNATURES, True) == (len(outcome.signatures), outcome.has_more)


def test_pairs_with_too_many_signatures_name_each_in_turn(comparer: Comparer):
    """Which are named depends on the pair's id: none stays unknown for ever, and a pair judged again names the same."""
    many = {f"field_{chr(97 + i // 26)}{chr(97 + i % 26)}": i for i in range(MAX_SIGNATURES + 34)}
    other = {name: str(value) for name, value in many.items()}
    outcomes = [comparer.judge(encoded_pair(many, other, request_id=f"r-{number % 30}")) for number in range(60)]
    named = [{signature.path for signature in outcome.signatures} for outcome in outcomes]
    assert {MAX_SIGNATURES} == set(map(len, named))
    assert {f"$.{name}" for name in many} == set().union(*named)
    assert named[:30] == named[30:]


def test_example_shows_request_answers_and_differences(comparer: Comparer):
    """An example is the masked pair, whole, with each difference and its signature."""
    outcome = comparer.judge(encoded_pair({"a": 1}, make_answer({"a": "1"}, elapsed_us=2500)))
    [signature] = outcome.signatures
    content = example_of(outcome)
    assert content["request"] == {
        "id": "r-1",
        "at": 1_800_000_000.0,
        "method": "GET",
        "target": "/api/feeds?page=1",
        "headers": [["accept", "*/*"]],
    }
    assert ('{"a": 1}', '{"a": "1"}', 2.5) == (
        content["control"]["body"],
        content["candidate"]["body"],
        content["candidate"]["elapsed_ms"],
    )
    assert content["differences"] == [
        {
            "signature": signature.id,
            "kind": "body",
            "path": "$.a",
            "shape": signature.shape,
            "before": 1,
            "after": "1",
        }
    ]


def test_example_cuts_bodies_and_says_so(comparer: Comparer):
    """A long body is cut in the example, its length is not."""
    long = {"text": "x" * 100_000, "n": 1}
    control = example_of(comparer.judge(encoded_pair(long, {**long, "n": 2})))["control"]
    assert (65_536, True) == (len(control["body"]), control["is_body_cut"])
    assert len(json.dumps(long)) == control["length"]


@pytest.mark.parametrize("codec", ["utf-8", "cp1252", "utf-16-be"])
def test_example_is_compared_again_as_it_was(comparer: Comparer, codec: str):
    """In whatever charset the bodies came: otherwise a rejudgement would compare something else."""
    mark = "\ufeff" if codec == "utf-16-be" else ""
    bodies = [(mark + text).encode(codec) for text in ("prix: 3 §", "prix: 4 §")]
    sides = [make_answer(body, headers=(("content-type", "text/plain"),)) for body in bodies]
    found = comparer.judge(encoded_pair(*sides))
    assert found.example is not None
    again = decode_example(found.example, "feeds")
    assert again is not None
    assert bodies == [again.control.body, again.candidate.body]


def test_example_lists_each_signature_before_repetitions(comparer: Comparer):
    """However many items share the first fault, the second one is shown too; how many were left out is said."""
    before = {"items": [{"n": number} for number in range(80)], "z": 1}
    after = {"items": [{"n": str(number)} for number in range(80)], "z": "1"}
    content = example_of(comparer.judge(encoded_pair(before, after)))
    assert [difference["path"] for difference in content["differences"][:2]] == ["$.items[0].n", "$.z"]
    assert (50, 31) == (len(content["differences"]), content["differences_left_out"])


def test_example_names_the_header_that_differs(comparer: Comparer):
    """The place of a header's difference is its name."""
    fields = (("content-type", "application/json"), ("x-build", "2"))
    content = example_of(comparer.judge(encoded_pair([], make_answer([], headers=fields, digest="other"))))
    assert [("header", "x-build")] == [(each["kind"], each["path"]) for each in content["differences"]]


def test_examples_are_due_once_a_second_for_each_signature(clock: Clock):
    """Encoding an example costs more than a comparison: one a second is enough."""
    examples = Examples(clock)
    due = [examples.due(["a"]), examples.due(["a", "b"])]
    clock.now = 1.0
    assert [{"a"}, {"b"}, {"a", "b"}] == [*due, examples.due(["a", "b"])]


def test_examples_forget_when_they_remember_too_many(clock: Clock, monkeypatch: pytest.MonkeyPatch):
    """The memory of what was shown is bounded; what was forgotten is due again."""
    monkeypatch.setattr(comparer_module, "_REMEMBERED", 2)
    examples = Examples(clock)
    examples.due(["a", "b", "c"])
    assert {"a"} == examples.due(["a"])


def test_judge_leaves_out_an_example_that_is_not_due(comparer: Comparer, clock: Clock):
    """The signature is told again, its example only when the last one is a second old."""
    encoded = encoded_pair(1, 2)
    outcomes = [comparer.judge(encoded), comparer.judge(encoded)]
    clock.now = 1.0
    outcomes.append(comparer.judge(encoded))
    assert [True, False, True] == [outcome.example is not None for outcome in outcomes]
    assert [1, 0, 1] == [len(outcome.example_for) for outcome in outcomes]
    assert outcomes[0].signatures == outcomes[1].signatures


def test_serve_answers_pair_after_pair_until_the_feed_ends():
    """READY first, then an OUTCOME for each PAIR, in order; RULES are answered by nothing."""
    feed = io.BytesIO(
        encode_json(Message.RULES, make_document())
        + encode(Message.PAIR, encoded_pair(1, 1))
        + encode(Message.PAIR, encoded_pair(1, 2))
    )
    out = io.BytesIO()
    serve(Comparer(MAX_BODY_BYTES), feed, out)
    answers = frames_of(out.getvalue())
    assert [READY, Message.OUTCOME, Message.OUTCOME] == [kind for kind, _ in answers]
    assert [Verdict.MATCH, Verdict.MISMATCH] == [decode_outcome(payload).verdict for _, payload in answers[1:]]


def frames_of(data: bytes) -> list[tuple[int, bytes]]:
    found = []
    while data:
        length, kind = HEAD.unpack_from(data)
        found.append((kind, data[HEAD.size : HEAD.size + length]))
        data = data[HEAD.size + length :]
    return found
