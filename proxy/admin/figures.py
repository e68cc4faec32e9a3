"""Numbers as people read them, from what the API answers. A missing number is "-", never 0."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NOTHING = "-"


def percent(number: float | None) -> str:
    """A percentage as the config writes it: 12.5 -> "12.5 %"."""
    return NOTHING if number is None else f"{number:g} %"


def share(ratio: float | None) -> str:
    """A ratio as a percentage that never rounds up to "100 %" nor down to "0 %": 0.99999 -> "99.99 %"."""
    if ratio is None:
        return NOTHING
    hundredths = round(ratio * 10_000)
    if ratio not in {0, 1}:
        hundredths = min(max(hundredths, 1), 9_999)
    return f"{hundredths / 100:g} %"


def count(number: int | None) -> str:
    return NOTHING if number is None else f"{number:,}"


def milliseconds(number: float | None) -> str:
    return NOTHING if number is None else f"{number:.1f}"


def both(sides: Mapping[str, int | None] | None, write: Callable[[int | None], str]) -> str:
    """Legacy's and new's number side by side: "12 / 3"."""
    return NOTHING if sides is None else f"{write(sides['legacy'])} / {write(sides['new'])}"


def moment(seconds: float | None) -> str:
    """Unix seconds as UTC, to the second."""
    return NOTHING if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def coverage_ratio(route: Mapping[str, Any]) -> float | None:
    """Compared of what should have been compared (core.evidence); None before anything should have been."""
    ratio: float | None = route["coverage"]["ratio"]
    return ratio


def outcomes(route: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Side -> what users got of it: `requests`, `errors` (5xx), and `ratio`, None where there were no requests."""
    found = {}
    for side in ("legacy", "new"):
        errors, requests = route["server_errors"][side], route["requests"][side]
        found[side] = {"requests": requests, "errors": errors, "ratio": errors / requests if requests else None}
    return found


def match_with_coverage(route: Mapping[str, Any]) -> str:
    """The match rate, which never stands without its coverage (law 5)."""
    if route["match_rate"] is None:
        return f"nothing compared (coverage {share(coverage_ratio(route))})"
    return f"{share(route['match_rate'])} (coverage {share(coverage_ratio(route))})"


def reasons_of(route: Mapping[str, Any]) -> dict[str, int]:
    """The gaps of a route, those of pairs that were compared in part marked as such: "only in part: size"."""
    covered = route["coverage"]
    found = {**covered["skipped"], **{f"only in part: {reason}": each for reason, each in covered["partly"].items()}}
    return found | ({"seen, but not listed": covered["unlisted"]} if covered["unlisted"] else {})


def skipped_reasons(route: Mapping[str, Any]) -> str:
    """The gaps, largest first: "timeout 12, busy 3; only in part: size 2; seen, but not listed: 4"."""
    skipped, partly = (_largest_first(route["coverage"][name]) for name in ("skipped", "partly"))
    unlisted = route["coverage"]["unlisted"]
    said = (skipped, partly and f"only in part: {partly}", unlisted and f"seen, but not listed: {count(unlisted)}")
    return "; ".join(filter(None, said))


def _largest_first(reasons: Mapping[str, int]) -> str:
    in_order = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{reason} {count(number)}" for reason, number in in_order)
