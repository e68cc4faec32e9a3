"""Which signatures a list shows, and in which order: for the API and for pages alike. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from proxy.admin.fields import refuse, unknown_name
from proxy.admin.report.sentence import sentence_of, sentence_text

if TYPE_CHECKING:
    from collections.abc import Iterable

Json = dict[str, Any]
KINDS = ("status", "header", "body")
_TEXTS = ("id", "route", "path", "shape", "owner", "ticket", "reason")


def sift(rows: Iterable[Json], kind: str | None, text: str | None, version: str | None) -> list[Json]:
    """Those of a kind, those that a version of new showed, and those that have each word of the text somewhere.

    Raises RequestRefused for a kind that isn't one.
    """
    if kind is not None and kind not in KINDS:
        refuse(unknown_name(kind, KINDS, "kind"))
    words = (text or "").casefold().split()
    return [
        row
        for row in rows
        if kind in {None, row["kind"]}
        and (version is None or version in row["versions"])
        and (not words or _has_all(words, row))
    ]


def _has_all(words: list[str], row: Json) -> bool:
    """In what a person may have in mind: the place, the sentence, the ticket, the owner."""
    texts = [str(row.get(name) or "") for name in _TEXTS]
    where = "\n".join([*texts, sentence_text(sentence_of(row))]).casefold()
    return all(word in where for word in words)
