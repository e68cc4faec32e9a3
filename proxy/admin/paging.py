"""A long list in pages that stay where they are while it grows: each page goes on after the last key of the one before.

The next page's address stands in the Link header (RFC 8288), with everything else that was asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from proxy.admin.answer import JsonAnswer
from proxy.admin.fields import whole_field
from proxy.admin.within import outside

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request

Json = dict[str, Any]
MAX_ROWS = 1_000
PAGING = ("limit", "after")


def page(request: Request, rows: Sequence[Json], query: Mapping[str, str], key: str) -> JsonAnswer | Sequence[Json]:
    """All rows as they are where neither `limit` nor `after` is given; else those after a key, in the order of keys.

    A row that is there all the while is on exactly one page, as its key never changes.
    """
    limit = whole_field(query, "limit", 1, MAX_ROWS, None)
    after = query.get("after")
    if limit is None and after is None:
        return rows
    ordered = sorted((row for row in rows if after is None or row[key] > after), key=lambda row: row[key])
    limit = limit or MAX_ROWS
    return linked(request, ordered[:limit], {"after": ordered[limit - 1][key]} if len(ordered) > limit else None)


def linked(request: Request, rows: Sequence[Json], following: Mapping[str, Any] | None) -> JsonAnswer:
    """The rows, with the address of the next page: the same question with the fields `following`."""
    if following is None:
        return JsonAnswer(rows)
    kept = [(name, value) for name, value in request.query_params.multi_items() if name not in following]
    target = f"{outside(request, request.url.path)}?{urlencode([*kept, *following.items()], errors='replace')}"
    return JsonAnswer(rows, headers={"link": f'<{target}>; rel="next"'})
