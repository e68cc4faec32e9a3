"""The reference names every key, setting and default, its examples work, and it names nothing that isn't there."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_origin

import pytest

from proxy.cli.settings import FLAGS
from proxy.config import parse
from proxy.config.faults import is_shape, kind_of, without_none
from proxy.config.shape import MigrationShape
from proxy.environment import OTHERS, variable
from proxy.settings import Settings

TEXT = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()
ROWS = [
    [cell.strip().strip("`") for cell in line.strip("|").split("|")]
    for line in TEXT.splitlines()
    if line.startswith("| `")
]
PLACEHOLDERS = {"pins": "<pin>", "routes": "<route>"}


def keys_of(kind: Any, above: str) -> Iterator[tuple[str, str]]:
    """Each key as the reference writes it, and its default as text (empty for a mapping of keys)."""
    for name, field in kind.model_fields.items():
        below = without_none(kind_of(kind, name))
        path = f"{above}.{name}".strip(".")
        yield path, "required" if field.is_required() else as_text(field.default)
        if get_origin(below) is dict and name in PLACEHOLDERS:
            yield from keys_of(kind_of(below, "any"), f"{path}.{PLACEHOLDERS[name]}")
        elif is_shape(below) and path != "backends.legacy":
            yield from keys_of(below, path)


def as_text(default: object) -> str:
    """A default as the reference writes it; empty where it says it in words."""
    if isinstance(default, bool):
        return str(default).lower()
    return str(default) if isinstance(default, str | int | float | list) else ""


def test_reference_has_every_key_and_no_other() -> None:
    """Each key of the file has one row."""
    documented = [row[0] for row in ROWS if not row[0].startswith("CHANGEOVER_")]

    assert sorted(path for path, _ in keys_of(MigrationShape, "")) == sorted(documented)


def test_reference_has_the_default_of_every_key() -> None:
    """A default in the reference is the one in the code."""
    documented = {row[0]: row[1] for row in ROWS}
    defaults = {path: default for path, default in keys_of(MigrationShape, "") if default}

    assert defaults == {path: documented[path] for path in defaults}


def test_reference_has_every_setting_and_no_other() -> None:
    """Each process setting has one row, with the flag that it has and with no other."""
    documented = {row[0]: row[1] for row in ROWS if row[0].startswith("CHANGEOVER_")}

    assert {
        variable(name): f"--{name.replace('_', '-')}" if name in FLAGS else "" for name in Settings.model_fields
    } == documented


def test_reference_has_the_default_of_every_setting() -> None:
    """A default in the reference is the one in the code; those of the node and of secrets are told in words."""
    documented = {row[0]: row[2] for row in ROWS if row[0].startswith("CHANGEOVER_")}
    defaults = {
        variable(name): _written(field.default)
        for name, field in Settings.model_fields.items()
        if field.default is not None and field.default_factory is None
    }

    assert defaults == {name: documented[name] for name in defaults}


def _written(value: object) -> str:
    """A value as one writes it into the environment."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_reference_has_the_commands_variables() -> None:
    """What the commands read is named too; what only tests read is not."""
    missing = [name for name in OTHERS if f"CHANGEOVER_{name}" not in TEXT]

    assert ["TEST_POSTGRES"] == missing


def test_example_of_the_reference_loads_without_a_warning() -> None:
    """Who copies the example has a config."""
    example = re.search(r"<!-- example -->\n```yaml\n(.*?)```", TEXT, re.DOTALL)
    assert example is not None

    assert parse(example[1], "example.yaml", {}).warnings == ()


@pytest.mark.parametrize("line", re.findall(r"^CHANGEOVER_.*=.*$", TEXT, re.MULTILINE))
def test_variables_of_the_reference_are_overrides(line: str) -> None:
    """Each variable that is shown as an override is one."""
    name, _, value = line.partition("=")
    text = """version: 1
backends: {legacy: {url: "http://a"}, new: {url: "http://b"}}
users: {salt: s, key: ["cookie:id"]}
routes: {feeds: {match: {prefix: /a}}, read-marks: {match: {prefix: /b}}}
"""

    loaded = parse(text, "example.yaml", {name: value.strip("'")})

    assert [name] == list(loaded.overridden.values())
    assert loaded.warnings == ()
