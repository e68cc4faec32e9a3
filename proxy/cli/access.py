"""`changeover access`: who may enter the admin listener. It edits the tokens file, which a running server rereads."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from proxy.cli.output import output_option, print_json, print_lines, print_table, say
from proxy.config.file import write_atomically
from proxy.errors import NotFound, Refused

_LONGEST_DAYS = 3650
_LINK_DAYS = 30  # links go round by mail: one that nobody thinks of any more should end by itself
_file_option = click.option(
    "--file",
    envvar="CHANGEOVER_ADMIN_TOKENS_FILE",
    required=True,
    show_envvar=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The tokens file; made if it isn't there.",
)
_days_option = click.option(
    "--days", type=click.IntRange(1, _LONGEST_DAYS), help="For how many days; without it for ever."
)


@click.group
def access() -> None:
    """Say who may enter the admin listener: tokens with roles, and links to the progress page."""


@access.command
@click.argument("name")
@click.option(
    "--role", type=click.Choice(["viewer", "operator", "admin"]), default="viewer", show_default=True, help="What for."
)
@_days_option
@_file_option
def token(name: str, role: str, days: int | None, file: Path) -> None:
    """Make a token for a person or program.

    It is printed this once; the file keeps its digest.
    """
    print_lines(_add(file, "token", name, role, days))
    say(f"{name} is {role} {_how_long(days)}; the token is shown this once")


@access.command
@click.argument("name")
@click.option(
    "--days", type=click.IntRange(1, _LONGEST_DAYS), default=_LINK_DAYS, show_default=True, help="For how many days."
)
@_file_option
def link(name: str, days: int, file: Path) -> None:
    """Make a link to the progress page.

    It shows that page, and nothing else, to whoever has it.
    """
    print_lines(f"/shared/{_add(file, 'link', name, None, days)}")
    say(
        f"{name}: put the listener's address before it, as https://changeover.example/shared/…; "
        f"it works {_how_long(days)}"
    )


@access.command("list")
@output_option
@_file_option
def list_(file: Path, output: str) -> None:
    """List who may enter: names, roles, ends."""
    from proxy.admin.access.roster import parse_roster  # noqa: PLC0415 - the pages' libraries are slow to import

    roster = parse_roster(_text(file), str(file))
    now = time.time()
    rows: list[dict[str, Any]] = [
        {
            "name": key.name,
            "role": key.role.name.lower(),
            "until": None if key.until == float("inf") else key.until,
            "over": key.until <= now,
        }
        for key in roster.keys.values()
    ]
    rows += [
        {"name": name, "role": role.name.lower(), "until": None, "over": False} for name, role in roster.people.items()
    ]
    if output == "json":
        print_json(rows)
        return
    print_table(("name", "role", "until"), [(str(row["name"]), str(row["role"]), _ends(row)) for row in rows])


@access.command
@click.argument("name")
@_file_option
def revoke(name: str, file: Path) -> None:
    """Take a token, link or person out.

    Whoever is signed in with it is out within a second.
    """
    lines = _text(file).splitlines(keepends=True)
    left = [line for line in lines if line.split()[1:2] != [name] or line.lstrip().startswith("#")]
    if len(left) == len(lines):
        raise NotFound(f"{file}: {name!r} does not stand in it; see `changeover access list`")
    write_atomically(file, "".join(left))
    say(f"{name} is out")


def _add(file: Path, kind: str, name: str, role: str | None, days: int | None) -> str:
    """A new token, whose line now stands in the file."""
    from proxy.admin.access.roster import make_token, parse_roster, written  # noqa: PLC0415 - as above

    until = "never" if days is None else f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%d}"
    made = make_token()
    before = _text(file) if file.exists() else ""
    if before and not before.endswith("\n"):
        before += "\n"
    text = f"{before}{written(kind, name, role, until, made)}\n"
    parse_roster(text, str(file))
    if before:
        write_atomically(file, text)
    else:
        file.touch(mode=0o640)
        file.write_text(text, encoding="utf-8")
    return made


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{file}: can't be read ({error})") from error


def _how_long(days: int | None) -> str:
    return "for ever" if days is None else f"for {days} days"


def _ends(row: dict[str, Any]) -> str:
    """The last day."""
    if row["until"] is None:
        return "never"
    day = f"{datetime.fromtimestamp(row['until'] - 1, UTC):%Y-%m-%d}"
    return f"{day} (over)" if row["over"] else day
