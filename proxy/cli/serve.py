"""`changeover serve`: hands the process settings to the node and ends with its exit code."""

from __future__ import annotations

import sys
from typing import Any

import click

from proxy.cli.settings import settings_options
from proxy.settings import load_settings


@click.command
@settings_options()
def serve(**given: Any) -> None:
    """Run the proxy on this node.

    That is its workers, its control process and the admin API.

    SIGTERM drains and stops, SIGHUP reads the config again, SIGUSR2 replaces the workers one by one.
    A flag wins over its variable.
    """
    settings = load_settings(**given)
    from proxy.app import run_node  # noqa: PLC0415 - the server's libraries are for the server

    sys.exit(run_node(settings))
