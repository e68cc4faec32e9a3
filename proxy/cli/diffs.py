"""`changeover diffs`: the differences, grouped by signature, and what people decided about each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from proxy.admin.figures import count, moment
from proxy.admin.signature_text import signature_lines
from proxy.cli.client import Client, admin_option
from proxy.cli.output import output_option, print_json, print_lines, print_table, say

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

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


def _decision(state: str, summary: str, done: str) -> Callable[..., None]:
    """The verbs that decide differ in the state they set, and in their words."""

    @click.argument("signature_id", metavar="ID")
    @click.option("--reason", required=True, help="Why; it goes into the audit log.")
    @click.option("--owner", help="Who takes care of it.")
    @click.option("--ticket", help="Where it is tracked.")
    @click.option("--until", type=click.DateTime(), help="From then on (UTC) it counts as new again.")
    @output_option
    @admin_option
    def decide(
        signature_id: str,
        reason: str,
        owner: str | None,
        ticket: str | None,
        until: datetime | None,
        output: str,
        admin_url: str,
    ) -> None:
        body = {"state": state, "reason": reason, "owner": owner, "ticket": ticket, "until": _unix_seconds(until)}
        given = {name: value for name, value in body.items() if value is not None}
        answer = Client(admin_url).post("diffs", signature_id, "state", body=given)
        if output == "json":
            print_json(answer)
        else:
            print_lines(f"{signature_id}: {done}")

    decide.__doc__ = summary
    return decide


def _unix_seconds(until: datetime | None) -> int | None:
    """Click reads a time without a zone; ours is UTC, as every time we print."""
    from datetime import UTC  # noqa: PLC0415 - only here

    return None if until is None else int(until.replace(tzinfo=UTC).timestamp())


diffs.command("ignore")(
    _decision("ignored", "Ignore a difference that is meant to be.\n\nIt no longer counts as a mismatch.", "ignored")
)
diffs.command("accept")(
    _decision("known", "Accept a difference as known.\n\nIt is not new, and still counts as a mismatch.", "accepted")
)
