"""How far the migration is as plain lines: the progress page for terminals, mails and meeting notes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from proxy.admin.figures import count, moment, percent, share
from proxy.admin.plain import plain
from proxy.admin.sparkline import WIDTH, shares_line

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]
_INDENT = "    "


def as_progress(progress: Json, made_at: float) -> str:
    """From the answer of /progress; `made_at` in Unix seconds."""
    return "\n".join(plain(line) for line in _lines(progress, made_at)) + "\n"


def _lines(progress: Json, made_at: float) -> Iterator[str]:
    yield f"How far the migration is, {moment(made_at)}"
    yield f"{progress['ready']} of {len(progress['routes'])} routes are ready to move on"
    if progress["traffic"]:
        yield f"{share(progress['traffic']['of_requests'])} of the requests of the last 24 hours were answered by new"
    yield from _how_it_went(progress["burn_up"], progress["projection"])
    yield from ("", "Who is on new")
    for group in progress["groups"]:
        yield (
            f"{_INDENT}{group['name']}: {percent(group['percentage'])} of the users sent there, "
            f"{share(group['of_users'])} seen there, {share(group['of_requests'])} of the requests {group['counted']} "
            f"({', '.join(group['routes'])})"
        )
    yield from ("", "What is ready, and why")
    for route in progress["routes"]:
        yield f"{_INDENT}{route['name']}: {route['verdict']}; {route['why']}"
        yield from (f"{_INDENT * 2}{sentence}" for sentence in route["basis"])
        yield from (f"{_INDENT * 2}blocked by: {row['sentence']} ({_whose(row)})" for row in route["blockers"])
        if route["blockers_left_out"]:
            yield f"{_INDENT * 2}and by {count(route['blockers_left_out'])} more"
    yield from ("", "What blocks it" if progress["blockers"] else "What blocks it: no open difference")
    for row in progress["blockers"]:
        yield f"{_INDENT}{row['route']}: {row['sentence']} ({_whose(row)})"
    if progress["blockers_left_out"]:
        yield f"{_INDENT}and {count(progress['blockers_left_out'])} more"
    yield from ("", "Can legacy be switched off?")
    for each in progress["switch_off"]:
        yield f"{_INDENT}{_ANSWER[each['is_true']]}: {each['words']}"
    if progress["decided"]:
        yield from ("", "What was decided, by whom")
    for line in progress["decided"]:
        yield f"{_INDENT}{moment(line['at'])} {line['words']}" + (f" ({line['reason']})" if line["reason"] else "")


def _whose(row: Json) -> str:
    ticket = f", ticket {row['ticket']}" if row["ticket"] else ""
    return f"{row['state']}, owner {row['owner'] or 'nobody yet'}{ticket}, seen {count(row['count'])} times"


_ANSWER = {True: "yes", False: "not yet", None: "not known"}


def _how_it_went(burn_up: Json | None, projection: Json | None) -> Iterator[str]:
    yield from ("", "How it went: share of the requests on new")
    if burn_up is None or projection is None:
        yield f"{_INDENT}the store can't say"
        return
    sums = _merged(burn_up["buckets"])
    if sums:
        latest = next((new / (legacy + new) for legacy, new in reversed(sums) if legacy + new), None)
        since = moment(burn_up["buckets"][0]["at"])
        yield f"{_INDENT}{shares_line(sums)}  since {since}, {share(latest)} at last; a full bar is 100 %"
    yield f"{_INDENT}{projection['words']}"


def _merged(buckets: list[Json]) -> list[tuple[int, int]]:
    """Requests on legacy and new of at most WIDTH spans of equal length, oldest first."""
    number = -(-len(buckets) // WIDTH)
    spans = [buckets[at : at + number] for at in range(0, len(buckets), number)] if buckets else []
    return [
        (sum(each["requests"]["legacy"] for each in span), sum(each["requests"]["new"] for each in span))
        for span in spans
    ]
