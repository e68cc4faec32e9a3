"""`changeover health`: one question to a running server, for container health checks."""

from __future__ import annotations

import click

from proxy.cli.client import Client, admin_option
from proxy.cli.output import print_lines
from proxy.errors import ServerNotReached


@click.command
@admin_option
def health(admin_url: str) -> None:
    """Ask whether the server is ready.

    The exit code is 0 when it serves users as configured, else 3.
    """
    is_ready, words = Client(admin_url).is_ready()
    if not is_ready:
        raise ServerNotReached(words or "not ready")
    print_lines(words)
