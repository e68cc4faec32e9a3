"""Rows as CSV (RFC 4180) that a spreadsheet opens without running anything in it.

A cell that begins as a formula does gets an apostrophe before it: what people and backends wrote stays text. See OWASP,
"CSV Injection".
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from proxy.admin.plain import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "|", "%", "＝", "＋", "－", "＠")  # full width too


def csv_text(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The table with its heading; control characters are visible escapes."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow(heading)
    writer.writerows([_cell(text) for text in row] for row in rows)
    return written.getvalue()


def _cell(text: str) -> str:
    shown = plain(text)
    return f"'{shown}" if shown.lstrip(" ").startswith(_FORMULA_STARTS) else shown
