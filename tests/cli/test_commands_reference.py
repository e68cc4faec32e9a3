"""docs/commands.md and the commands say the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from proxy.admin.report.thresholds import FIGURES
from proxy.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator

REFERENCE = Path(__file__).parents[2] / "docs" / "commands.md"
SECTION = re.compile(r"^### `changeover ([a-z -]+)`\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)


def leaves(group: click.Group, *path: str) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by its words."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from leaves(command, *path, name)
        elif command is not None:
            yield " ".join((*path, name)), command


def options_of(command: click.Command) -> set[str]:
    return {
        name
        for option in command.params
        if isinstance(option, click.Option)
        for name in (*option.opts, *option.secondary_opts)
    }


COMMANDS = dict(leaves(main))
SECTIONS = dict(SECTION.findall(REFERENCE.read_text()))


def test_reference_has_each_command_and_no_other():
    """A verb without a section, or a section without a verb, is a fault."""
    assert set(COMMANDS) == set(SECTIONS)


@pytest.mark.parametrize("name", COMMANDS)
def test_section_names_each_option_and_no_other(name: str):
    """The options within backticks are those that the command takes."""
    documented = set(re.findall(r"`(--?[A-Za-z][a-z-]*)`", SECTIONS[name]))
    assert options_of(COMMANDS[name]) == documented


def test_reference_names_each_figure_of_fail_on():
    """What may be asked for stands in the section of report."""
    assert set() == {figure for figure in FIGURES if f"`{figure}`" not in SECTIONS["report"]}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_verb_explains_itself(name: str):
    """A first sentence that fits the list of verbs, and a help text for each option."""
    command = COMMANDS[name]
    short = command.get_short_help_str(60)
    unexplained = [option.name for option in command.params if isinstance(option, click.Option) and not option.help]
    assert (False, []) == (short.endswith("..."), unexplained)
