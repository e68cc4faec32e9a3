"""Commands start fast: what a verb does not need is not imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

SLOW = ("sqlalchemy", "alembic", "deepdiff", "uvicorn", "starlette", "pydantic", "ruamel", "PIL", "prometheus_client")
SCRIPT = """
import sys
from click.testing import CliRunner
from proxy.cli import main
result = CliRunner().invoke(main, sys.argv[1:])
print(result.exit_code, *sorted({name.partition(".")[0] for name in sys.modules}))
"""


def imported_by(*arguments: str) -> tuple[int, set[str]]:
    """The exit code, and the top-level names of everything imported, in a process of its own."""
    done = subprocess.run([sys.executable, "-c", SCRIPT, *arguments], capture_output=True, text=True, check=True)
    exit_code, *names = done.stdout.split()
    return int(exit_code), set(names)


@pytest.mark.parametrize(
    "arguments",
    [("status",), ("diffs", "list"), ("report",), ("explain", "GET", "/"), ("rollout", "history"), ("health",)],
)
def test_verbs_that_ask_a_server_import_none_of_its_libraries(nobody_url: str, arguments: tuple[str, ...]):
    """A verb that asks a server pays for HTTP, not for a server."""
    exit_code, names = imported_by(*arguments, "--admin-url", nobody_url)
    assert (3, set()) == (exit_code, names & set(SLOW))


def test_version_imports_next_to_nothing():
    """Not even HTTP."""
    exit_code, names = imported_by("--version")
    assert (0, set()) == (exit_code, names & {*SLOW, "httpx", "rich"})
