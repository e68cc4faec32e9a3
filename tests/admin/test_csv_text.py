"""Tables for spreadsheets: whatever a cell holds, it stays text."""

from __future__ import annotations

import csv
import io

import pytest

from proxy.admin.csv_text import csv_text
from proxy.admin.plain import plain
from tests.admin.hostile import HOSTILE

FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "=cmd|' /C calc'!A0", "\t=1", " =1", "\uff1d1", "|x", "%0A=1")


@pytest.mark.parametrize("text", [*FORMULAS, *HOSTILE, "", "plain", 'a "quoted", text', "two\r\nlines"])
def test_cell_is_text_and_one_cell(text: str):
    """No cell begins a formula, none becomes two, and what it says is all there."""
    rows = list(csv.reader(io.StringIO(csv_text(("a", "b"), [(text, "end")]))))
    assert [["a", "b"], "end"] == [rows[0], rows[1][1]]
    cell = rows[1][0]
    assert cell in {plain(text), f"'{plain(text)}"}
    assert not cell.lstrip().startswith(("=", "+", "-", "@", "\t", "\r", "|", "%"))
