"""Learning: rules proposed from a real node's noise runs, and written into its file when they are asked for."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from proxy.errors import NotFound, Refused
from tests.control.nodes import run, until_answer
from tests.control.pairs import encoded_pair
from tests.control.test_triage import node_with

if TYPE_CHECKING:
    from pathlib import Path

    from proxy.control.control import Control

RULES = {"$.made_at": "timestamp", "$.trace": "uuid", "$.tags": "order"}


def page(tags: list[str], score: float, **more: Any) -> dict[str, Any]:
    made_at = datetime.now(UTC).isoformat()
    return {"made_at": made_at, "trace": str(uuid.uuid4()), "tags": tags, "score": score, **more}


def noise_pairs(number: int) -> list[bytes]:
    """Legacy twice: a time, an id, an order, and a number that nobody can tell from a fault."""
    return [
        encoded_pair(page(["a", "b"], 1.5), page(["b", "a"], 2.5), kind="noise", request_id=f"r-{one}")
        for one in range(number)
    ]


async def learned(control: Control) -> dict[str, str]:
    found = await control.proposals("feeds")
    return {each["rule"]: each["recognised"] for each in found["proposals"]}


def test_noise_runs_propose_what_is_recognised(tmp_path: Path):
    """Each with how often it was seen; what isn't recognised is told, and left to people."""

    async def scenario() -> None:
        async with node_with(tmp_path, *noise_pairs(4)) as (control, _, _):
            await until_answer(lambda: learned(control), lambda found: found == RULES)
            found = await control.proposals("feeds")
            assert {"in 4 of 4 noise pairs"} == {each["evidence"] for each in found["proposals"]}
            assert ["$.score"] == [each["path"] for each in found["unrecognised"]]

    run(scenario)


def test_one_or_two_noise_pairs_propose_nothing(tmp_path: Path):
    """A deployment or a write between two answers looks like that."""

    async def scenario() -> None:
        async with node_with(tmp_path, *noise_pairs(2)) as (control, _, _):
            assert {"proposals": [], "route": "feeds", "unrecognised": []} == await control.proposals("feeds")

    run(scenario)


def test_differences_with_new_alone_propose_nothing(tmp_path: Path):
    """Where legacy was never asked twice nobody knows what is volatile."""

    async def scenario() -> None:
        async with node_with(tmp_path, encoded_pair(page(["a", "b"], 1.5), page(["b", "a"], 2.5))) as (control, _, _):
            assert {} == await learned(control)

    run(scenario)


def test_place_that_new_breaks_is_not_proposed(tmp_path: Path):
    """New sends no id at all: one example of that is enough to leave the place to people."""

    async def scenario() -> None:
        broken = encoded_pair(page(["a", "b"], 1.5), page(["a", "b"], 1.5, trace=None), request_id="r-9")
        async with node_with(tmp_path, *noise_pairs(4), broken) as (control, _, _):
            rest = {rule: name for rule, name in RULES.items() if rule != "$.trace"}
            await until_answer(lambda: learned(control), lambda found: found == rest)

    run(scenario)


def test_place_that_somebody_decided_about_is_left_alone(tmp_path: Path):
    """What was opened again by hand is not proposed either."""

    async def scenario() -> None:
        async with node_with(tmp_path, *noise_pairs(4)) as (control, _, found):
            await until_answer(lambda: learned(control), lambda found: found == RULES)
            await control.set_state(found["$.made_at"]["id"], "new", "look at it", "ada", None, None, None)
            assert "$.made_at" not in await learned(control)

    run(scenario)


def test_proposals_are_written_where_they_are_asked_for(tmp_path: Path):
    """One line each, with who, why and the evidence; what the rules hide leaves the list."""

    async def scenario() -> None:
        async with node_with(tmp_path, *noise_pairs(4)) as (control, settings, _):
            await until_answer(lambda: learned(control), lambda found: found == RULES)
            before = settings.config.read_text()
            answer = await control.write_proposals("feeds", ["$.made_at", "$.tags"], "learned", "ada")
            assert ["", ""] == [each["note"] for each in answer["written"]]
            assert before != settings.config.read_text()
            assert 'compare: {unordered: ["$.tags"], pattern: {"$.made_at": "datetime"}}' in settings.config.read_text()
            assert "ada: learned ($.made_at in 4 of 4 noise pairs)" in settings.config.read_text()
            await until_answer(lambda: learned(control), lambda found: list(found) == ["$.trace"])

    run(scenario)


def test_rule_that_is_not_proposed_is_refused(tmp_path: Path):
    """Nothing gets into the file this way but what was shown before; an unknown route has no noise runs."""

    async def scenario() -> None:
        async with node_with(tmp_path, *noise_pairs(4)) as (control, settings, _):
            before = settings.config.read_text()
            with pytest.raises(Refused, match="is not proposed"):
                await control.write_proposals("feeds", ["$.score"], "learned", "ada")
            with pytest.raises(NotFound):
                await control.proposals("feed")
            assert before == settings.config.read_text()

    run(scenario)


def test_rule_that_cannot_be_written_says_why(tmp_path: Path):
    """A file that is refused as it is now keeps what it has."""

    async def scenario() -> None:
        async with node_with(tmp_path, *noise_pairs(4)) as (control, settings, _):
            await until_answer(lambda: learned(control), lambda found: found == RULES)
            settings.config.write_text("version: 2\n")
            answer = await control.write_proposals("feeds", ["$.made_at"], "learned", "ada")
            assert [True] == [bool(each["note"]) for each in answer["written"]]

    run(scenario)
