"""The rollout travels as JSON and arrives as the same rollout; a damaged one is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from proxy.config import load, rollout_document, rollout_from_document
from proxy.core.model import Hold, Rollout
from proxy.errors import ConfigError

FULL = Path(__file__).with_name("full.yaml")
HOLDS = (Hold("feeds", 1_500, "guard", "error rate", 1_700_000_000.25), Hold("gone", 0, "eve", "", 0.0))


def document() -> dict[str, Any]:
    loaded = load(FULL, {})
    made: dict[str, Any] = json.loads(json.dumps(rollout_document(loaded.document, loaded.digest, 7, HOLDS)))
    return made


def test_rollout_survives_the_journey_as_json() -> None:
    """Migration, version, digest and holds arrive, and with them the percentages in force."""
    loaded = load(FULL, {})

    rollout = rollout_from_document(document())

    assert Rollout(loaded.migration, 7, loaded.digest, HOLDS) == rollout
    assert {"feeds": 1_500} == rollout.effective


def test_order_of_routes_survives_the_journey() -> None:
    """The first route that matches wins, on the worker as in the file."""
    made = document()
    made["config"]["routes"] = {"z": {"match": {"prefix": "/z"}}, "a": {"match": {"prefix": "/a"}}}

    rollout = rollout_from_document(json.loads(json.dumps(made)))

    assert ["z", "a"] == [route.name for route in rollout.migration.routes]


@pytest.mark.parametrize(
    ("keys", "value", "path"),
    [
        (("format",), 2, "format"),
        (("version",), -1, "version"),
        (("version",), "7", "version"),
        (("digest",), None, "digest"),
        (("holds", 0, "cap_millipercent"), 100_001, "holds.0.cap_millipercent"),
        (("holds", 0, "since"), float("inf"), "holds.0.since"),
        (("config",), [], "config"),
        (("extra",), 1, "extra"),
        (("config", "users", "salt"), "", "users.salt"),
    ],
)
def test_damaged_document_is_refused_by_its_key(keys: tuple[str | int, ...], value: object, path: str) -> None:
    """Whoever reads a document of another version, or half of one, learns which key is wrong."""
    made = document()
    inner: Any = made
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value

    with pytest.raises(ConfigError) as refusal:
        rollout_from_document(made)

    assert [path] == [problem.path for problem in refusal.value.problems]


def test_empty_document_is_refused() -> None:
    """A file that holds `{}` is no rollout."""
    with pytest.raises(ConfigError) as refusal:
        rollout_from_document({})

    assert ["format", "version", "digest", "holds", "config"] == [problem.path for problem in refusal.value.problems]
