"""`changeover access` writes the file that the listener reads."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from click.testing import CliRunner, Result

from proxy.admin.access.door import open_door
from proxy.admin.access.rights import Role
from proxy.cli import main
from proxy.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


def run(file: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["access", *arguments, "--file", str(file)])


def test_a_token_lets_in_whom_it_was_made_for(tmp_path: Path) -> None:
    """Its file has the digest, its owner the token, and nobody else may read the file."""
    file = tmp_path / "tokens"
    made = run(file, "token", "ada", "--role", "operator", "--days", "30")
    token = made.stdout.strip()
    key = open_door(Settings(admin_tokens_file=file)).key_of(token, time.time())
    assert ("ada", Role.OPERATOR) == (getattr(key, "name", None), getattr(key, "role", None))
    assert token not in file.read_text()
    assert 0 == file.stat().st_mode & 0o007
    assert 29 * 86_400 < getattr(key, "until", 0.0) - time.time() < 32 * 86_400


def test_comments_stay_and_each_name_stands_once(tmp_path: Path) -> None:
    """The file is also edited by hand."""
    file = tmp_path / "tokens"
    file.write_text("# who may\nperson * viewer")
    assert 0 == run(file, "token", "ci").exit_code
    again = run(file, "token", "ci")
    assert (2, True) == (again.exit_code, "stands in a line above" in again.stderr)
    assert file.read_text().startswith("# who may\nperson * viewer\ntoken ci viewer never sha256:")


def test_a_link_is_printed_as_a_path(tmp_path: Path) -> None:
    """The listener's address belongs before it."""
    printed = run(tmp_path / "tokens", "link", "board").stdout.strip()
    key = open_door(Settings(admin_tokens_file=tmp_path / "tokens")).key_of(
        printed.removeprefix("/shared/"), time.time()
    )
    assert Role.LINK == getattr(key, "role", None)
    assert 30 * 86_400 <= getattr(key, "until", 0.0) - time.time() < 32 * 86_400


def test_list_and_revoke(tmp_path: Path) -> None:
    """Who is taken out is in no list, and nobody else is."""
    file = tmp_path / "tokens"
    file.write_text("person ole operator\n")
    for name in ("ada", "ad"):
        run(file, "token", name)

    def names() -> list[Any]:
        return [each["name"] for each in json.loads(run(file, "list", "-o", "json").stdout)]

    assert ["ada", "ad", "ole"] == names()
    assert "never" in run(file, "list").stdout
    assert 0 == run(file, "revoke", "ad").exit_code
    assert ["ada", "ole"] == names()
    missing = run(file, "revoke", "ad")
    assert (2, True) == (missing.exit_code, "'ad' does not stand in it" in missing.stderr)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Nothing is made by looking."""
    result = run(tmp_path / "none", "list")
    assert (2, True, False) == (result.exit_code, "none" in result.stderr, (tmp_path / "none").exists())
