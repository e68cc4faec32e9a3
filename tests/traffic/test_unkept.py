"""Bodies that never leave the worker: what goes up in their place, and what a person sees of it."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from proxy.admin.signature_text import finding_lines
from proxy.control.comparer import Comparer
from proxy.control.example import decode_example
from proxy.core.evidence import Pair, Verdict, encode_pair
from proxy.core.model import CompareRules, ImageRule
from tests.control.pairs import make_document
from tests.core.photos import encoded, make_photo
from tests.traffic.stage import SHADOWED, staged
from tests.traffic.wire import ok, run

if TYPE_CHECKING:
    from proxy.control.outcome import Outcome

FONT = b"\x00\x01\x00\x00" + bytes(range(256))


def sent_up(legacy: bytes, new: bytes, **rollout: Any) -> Pair:
    """The pair on the link after one request."""
    found: list[Pair] = []

    async def scenario() -> None:
        async with staged(legacy, new, is_linked=True, shadow=SHADOWED, **rollout) as stage:
            await stage.ask()
            found.extend(await stage.control.wait_pairs())

    run(scenario())
    return found[0]


def judged(pair: Pair, **compare: Any) -> Outcome:
    comparer = Comparer(1_000_000)
    comparer.set_rules(make_document(**compare))
    return comparer.judge(encode_pair(replace(pair, route="feeds")))


def test_unkept_bytes_are_shown_with_the_first_that_differs() -> None:
    """The worker finds it, `changeover diffs show` prints it, and no byte of the bodies goes up."""
    other = FONT[:100] + b"!" + FONT[101:]
    pair = sent_up(ok(FONT, "content-type: font/ttf"), ok(other, "content-type: font/ttf"))
    assert (None, None, 100) == (pair.control.body, pair.candidate.body, pair.first_difference)
    outcome = judged(pair)
    assert outcome.example is not None
    shown = list(finding_lines(json.loads(outcome.example), outcome.signatures[0].id))
    digests = sha256(FONT).hexdigest(), sha256(other).hexdigest()
    assert shown[-3:] == [
        "body $: bytes",
        f'  - {{"length": 260, "sha256": "{digests[0]}", "first_difference": 100}}',
        f'  + {{"length": 260, "sha256": "{digests[1]}", "first_difference": 100}}',
    ]


def test_unkept_bytes_compressed_in_two_ways_match() -> None:
    """What they hold is the same, and that was compared."""
    fields = ("content-type: font/ttf", "content-encoding: gzip")
    pair = sent_up(ok(gzip.compress(FONT, 1, mtime=0), *fields), ok(gzip.compress(FONT, 9, mtime=1), *fields))
    assert pair.control.digest != pair.candidate.digest
    outcome = judged(pair)
    assert (Verdict.MATCH, "") == (outcome.verdict, outcome.reason)


def test_text_in_no_charset_stays_in_the_worker_and_is_told() -> None:
    """It can't be masked, so only digests go up: beside a sound text another kind, beside its like only in part."""
    types = "content-type: application/json; charset=utf-8", "content-type: text/plain; charset=klingon"
    for kind, field in zip(("json", "text"), types, strict=True):
        broken = [ok(b'{"password": "hunter2", "a": "\xe9%d"}' % number, field) for number in (1, 2)]
        both, one = sent_up(*broken), sent_up(broken[0], ok(b'{"a": 1}', field))
        assert (None, "charset", None) == (both.control.body, both.control.unkept, both.candidate.body)
        found, other = judged(both), judged(one)
        assert (Verdict.MISMATCH, "charset", "bytes") == (found.verdict, found.reason, found.signatures[0].shape)
        assert ("", [f"body broken text→{kind}"]) == (other.reason, [each.shape for each in other.signatures])


def test_pictures_are_compared_where_the_route_says_so_and_stay_in_the_worker() -> None:
    """What goes up are fingerprints; the example has them too, and can be judged again by other rules."""
    bodies = encoded(make_photo(), quality=90), encoded(make_photo(), quality=70), encoded(make_photo(hue=90))
    answers = [ok(body, "content-type: image/jpeg") for body in bodies]
    rules = CompareRules(images=ImageRule())
    alike, unlike = (sent_up(answers[0], other, compare=rules) for other in answers[1:])
    assert {None} == {answer.body for pair in (alike, unlike) for answer in (pair.control, pair.candidate)}
    assert Verdict.MATCH == judged(alike, images={}).verdict
    found = judged(unlike, images={})
    assert ["looks different"] == [each.shape for each in found.signatures]
    assert found.example is not None
    again = decode_example(found.example, "feeds")
    assert again is not None
    assert Verdict.MATCH == judged(again, images={}, ignore=['$["@look"]']).verdict


def test_fingerprints_stay_in_the_worker_unless_the_route_asks_for_them() -> None:
    """Law 6: the operator opens the door, nobody else."""
    one, other = (ok(encoded(make_photo(hue=hue)), "content-type: image/jpeg") for hue in (0, 90))
    pair = sent_up(one, other)
    assert (None, None) == (pair.control.picture, pair.candidate.picture)
