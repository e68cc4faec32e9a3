"""`diffs learn` prints YAML with its evidence, and writes only what it has printed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from tests.fakes import route_row

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    from tests.fakes import FakeControl

    Run = Callable[..., Result]

LEARN = ("diffs", "learn", "--route", "feeds")


def proposal(rule: str, section: str = "ignore", recognised: str = "timestamp", form: str = "") -> dict[str, Any]:
    evidence = {"evidence": "in 990 of 1,000 noise pairs", "signatures": ["a1b2c3d4e5f6"]}
    return {
        "rule": rule,
        "section": section,
        "form": form,
        "recognised": recognised,
        "kind": "body",
        "path": rule,
        **evidence,
    }


PROPOSALS = [
    proposal("$.made_at"),
    proposal("$.tags", "unordered", "order"),
    proposal('$["a b"]', "pattern", "uuid", "uuid"),
]


def test_learn_prints_lines_for_the_route_with_their_evidence(run: Run, control: FakeControl):
    """They can be pasted into the config, and say in a comment what they rest on; nothing is written."""
    control.proposed = {"proposals": PROPOSALS, "unrecognised": []}
    found = run(*LEARN)
    expected = {"compare": {"ignore": ["$.made_at"], "unordered": ["$.tags"], "pattern": {'$["a b"]': "uuid"}}}
    assert expected == YAML(typ="safe").load(found.stdout)
    assert '    - "$.made_at"  # a time near the request\'s, in 990 of 1,000 noise pairs' in found.stdout.splitlines()
    assert [] == control.calls


def test_learn_writes_what_it_proposes(run: Run, control: FakeControl):
    """With the reason, and says where it is."""
    control.proposed = {"proposals": PROPOSALS, "unrecognised": []}
    found = run(*LEARN, "--write", "--reason", "volatile")
    (call,) = control.calls
    assert ("write_proposals", "feeds", ["$.made_at", "$.tags", '$["a b"]'], "volatile") == call[:4]
    assert "written to config/migration.yaml: $.tags" in found.stderr


def test_learn_tells_what_it_does_not_recognise(run: Run, control: FakeControl):
    """Such a place is left to people, with its signature."""
    control.proposed = {"proposals": [], "unrecognised": [proposal("$.score")]}
    found = run(*LEARN, "--write")
    assert ("", []) == (found.stdout, control.calls)
    assert "not recognised: body $.score, in 990 of 1,000 noise pairs; decide about a1b2c3d4e5f6" in found.stderr
    assert "nothing to propose: legacy was never asked twice here" in found.stderr
    control.route_rows = [route_row(noise_runs={"pairs": 1234})]
    assert "nothing to propose: in 1,234 noise runs" in run(*LEARN).stderr


def test_learn_as_json_is_what_the_server_says(run: Run, control: FakeControl):
    """For other programs."""
    control.proposed = {"proposals": PROPOSALS[:1], "unrecognised": []}
    assert {"route": "feeds", **control.proposed} == json.loads(run(*LEARN, "-o", "json").stdout)


def test_learn_takes_a_reason_only_where_it_writes(run: Run, control: FakeControl):
    """A forgotten --write is said."""
    found = run(*LEARN, "--reason", "volatile")
    assert (2, []) == (found.exit_code, control.calls)
