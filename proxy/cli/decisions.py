"""`changeover diffs accept`, `ignore` and `reopen`: what people decide about a signature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from proxy.cli.client import Client, admin_option
from proxy.cli.output import output_option, print_json, print_lines, say

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

_ID = click.argument("signature_id", metavar="ID")
_REASON = click.option("--reason", required=True, help="Why; it goes into the audit log.")
_OWNER = click.option("--owner", help="Who takes care of it.")
_TICKET = click.option("--ticket", help="Where it is tracked.")
_UNTIL = click.option("--until", type=click.DateTime(), help="From then on (UTC) it counts as new again.")


def add_decisions(group: click.Group) -> None:
    """Adds the three verbs to a group."""
    for command in (accept, ignore, reopen):
        group.add_command(command)


def _deciding(function: Callable[..., None]) -> Callable[..., None]:
    """The options of a decision with its owner and end."""
    for option in (admin_option, output_option, _UNTIL, _TICKET, _OWNER, _REASON, _ID):
        function = option(function)
    return function


@click.command
@_deciding
def accept(
    signature_id: str,
    reason: str,
    owner: str | None,
    ticket: str | None,
    until: datetime | None,
    output: str,
    admin_url: str,
) -> None:
    """Accept a difference as known.

    It is not new, and still counts as a mismatch.
    """
    body = {"state": "known", "reason": reason, "owner": owner, "ticket": ticket, "until": _unix_seconds(until)}
    _print(_decide(admin_url, signature_id, body), output, "accepted")


@click.command
@_deciding
def ignore(
    signature_id: str,
    reason: str,
    owner: str | None,
    ticket: str | None,
    until: datetime | None,
    output: str,
    admin_url: str,
) -> None:
    """Ignore a difference that is meant to be.

    Its place goes into the config file as a rule, with who and why. With --until, and where no rule can name the place,
    the state alone is set. It no longer counts as a mismatch.
    """
    end = _unix_seconds(until)
    body = {"state": "ignored", "reason": reason, "owner": owner, "ticket": ticket, "until": end}
    answer = _decide(admin_url, signature_id, {**body, "rule": None if until else True})
    if answer.get("note"):
        say(answer["note"])
    rule = answer.get("rule")
    is_written = bool(rule and answer.get("file"))
    _print(answer, output, f"ignored by the rule {rule} in {answer['file']}" if is_written else "ignored")


@click.command
@_ID
@_REASON
@output_option
@admin_option
def reopen(signature_id: str, reason: str, output: str, admin_url: str) -> None:
    """Take back a decision: it counts as new again."""
    answer = _decide(admin_url, signature_id, {"state": "new", "reason": reason})
    if answer.get("rule"):
        say(f"still hidden by the rule {answer['rule']} of the route {answer['route']}: remove it from the config file")
    _print(answer, output, "reopened")


def _decide(admin_url: str, signature_id: str, body: dict[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in body.items() if value is not None}
    answer: dict[str, Any] = Client(admin_url).post("diffs", signature_id, "state", body=given)
    return answer


def _print(answer: dict[str, Any], output: str, done: str) -> None:
    if output == "json":
        print_json(answer)
    else:
        print_lines(f"{answer['id']}: {done}")


def _unix_seconds(until: datetime | None) -> int | None:
    """Click reads a time without a zone; ours is UTC, as every time we print."""
    from datetime import UTC  # noqa: PLC0415 - only here

    return None if until is None else int(until.replace(tzinfo=UTC).timestamp())
