"""The evidence of a route's window: what counts now, and since when, in words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from proxy.admin.figures import moment

if TYPE_CHECKING:
    from collections.abc import Iterable

Json = dict[str, Any]
_MEMBERS = (
    "requests",
    "failed",
    "server_errors",
    "fallbacks",
    "pairs",
    "matches",
    "mismatches",
    "noise",
    "match_rate",
    "coverage",
    "noise_runs",
    "latency_ms",
)
_SETUP = {
    "rules": "the rules of comparing were changed",
    "match": "it was changed which requests it has",
    "legacy": "legacy got another address",
    "new": "new got another address",
}


def in_window(route: Json) -> Json:
    """The route's row with the counters of its window in place of those of all time."""
    evidence = route["evidence"]
    return {**route, **{name: evidence[name] for name in _MEMBERS if name in evidence}}


def window_text(route: Json) -> str:
    """Since when its evidence counts, and why: "since 2026-11-28 10:00:00Z, when new became v7 (before: v6)"."""
    since = route["evidence"]["since"]
    if since is None:
        return "everything so far"
    return f"since {moment(since)}, {_why(route['evidence']['because'])}"


def window_short(route: Json) -> str:
    """The same for a table, without why."""
    since = route["evidence"]["since"]
    return "" if since is None else f"since {moment(since)}"


def span_text(routes: Iterable[Json]) -> str:
    """What the windows of several routes have in common: the earliest beginning."""
    begun = [route["evidence"]["since"] for route in routes]
    if None in begun or not begun:
        return "so far"
    return f"since {moment(min(begun))}" if len(set(begun)) == 1 else f"since {moment(min(begun))} or later"


def _why(because: Json) -> str:
    if "version" in because:
        version = because["version"]
        return f"when new became {version['after']} (before: {version['before']})"
    if "setup" in because:
        return "when " + " and ".join(_SETUP.get(name, name) for name in because["setup"])
    return "a week ago"
