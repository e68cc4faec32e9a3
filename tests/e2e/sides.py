"""Clients at 0, 50 and 100 %: who is where, and the programs that they need."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.node import Node

PERCENTAGES = (0, 50, 100)
USERS = tuple(f"user-{number}" for number in range(8))  # some on either side at 50 %
CONFIG = """\
version: 1
backends: {{legacy: {{url: "{legacy}"}}, new: {{url: "{new}"}}}}
users: {{key: ["header:x-user-id"], salt: inkzee-2026}}
routes:
  at_0: {{match: {{prefix: /0}}, rollout: {{percentage: 0}}, shadow: {{percentage: 100}}}}
  at_50: {{match: {{prefix: /50}}, rollout: {{percentage: 50}}, shadow: {{percentage: 100}}}}
  at_100: {{match: {{prefix: /100}}, rollout: {{percentage: 100}}, shadow: {{percentage: 100}}}}
"""
at_percentages = pytest.mark.parametrize("percentage", PERCENTAGES, ids=lambda number: f"{number} %")


def installed(name: str, path: str | None) -> str:
    """The path of a program. Where it isn't installed: a skip, but a failure in CI."""
    if path is None:
        reason = f"{name} is not installed"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


def side_of(node: Node, percentage: int, user: str) -> str:
    """Where the rollout sends a user."""
    side: str = node.get("explain", path=f"/{percentage}/echo", user=user)["backend"]
    return side


def sides_at(percentage: int) -> set[str]:
    """The sides that `USERS` are on."""
    return {0: {"legacy"}, 50: {"legacy", "new"}, 100: {"new"}}[percentage]
