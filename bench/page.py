"""Pages that keep what was measured: a section that is measured anew replaces its own, the others stay."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SECTION = re.compile(r"^## ([\w-]+): ", re.MULTILINE)


def merge_sections(page: str, head: str, sections: Mapping[str, str], order: Sequence[str]) -> str:
    """The page with these sections (heading and all, by name) in place of its own; others stay, in `order`.

    Sections that `order` doesn't name are dropped: what isn't measured any more isn't kept.
    """
    merged = {**split_sections(page), **sections}
    return "\n\n".join([head, *(merged[name].strip() for name in order if name in merged)]) + "\n"


def split_sections(page: str) -> dict[str, str]:
    """The page's sections by name, each with its heading `## name: title`."""
    starts = list(SECTION.finditer(page))
    ends = [*(start.start() for start in starts[1:]), len(page)][: len(starts)]
    return {start[1]: page[start.start() : end] for start, end in zip(starts, ends, strict=True)}
