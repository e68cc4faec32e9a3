r"""Foreign text made safe for where it is shown: a terminal, or a Markdown document.

Nothing is dropped silently: a control character becomes its visible escape (`\x1b`).
"""

from __future__ import annotations

import re
import unicodedata

# Controls, format characters (bidi overrides, zero-width), surrogates, private use, line and paragraph separators.
_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# GitHub's and CommonMark's active characters (CommonMark 0.31 §2.4), and those that begin HTML, links and mentions.
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~@&$:])")


def plain(text: str, limit: int = 0) -> str:
    """One line that does nothing to a terminal; at most `limit` characters where it is not 0, "…" marks the cut."""
    if limit and len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible(character) for character in text)


def markdown(text: str, limit: int = 0) -> str:
    """The text as Markdown that shows just that text, in a paragraph or a table cell."""
    return _MARKDOWN.sub(r"\\\1", plain(text, limit))


def markdown_code(text: str, limit: int = 0) -> str:
    """The text as a code span, fenced by more backticks than it holds (CommonMark §6.1); safe in a table cell."""
    line = plain(text, limit).replace("|", "\\|")
    fence = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") or not line else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def _visible(character: str) -> str:
    if unicodedata.category(character) in _UNSAFE_CATEGORIES:
        return character.encode("unicode_escape").decode("ascii")
    return character
