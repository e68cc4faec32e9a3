"""The shape of the code: what may know what, and what a worker process loads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_imports_go_one_way():
    """Every import contract in pyproject.toml holds."""
    checked = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


def test_worker_loads_neither_store_nor_deepdiff_nor_templates():
    """The modules of a worker process, with everything it composes, stay free of the control plane's libraries."""
    script = "import sys, proxy.app, proxy.traffic.worker, proxy.traffic.server; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    forbidden = {"sqlalchemy", "alembic", "deepdiff", "jinja2", "proxy.store", "proxy.admin", "proxy.control"}
    assert set() == forbidden & set(loaded.stdout.split())


@pytest.mark.parametrize("package", ["proxy", "legacy_backend", "new_backend"])
def test_every_module_says_what_it_answers(package: str):
    """Each module begins with a docstring, unless it is empty."""
    silent = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / package).rglob("*.py"))
        if (text := path.read_text().strip()) and not text.startswith(('"""', 'r"""'))
    ]
    assert [] == silent


def test_background_tasks_have_one_owner():
    """In the data plane only `tasks` creates tasks."""
    spawning = [
        path.name
        for path in sorted((ROOT / "proxy" / "traffic").rglob("*.py"))
        if "create_task(" in path.read_text() or "ensure_future(" in path.read_text()
    ]
    assert ["tasks.py"] == spawning
