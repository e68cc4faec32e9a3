"""What a comparison finds: differences, and the verdict they add up to. Frozen values, no rules of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from proxy.core.evidence import Verdict
    from proxy.core.paths import Concrete

Kind = Literal["status", "header", "body"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference. `change` is its shape from the vocabulary of docs/comparing.md: never a value, but for status.

    `path` is () for a status or a whole body; names and indexes inside a JSON document; for a header its name,
    and for a cookie ("set-cookie", name) or ("set-cookie", name, attribute). `before` is control's value, `after`
    candidate's, as plain JSON types, cut where they are long; None where `change` is "extra" or "missing".
    """

    kind: Kind
    path: Concrete
    change: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Comparison:
    """The verdict on one pair: MATCH, MISMATCH or GAVE_UP.

    `reason` says what could not be compared: always for GAVE_UP, and for a MISMATCH that isn't known in full
    ("size", "depth", "unread", "encoding", "charset", "max_diffs", "truncated"); otherwise it is "".
    """

    verdict: Verdict
    reason: str
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a comparison gives up rather than use up the comparer. The size is of a decoded body.

    `max_list_items` bounds the lists of plain values that are aligned (quadratic, at worst); longer ones are
    compared by position. `max_diff_passes` is DeepDiff's own budget for one list.
    """

    max_depth: int = 200
    max_bytes: int = 1_048_576
    max_differences: int = 10_000
    max_list_items: int = 400
    max_diff_passes: int = 100_000
