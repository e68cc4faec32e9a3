"""Every verb that asks a server: what it asks, what it prints where, and how it ends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.fakes import SINCE, answer, covered, difference, example, node_row, route_row, signature_row, status_row

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    from tests.fakes import FakeControl

    Run = Callable[..., Result]


def test_status_shows_each_route_with_its_figures(run: Run, control: FakeControl):
    """Percentages, users, match rate with coverage, latencies and gaps stand on stdout."""
    result = run("status")
    line = next(line for line in result.stdout.splitlines() if line.startswith("feeds"))
    assert (0, "") == (result.exit_code, result.stderr)
    assert line.split() == [
        *("feeds", "shadow", "5", "%", "5", "%", "19", "/", "1", "950", "/", "50"),
        *("99.78", "%", "90", "%", "2", "12.5", "/", "81.2", "-"),
    ]
    assert "not compared, feeds: timeout 100, not_sampled 7" in result.stdout


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (status_row(), "workers  2 of 2 linked"),
        (status_row(), "store    sqlite:///var/changeover.sqlite  up"),
        (status_row(), "node     node-b  2 of 2 linked  config cdcdcdcdcdcd  its file is REFUSED"),
        (
            status_row(nodes=[node_row("node-c", is_silent=True)]),
            "node     node-c  SILENT since 2026-09-21 14:13:20Z  config abababababab",
        ),
        (
            status_row(store={"name": "sqlite:///x", "up": False, "error": "disk full"}),
            "store    sqlite:///x  DOWN: disk full",
        ),
        (status_row(kill_switch=True), "KILL SWITCH: everything goes to legacy, nothing is shadowed"),
        (
            status_row(config={**status_row()["config"], "error": "m.yaml:3:1: bad"}),
            "         REFUSED, the last good one stays: m.yaml:3:1: bad",
        ),
    ],
)
def test_status_begins_with_the_state_of_the_node(run: Run, control: FakeControl, status: object, expected: str):
    """A refused config, a store that is away and a kill switch can't be overlooked."""
    control.status_answer = status  # type: ignore[assignment]  # each is what status_row makes
    assert expected in run("status").stdout.splitlines()


def test_status_names_the_hold_and_who_set_it(run: Run, control: FakeControl):
    """A route under a hold shows both percentages, the cap, and its reason."""
    hold = {"route": "feeds", "percentage": 2, "who": "ada", "reason": "errors", "since": 0}
    control.route_rows = [route_row(effective_percentage=2, hold=hold)]
    stdout = run("status").stdout
    line = next(line for line in stdout.splitlines() if line.startswith("feeds"))
    assert "5 % 2 % (hold)" in " ".join(line.split())
    assert "hold on feeds: its group at most 2 %, by ada: errors" in stdout


def test_status_of_a_fresh_node_shows_no_figures_instead_of_zeros(run: Run, control: FakeControl):
    """Nothing compared is "-", never "0 %" nor "100 %"."""
    control.route_rows = [route_row(match_rate=None, mismatches=0, coverage=covered(0))]
    line = next(line for line in run("status").stdout.splitlines() if line.startswith("feeds"))
    assert line.split()[12:15] == ["-", "-", "0"]


def test_status_is_about_what_counts(run: Run, control: FakeControl):
    """What was mended before the window is not in it; since when it counts is said once for all that have the same."""
    window = {**route_row(mismatches=0, match_rate=1.0)["evidence"], "since": SINCE, "because": {"setup": ["new"]}}
    control.route_rows = [route_row(name, evidence=window) for name in ("feeds", "items")]
    stdout = run("status").stdout
    assert "counted since 2026-09-21 14:13:20Z, when new got another address: feeds, items" in stdout
    assert "100 %" in next(line for line in stdout.splitlines() if line.startswith("feeds"))


def test_status_as_json_is_what_the_api_says(run: Run, control: FakeControl):
    """Machines get both answers whole."""
    document = json.loads(run("status", "-o", "json").stdout)
    assert document == {"status": control.status_answer, "routes": control.route_rows}


def test_rollout_set_goes_through_the_server(run: Run, control: FakeControl):
    """The change carries percentage, reason and the name of the user."""
    result = run("rollout", "set", "feeds", "12.5%", "--reason", "wave 2", env={"LOGNAME": "ada"})
    assert (0, "feeds: 12.5 % is in config/migration.yaml\n") == (result.exit_code, result.stdout)
    assert control.calls == [("set_rollout", "feeds", 12.5, "wave 2", "ada")]


@pytest.mark.parametrize("percentage", ["101", "0.0001", "-1", "abc", "", "1e2"])
def test_rollout_set_refuses_what_is_no_percentage(run: Run, control: FakeControl, percentage: str):
    """A wrong number is refused before anything is asked."""
    result = run("rollout", "set", "--reason", "r", "--", "feeds", percentage)
    assert (2, []) == (result.exit_code, control.calls)
    assert "0 to 100 in steps of 0.001" in result.stderr


def test_rollout_hold_and_release_take_the_route_down_and_back(run: Run, control: FakeControl):
    """A hold without a number is the panic button."""
    assert "feeds: held at 0 % at most\n" == run("rollout", "hold", "feeds", "--reason", "errors").stdout
    assert "feeds: held at 2 % at most\n" == run("rollout", "hold", "feeds", "2", "--reason", "errors").stdout
    assert "feeds: released\n" == run("rollout", "release", "feeds", "--reason", "fixed").stdout
    assert [call[:3] for call in control.calls] == [
        ("hold", "feeds", 0.0),
        ("hold", "feeds", 2.0),
        ("release", "feeds", "fixed"),
    ]


def test_rollout_history_shows_rollouts_only(run: Run):
    """Decisions about differences are not part of a rollout's history."""
    lines = run("rollout", "history").stdout.splitlines()
    assert [2, ["ada", "10.0.0.7", "rollout.set", "feeds", "1", "%", "5", "%", "wave", "1"]] == [
        len(lines),
        lines[1].split()[2:],
    ]


def test_rollout_history_of_another_route_is_empty(run: Run):
    """Words about an empty list are not data."""
    result = run("rollout", "history", "--route", "other", "-o", "json")
    assert (0, []) == (result.exit_code, json.loads(result.stdout))


def test_explain_shows_backend_reason_and_bucket(run: Run, control: FakeControl):
    """The decision is shown with all it rests on."""
    result = run("explain", "get", "/api/feeds", "--user", "7", "--header", "X-Staff: 1", "--host", "a.example")
    assert result.stdout.splitlines() == [
        "route     feeds",
        "backend   new",
        "reason    bucket",
        "bucket    1234 of 100,000: on new above 1.234 %",
        "in force  5 %",
        "shadow    100 %",
    ]
    assert control.calls == [("explain", "GET", "/api/feeds", "7", "a.example", {"x-staff": "1"})]


def test_diffs_list_shows_each_signature_on_a_line(run: Run, control: FakeControl):
    """Where, what, how often and in which state."""
    control.signature_rows = [signature_row(), signature_row("ffffffffffff", route="other", state="known")]
    lines = run("diffs", "list").stdout.splitlines()
    assert 3 == len(lines)
    assert lines[1].startswith("a1b2c3d4e5f6  feeds  body  $.items[*].score  number to text  1,234")
    assert run("diffs", "list", "--route", "other", "--state", "known").stdout.splitlines()[1].endswith("known")


def test_diffs_list_without_any_points_to_the_coverage(run: Run, control: FakeControl):
    """No differences is not yet "equal": the words go to stderr, nothing to stdout."""
    control.signature_rows = []
    result = run("diffs", "list")
    assert (0, "", "no differences; `changeover status` shows how much was compared\n") == (
        result.exit_code,
        result.stdout,
        result.stderr,
    )


def test_diffs_show_prints_the_request_and_both_values(run: Run, control: FakeControl):
    """One example reads as before and after, with the bodies' lines that differ."""
    lines = run("diffs", "show", "a1b2c3d4e5f6").stdout.splitlines()
    assert {
        "where      body $.items[*].score",
        "  GET /api/feeds?page=2  (r-1)",
        "    cookie: session=***",
        "  body $.items[0].score: number to text",
        "    - 1",
        '    + "1"',
        '  -  "score": 1',
        '  +  "score": "1"',
    } <= set(lines)


def test_diffs_show_tells_own_differences_from_others(run: Run, control: FakeControl):
    """A pair may show several signatures; only the asked one is shown with its values."""
    other = difference(signature="ffffffffffff", kind="status", path="", shape="200 to 404", before=200, after=404)
    control.examples = [example(differences=[difference(), other], differences_left_out=3)]
    lines = run("diffs", "show", "a1b2c3d4e5f6").stdout.splitlines()
    assert {"  also ffffffffffff: status", "  and 3 more differences that were not kept"} <= set(lines)
    assert "    + 404" not in lines


def test_diffs_show_cuts_what_is_alike(run: Run, control: FakeControl):
    """Fifty items that differ in the same way are three, and a number; another signature is named once."""
    other = [difference(signature="ffffffffffff", path=f"$.b[{number}]") for number in range(2)]
    control.examples = [example(differences=[*(difference(path=f"$.a[{number}]") for number in range(50)), *other])]
    lines = run("diffs", "show", "a1b2c3d4e5f6").stdout.splitlines()
    assert 3 == len([line for line in lines if line.startswith("  body $.a[")])
    assert {"  and 47 more like these", "  also ffffffffffff: body $.b[0]"} <= set(lines)
    assert "  also ffffffffffff: body $.b[1]" not in lines


@pytest.mark.parametrize(
    ("control_body", "candidate_body", "expected"),
    [
        (None, "x", "  -(the body was not kept; 0 bytes, SHA-256 unknown)"),
        ("<p>a</p>", "<p>b</p>", "  +<p>b</p>"),
        ("\x1b[2Ja", "b", "  -\\x1b[2Ja"),
        ("[" * 5_000, "b", "  +b"),
    ],
)
def test_diffs_show_prints_any_body(
    run: Run, control: FakeControl, control_body: str | None, candidate_body: str, expected: str
):
    """Missing, plain, hostile and endlessly nested bodies are all shown as lines."""
    control.examples = [example(control=answer(control_body), candidate=answer(candidate_body))]
    result = run("diffs", "show", "a1b2c3d4e5f6")
    assert (0, True) == (result.exit_code, expected in result.stdout.splitlines())


def test_diffs_show_cuts_a_long_diff_and_says_so(run: Run, control: FakeControl):
    """Two screens of a body are enough; the rest is counted."""
    before, after = ("\n".join(f"{letter}{number}" for number in range(500)) for letter in "ab")
    control.examples = [example(control=answer(before), candidate=answer(after))]
    assert "923 more lines: see -o json" in run("diffs", "show", "a1b2c3d4e5f6").stdout


@pytest.mark.parametrize(("verb", "state"), [("ignore", "ignored"), ("accept", "known")])
def test_diffs_decisions_carry_everything_given(run: Run, control: FakeControl, verb: str, state: str):
    """State, reason, owner, ticket and the end, read as UTC, reach the control plane."""
    options = ("--reason", "r", "--owner", "bo", "--ticket", "T-1", "--until", "2027-01-15")
    result = run("diffs", verb, "a1b2c3d4e5f6", *options, env={"LOGNAME": "ada"})
    assert (0, [("set_state", "a1b2c3d4e5f6", state, "r", "ada", "bo", "T-1", 1_799_971_200.0)]) == (
        result.exit_code,
        control.calls,
    )


def test_diffs_ignore_writes_a_rule_and_says_where(run: Run, control: FakeControl):
    """Without an end the place goes into the config."""
    result = run("diffs", "ignore", "a1b2c3d4e5f6", "--reason", "r", "--ticket", "T-1", env={"LOGNAME": "ada"})
    assert "a1b2c3d4e5f6: ignored by the rule $.items[*].score in config/migration.yaml\n" == result.stdout
    assert [("ignore_by_rule", "a1b2c3d4e5f6", "r", "ada", None, "T-1")] == control.calls


def test_diffs_reopen_makes_it_new_and_names_the_rule_that_still_hides_it(run: Run, control: FakeControl):
    """A rule is taken back where it stands, in the file."""
    control.signature_rows = [signature_row(state="known"), signature_row("ffffffffffff", rule="$.a")]
    results = [run("diffs", "reopen", row["id"], "--reason", "r") for row in control.signature_rows]
    assert ["a1b2c3d4e5f6: reopened\n", "ffffffffffff: reopened\n"] == [result.stdout for result in results]
    assert "" == results[0].stderr
    assert "still hidden by the rule $.a of the route feeds" in results[1].stderr


def test_health_says_ready(run: Run):
    """A container's health check sees 0."""
    result = run("health")
    assert (0, "ready\n") == (result.exit_code, result.stdout)


def test_health_of_a_node_without_workers_is_3(run: Run, control: FakeControl):
    """Reached and not ready is as bad as not reached."""
    control.status_answer["workers"]["linked"] = 0
    result = run("health")
    assert (3, "", "changeover: not ready: no worker is linked\n") == (result.exit_code, result.stdout, result.stderr)


@pytest.mark.parametrize(
    "arguments",
    [
        ("status",),
        ("rollout", "set", "feeds", "1", "--reason", "r"),
        ("rollout", "hold", "feeds", "--reason", "r"),
        ("rollout", "release", "feeds", "--reason", "r"),
        ("rollout", "history"),
        ("explain", "GET", "/"),
        ("diffs", "list"),
        ("diffs", "show", "a1b2c3d4e5f6"),
        ("diffs", "ignore", "a1b2c3d4e5f6", "--reason", "r"),
        ("diffs", "accept", "a1b2c3d4e5f6", "--reason", "r"),
        ("diffs", "reopen", "a1b2c3d4e5f6", "--reason", "r"),
    ],
)
def test_every_verb_prints_json_when_asked(run: Run, arguments: tuple[str, ...]):
    """With -o json stdout is one JSON document and nothing else."""
    result = run(*arguments, "-o", "json")
    assert (0, "") == (result.exit_code, result.stderr)
    assert isinstance(json.loads(result.stdout), dict | list)


@pytest.mark.parametrize(
    "arguments",
    [
        ("rollout", "set", "nope", "1", "--reason", "r"),
        ("rollout", "hold", "nope", "--reason", "r"),
        ("rollout", "release", "nope", "--reason", "r"),
        ("diffs", "show", "nope"),
        ("diffs", "show", "../status"),
        ("diffs", "ignore", "nope", "--reason", "r"),
        ("diffs", "reopen", "nope", "--reason", "r"),
        ("report", "--route", "nope"),
    ],
)
def test_unknown_route_or_signature_ends_with_2(run: Run, arguments: tuple[str, ...]):
    """A wrong name is the user's mistake: one line on stderr, nothing on stdout."""
    result = run(*arguments)
    assert (2, "", 1) == (result.exit_code, result.stdout, len(result.stderr.splitlines()))
    assert result.stderr.startswith("changeover: ")


@pytest.mark.parametrize("verb", [("diffs", "list"), ("status",), ("report",)])
def test_hostile_values_never_reach_the_terminal(run: Run, control: FakeControl, verb: tuple[str, ...]):
    """Escape sequences and rich's markup in names and paths are shown, not obeyed."""
    control.signature_rows = [signature_row(path="$.\x1b]0;pwned\x07[red]", shape="\x9b2J\n\u202e")]
    control.route_rows = [route_row("a[bold]\x1b[2J")]
    stdout = run(*verb).stdout
    assert [] == [character for character in stdout if not (character.isprintable() or character == "\n")]
    assert ("\\x1b" in stdout, "[red]" in stdout or "[bold]" in stdout) == (True, True)
