"""`changeover plan`: two config files, and what is printed of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

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
    rollout: {percentage: 5}
    shadow: {percentage: 100, timeout: 5s}
"""


def planned(folder: Path, other: str, *options: str, **environ: str) -> Result:
    current, new = folder / "migration.yaml", folder / "new.yaml"
    current.write_text(CONFIG)
    new.write_text(other)
    return CliRunner(env=environ).invoke(main, ["plan", str(new), "--config", str(current), *options])


def test_plan_prints_users_and_keys(tmp_path: Path):
    """Who moves, and which keys read differently, in the file's own words."""
    result = planned(tmp_path, CONFIG.replace("percentage: 5", "percentage: 25").replace("timeout: 5s", "timeout: 2s"))
    assert (0, "") == (result.exit_code, result.stderr)
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "feeds kept 5 % 25 % 20 % 0 %" in lines
    assert {"routes.feeds.rollout.percentage", "routes.feeds.shadow.timeout"} == {
        line.split()[0] for line in lines if line.startswith("routes.")
    }


def test_plan_warns_of_a_reshuffle(tmp_path: Path):
    """The salt is one word in the file, and many users."""
    result = planned(tmp_path, CONFIG.replace("salt: test", "salt: other"), "-o", "json")
    (route,) = json.loads(result.stdout)["routes"]
    assert (4.75, 4.75, True) == (route["forward"], route["back"], route["is_reshuffled"])
    assert "deals the users of feeds anew" in planned(tmp_path, CONFIG.replace("salt: test", "salt: x")).stderr


def test_plan_of_the_same_says_so(tmp_path: Path):
    """Comments and layout are no change."""
    result = planned(tmp_path, "# a comment\n" + CONFIG)
    assert f"{tmp_path / 'new.yaml'}: nothing changes\n" == result.stdout


def test_plan_of_a_wrong_config_ends_with_its_places(tmp_path: Path):
    """As `check` would say it; exit code 2."""
    result = planned(tmp_path, CONFIG.replace("percentage: 5", "percentage: 500"))
    assert 2 == result.exit_code
    assert f"{tmp_path / 'new.yaml'}:9:" in result.stderr


def test_plan_knows_the_environments_overrides(tmp_path: Path):
    """A variable that wins in both files leaves nothing to change."""
    changed = CONFIG.replace("percentage: 5", "percentage: 25")
    result = planned(tmp_path, changed, CHANGEOVER_ROUTES__FEEDS__ROLLOUT__PERCENTAGE="7")
    assert "nothing changes" in result.stdout
