"""`changeover check`: validates the config file, as the server would read it, and prints every problem at once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from proxy.cli.output import output_option, print_json, print_lines, say
from proxy.errors import ConfigError

if TYPE_CHECKING:
    from proxy.config import Loaded


@click.command
@click.argument(
    "file", type=click.Path(path_type=Path), envvar="CHANGEOVER_CONFIG", default=Path("config/migration.yaml")
)
@output_option
@click.pass_context
def check(ctx: click.Context, file: Path, output: str) -> None:
    """Validate a config file.

    FILE is read together with the environment's overrides; the exit code is 2 when anything is wrong.
    """
    from proxy.config import load  # noqa: PLC0415 - the YAML reader is slow to import

    try:
        loaded = load(file, os.environ)
    except ConfigError as error:
        _print_refusal(error, output)
        ctx.exit(error.exit_code)
    if output == "json":
        print_json(_as_json(loaded))
    else:
        _print_loaded(loaded)


def _print_refusal(error: ConfigError, output: str) -> None:
    if output == "json":
        problems = [
            {"line": fault.line, "column": fault.column, "path": fault.path, "message": fault.message}
            for fault in error.problems
        ]
        print_json({"file": error.file, "valid": False, "problems": problems, "warnings": []})
    say(str(error))


def _as_json(loaded: Loaded) -> dict[str, Any]:
    return {
        "file": str(loaded.file),
        "valid": True,
        "problems": [],
        "warnings": list(loaded.warnings),
        "digest": loaded.digest,
        "routes": [route.name for route in loaded.migration.routes],
    }


def _print_loaded(loaded: Loaded) -> None:
    for warning in loaded.warnings:
        say(f"warning: {warning}")
    routes = len(loaded.migration.routes)
    print_lines(f"{loaded.file}: valid, {routes} route{'' if routes == 1 else 's'}")
