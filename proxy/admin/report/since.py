"""`--since`: from when on a report counts, as a span back from now (`24h`) or as a date or time (`2026-11-20`)."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from proxy.errors import Refused

_SPAN = re.compile(r"([0-9]{1,6})\s*([smhdw])")
_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2})?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?")


def parse_since(text: str, now: float) -> float:
    """Unix seconds. A date begins at midnight; without a zone it is UTC. Raises Refused."""
    text = text.strip()
    if span := _SPAN.fullmatch(text):
        return max(now - int(span[1]) * _UNITS_S[span[2]], 0.0)
    moment = _moment(text)
    if moment is None:
        raise Refused(
            f"--since {text[:80]!r}: give a span as 90m, 24h, 7d or 2w, a date as 2026-11-20, "
            "or a time as 2026-11-20T08:00 (UTC, or with its zone: +01:00)"
        )
    if moment > now:
        raise Refused(f"--since {text!r}: that is still to come; give a time in the past")
    return max(moment, 0.0)


def _moment(text: str) -> float | None:
    if not _MOMENT.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:  # the 30th of February
        return None
    return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).timestamp()
