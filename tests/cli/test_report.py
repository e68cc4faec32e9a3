"""`changeover report`: its formats, its file, and its verdict."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    from tests.fakes import FakeControl

    Run = Callable[..., Result]


@pytest.mark.parametrize(
    ("format_", "beginning"),
    [
        ("text", "Changeover report"),
        ("markdown", "# Changeover report"),
        ("json", "{"),
        ("junit", "<?xml "),
        ("html", "<!doctype html>"),
    ],
)
def test_report_comes_in_each_format(run: Run, format_: str, beginning: str):
    """The document goes to stdout, and the verdict is fine without thresholds."""
    result = run("report", "--format", format_)
    assert (0, "", True) == (result.exit_code, result.stderr, result.stdout.startswith(beginning))


def test_report_since_asks_for_the_counters_of_that_time(run: Run, control: FakeControl):
    """Mismatches are those since then: the route's one, where it has twenty of all time."""
    result = run("report", "--since", "24h", "--fail-on", "mismatches>1")
    assert (0, [("routes", True)]) == (
        result.exit_code,
        [(name, time.time() - 86_400 == pytest.approx(since, abs=60)) for name, since in control.calls],
    )
    assert (1, "since") == (run("report", "--fail-on", "mismatches>1").exit_code, result.stdout.splitlines()[1][:5])


def test_report_goes_to_a_file(run: Run, tmp_path: Path):
    """With --out stdout stays empty."""
    result = run("report", "--format", "json", "--out", str(tmp_path / "report.json"))
    assert (0, "") == (result.exit_code, result.stdout)
    assert json.loads((tmp_path / "report.json").read_text())["version"] == "0.1.0"


def test_report_says_which_file_it_could_not_write(run: Run, tmp_path: Path):
    """A folder that isn't there is a usage error."""
    result = run("report", "--out", str(tmp_path / "no" / "report.txt"))
    assert (2, True) == (result.exit_code, "No such file or directory" in result.stderr)


@pytest.mark.parametrize(
    ("expressions", "exit_code", "words"),
    [
        (["mismatch_rate>0.1%"], 1, "failed: mismatch_rate>0.1%: feeds has 0.222222 %\n"),
        (["mismatch_rate>1%"], 0, ""),
        (["coverage<95%"], 1, "failed: coverage<95%: feeds has 90 %\n"),
        (["new_signatures>0"], 1, "failed: new_signatures>0: there are 1\n"),
        (["mismatches>5", "new_signatures>1"], 0, ""),
    ],
)
def test_report_fails_with_1_on_a_crossed_threshold(run: Run, expressions: list[str], exit_code: int, words: str):
    """The document is printed all the same; what failed is said on stderr."""
    options = [option for expression in expressions for option in ("--fail-on", expression)]
    result = run("report", *options)
    assert (exit_code, words) == (result.exit_code, result.stderr)
    assert result.stdout.startswith("Changeover report")


def test_report_refuses_a_threshold_it_does_not_know(run: Run):
    """A typo in a pipeline must not read as "passed"."""
    result = run("report", "--fail-on", "missmatch_rate>0.1%")
    assert (2, "", True) == (result.exit_code, result.stdout, "known: mismatch_rate" in result.stderr)


def test_report_of_progress_says_how_far_it_is(run: Run):
    """For people: shares, verdicts, what blocks it, whether legacy can go, and who decided what."""
    result = run("report", "--format", "progress")
    wanted = (
        "0 of 1 routes are ready to move on",
        "96.67 % at last; a full bar is 100 %",
        "Not enough data for a projection: 1 of the 7 days",
        "feeds: 5 % of the users sent there, 5 % seen there, 5 % of the requests so far (feeds)",
        "49.17 % of the requests of the last 24 hours were answered by new",
        "feeds: not ready; 1 difference waits for a decision",
        "blocked by: ",
        "not yet: legacy answered 1,830 users' requests in the last 7 days",
        "ada raised feeds from 1 % to 5 % of the users (wave 1)",
    )
    assert (0, "") == (result.exit_code, result.stderr)
    assert [] == [each for each in wanted if each not in result.stdout]


@pytest.mark.parametrize("options", [["--since", "24h"], ["--route", "feeds"], ["--fail-on", "coverage<95%"]])
def test_report_of_progress_is_about_everything(run: Run, options: list[str]):
    """What would narrow it is refused, not forgotten."""
    result = run("report", "--format", "progress", *options)
    assert (2, True) == (result.exit_code, f"{options[0]}: --format progress is about everything" in result.stderr)


def test_report_of_one_route_leaves_out_the_others(run: Run, control: FakeControl):
    """--route narrows routes and signatures alike."""
    from tests.fakes import route_row, signature_row

    control.route_rows.append(route_row("other"))
    control.signature_rows.append(signature_row("ffffffffffff", route="other"))
    document = json.loads(run("report", "--route", "other", "--format", "json").stdout)
    assert [["other"], ["ffffffffffff"]] == [
        [route["name"] for route in document["routes"]],
        [signature["id"] for signature in document["signatures"]],
    ]
