"""`diffs show` in its other forms: side by side, as curl commands, as HAR."""

from __future__ import annotations

import asyncio
import json
import shlex
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes import answer, example

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    from tests.fakes import FakeControl

    Run = Callable[..., Result]

SHOW = ("diffs", "show", "a1b2c3d4e5f6")


def asked(**request: Any) -> dict[str, Any]:
    found = example()
    return {**found, "request": {**found["request"], **request}}


def test_side_by_side_shows_changes_and_counts_what_is_equal(run: Run, control: FakeControl):
    """A changed line has both values in one row; ten equal lines are a number."""
    before, after = ("\n".join([*map(str, range(10)), letter]) for letter in "ab")
    control.examples = [example(control=answer(before), candidate=answer(after))]
    rows = [line.split() for line in run(*SHOW, "--side-by-side").stdout.splitlines()]
    assert ["-", "a", "+", "b"] in rows
    assert ["…", "8", "equal", "lines", "…", "8", "equal", "lines"] in rows
    assert ["3", "3"] not in rows


@pytest.mark.parametrize("form", ["--side-by-side", "--unified"])
def test_show_marks_what_is_ignored(run: Run, control: FakeControl, form: str):
    """Timestamps that a rule ignores don't stand among the differences."""
    control.examples = [example(control=answer('{"at": 1, "b": 1}'), candidate=answer('{"at": 2, "b": 2}'))]
    control.ignored = ["$.at"]
    stdout = run(*SHOW, form).stdout
    assert ('"at": (ignored)' in stdout, '"at": 1' in stdout, '"at": 2' in stdout) == (True, False, False)


def test_side_by_side_obeys_nothing_that_a_body_says(run: Run, control: FakeControl):
    """Escape sequences and markup are shown."""
    control.examples = [example(control=answer("\x1b[2J[red]"), candidate=answer("b"))]
    stdout = run(*SHOW, "--side-by-side").stdout
    assert ("\x1b" in stdout, "\\x1b[2J[red]" in stdout) == (False, True)


@pytest.mark.parametrize(
    ("member", "rule", "expected"),
    [
        ("id", 'keys: {"$.a": "id"}', """to pair them by id: keys: {"$.a": "id"} in feeds's compare"""),
        ("", 'unordered: ["$.a"]', """if the order of $.a means nothing: unordered: ["$.a"] in feeds's compare"""),
    ],
)
@pytest.mark.parametrize("form", ["--side-by-side", "--unified"])
def test_show_hints_at_the_rule_that_a_list_calls_for(
    run: Run, control: FakeControl, member: str, rule: str, expected: str, form: str
):
    """The line as it is written into the config, and of which route."""
    control.hint = {"place": "$.a", "member": member, "rule": rule}
    [line] = [line for line in run(*SHOW, form).stdout.splitlines() if line.startswith("hint")]
    assert expected in line


def test_curl_asks_each_backend_without_what_is_masked(run: Run, control: FakeControl):
    """The commands can be pasted; what is missing is said."""
    headers = [["cookie", "session=masked:string:0123456789ab"], ["accept", "a/b; q='1'"], ["content-length", "0"]]
    control.examples = [asked(headers=headers, target="/api?q=[1]&$(reboot)")]
    lines = run(*SHOW, "--curl").stdout.splitlines()
    assert ["# legacy", "# left out, masked: cookie", "# new", "# left out, masked: cookie"] == [
        *lines[:2],
        *lines[3:5],
    ]
    options = ["curl", "--globoff", "--path-as-is", "-sS", "-i", "-H", "accept: a/b; q='1'"]
    assert [*options, "http://127.0.0.1:8001/api?q=[1]&$(reboot)"] == shlex.split(lines[2])
    assert [*options, "http://127.0.0.1:8002/api?q=[1]&$(reboot)"] == shlex.split(lines[5])


def test_curl_says_what_a_request_with_a_body_lacks(run: Run, control: FakeControl):
    """Method and masked target are there, the body is not."""
    control.examples = [asked(method="POST", target="/a?token=masked:string:0123456789ab")]
    lines = run(*SHOW, "--curl").stdout.splitlines()
    assert ["# the target holds masked values: put your own in their place", "# the request's body is not kept"] == [
        line for line in lines if line.startswith("# the ")
    ][:2]
    assert ["-X", "POST"] == shlex.split(lines[-1])[5:7]


def test_har_has_both_answers_with_where_they_came_from(run: Run, control: FakeControl):
    """HAR 1.2 with what its readers need; a body that was not kept is said so."""
    control.examples = [example(candidate=answer(None, status=404, headers=[["location", "/x"]]))]
    log = json.loads(run(*SHOW, "--har").stdout)["log"]
    first, second = log["entries"]
    assert ("1.2", "changeover") == (log["version"], log["creator"]["name"])
    assert {
        "startedDateTime", "time", "request", "response", "cache", "timings", "comment"
    } == set(first)  # fmt: skip
    assert "http://127.0.0.1:8001/api/feeds?page=2" == first["request"]["url"]
    assert "http://127.0.0.1:8002/api/feeds?page=2" == second["request"]["url"]
    assert [{"name": "page", "value": "2"}] == first["request"]["queryString"]
    assert '{"score": 1, "id": 7}' == first["response"]["content"]["text"]
    assert (404, "Not Found", "/x", "the body was not kept") == (
        second["response"]["status"],
        second["response"]["statusText"],
        second["response"]["redirectURL"],
        second["response"]["content"]["comment"],
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, (1, "still differs")),
        ({"differs": False, "others": ["ffffffffffff"]}, (0, "no longer differs; other differences: ffffffffffff")),
        ({"differs": None, "reason": "legacy answered 401"}, (1, "can't be said: legacy answered 401")),
    ],
)
def test_retry_says_whether_it_still_differs(
    run: Run, control: FakeControl, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], expected: tuple[int, str]
):
    """By its exit code as well; what was left out is named."""
    found = {**asyncio.run(control.retry("a1b2c3d4e5f6", "ada", {})), **changes}

    async def answer_found(_id: str, _who: str, _headers: object) -> dict[str, Any]:
        return found

    monkeypatch.setattr(control, "retry", answer_found)
    result = run("diffs", "retry", "a1b2c3d4e5f6")
    code, words = expected
    assert (code, f"GET /api/feeds?page=2: {words}\n") == (result.exit_code, result.stdout)
    assert "sent without what is masked: cookie\n" == result.stderr


def test_retry_takes_headers_from_the_command_line_and_from_files(run: Run, control: FakeControl, tmp_path: Path):
    """As curl does: a secret needn't stand in the list of processes."""
    (tmp_path / "own.txt").write_text("Cookie: session=a:b\n\nx-c:\n")
    run("diffs", "retry", "a1b2c3d4e5f6", "-H", "authorization: Bearer t", "--header", f"@{tmp_path / 'own.txt'}")
    assert {"authorization": "Bearer t", "cookie": "session=a:b", "x-c": ""} == control.calls[-1][-1]


def test_retry_says_nothing_of_a_file_whose_lines_have_no_name(run: Run, control: FakeControl, tmp_path: Path):
    """Who gives the bare value in place of the field learns what to do, and the terminal nothing."""
    (file := tmp_path / "own.txt").write_text("s3cr3t")
    result = run("diffs", "retry", "a1b2c3d4e5f6", "-H", f"@{file}")
    assert (2, True, False) == (
        result.exit_code,
        "each line must be NAME:VALUE" in result.stderr,
        "s3cr3t" in result.output,
    )
    assert [] == control.calls


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("cookie",), "--header 'cookie': must be NAME:VALUE"),
        ((":v",), "--header '': must be NAME:VALUE"),
        (("a: 1", "A: 2"), "--header 'A' is given twice"),
        (("@/nowhere/own.txt",), "--header @/nowhere/own.txt: can't be read"),
        (("host name: 1",), '"host name" can\'t be given: no name of a header field'),
        (("Content-Length: 1",), '"content-length" can\'t be given: set by the client'),
        (("x: s3cr3t\x01",), "its value holds characters that no header field can"),
        (("x: masked:string:0123456789ab",), "its value is masked: give the real one"),
    ],
)
def test_retry_refuses_headers_that_cannot_be_sent(
    run: Run, control: FakeControl, lines: tuple[str, ...], expected: str
):
    """It names the field, and never says its value."""
    result = run("diffs", "retry", "a1b2c3d4e5f6", *(word for line in lines for word in ("-H", line)))
    assert (2, True, []) == (result.exit_code, expected in result.stderr, control.calls)
    assert "s3cr3t" not in result.output


@pytest.mark.parametrize(
    ("options", "expected"), [(("--curl", "--har"), "give one of them"), (("--curl",), "no example")]
)
def test_show_refuses_what_it_cannot_do(run: Run, control: FakeControl, options: tuple[str, ...], expected: str):
    """One form at a time, and no command without an example."""
    control.examples = []
    result = run(*SHOW, *options)
    assert (2, "") == (result.exit_code, result.stdout)
    assert expected in result.stderr
