"""One example of a signature as a report shows it: the request, both sides of the difference, what else differs.

Made from an example of `GET /api/v1/diffs/{id}`, which was masked before it left the worker. Everything is cut to
what somebody reads; the texts still hold foreign characters, which each format escapes in its own way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Literal

from proxy.admin.body_text import body_lines, ignored_places
from proxy.admin.signature_text import ABSENT, shortened, side_text
from proxy.core.intraline import changed_middle, common_beginning

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from proxy.core.paths import Path

Json = dict[str, Any]
MAX_DIFF_LINES = 24  # of both bodies: half a screen; `changeover diffs show` has two
MAX_LINE_CHARACTERS = 200
_MAX_BODY_LINES = 600  # of each body are looked at: difflib is quadratic, and this many take it 50 ms at worst
_CONTEXT_LINES = 2
_LEAD_CHARACTERS = 60  # as core/excerpt leaves before a change


@dataclass(frozen=True, slots=True)
class Side:
    """One answer: `name` says whose it is, `value` is what it has at the differing place, as JSON."""

    name: str
    status: int
    length: int
    value: str


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A line of a unified diff with its sign; `kind` is removed, added or same."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Example:
    """`place` is the concrete path; `diff` is what the bodies have there; `diff_left_out` counts what was cut.

    `at` is Unix seconds.
    """

    at: float
    method: str
    target: str
    request_id: str
    place: str
    control: Side
    candidate: Side
    diff: tuple[DiffLine, ...]
    diff_left_out: int


def marked_parts(example: Example) -> tuple[tuple[str, str, str], tuple[str, str, str]]:
    """The value of each side in three: what is equal before, what differs, what is equal after.

    Bounded by what values are cut to. Values that have nothing in common, or aren't on both sides, differ as a whole.
    """
    before, after = example.control.value, example.candidate.value
    if ABSENT in {before, after}:
        return (before, "", ""), (after, "", "")
    start, old_end, new_end = changed_middle(before, after)
    return _three(before, start, old_end), _three(after, start, new_end)


def _three(text: str, start: int, end: int) -> tuple[str, str, str]:
    return text[:start], text[start:end], text[end:]


def example_of(detail: Json) -> Example | None:
    """The latest example of a signature; None where none was kept."""
    examples = detail.get("examples") or ()
    return _example(examples[-1], detail["id"], ignored_places(detail)) if examples else None


def _example(example: Json, signature_id: str, ignored: Sequence[Path]) -> Example:
    request = example["request"]
    own = next((each for each in example["differences"] if each["signature"] == signature_id), None)
    other = "legacy, asked again" if example["kind"] == "noise" else "new"
    before, after = (body_lines(example[side], ignored, _MAX_BODY_LINES) for side in ("control", "candidate"))
    diff = _diff(before, after, own["path"]) if own and own["kind"] == "body" else []
    return Example(
        at=example["at"],
        method=shortened(request["method"]),
        target=shortened(request["target"]),
        request_id=shortened(request["id"]),
        place="" if own is None else shortened(f"{own['kind']} {own['path']}".strip()),
        control=_side("legacy", example["control"], own, "before"),
        candidate=_side(other, example["candidate"], own, "after"),
        diff=tuple(diff[:MAX_DIFF_LINES]),
        diff_left_out=max(len(diff) - MAX_DIFF_LINES, 0),
    )


def _side(name: str, answer: Json, difference: Json | None, end: Literal["before", "after"]) -> Side:
    return Side(name, answer["status"], answer["length"], _value(difference, end))


def _value(difference: Json | None, end: Literal["before", "after"]) -> str:
    return "(not kept: the pair had too many differences)" if difference is None else side_text(difference, end)


def _diff(before: list[str], after: list[str], place: str) -> list[DiffLine]:
    """The part of the bodies' diff that shows the place; the whole of it would also have what others are about."""
    name = _last_name(place)
    return next((part for part in _parts(before, after) if any(name in line.text for line in part)), [])


def _parts(before: list[str], after: list[str]) -> Iterator[list[DiffLine]]:
    """Each run of changed lines with what stands around it. Not `unified_diff`: it takes frequent lines for junk."""
    for group in SequenceMatcher(None, before, after, autojunk=False).get_grouped_opcodes(_CONTEXT_LINES):
        yield [
            line
            for tag, start, end, other_start, other_end in group
            for line in _changed(tag, before[start:end], after[other_start:other_end])
        ]


def _changed(tag: str, before: list[str], after: list[str]) -> Iterator[DiffLine]:
    if tag == "equal":
        yield from (_diff_line("same", " ", line) for line in before)
        return
    equal = [common_beginning(old, new) for old, new in zip(before, after, strict=False)]
    yield from (_diff_line("removed", "-", line, start) for line, start in zip_longest(before, equal[: len(before)]))
    yield from (_diff_line("added", "+", line, start) for line, start in zip_longest(after, equal[: len(after)]))


def _last_name(place: str) -> str:
    """The last member name of a body's path: `published` of `$.items[0].published`; "" where there is none."""
    names = re.findall(r"[\w-]+", re.sub(r"\[\d+\]", "", place))
    return f'"{names[-1]}"' if names else ""


def _diff_line(kind: str, sign: str, line: str, equal: int | None = None) -> DiffLine:
    """`equal` characters are the same on the other side; of a long line they are left out, but for the last ones."""
    if len(line) <= MAX_LINE_CHARACTERS:
        return DiffLine(kind, sign + line)
    start = max((equal or 0) - _LEAD_CHARACTERS, 0)
    end = start + MAX_LINE_CHARACTERS
    return DiffLine(kind, f"{sign}{'…' if start else ''}{line[start:end]}{'…' if end < len(line) else ''}")
