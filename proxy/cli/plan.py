"""`changeover plan`: what another config would change, before it is put in force; no server is asked."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from proxy.cli.output import output_option, print_json, print_lines, print_table, say

if TYPE_CHECKING:
    from proxy.config import Loaded
    from proxy.core.plan import Change, RoutePlan

_MAX_VALUE_CHARACTERS = 60


@click.command
@click.argument("new", type=click.Path(path_type=Path))
@click.option(
    "--config",
    "current",
    type=click.Path(path_type=Path),
    envvar="CHANGEOVER_CONFIG",
    default=Path("config/migration.yaml"),
    show_default=True,
    help="The file to compare with: the one in force.",
)
@output_option
def plan(new: Path, current: Path, output: str) -> None:
    """Show what another config would change.

    NEW is compared with the file in force, both with the environment's overrides: for each route how many users move
    forward to new and how many back, then every key that reads differently.
    """
    from proxy.config import load  # noqa: PLC0415 - the YAML reader is slow to import
    from proxy.core.plan import changed_keys, plan_routes  # noqa: PLC0415

    before, after = load(current, os.environ), load(new, os.environ)
    routes, changes = plan_routes(before.migration, after.migration), changed_keys(before.document, after.document)
    if output == "json":
        print_json({"before": str(before.file), "after": str(after.file), **_as_json(routes, changes)})
        return
    _say_warnings(after, routes)
    if not changes:
        print_lines(f"{new}: nothing changes")
        return
    print_table(
        ("route", "fate", "before", "after", "users forward", "users back", ""),
        [_route_row(route) for route in routes],
        numeric=("before", "after", "users forward", "users back"),
    )
    print_lines("")
    print_table(("key", "before", "after"), [(each.path, _value(each.before), _value(each.after)) for each in changes])


def _as_json(routes: list[RoutePlan], changes: list[Change]) -> dict[str, Any]:
    return {"routes": [asdict(route) for route in routes], "changes": [asdict(change) for change in changes]}


def _say_warnings(after: Loaded, routes: list[RoutePlan]) -> None:
    for warning in after.warnings:
        say(f"warning: {warning}")
    reshuffled = [route.name for route in routes if route.is_reshuffled]
    if reshuffled:
        say(
            f"warning: another salt, group or key deals the users of {', '.join(reshuffled)} anew:"
            " many change sides that no percentage asks for"
        )


def _route_row(route: RoutePlan) -> tuple[str, ...]:
    percentages = (_percent(route.before), _percent(route.after), _percent(route.forward), _percent(route.back))
    return (route.name, route.fate, *percentages, "reshuffled" if route.is_reshuffled else "")


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:g} %"


def _value(value: Any) -> str:
    text = "–" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MAX_VALUE_CHARACTERS else f"{text[: _MAX_VALUE_CHARACTERS - 1]}…"
