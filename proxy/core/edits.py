"""Replacements in a text, found in any order and made at once."""

from __future__ import annotations

Edit = tuple[int, int, str]
"""From index, to index, what stands there afterwards."""


def edited(text: str, edits: list[Edit]) -> str:
    """The text with the edits made; of two that overlap, the one that begins first. `text` itself where none is."""
    if not edits:
        return text
    parts: list[str] = []
    copied = 0
    for start, end, replacement in sorted(edits, key=_place):
        if start >= copied:
            parts += (text[copied:start], replacement)
            copied = end
    parts.append(text[copied:])
    return "".join(parts)


def _place(edit: Edit) -> tuple[int, int]:
    """By beginning; the longer one first, because it holds the other."""
    return edit[0], -edit[1]
