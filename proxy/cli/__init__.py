"""The command `changeover`: one small file for each verb; this one finds them and ends with the right exit code.

Verbs are imported when they are called, and each imports what is slow only when it runs: `changeover status` must
not pay for the server. Data goes to stdout, everything else to stderr. Exit codes: 0 fine, 1 differences or a
threshold failed, 2 usage or config, 3 server not reached.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any, NoReturn

import click

from proxy import __version__
from proxy.cli.output import say
from proxy.errors import ChangeoverError

# Verb -> the module that has a click command of the same name; in the order of a day's work.
VERBS = {
    "serve": "proxy.cli.serve",
    "demo": "proxy.cli.demo",
    "check": "proxy.cli.check",
    "plan": "proxy.cli.plan",
    "status": "proxy.cli.status",
    "rollout": "proxy.cli.rollout",
    "explain": "proxy.cli.explain",
    "diffs": "proxy.cli.diffs",
    "report": "proxy.cli.report",
    "access": "proxy.cli.access",
    "db": "proxy.cli.db",
    "health": "proxy.cli.health",
}
_INTERRUPTED = 130  # 128 + SIGINT, as shells report it: 1 would mean "differences"
_PIPE_CLOSED = 141  # 128 + SIGPIPE


class Verbs(click.Group):
    """The group that imports a verb when it is asked for, and turns every error into a message and a code."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        module = VERBS.get(cmd_name)
        command = getattr(import_module(module), cmd_name) if module else None
        return command if isinstance(command, click.Command) else None

    def invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()  # a closed pipe must show here, not in the interpreter's last breath
        except ChangeoverError as error:
            _leave(str(error), error.exit_code)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(_PIPE_CLOSED)
        except (KeyboardInterrupt, click.Abort):
            sys.exit(_INTERRUPTED)
        except (click.ClickException, click.exceptions.Exit):
            raise
        except Exception as error:  # noqa: BLE001 - the last resort: nobody is helped by a traceback
            _leave(f"fault in changeover itself: {type(error).__name__}: {error}; please report it", 2)
        return result


def _leave(message: str, exit_code: int) -> NoReturn:
    say(f"changeover: {message}")
    sys.exit(exit_code)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="changeover", message="%(prog)s %(version)s")
def main() -> None:
    """Changeover, a migration proxy: routes users, shadows traffic, compares answers, reports."""
