"""How much the store keeps: every kind of row that traffic can multiply has a bound."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds for each route and signature; docs/store.md shows what they add up to."""

    # The standard error of a users' estimate is 1.2 / sqrt(20,000) = 0.9 % (Flajolet, On Adaptive Sampling, 1990).
    users_per_route: int = 20_000
    # More groups than anybody reads; the rarest give way, and are counted as overflow.
    signatures_per_route: int = 1_000
    # Pairs that differ are counted by signature and by place, which has one signature at least.
    places_per_route: int = 2_000
    # The first examples show the difference as it began, the latest ones as it is now.
    first_examples: int = 4
    latest_examples: int = 4
    # After compression: JSON shrinks to about a quarter, so that a pair at the default body limits (2 x 1 MiB) fits.
    example_bytes: int = 1024 * 1024
