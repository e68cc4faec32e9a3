"""The named differences to legacy that the redesign slipped in: the one list that switches, docs and tests read.

Each shows in one field of one endpoint, so that a comparer groups it under one signature. Slow search is the
exception: its answers are equal, only later.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum


class Bug(StrEnum):
    """The switches' names."""

    DATE_FORMAT = "date_format"
    SCORE_AS_STRING = "score_as_string"
    MISSING_SITE_URL = "missing_site_url"
    LAST_PAGE = "last_page"
    TIE_ORDER = "tie_order"
    NOT_FOUND_DETAIL = "not_found_detail"
    COOKIE_SAMESITE = "cookie_samesite"
    DOUBLE_ESCAPED_TITLE = "double_escaped_title"
    UNREAD_OFF_BY_ONE = "unread_off_by_one"
    SLOW_SEARCH = "slow_search"


ALL_BUGS = frozenset(Bug)


@dataclass(frozen=True, slots=True)
class Difference:
    """What a bug changes: one part of the answers of one endpoint.

    `where` is a JSON path, `header:<name>`, `text` for a body that isn't JSON, or `latency`; `change` is the shape
    from legacy to new; `when` says which requests show it, "" for all.
    """

    bug: Bug
    endpoint: str
    where: str
    change: str
    when: str
    summary: str


DIFFERENCES = (
    Difference(
        Bug.DATE_FORMAT,
        "GET /api/feeds/{feed_id}/items",
        "$.items[*].published",
        "string to another string",
        "",
        "the time as `2026-11-01 10:00:00`, no longer as `2026-11-01T10:00:00Z`",
    ),
    Difference(
        Bug.SCORE_AS_STRING,
        "GET /api/feeds/{feed_id}/items",
        "$.items[*].score",
        "number to string",
        "",
        'the score as `"38.871652"`, no longer as a number',
    ),
    Difference(
        Bug.MISSING_SITE_URL,
        "GET /api/feeds/{feed_id}",
        "$.site_url",
        "removed",
        "",
        "the field was forgotten when the answer was rewritten",
    ),
    Difference(
        Bug.LAST_PAGE,
        "GET /api/feeds/{feed_id}/items",
        "$.has_more",
        "false to true",
        "a last page that is full: page 10 of 20 items",
        "a full page promises another one, because only its own length is looked at",
    ),
    Difference(
        Bug.TIE_ORDER,
        "GET /api/feeds/{feed_id}",
        "$.latest",
        "reordered",
        "",
        "items with equal timestamps stay in the order of their import, lowest id first",
    ),
    Difference(
        Bug.NOT_FOUND_DETAIL,
        "GET /api/feeds/{feed_id}",
        "$.detail",
        "string to another string",
        "an unknown feed",
        "a 404 that explains itself with the words of the database",
    ),
    Difference(
        Bug.COOKIE_SAMESITE,
        "POST /api/session",
        "header:set-cookie",
        "another value",
        "a sign-in that succeeds",
        "the session cookie lost its `SameSite=lax`",
    ),
    Difference(
        Bug.DOUBLE_ESCAPED_TITLE,
        "GET /read/{feed_id}",
        "text",
        "one line",
        "a feed with & in its title, such as 1, 2 and 5",
        "the heading is escaped twice: `&amp;amp;`",
    ),
    Difference(
        Bug.UNREAD_OFF_BY_ONE,
        "GET /api/unread",
        "$.total",
        "number to another number",
        "",
        "the sum starts at one",
    ),
    Difference(
        Bug.SLOW_SEARCH,
        "GET /api/search",
        "latency",
        "none: the answers are equal",
        "",
        "every search scans all 10,000 documents, because nothing indexes a member inside of them",
    ),
)


def parse_bugs(text: str) -> frozenset[Bug]:
    """The switched-on bugs from `all`, `none`, or a list of names from left to right; `-name` takes one off.

    Raises ValueError for an unknown name.
    """
    bugs: frozenset[Bug] = frozenset()
    for word in (part.strip() for part in text.split(",")):
        match word:
            case "all":
                bugs = ALL_BUGS
            case "none" | "":
                bugs = frozenset()
            case _ if word.startswith("-"):
                bugs -= {_find_bug(word[1:])}
            case _:
                bugs |= {_find_bug(word)}
    return bugs


def _find_bug(name: str) -> Bug:
    if name in ALL_BUGS:
        return Bug(name)
    close = get_close_matches(name, [bug.value for bug in Bug], n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"known are all, none, {', '.join(Bug)}"
    raise ValueError(f"bug {name!r} is unknown; {hint}")
