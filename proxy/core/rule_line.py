"""One line of a route's `compare` that the program can write by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Section = Literal["ignore", "unordered", "pattern"]


@dataclass(frozen=True, slots=True)
class RuleLine:
    """`place`: a JSON path, or `header:NAME`. `form` is what a `pattern` wants there; "" in the other sections."""

    section: Section
    place: str
    form: str = ""
