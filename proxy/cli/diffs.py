"""`changeover diffs`: the differences, grouped by signature, and what people decided about each."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from proxy.admin.figures import count, moment
from proxy.admin.request_text import curl_command, har
from proxy.admin.signature_text import signature_lines
from proxy.cli.beside import print_beside
from proxy.cli.client import Client, admin_option
from proxy.cli.decisions import add_decisions
from proxy.cli.learn import learn
from proxy.cli.output import output_option, print_json, print_lines, print_table, say
from proxy.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

COLUMNS = ("id", "route", "kind", "path", "shape", "count", "first seen", "last seen", "state")


@click.group
def diffs() -> None:
    """See differences; decide about them."""


@diffs.command("list")
@click.option("--route", help="Only this route's.")
@click.option("--state", help="Only those in this state: new, unproven, known, ignored, noise, regressed or fixed.")
@output_option
@admin_option
def list_(route: str | None, state: str | None, output: str, admin_url: str) -> None:
    """List the signatures.

    Where the backends differ, how often, since when; each kind of difference once.
    """
    query = [(name, value) for name, value in (("route", route), ("state", state)) if value]
    found = Client(admin_url).get("diffs", query=query)
    if output == "json":
        print_json(found)
        return
    if not found:
        say("no differences; `changeover status` shows how much was compared")
        return
    print_table(COLUMNS, [_row(signature) for signature in found], numeric=("count",))


@diffs.command
@click.argument("signature_id", metavar="ID")
@click.option("--curl", "as_curl", is_flag=True, help="Print curl commands of the latest example's masked request.")
@click.option("--har", "as_har", is_flag=True, help="Print the examples as a HAR 1.2 document.")
@click.option(
    "--side-by-side/--unified",
    "is_beside",
    default=None,
    help="How to show the bodies; by default side by side on a terminal.",
)
@output_option
@admin_option
def show(signature_id: str, as_curl: bool, as_har: bool, is_beside: bool | None, output: str, admin_url: str) -> None:
    """Show one signature with its examples.

    Each is a masked request, and what each backend answered.
    """
    if as_curl and as_har:
        raise Refused("--curl and --har: give one of them")
    detail = Client(admin_url).get("diffs", signature_id)
    if as_curl:
        _print_curl(detail)
    elif as_har:
        print_json(har(detail["examples"], detail["backends"]))
    elif output == "json":
        print_json(detail)
    elif sys.stdout.isatty() if is_beside is None else is_beside:
        print_beside(detail)
    else:
        print_lines(*signature_lines(detail))


def _print_curl(detail: dict[str, Any]) -> None:
    if not detail["examples"]:
        raise Refused(f"signature {detail['id']}: no example is kept; wait for the next pair that shows it")
    for name, backend in detail["backends"].items():
        print_lines(f"# {name}", *curl_command(detail["examples"][-1], backend).split("\n"))


@diffs.command
@click.argument("signature_id", metavar="ID")
@click.option(
    "-H",
    "--header",
    "lines",
    multiple=True,
    metavar="NAME:VALUE",
    help="A header of your own, such as the masked cookie; @FILE reads them from a file, @- from stdin. Repeatable.",
)
@output_option
@admin_option
def retry(signature_id: str, lines: tuple[str, ...], output: str, admin_url: str) -> None:
    """Send an example's request to both backends again.

    Says whether the difference still shows: 0 when it doesn't, 1 when it does or that can't be said.
    """
    found = Client(admin_url).post("diffs", signature_id, "retry", body={"headers": read_headers(lines)})
    if found["left_out"]:
        say(f"sent without what is masked: {', '.join(found['left_out'])}")
    if output == "json":
        print_json(found)
    else:
        print_lines(f"{found['method']} {found['target']}: {_conclusion(found)}")
    if found["differs"] is not False:
        raise SystemExit(1)


def read_headers(given: Iterable[str]) -> dict[str, str]:
    """The fields of `NAME:VALUE` texts, and of the lines of files that are given as `@FILE`.

    Raises Refused; of a file it never says what stands there, which may be a secret without its name.
    """
    headers: dict[str, str] = {}
    for text in given:
        for line in _lines_of(text):
            name, colon, value = line.partition(":")
            if not colon or not name.strip():
                subject = f"{text}: each line" if text.startswith("@") else f"{name.strip()[:80]!r}:"
                raise Refused(f"--header {subject} must be NAME:VALUE, such as 'cookie: session=…'")
            if name.strip().lower() in map(str.lower, headers):
                raise Refused(f"--header {name.strip()[:80]!r} is given twice: give each once")
            headers[name.strip()] = value.strip()
    return headers


def _lines_of(text: str) -> list[str]:
    if not text.startswith("@"):
        return [text]
    try:
        with click.open_file(text[1:], encoding="utf-8") as file:
            return [line for line in file.read().splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"--header {text}: can't be read: {error}; give a text file of lines NAME:VALUE") from None


def _conclusion(found: dict[str, Any]) -> str:
    if found["differs"] is None:
        return f"can't be said: {found['reason']}"
    others = f"; other differences: {', '.join(found['others'])}" if found["others"] else ""
    return ("still differs" if found["differs"] else "no longer differs") + others


def _row(signature: dict[str, Any]) -> list[str]:
    return [
        signature["id"],
        signature["route"],
        signature["kind"],
        signature["path"],
        signature.get("shape", ""),
        count(signature["count"]),
        moment(signature["first_seen"]),
        moment(signature["last_seen"]),
        signature["state"],
    ]


add_decisions(diffs)
diffs.add_command(learn)
