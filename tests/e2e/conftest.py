"""Figures that a run prints, also without `-s`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def figure(capfd: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Prints a line that is seen whatever pytest captures: a measured promise, to be quoted."""

    def show(text: str) -> None:
        with capfd.disabled():
            print(f"\n  [e2e] {text}", flush=True)

    return show
