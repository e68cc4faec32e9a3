"""`changeover status`: what is in force, who is where, and what was seen, one line for each route."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from proxy.admin.evidence import in_window, window_text
from proxy.admin.figures import (
    NOTHING,
    both,
    count,
    coverage_ratio,
    milliseconds,
    moment,
    percent,
    share,
    skipped_reasons,
)
from proxy.cli.client import Client, admin_option
from proxy.cli.output import build_table, console, output_option, plain, print_json
from proxy.errors import ServerNotReached, StoreError

if TYPE_CHECKING:
    from rich.console import RenderableType

Json = dict[str, Any]
WATCH_INTERVAL_S = 2.0  # the control process adds up once a second; twice that reads calmly

COLUMNS = (
    "route", "stage", "wish", "in force", "users\nlegacy/new", "requests\nlegacy/new",
    "match\nrate", "coverage", "mis-\nmatches", "legacy ms\np50/p99", "new ms\np50/p99",
)  # fmt: skip


@click.command
@click.option("-w", "--watch", is_flag=True, help="Show it again every two seconds, until interrupted.")
@output_option
@admin_option
def status(watch: bool, output: str, admin_url: str) -> None:
    """Show what is in force and what was seen.

    For each route: the percentage wished and in force, users, requests, match rate with coverage, latency.

    With -w and -o json it prints one line of JSON for each look.
    """
    client = Client(admin_url)
    if not watch:
        _print_once(client, output)
    elif output == "json":
        _stream(client)
    else:
        _redraw(client)


def _print_once(client: Client, output: str) -> None:
    state, routes = _ask(client)
    if output == "json":
        print_json({"status": state, "routes": routes})
    else:
        console().print(render(state, routes))


def _stream(client: Client) -> None:
    while True:
        state, routes = _ask(client)
        print_json({"status": state, "routes": routes}, is_line=True)
        time.sleep(WATCH_INTERVAL_S)


def _redraw(client: Client) -> None:
    """Draws over the last look. A server that is away for a moment is said to be, and asked again."""
    from rich.live import Live  # noqa: PLC0415 - only here

    with Live(render(*_ask(client)), console=console(), auto_refresh=False) as live:
        while True:
            live.refresh()
            time.sleep(WATCH_INTERVAL_S)
            live.update(_look(client))


def _look(client: Client) -> RenderableType:
    try:
        return render(*_ask(client))
    except (ServerNotReached, StoreError) as error:
        return str(error)


def _ask(client: Client) -> tuple[Json, list[Json]]:
    return client.get("status"), client.get("routes")


def render(state: Json, routes: list[Json]) -> RenderableType:
    """The header lines, the table, the holds, and the gaps in the evidence by reason; of each route's window."""
    from rich.console import Group  # noqa: PLC0415 - only where something is drawn
    from rich.text import Text  # noqa: PLC0415

    routes = list(map(in_window, routes))
    table = build_table(COLUMNS, [row(route) for route in routes], COLUMNS[2:])
    notes = [*hold_lines(routes), *window_lines(routes), *gap_lines(routes), *stale_lines(routes)]
    return Group(*map(Text, map(plain, header_lines(state))), Text(), table, *map(Text, map(plain, ["", *notes])))


def header_lines(state: Json) -> list[str]:
    """What is the same for all routes; a refused config and a store that is away stand out by their words."""
    config, workers, store = state["config"], state["workers"], state["store"]
    lines = [
        f"changeover {state['version']} on {state['node']}",
        f"config   {config['file']}  {config['digest'][:12]}  in force since {moment(config['since'])}",
        f"workers  {workers['linked']} of {workers['expected']} linked",
        f"store    {store['name']}  {'up' if store['up'] else 'DOWN: ' + str(store['error'])}",
    ]
    if config["error"]:
        lines.insert(2, f"         REFUSED, the last good one stays: {config['error']}")
    lines += [f"warning  {warning}" for warning in config["warnings"]]
    lines += [f"node     {_other_node(each)}" for each in state["nodes"] if each["name"] != state["node"]]
    if state["kill_switch"]:
        lines.append("KILL SWITCH: everything goes to legacy, nothing is shadowed")
    return lines


def row(route: Json) -> list[str]:
    return [
        route["name"],
        route.get("stage") or NOTHING,
        percent(route["percentage"]),
        percent(route["effective_percentage"]) + (" (hold)" if route["hold"] else ""),
        both(route["users"], count),
        both(route.get("requests"), count),
        share(route["match_rate"]),
        share(coverage_ratio(route)),
        count(route["mismatches"]),
        _latency(route["latency_ms"].get("legacy")),
        _latency(route["latency_ms"].get("new")),
    ]


def _other_node(node: Json) -> str:
    """A node by its own words."""
    config, workers = node["config"], node["workers"]
    linked = f"{workers['linked']} of {workers['expected']} linked"
    said = f"SILENT since {moment(node['at'])}" if node["is_silent"] else linked
    refused = "  its file is REFUSED" if config["is_refused"] else ""
    return f"{node['name']}  {said}  config {config['digest'][:12]}{refused}"


def window_lines(routes: list[Json]) -> list[str]:
    """Since when the evidence counts, where that is not from the beginning; routes with the same together."""
    names: dict[str, list[str]] = {}
    for route in routes:
        if route["evidence"]["since"] is not None:
            names.setdefault(window_text(route), []).append(route["name"])
    return [f"counted {words}: {', '.join(several)}" for words, several in names.items()]


def hold_lines(routes: list[Json]) -> list[str]:
    """One line for each hold, however many routes of its group it binds."""
    holds = {route["hold"]["route"]: route["hold"] for route in routes if route["hold"]}
    return [
        f"hold on {name}: its group at most {percent(hold['percentage'])}, by {hold['who']}: {hold['reason']}"
        for name, hold in holds.items()
    ]


def gap_lines(routes: list[Json]) -> list[str]:
    """One line for each route with something that was not compared (law 5)."""
    return [f"not compared, {route['name']}: {skipped_reasons(route)}" for route in routes if skipped_reasons(route)]


def stale_lines(routes: list[Json]) -> list[str]:
    """One line for each route with rules that find nothing."""
    found = ((route["name"], route.get("stale_rules")) for route in routes)
    return [f"rules that found nothing, {name}: {', '.join(rules)}" for name, rules in found if rules]


def _latency(quantiles: Json | None) -> str:
    if not quantiles or quantiles["p50"] is None:
        return NOTHING
    return f"{milliseconds(quantiles['p50'])} / {milliseconds(quantiles['p99'])}"
