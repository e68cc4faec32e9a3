"""Bodies that never leave the worker: what goes up in their place, and what a person sees of it."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

from proxy.admin.signature_text import finding_lines
from proxy.control.comparer import Comparer
from proxy.core.evidence import Pair, Verdict, encode_pair
from tests.control.pairs import make_document
from tests.traffic.stage import SHADOWED, staged
from tests.traffic.wire import ok, run

if TYPE_CHECKING:
    from proxy.control.outcome import Outcome

FONT = b"\x00\x01\x00\x00" + bytes(range(256))


def sent_up(legacy: bytes, new: bytes) -> Pair:
    """The pair on the link after one request."""
    found: list[Pair] = []

    async def scenario() -> None:
        async with staged(legacy, new, is_linked=True, shadow=SHADOWED) as stage:
            await stage.ask()
            found.extend(await stage.control.wait_pairs())

    run(scenario())
    return found[0]


def judged(pair: Pair) -> Outcome:
    comparer = Comparer(1_000_000)
    comparer.set_rules(make_document())
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
