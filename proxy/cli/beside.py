"""A signature on a terminal: its examples with both bodies beside each other, in colour, equal parts left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from proxy.admin.body_text import body_lines, ignored_places
from proxy.admin.figures import moment
from proxy.admin.side_by_side import Row, side_by_side
from proxy.admin.signature_text import finding_lines, head_lines, shortened, titles
from proxy.cli.output import console, plain, print_lines

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

MAX_ROWS = 80  # of one example: two screens; `-o json` has all of it
_STYLES = {"equal": ("dim", "dim"), "left_out": ("cyan", "cyan"), "changed": ("red", "green")}
_STYLES |= {"removed": ("red", ""), "added": ("", "green")}


def print_beside(detail: dict[str, Any]) -> None:
    """Prints what `GET /api/v1/diffs/{id}` answers."""
    print_lines(*head_lines(detail))
    screen, ignored = console(), ignored_places(detail)
    for number, example in enumerate(detail["examples"], start=1):
        print_lines("", f"example {number} of {len(detail['examples'])}, {moment(example['at'])}")
        print_lines(*(f"  {line}" for line in finding_lines(example, detail["id"])))
        rows = side_by_side(*(body_lines(example[side], ignored) for side in ("control", "candidate")))
        screen.print(_table(titles(example), rows[:MAX_ROWS]))
        if len(rows) > MAX_ROWS:
            print_lines(f"  … {len(rows) - MAX_ROWS} more rows: see -o json")


def _table(headings: tuple[str, str], rows: list[Row]) -> Table:
    from rich.table import Table  # noqa: PLC0415 - only where a table is drawn

    table = Table(box=None, pad_edge=False, header_style="bold", expand=True)
    for heading in headings:
        table.add_column(plain(heading), overflow="fold", ratio=1)
    for row in rows:
        left, right = _STYLES[row.change]
        table.add_row(_cell(row, row.left, left, "-"), _cell(row, row.right, right, "+"))
    return table


def _cell(row: Row, text: str, style: str, sign: str) -> Text:
    """A sign before what differs, for eyes and terminals without colour."""
    from rich.text import Text  # noqa: PLC0415 - see _table

    if row.change == "left_out":
        return Text(f"  … {text} equal lines", style=style)
    mark = sign if style in {"red", "green"} else " "
    return Text(f"{mark} {plain(shortened(text))}".rstrip(), style=style)
