"""How many of the users seen another percentage would move, from their hashes. Pure.

Law 2 makes it exact: who is on new depends on a user's hash and the percentage alone. Pins are not counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxy.core.bucket import bucket_of

if TYPE_CHECKING:
    from collections.abc import Collection


@dataclass(frozen=True, slots=True)
class Moves:
    """Of the users `seen`: who would come to new, and who would go back to legacy."""

    seen: int
    forward: int
    back: int


def count_moves(hashes: Collection[int], before: int, after: int, weight: int = 1) -> Moves:
    """From one effective percentage to another, both in thousandths; each hash stands for `weight` users."""
    buckets = [bucket_of(hashed) for hashed in hashes]
    forward = sum(before <= bucket < after for bucket in buckets)
    back = sum(after <= bucket < before for bucket in buckets)
    return Moves(len(buckets) * weight, forward * weight, back * weight)
