"""What people decide about a signature, and rules that come and go, over a real node: file, comparers and store."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from proxy.config import changed_lines
from tests.control.nodes import linked, make_settings, open_store, run, running, stored, until, until_answer
from tests.control.pairs import encoded_pair, make_answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from proxy.control.control import Control
    from proxy.settings import Settings

RULE = '    compare: {ignore: ["$.at"]}'


@asynccontextmanager
async def node_with(tmp_path: Path, *pairs: bytes) -> AsyncIterator[tuple[Control, Settings, dict[str, Any]]]:
    """A node, its settings, and by path what it found in the pairs of the route "feeds"."""
    settings = make_settings(tmp_path)
    async with running(settings) as control, linked(settings.link_path) as worker:
        for pair in pairs:
            worker.send(pair)
        await until(lambda: not worker.unsettled)
        await stored(control)
        yield control, settings, {row["path"]: row for row in await control.diffs("feeds", None)}


async def states_of(control: Control) -> dict[str, tuple[str, str]]:
    return {row["path"]: (row["state"], row["rule"]) for row in await control.diffs("feeds", None)}


async def change(control: Control, settings: Settings, old: str, new: str) -> None:
    text = settings.config.read_text()
    assert old in text
    settings.config.write_text(text.replace(old, new, 1))
    await control.reload()


BOTH = encoded_pair({"at": 1, "n": 1}, {"at": 2, "n": 2})


def test_ignore_writes_the_rule_into_the_file_with_who_and_why(tmp_path: Path):
    """The place is ignored from then on, the line says by whom, and the audit has both changes."""

    async def scenario() -> None:
        async with node_with(tmp_path, BOTH) as (control, settings, found):
            before = settings.config.read_text().splitlines()
            answer = await control.ignore_by_rule(found["$.at"]["id"], "a clock", "ada", None, "T-1")
            assert ("ignored", "$.at", "", "T-1") == tuple(answer[key] for key in ("state", "rule", "note", "ticket"))
            added = [line for line in settings.config.read_text().splitlines() if line not in before]
            assert [f"{RULE}  # ada: a clock (T-1)"] == added
            await until_answer(lambda: control.audit(10), lambda lines: len(lines) >= 2)
            assert {"diff.rule", "rule.added"} <= {line["action"] for line in await control.audit(10)}

    run(scenario)


def test_preview_of_ignoring_is_what_ignoring_writes(tmp_path: Path):
    """The very line, and nothing is written by looking."""

    async def scenario() -> None:
        async with node_with(tmp_path, BOTH) as (control, settings, found):
            before = settings.config.read_text()
            preview = await control.preview_ignore(found["$.at"]["id"], "a clock", "ada", "T-1")
            assert before == settings.config.read_text()
            await control.ignore_by_rule(found["$.at"]["id"], "a clock", "ada", None, "T-1")
            after = settings.config.read_text().splitlines()
            assert ("$.at", "", 1) == (preview["rule"], preview["note"], len(preview["lines"]))
            assert [after[each["line"] - 1] for each in preview["lines"]] == [
                each["after"] for each in preview["lines"]
            ]
            again = await control.preview_ignore(found["$.at"]["id"], "a clock", "ada", None)
            assert ([], "") == (again["lines"], again["note"])

    run(scenario)


def test_preview_says_why_no_rule_can_be_written(tmp_path: Path):
    """As ignoring would."""

    async def scenario() -> None:
        pair = encoded_pair(make_answer({}), make_answer({}, status=404))
        async with node_with(tmp_path, BOTH, pair) as (control, settings, found):
            nothing = await control.preview_ignore(found["status"]["id"], "r", "ada", None)
            assert (None, "a status has no place that a rule could name") == (nothing["rule"], nothing["note"])
            settings.config.write_text("version: 1\n")
            refused = await control.preview_ignore(found["$.at"]["id"], "r", "ada", None)
            assert ([], True) == (refused["lines"], "the state alone will be set" in refused["note"])

    run(scenario)


def test_trends_have_the_minutes_of_the_last_hour(tmp_path: Path):
    """Sixty for each signature asked for, also for one that is not known."""

    async def scenario() -> None:
        async with node_with(tmp_path, BOTH) as (control, _, found):
            id_ = found["$.at"]["id"]
            trends = await control.trends([id_, "nope"])
            assert (60, 1, [0] * 60) == (
                len(trends["counts"][id_]),
                sum(trends["counts"][id_]),
                trends["counts"]["nope"],
            )

    run(scenario)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("a\nb\nc", "a\nx\nc", [(2, "b", "x")]),
        ("a\nc", "a\nb\nc", [(2, None, "b")]),
        ("a\nb\nc", "a\nc", [(2, "b", None)]),
        ("a", "a\nb", [(2, None, "b")]),
        ("a\na", "a\na\na", [(3, None, "a")]),
        ("a\nb", "a\nb", []),
        ("", "a", [(1, None, "a")]),
    ],
)
def test_changed_lines_are_those_between_the_equal_ones(before: str, after: str, expected: list[tuple[object, ...]]):
    """With their numbers in the new text."""
    assert expected == [tuple(each.values()) for each in changed_lines(before, after)]


def test_ignore_without_a_place_sets_the_state_and_says_so(tmp_path: Path):
    """A status can't be written as a rule; the file stays as it is."""

    async def scenario() -> None:
        pair = encoded_pair(make_answer({}), make_answer({}, status=404))
        async with node_with(tmp_path, pair) as (control, settings, found):
            before = settings.config.read_text()
            answer = await control.ignore_by_rule(found["status"]["id"], "on purpose", "ada", "bo", None)
            assert ("ignored", "", "bo") == (answer["state"], answer["rule"], answer["owner"])
            assert answer["note"].startswith("a status has no place that a rule could name")
            assert before == settings.config.read_text()

    run(scenario)


def test_ignore_of_what_the_file_cannot_take_sets_the_state_and_says_why(tmp_path: Path):
    """A file that is refused as it is now doesn't keep anybody from deciding."""

    async def scenario() -> None:
        async with node_with(tmp_path, BOTH) as (control, settings, found):
            settings.config.write_text("version: 2\n")
            answer = await control.ignore_by_rule(found["$.at"]["id"], "a clock", "ada", None, None)
            assert ("ignored", "") == (answer["state"], answer["rule"])
            assert answer["note"].startswith("the rule $.at could not be written, the state alone was set: ")

    run(scenario)


def test_rule_hides_at_once_what_no_example_shows_and_gives_it_back(tmp_path: Path):
    """The list follows the file, without new traffic, in both directions; other signatures stay."""

    async def scenario() -> None:
        async with node_with(tmp_path, BOTH) as (control, settings, _):
            match = '    match: {path: "/api/feeds"}'
            await change(control, settings, match, f"{match}\n{RULE}")
            hidden = await until_answer(lambda: states_of(control), lambda states: states["$.at"][0] == "ignored")
            assert {"$.at": ("ignored", "$.at"), "$.n": ("new", "")} == hidden
            await change(control, settings, f"\n{RULE}", "")
            shown = await until_answer(lambda: states_of(control), lambda states: states["$.at"][0] == "new")
            assert {"$.at": ("new", ""), "$.n": ("new", "")} == shown

    run(scenario)


def test_rule_without_a_place_of_its_own_hides_too(tmp_path: Path):
    """A tolerance names no signature: the examples are compared again, and say what it hides."""

    async def scenario() -> None:
        async with node_with(tmp_path, encoded_pair({"n": 1.0}, {"n": 1.5})) as (control, settings, _):
            match = '    match: {path: "/api/feeds"}'
            await change(control, settings, match, match + '\n    compare: {tolerance: {"$.n": 1}}')
            states = await until_answer(lambda: states_of(control), lambda states: states["$.n"][0] == "ignored")
            assert {"$.n": ("ignored", "compare: tolerance")} == states

    run(scenario)


def test_rule_that_leaves_some_examples_hides_nothing(tmp_path: Path):
    """One example that still shows the signature is enough to keep it in the list."""

    async def scenario() -> None:
        first, second = encoded_pair({"a": [1, 1]}, {"a": [2, 1]}), encoded_pair({"a": [1, 1]}, {"a": [1, 2]})
        async with node_with(tmp_path, first) as (control, settings, found), linked(settings.link_path, "w2") as worker:
            await asyncio.sleep(1.1)  # the interval between two examples of one signature
            worker.send(second)
            (path, row) = next(iter(found.items()))
            await until_answer(lambda: control.diff(row["id"]), lambda detail: len(detail["examples"]) == 2)
            match = '    match: {path: "/api/feeds"}'
            await change(control, settings, match, match + '\n    compare: {ignore: ["$.a[0]"]}')
            await control._rejudge.judge()
            assert {path: ("new", "")} == await states_of(control)

    run(scenario)


def test_rule_that_came_while_no_node_ran_hides_too(tmp_path: Path):
    """The node that starts finds that the examples were judged under other rules; and gives back what a rule hid."""

    async def scenario() -> None:
        async with node_with(tmp_path, encoded_pair({"n": 1.0}, {"n": 1.5})) as (control, settings, _):
            await until_answer(lambda: judged(control), lambda digests: "feeds" in digests)
        plain = settings.config.read_text()
        match = '    match: {path: "/api/feeds"}'
        settings.config.write_text(plain.replace(match, match + '\n    compare: {tolerance: {"$.n": 1}}', 1))
        async with running(settings) as control:
            await until_answer(
                lambda: states_of(control), lambda found: found["$.n"] == ("ignored", "compare: tolerance")
            )
        settings.config.write_text(plain)
        async with running(settings) as control:
            await until_answer(lambda: states_of(control), lambda found: found["$.n"] == ("new", ""))

    run(scenario)


def test_examples_that_another_node_has_judged_are_left_alone(tmp_path: Path):
    """A second node with the same rules and store finds the digest of its own rules, and compares nothing again."""

    async def scenario() -> None:
        async with node_with(tmp_path, BOTH) as (control, settings, found):
            await until_answer(lambda: judged(control), lambda digests: "feeds" in digests)
            with open_store(settings) as store:
                store.set_rule(found["$.n"]["id"], "$.elsewhere", {"who": "bo", "reason": "to be seen"})
        async with running(settings) as control:
            await control._rejudge.judge()
            assert ("ignored", "$.elsewhere") == (await states_of(control))["$.n"]

    run(scenario)


async def judged(control: Control) -> dict[str, str]:
    return control._store.judged_rules()


def test_versions_of_new_are_kept_with_the_signature(tmp_path: Path):
    """What new's answers say in x-version tells which deployment showed a difference."""

    async def scenario() -> None:
        headers = (("content-type", "application/json"), ("x-version", "v7"))
        pair = encoded_pair(make_answer({"n": 1}, headers=headers), make_answer({"n": 2}, headers=headers))
        async with node_with(tmp_path, pair) as (_, _, found):
            assert [["v7"]] == [row["versions"] for row in found.values()]

    run(scenario)
