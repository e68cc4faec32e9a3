"""What somebody may have meant: the close names to a wrong one, said in words."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def suggestion(wrong: str, known: Iterable[str]) -> str:
    """`; did you mean 'percentage'?`, or `; known are a, b` where nothing is close. Empty without known names."""
    names = sorted(known)
    close = closest(wrong, names)
    if close is not None:
        return f"; did you mean {close!r}?"
    return f"; known are {', '.join(names)}" if names else ""


def closest(wrong: str, known: Iterable[str]) -> str | None:
    """The known name that looks most like the wrong one, whatever its case, or None."""
    by_folded = {name.lower().replace("-", "_"): name for name in known}
    close = get_close_matches(wrong.lower().replace("-", "_"), by_folded, n=1)
    return by_folded[close[0]] if close else None
