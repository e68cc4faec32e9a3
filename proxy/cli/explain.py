"""`changeover explain`: for one request, which backend would serve it, and why."""

from __future__ import annotations

from typing import Any

import click

from proxy.admin.figures import NOTHING, percent
from proxy.cli.client import Client, admin_option
from proxy.cli.output import output_option, print_json, print_lines


@click.command
@click.argument("method")
@click.argument("path")
@click.option("--user", metavar="KEY", help="The user's key, as the config's users.key would find it.")
@click.option("--host", help="The Host header, for routes that match one.")
@click.option("--header", "headers", multiple=True, metavar="NAME:VALUE", help="A header, for pins; repeatable.")
@output_option
@admin_option
def explain(
    method: str, path: str, user: str | None, host: str | None, headers: tuple[str, ...], output: str, admin_url: str
) -> None:
    """Say who would serve a request, and why.

    Nothing is sent to a backend.
    """
    optional = [("user", user), ("host", host)]
    query = [("method", method), ("path", path), *[(name, value) for name, value in optional if value]]
    query += [("header", header) for header in headers]
    answer = Client(admin_url).get("explain", query=query)
    if output == "json":
        print_json(answer)
    else:
        print_lines(*explanation_lines(answer))


def explanation_lines(answer: dict[str, Any]) -> list[str]:
    bucket = answer["bucket"]
    # A bucket is a thousandth of a percent (docs/adr), so it reads as the percentage from which it is on new.
    where = NOTHING if bucket is None else f"{bucket} of 100,000: on new above {percent(bucket / 1000)}"
    return [
        f"route     {answer['route'] or 'none matches'}",
        f"backend   {answer['backend']}",
        f"reason    {answer['reason']}",
        f"bucket    {where}",
        f"in force  {percent(answer['effective_percentage'])}",
        f"shadow    {percent(answer['shadow'])}",
    ]
