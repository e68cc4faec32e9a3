"""What was decided, as sentences."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.admin.decided import decisions


def line(action: str, subject: str, before: Any, after: Any, **changes: Any) -> dict[str, Any]:
    """A line of the audit."""
    return {
        "id": 1,
        "at": 100.0,
        "who": "ada",
        "action": action,
        "subject": subject,
        "before": before,
        "after": after,
        "reason": "wave 2",
        "origin": "10.0.0.7",
        **changes,
    }


def at(percentage: float) -> dict[str, float]:
    return {"percentage": percentage}


FILE = {"who": "file on node-a"}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (line("rollout.set", "feeds", at(5), at(10)), "ada raised feeds from 5 % to 10 % of the users"),
        (line("rollout.set", "feeds", at(10), at(0)), "ada lowered feeds from 10 % to 0 % of the users"),
        (
            line("config.changed", "feeds", at(5), at(10), **FILE),
            "An edit of the config (file on node-a) raised feeds from 5 % to 10 % of the users",
        ),
        (
            line("config.changed", "feeds", None, at(10), **FILE),
            "An edit of the config (file on node-a) added feeds with 10 % of the users on new",
        ),
        (
            line("config.changed", "feeds", at(5), None, **FILE),
            "An edit of the config (file on node-a) took out feeds",
        ),
        (
            line(
                "config.changed", "config", {"digest": "a", "kill_switch": False}, {"digest": "b", "kill_switch": True}
            ),
            "An edit of the config (ada) sent everybody to legacy",
        ),
        (
            line(
                "config.changed", "config", {"digest": "a", "kill_switch": True}, {"digest": "b", "kill_switch": False}
            ),
            "An edit of the config (ada) took the kill switch off",
        ),
        (
            line("hold.put", "feeds", None, {"cap_millipercent": 1_500}),
            "ada held feeds: at most 1.5 % of the users on new",
        ),
        (line("hold.put", "feeds", None, {"cap_millipercent": 0}), "ada held feeds: nobody on new"),
        (line("hold.release", "feeds", {"cap_millipercent": 0}, None), "ada lifted the hold on feeds"),
        (line("kill_switch.on", "*", None, {}), "ada sent everybody to legacy (kill switch)"),
        (line("kill_switch.off", "*", {}, None), "ada took the kill switch off"),
        (
            line("version.changed", "new", {"version": "v6"}, {"version": "v7"}, who="changeover"),
            "New was replaced: version v7 after v6",
        ),
    ],
)
def test_decision_is_a_sentence(given: dict[str, Any], words: str):
    """Without the words of the audit, and without the address that asked for it."""
    (found,) = decisions([given])
    assert (words, [given["subject"]], False) == (found["words"], found["subjects"], "origin" in found)


def test_what_a_group_changed_at_once_is_one_decision():
    """Of the routes in their order; what somebody else did, or did later, is another one."""
    lines = [
        line("rollout.set", "search", at(5), at(10), id=5, at=200.0),
        line("rollout.set", "tags", at(5), at(10), id=4, at=100.3),
        line("rollout.set", "items", at(5), at(10), id=3, at=100.2),
        line("rollout.set", "feeds", at(5), at(10), id=2, at=100.1),
        line("rollout.set", "feeds", at(1), at(5), id=1, at=100.0),
    ]
    found = decisions(lines)
    assert [["search"], ["feeds", "items", "tags"], ["feeds"]] == [each["subjects"] for each in found]
    assert "ada raised feeds, items and tags from 5 % to 10 % of the users" == found[1]["words"]


def test_what_moved_nobody_is_left_out():
    """Other rules, and what was decided about differences."""
    rules = line(
        "config.changed", "config", {"digest": "a", "kill_switch": False}, {"digest": "b", "kill_switch": False}
    )
    assert [] == decisions([rules, line("diff.state", "a1", None, None)])
