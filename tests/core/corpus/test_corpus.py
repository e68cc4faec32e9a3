"""The corpus: every row's verdict, reason and signatures, and what holds for any answers."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from proxy.core.compare import Comparison, compare
from proxy.core.compared_headers import Reached
from proxy.core.evidence import Verdict
from proxy.core.mask import Masker
from proxy.core.model import Redaction
from proxy.core.observation import Observation
from proxy.core.signature import sign
from tests.core.corpus.row import MAX_BYTES

if TYPE_CHECKING:
    from tests.core.corpus.row import Row, Sent

FOLDER = Path(__file__).parent
TOPICS = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in {"row", "test_corpus"})
ROWS: list[Row] = [row for topic in TOPICS for row in import_module(f"tests.core.corpus.{topic}").ROWS]
MASKER = Masker(Redaction(), b"k" * 16)
AT = 1_795_000_000.0
REACHED = Reached(frozenset({"reader.example"}), "127.0.0.1:24301", "127.0.0.1:24302", AT)

each_row = pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])


def compared(control: Sent, candidate: Sent, row: Row, reached: Reached = REACHED) -> Comparison:
    """As worker and comparer do it together."""
    seen = Observation(MASKER, MAX_BYTES, has_pictures=row.rules.images is not None)
    one, other = (seen.answer(sent.status, sent.headers, sent.body) for sent in (control, candidate))
    return compare(one, other, row.rules, row.limits, reached, seen.first_difference())


def test_corpus_has_its_size():
    """At least 150 rows, each with a name of its own."""
    assert len(ROWS) >= 150
    assert len({row.name for row in ROWS}) == len(ROWS)


@each_row
def test_corpus_row_is_judged_as_it_says(row: Row):
    """Verdict, reason and the exact set of signatures."""
    found = compared(row.control, row.candidate, row)
    signed = [sign("corpus", difference) for difference in found.differences]
    assert {(each.kind, each.path, each.shape) for each in signed} == row.expected
    assert (found.verdict, found.reason) == (row.verdict, row.reason)


@each_row
def test_corpus_row_has_one_verdict_from_both_sides(row: Row):
    """Whoever is control: what differs differs."""
    found = compared(
        row.candidate, row.control, row, replace(REACHED, control=REACHED.candidate, candidate=REACHED.control)
    )
    assert (found.verdict, found.reason) == (row.verdict, row.reason)


@each_row
def test_corpus_answer_is_equal_to_itself(row: Row):
    """Nothing is found where nothing differs."""
    for sent in (row.control, row.candidate):
        assert compared(sent, sent, row) == Comparison(Verdict.MATCH, "", ())
