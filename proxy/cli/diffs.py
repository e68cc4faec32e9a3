"""`changeover diffs`: the differences, grouped by signature, and what people decided about each."""

from __future__ import annotations

from typing import Any

import click

from proxy.admin.figures import count, moment
from proxy.admin.signature_text import signature_lines
from proxy.cli.client import Client, admin_option
from proxy.cli.decisions import add_decisions
from proxy.cli.output import output_option, print_json, print_lines, print_table, say

COLUMNS = ("id", "route", "kind", "path", "shape", "count", "first seen", "last seen", "state")


@click.group
def diffs() -> None:
    """See differences; decide about them."""


@diffs.command("list")
@click.option("--route", help="Only this route's.")
@click.option("--state", help="Only those in this state: new, known, ignored, noise, regressed or fixed.")
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
@output_option
@admin_option
def show(signature_id: str, output: str, admin_url: str) -> None:
    """Show one signature with its examples.

    Each is a masked request, and what each backend answered.
    """
    detail = Client(admin_url).get("diffs", signature_id)
    if output == "json":
        print_json(detail)
    else:
        print_lines(*signature_lines(detail))


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
