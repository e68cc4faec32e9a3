"""`changeover report`: routes and differences as one document, and a verdict for a pipeline."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from proxy.admin.report.as_progress import as_progress
from proxy.admin.report.content import Report, Scope, build_report, worst_signatures
from proxy.admin.report.formats import FORMATS
from proxy.admin.report.since import parse_since
from proxy.admin.report.thresholds import parse_threshold
from proxy.cli.client import Client, admin_option
from proxy.cli.output import say
from proxy.errors import NotFound, Refused

if TYPE_CHECKING:
    from proxy.admin.report.thresholds import Threshold

Json = dict[str, Any]
EXAMPLES = 20  # more than anybody decides about in one sitting; each is a question to the server
MAX_EXAMPLES = 200
PROGRESS = "progress"


@click.command
@click.option(
    "--format",
    "format_",
    type=click.Choice(sorted([*FORMATS, PROGRESS])),
    default="text",
    show_default=True,
    help="How to write the report; progress tells people who don't read code how far it is.",
)
@click.option(
    "--since", metavar="WHEN", help="Only what was counted since: 24h, 7d, 2026-11-20, 2026-11-20T08:00 (UTC)."
)
@click.option("--route", help="Only this route.")
@click.option(
    "--fail-on",
    multiple=True,
    metavar="EXPR",
    help="Exit with 1 when this holds for any route, e.g. 'mismatch_rate>0.1%', 'coverage<95%', "
    "'new_signatures>0'; repeatable.",
)
@click.option(
    "--examples",
    type=click.IntRange(0, MAX_EXAMPLES),
    default=EXAMPLES,
    show_default=True,
    help="Give the worst so many differences an example each.",
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file, not to stdout.")
@admin_option
@click.pass_context
def report(
    ctx: click.Context,
    format_: str,
    since: str | None,
    route: str | None,
    fail_on: tuple[str, ...],
    examples: int,
    out: Path | None,
    admin_url: str,
) -> None:
    """Report what was compared.

    What differs, and what was not compared and why; worst first.
    """
    now = time.time()
    if format_ == PROGRESS:
        _refuse_narrowing(ctx, "since", "route", "fail_on", "examples")
        _deliver(as_progress(Client(admin_url).get("progress"), now), out)
        return
    thresholds = list(dict.fromkeys(parse_threshold(expression) for expression in fail_on))
    scope = Scope(now, None if since is None else parse_since(since, now), route)
    content = _fetch(Client(admin_url), scope, thresholds, examples)
    _deliver(FORMATS[format_](content), out)
    failures = [sentence for outcome in content.outcomes for sentence in outcome.sentences()]
    for failure in failures:
        say(f"failed: {failure}")
    ctx.exit(1 if failures else 0)


def _refuse_narrowing(ctx: click.Context, *options: str) -> None:
    for name in options:
        if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise Refused(f"--{name.replace('_', '-')}: --format {PROGRESS} is about everything; leave it out")


def _fetch(client: Client, scope: Scope, thresholds: list[Threshold], examples: int) -> Report:
    signatures = client.get("diffs", query=[("route", scope.route)] if scope.route else [])
    all_time = _routes(client, scope.route)
    ids = worst_signatures(signatures, scope.since, examples)
    return build_report(
        client.get("status"),
        all_time if scope.since is None else _routes(client, scope.route, scope.since),
        signatures,
        scope=scope,
        compared={each["name"]: each["coverage"]["compared"] for each in all_time},
        details={id_: detail for id_ in ids if (detail := _detail(client, id_))},
        thresholds=thresholds,
    )


def _routes(client: Client, route: str | None, since: float | None = None) -> list[Json]:
    query = [] if since is None else [("since", f"{since:.3f}")]
    routes = [each for each in client.get("routes", query=query) if route in {None, each["name"]}]
    if route is not None and not routes:
        raise NotFound(f"route {route}: not in the config; `changeover status` lists the routes")
    return routes


def _detail(client: Client, signature_id: str) -> Json | None:
    """None where retention took it since the list was read."""
    try:
        detail: Json = client.get("diffs", signature_id)
    except NotFound:
        return None
    return detail


def _deliver(document: str, out: Path | None) -> None:
    if out is None:
        click.echo(document, nl=False)
        return
    try:
        out.write_text(document, encoding="utf-8")
    except OSError as error:
        raise Refused(f"--out {out}: {error.strerror}") from None
