"""`changeover report`: routes and differences as one document, and a verdict for a pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from proxy.admin.report import FORMATS, build_report
from proxy.admin.thresholds import failed_thresholds, parse_threshold
from proxy.cli.client import Client, admin_option
from proxy.cli.output import say
from proxy.errors import NotFound, Refused

if TYPE_CHECKING:
    from proxy.admin.report import Report


@click.command
@click.option(
    "--format",
    "format_",
    type=click.Choice(sorted(FORMATS)),
    default="text",
    show_default=True,
    help="How to write the report.",
)
@click.option("--route", help="Only this route.")
@click.option(
    "--fail-on",
    multiple=True,
    metavar="EXPR",
    help="Exit with 1 when this holds for any route, e.g. 'mismatch_rate>0.1%', 'coverage<95%', "
    "'new_signatures>0'; repeatable.",
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file, not to stdout.")
@admin_option
@click.pass_context
def report(
    ctx: click.Context, format_: str, route: str | None, fail_on: tuple[str, ...], out: Path | None, admin_url: str
) -> None:
    """Report what was compared.

    What differs, and what was not compared and why; worst first.
    """
    thresholds = [parse_threshold(expression) for expression in fail_on]
    content = _fetch(Client(admin_url), route)
    _deliver(FORMATS[format_](content), out)
    failures = failed_thresholds(thresholds, content)
    for failure in failures:
        say(f"failed: {failure}")
    ctx.exit(1 if failures else 0)


def _fetch(client: Client, route: str | None) -> Report:
    routes = [each for each in client.get("routes") if route in {None, each["name"]}]
    if route is not None and not routes:
        raise NotFound(f"route {route}: not in the config; `changeover status` lists the routes")
    signatures = client.get("diffs", query=[("route", route)] if route else [])
    return build_report(client.get("status"), routes, signatures)


def _deliver(document: str, out: Path | None) -> None:
    if out is None:
        click.echo(document, nl=False)
        return
    try:
        out.write_text(document, encoding="utf-8")
    except OSError as error:
        raise Refused(f"--out {out}: {error.strerror}") from None
