"""The JSON Schema beside the config is the one that the code makes, and editors can rely on it."""

import runpy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from proxy.config import load, schema

ROOT = Path(__file__).parents[2]
FULL = Path(__file__).with_name("full.yaml")


def content() -> Any:
    return YAML(typ="safe", pure=True).load(FULL.read_text())


def faults(document: object) -> list[str]:
    validator = jsonschema.Draft202012Validator(schema())
    return sorted(".".join(map(str, fault.absolute_path)) for fault in validator.iter_errors(document))


def test_schema_file_is_what_the_code_makes(capsys: pytest.CaptureFixture[str]) -> None:
    """After a change of the shape: python -m proxy.config > config/migration.schema.json."""
    runpy.run_module("proxy.config", run_name="__main__")

    assert capsys.readouterr().out == (ROOT / "config" / "migration.schema.json").read_text()


def test_schema_is_a_schema() -> None:
    """It holds to the draft that it names."""
    jsonschema.Draft202012Validator.check_schema(schema())

    assert "https://json-schema.org/draft/2020-12/schema" == schema()["$schema"]


def test_schema_accepts_the_full_example() -> None:
    """The documented example has no faults, as a file and as the document that it becomes."""
    assert [] == faults(content())
    assert [] == faults(load(FULL, {}).document)


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("version",), 2),
        (("backends", "new", "url"), "http://h/path"),
        (("backends", "new", "timeout", "read"), "30"),
        (("backends", "new", "connections"), 0),
        (("backends", "new", "breaker", "failure_percentage"), 101),
        (("backends", "new", "breaker", "window"), "10"),
        (("backends", "new", "health", "unhealthy_after"), 0),
        (("users", "salt"), ""),
        (("users", "without_key"), "cokie"),
        (("kill_switch",), "off"),
        (("kill_switch",), None),
        (("routes", "feeds", "rollout", "percentage"), 101),
        (("routes", "feeds", "rollout", "percentage"), None),
        (("routes", "feeds", "match"), {"path": "/a", "prefix": "/a"}),
        (("routes", "feeds", "match"), {"methods": ["GET"]}),
        (("routes", "feeds", "match", "methods"), []),
        (("routes", "feeds", "compare", "tolerance", "$.items[*].score"), -1),
    ],
)
def test_schema_refuses_what_loading_refuses(keys: tuple[str, ...], value: object) -> None:
    """An editor marks the value that the proxy would refuse."""
    document = content()
    inner = document
    for key in keys[:-1]:
        inner = inner.setdefault(key, {})
    inner[keys[-1]] = value

    assert [".".join(keys)] == faults(document)


def test_schema_refuses_a_breaker_of_legacy() -> None:
    """Editors mark it as loading does."""
    document = content()
    document["backends"]["legacy"]["breaker"] = {"enabled": False}

    assert ["backends.legacy"] == faults(document)


def test_schema_refuses_unknown_and_missing_keys() -> None:
    """A typo leaves an unknown key, and a missing one where it was required."""
    document = content()
    document["routes"]["feeds"]["mtch"] = document["routes"]["feeds"].pop("match")

    assert ["routes.feeds", "routes.feeds"] == faults(document)
