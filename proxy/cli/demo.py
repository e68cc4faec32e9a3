"""`changeover demo`: both example backends, the proxy, and steady traffic of about twenty users."""

from __future__ import annotations

import sys
from typing import Any

import click

from proxy.cli.settings import FLAGS, settings_options
from proxy.settings import load_settings

_WELCOME = """\
Starting the demo: users at http://{users}, the control room at http://{admin}. Ctrl-C ends it. In another terminal:
  changeover status                                    how far the migration is
  changeover diffs list                                what differs
  changeover rollout set feeds 25 --reason "try it"    move users
"""


@click.command
@settings_options(*(flag for flag in FLAGS if not flag.startswith("tls_")))
def demo(**given: Any) -> None:
    """Run everything, with example backends.

    Steady traffic of about twenty users flows until it is interrupted. The backends listen on
    127.0.0.1:8001 (legacy) and 127.0.0.1:8002 (new). A flag wins over its variable.
    """
    settings = load_settings(**given)
    from proxy.app import run_demo  # noqa: PLC0415 - the server's libraries are for the server

    click.echo(_WELCOME.format(users=settings.listen, admin=settings.admin_listen), err=True)
    sys.exit(run_demo(settings))
