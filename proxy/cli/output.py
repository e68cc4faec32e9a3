"""What commands print: JSON for machines, tables for people; data on stdout, words about it on stderr.

Everything that came from outside (paths, values, names) is stripped of terminal controls before it is printed and
never read as rich's markup: an answer of a backend must not move the cursor or paint the operator's screen.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from proxy.admin.plain import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.table import Table

__all__ = ["build_table", "console", "output_option", "plain", "print_json", "print_lines", "print_table", "say"]

UNWATCHED_WIDTH = 200  # where no terminal says how wide it is: wide enough that no row of ours is folded

# For every verb that shows data.
output_option = click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to print the data.",
)


def say(message: str) -> None:
    """Words about the work, for stderr; line ends stay, controls become visible."""
    click.echo("\n".join(plain(line) for line in message.splitlines()), err=True)


def print_json(value: Any, *, is_line: bool = False) -> None:
    """ASCII JSON, indented or as one line: controls and lone surrogates arrive as escapes."""
    click.echo(json.dumps(value, indent=None if is_line else 2))


def print_lines(*lines: str) -> None:
    """Lines of text on stdout; controls become visible."""
    for line in lines:
        click.echo(plain(line))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[str] = ()) -> None:
    """A table on stdout; the columns named in `numeric` are flush right."""
    console().print(build_table(columns, rows, numeric))


def build_table(columns: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[str] = ()) -> Table:
    """A borderless table whose cells are plain text, whatever they hold."""
    from rich.table import Table  # noqa: PLC0415 - only where a table is drawn
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(plain(cell)) for cell in row))
    return table


def console() -> Console:
    """Rich on stdout without markup, highlighting or emoji codes. It obeys NO_COLOR by itself."""
    from rich.console import Console  # noqa: PLC0415 - see build_table

    watched = Console(markup=False, highlight=False, emoji=False)
    if watched.is_terminal:
        return watched
    return Console(markup=False, highlight=False, emoji=False, width=UNWATCHED_WIDTH)
