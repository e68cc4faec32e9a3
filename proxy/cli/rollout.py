"""`changeover rollout`: changes a percentage, caps it with a hold, lifts the hold, and shows who did what."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from proxy.admin.figures import NOTHING, moment, percent
from proxy.cli.client import Client, admin_option
from proxy.cli.output import output_option, print_json, print_lines, print_table, say

MAX_HISTORY = 1_000  # what the API gives at once
# What changes who is served by which side; the audit log holds decisions about differences as well.
_ROLLOUT_ACTIONS = ("rollout.", "hold.", "kill_switch.", "config.")

reason_option = click.option("--reason", required=True, help="Why; it goes into the audit log.")


class Percent(click.ParamType[float]):
    """A percentage from 0 to 100 in steps of 0.001, with or without the sign."""

    name = "percent"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from proxy.core.model import PERCENT_STEP  # noqa: PLC0415 - only when a percentage is read

        text = str(value).removesuffix("%").strip()
        if not PERCENT_STEP.match(text):
            self.fail(f"{str(value)[:40]!r} must be from 0 to 100 in steps of 0.001", param, ctx)
        return float(text)


@click.group
def rollout() -> None:
    """Change percentages; see who changed them."""


@rollout.command("set")
@click.argument("route")
@click.argument("percentage", type=Percent(), metavar="PERCENT")
@reason_option
@click.option(
    "--file",
    type=click.Path(path_type=Path),
    help="Edit this config file; no server is asked. A server that watches it follows by itself.",
)
@output_option
@admin_option
def set_(route: str, percentage: float, reason: str, file: Path | None, output: str, admin_url: str) -> None:
    """Set a route's percentage.

    ROUTE and its whole group change, in the config file. The running server edits its own file and writes
    the audit log; only the lines with the percentage change.
    """
    if file is not None:
        _set_in_file(file, route, percentage, output)
        return
    body = {"percentage": percentage, "reason": reason}
    answer = Client(admin_url).put("routes", route, "rollout", body=body)
    if not answer["audited"]:
        say("the change is in force, and its line in the audit log waits for the store")
    _print_done(answer, output, f"{route}: {percent(percentage)} is in {answer['file']}{_in_force(answer)}")


@rollout.command
@click.argument("route")
@click.argument("percentage", type=Percent(), metavar="PERCENT", default="0")
@reason_option
@output_option
@admin_option
def hold(route: str, percentage: float, reason: str, output: str, admin_url: str) -> None:
    """Cap a route.

    ROUTE and its whole group send at most PERCENT (0 unless given) to new, whatever the config file says.
    """
    body = {"percentage": percentage, "reason": reason}
    answer = Client(admin_url).put("routes", route, "hold", body=body)
    _print_done(answer, output, f"{route}: held at {percent(percentage)} at most")


@rollout.command
@click.argument("route")
@reason_option
@output_option
@admin_option
def release(route: str, reason: str, output: str, admin_url: str) -> None:
    """Lift a route's hold.

    What the config file says of ROUTE is in force again.
    """
    answer = Client(admin_url).delete("routes", route, "hold", query=[("reason", reason)])
    _print_done(answer, output, f"{route}: released")


@rollout.command("kill-switch")
@click.argument("state", type=click.Choice(["on", "off"]))
@reason_option
@output_option
@admin_option
def kill_switch(state: str, reason: str, output: str, admin_url: str) -> None:
    """Send everything to legacy, or no longer.

    While it is on nothing is asked of new, on all nodes; `off` puts back what config and holds say.
    """
    if state == "on":
        answer = Client(admin_url).put("kill-switch", body={"reason": reason})
    else:
        answer = Client(admin_url).delete("kill-switch", query=[("reason", reason)])
    words = "on: everything goes to legacy" if answer["on"] else "off"
    by_file = "; `kill_switch: true` stands in the config file" if answer["by_file"] else ""
    _print_done(answer, output, f"kill switch: {words}{by_file}")


@rollout.command
@click.option("--route", help="Only what concerns this route.")
@output_option
@admin_option
def history(route: str | None, output: str, admin_url: str) -> None:
    """Show who changed what.

    When and why percentages and holds were changed, newest first.
    """
    rows = [line for line in Client(admin_url).get("audit", query=[("limit", str(MAX_HISTORY))]) if _is_rollout(line)]
    rows = [line for line in rows if route in {None, line["subject"]}]
    if output == "json":
        print_json(rows)
        return
    if not rows:
        say("nothing has been changed yet")
    columns = ("when", "who", "from", "what", "route", "before", "after", "reason")
    print_table(columns, [_history_row(line) for line in rows])


def _is_rollout(line: dict[str, Any]) -> bool:
    return str(line["action"]).startswith(_ROLLOUT_ACTIONS)


def _history_row(line: dict[str, Any]) -> list[str]:
    before, after = _audited(line["before"]), _audited(line["after"])
    who, origin = line["who"], line.get("origin") or NOTHING
    return [moment(line["at"]), who, origin, line["action"], line["subject"], before, after, line["reason"]]


def _audited(value: Any) -> str:
    """The percentage within an audited value, or the value itself where it is something else."""
    if value is None:
        return NOTHING
    if isinstance(value, dict):
        if "cap_millipercent" in value:
            return percent(value["cap_millipercent"] / 1000)
        value = value.get("percentage", value)
    return percent(value) if isinstance(value, int | float) else str(value)


def _set_in_file(file: Path, route: str, percentage: float, output: str) -> None:
    from proxy.config import read, set_percentage, write_edited  # noqa: PLC0415 - the YAML reader is slow

    text = read(file)
    changed = set_percentage(text, route, percentage, str(file), os.environ)
    if changed != text:
        write_edited(file, text, changed)
    say("--file: no server was asked, so the reason is in no audit log")
    answer = {"name": route, "percentage": percentage, "file": str(file), "changed": changed != text}
    _print_done(answer, output, f"{route}: {percent(percentage)} is in {file}")


def _in_force(answer: dict[str, Any]) -> str:
    """What else there is to know where a hold keeps the percentage lower."""
    effective = answer["effective_percentage"]
    return "" if effective == answer["percentage"] else f"; {percent(effective)} in force, under a hold"


def _print_done(answer: Any, output: str, sentence: str) -> None:
    if output == "json":
        print_json(answer)
    else:
        print_lines(sentence)
