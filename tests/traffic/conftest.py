"""Certificates for the tests of TLS; and users who close have gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proxy.traffic import server
from tests.certificates import Authority

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker doesn't wait long to see whether who closed reads on, which is what only `test_half_closed` is about."""
    monkeypatch.setattr(server, "HALF_CLOSED_S", 0.1)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def stranger(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "stranger")
