"""The verbs that need no server: check, db upgrade, rollout set --file, and the starts that are refused."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from proxy.cli import main

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """\
version: 1
backends:
  legacy: {url: "http://127.0.0.1:8001"}
  new: {url: "http://127.0.0.1:8002"}
users: {key: ["header:x-user-id"], salt: test}
routes:
  feeds:
    match: {path: "/api/feeds"}
    rollout: {percentage: 5}   # the first wave
"""
BROKEN = CONFIG.replace("percentage: 5", "percentage: 101").replace("salt: test", "salt: test, slat: x")


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    file = tmp_path / "migration.yaml"
    file.write_text(CONFIG)
    return file


def run(*arguments: str | Path, **environ: str) -> Result:
    return CliRunner(env=environ).invoke(main, [str(argument) for argument in arguments])


def test_check_of_a_good_file_says_so(config_file: Path):
    """Valid: exit code 0, and a line on stdout."""
    result = run("check", config_file)
    assert (0, f"{config_file}: valid, 1 route\n", "") == (result.exit_code, result.stdout, result.stderr)


def test_check_as_json_names_digest_and_routes(config_file: Path):
    """Machines learn which content was judged."""
    document = json.loads(run("check", config_file, "-o", "json").stdout)
    assert (True, [], ["feeds"], 64) == (
        document["valid"],
        document["problems"],
        document["routes"],
        len(document["digest"]),
    )


def test_check_prints_all_problems_with_their_places(config_file: Path):
    """Every fault at once, as file:line:col with the source line, and exit code 2."""
    config_file.write_text(BROKEN)
    result = run("check", config_file)
    places = [line for line in result.stderr.splitlines() if line.startswith(str(config_file))]
    assert (2, "", 2) == (result.exit_code, result.stdout, len(places))
    assert [f"{config_file}:{line}:" for line in (5, 9)] == [place[: len(f"{config_file}:0:")] for place in places]


def test_check_as_json_lists_the_problems(config_file: Path):
    """A pipeline gets line, column, path and words of each."""
    config_file.write_text(BROKEN)
    result = run("check", config_file, "-o", "json")
    document = json.loads(result.stdout)
    assert (2, False, [5, 9]) == (
        result.exit_code,
        document["valid"],
        [problem["line"] for problem in document["problems"]],
    )


def test_check_warns_of_variables_that_nobody_reads(config_file: Path):
    """A misspelt override is a warning on stderr; the file is valid."""
    result = run("check", config_file, CHANGEOVER_WOKRERS="4")
    assert (0, True) == (result.exit_code, "CHANGEOVER_WOKRERS" in result.stderr)


@pytest.mark.parametrize("content", [None, b"", b"\xff", b"a: [", b"- 1", b"version: 1\nversion: 1\n"])
def test_check_of_what_is_no_config_ends_with_2(tmp_path: Path, content: bytes | None):
    """Missing, empty, not UTF-8, not YAML, a list, a key twice: a message with the file's name."""
    file = tmp_path / "migration.yaml"
    if content is not None:
        file.write_bytes(content)
    result = run("check", file)
    assert (2, "", True) == (result.exit_code, result.stdout, result.stderr.startswith(str(file)))


def test_check_without_a_file_reads_the_one_of_the_environment(config_file: Path):
    """CHANGEOVER_CONFIG names the file that serve would read."""
    assert run("check", CHANGEOVER_CONFIG=str(config_file)).exit_code == 0


def test_rollout_set_in_a_file_changes_one_line(config_file: Path):
    """Without a server the file is edited as the server would, comment included."""
    result = run("rollout", "set", "feeds", "25", "--reason", "r", "--file", config_file)
    assert (0, f"feeds: 25 % is in {config_file}\n") == (result.exit_code, result.stdout)
    assert CONFIG.replace("percentage: 5", "percentage: 25") == config_file.read_text()
    assert "no audit log" in result.stderr


def test_rollout_set_in_a_file_refuses_an_unknown_route(config_file: Path):
    """Nothing is written, and the nearest route is offered."""
    result = run("rollout", "set", "feed", "25", "--reason", "r", "--file", config_file)
    assert (2, CONFIG, True) == (result.exit_code, config_file.read_text(), "feeds" in result.stderr)


def test_db_upgrade_makes_the_store(tmp_path: Path):
    """A fresh SQLite file gets its tables, and a second time changes nothing."""
    results = [run("db", "upgrade", "--state-dir", tmp_path) for _ in range(2)]
    assert [0, 0] == [result.exit_code for result in results]
    with sqlite3.connect(tmp_path / "changeover.sqlite") as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    connection.close()
    assert {"signatures", "audit", "holds"} <= tables


@pytest.mark.parametrize(
    "url", ["nonsense", "mysql://127.0.0.1/x", "sqlite:////nowhere/at/all.sqlite", "postgresql://127.0.0.1:9/x"]
)
def test_db_upgrade_of_a_store_that_can_not_be_used_ends_with_2(url: str):
    """A clear message, no traceback, and no password where one was given."""
    result = run("db", "upgrade", "--store-url", url)
    assert (2, "", False) == (result.exit_code, result.stdout, "Traceback" in result.stderr)
    assert result.stderr.startswith("changeover: ")


@pytest.mark.parametrize("verb", ["serve", "demo"])
@pytest.mark.parametrize(
    ("option", "value", "complaint"),
    [
        ("--workers", "0", "--workers"),
        ("--workers", "many", "--workers"),
        ("--listen", "8000", "--listen"),
        ("--log-format", "xml", "--log-format"),
        ("--admin-listen", "0.0.0.0:9000", "CHANGEOVER_ADMIN_TOKEN"),
    ],
)
def test_start_is_refused_with_wrong_settings(verb: str, option: str, value: str, complaint: str):
    """A flag that can't be is refused before any process starts."""
    result = run(verb, option, value)
    assert (2, "", True) == (result.exit_code, result.stdout, complaint in result.stderr)


def test_serve_without_its_config_is_refused(tmp_path: Path):
    """The message names the file that is missing."""
    missing = tmp_path / "none.yaml"
    result = run("serve", "--config", missing, "--state-dir", tmp_path, "--listen", "127.0.0.1:0")
    assert (2, True) == (result.exit_code, str(missing) in result.stderr)
