"""Points in time as answers write them, and what changed where two of them mean the same, or nearly.

ISO 8601, RFC 9110's and mail's dates, some national forms, and numbers: seconds or milliseconds since 1970.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

# The longest form, RFC 9110's with a zone name, has 33 characters; ours may have microseconds and an offset.
_CHARACTERS = range(8, 40)
_NATIONAL = ("%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y", "%d/%m/%Y %H:%M:%S", "%d/%m/%Y", "%b %d, %Y")
# 1973 to 5138 in seconds, and the same in milliseconds: numbers that may be points in time.
_EPOCH_SECONDS = range(100_000_000, 100_000_000_000)
_EPOCH_MILLISECONDS = range(100_000_000_000, 100_000_000_000_000)
_QUARTER = timedelta(minutes=15)  # all zones are whole quarters of an hour off
_FARTHEST_ZONES = timedelta(hours=26)


def change_of_instants(before: Any, after: Any) -> str:
    """What became of a point in time, or "" where the two aren't one.

    "datetime format": the same moment, to the second where only one is more precise. "time zone": the same moment in
    another zone, or the same date and time with another zone (none counts as UTC). "shifted by hours": off by as much
    as zones are.
    """
    first, second = read_instant(before), read_instant(after)
    if first is None or second is None:
        return ""
    is_same_zone = first.utcoffset() == second.utcoffset()
    if _is_same(_in_utc(first), _in_utc(second)):
        return "datetime format" if is_same_zone or None in {first.tzinfo, second.tzinfo} else "time zone"
    if first.replace(tzinfo=None) == second.replace(tzinfo=None):
        return "time zone"
    return "shifted by hours" if is_same_zone and _is_shifted(first, second) else ""


def read_instant(value: Any) -> datetime | None:
    """The point in time that a string or number writes, without a zone where it has none."""
    if isinstance(value, str):
        return _parsed(value.strip()) if len(value) in _CHARACTERS else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if abs(value) < _EPOCH_MILLISECONDS.stop and int(value) in _EPOCH_SECONDS:
        return datetime.fromtimestamp(int(value), UTC)
    is_milliseconds = abs(value) < _EPOCH_MILLISECONDS.stop and int(value) in _EPOCH_MILLISECONDS
    return datetime.fromtimestamp(int(value) // 1000, UTC) if is_milliseconds else None


def seconds_between(before: Any, after: Any) -> float | None:
    """How far two points in time are apart; without a zone they count as UTC. None where one isn't one."""
    first, second = read_instant(before), read_instant(after)
    if first is None or second is None:
        return None
    return abs((_in_utc(first) - _in_utc(second)).total_seconds())


def _in_utc(moment: datetime) -> datetime:
    """Without a zone it counts as UTC. All years stay: `astimezone` fails at both ends of the calendar."""
    offset = moment.utcoffset()
    plain = moment.replace(tzinfo=None)
    try:
        return plain - offset if offset else plain
    except OverflowError:
        return plain


def _is_same(first: datetime, second: datetime) -> bool:
    if first.replace(microsecond=0) != second.replace(microsecond=0):
        return False
    return first == second or first.microsecond == 0 or second.microsecond == 0


def _is_shifted(first: datetime, second: datetime) -> bool:
    """By whole quarters of an hour, within what zones can do. Full hours and midnights may be off by chance."""
    apart = abs(first.replace(tzinfo=None) - second.replace(tzinfo=None))
    has_seconds = bool(first.second or first.microsecond)
    return has_seconds and timedelta() < apart <= _FARTHEST_ZONES and apart % _QUARTER == timedelta()


def _parsed(text: str) -> datetime | None:
    for form, parse in _FORMS:
        if form.match(text):
            try:
                return parse(text)
            except (ValueError, OverflowError, IndexError):
                return None
    return None


def _parse_national(text: str) -> datetime:
    for form in _NATIONAL:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007 - none of the forms has a zone
        except ValueError:
            continue
    raise ValueError("not a known form of a date")


# Which parser to ask, by what the text begins with.
_FORMS = (
    (re.compile(r"[0-9]{4}-[0-9]{2}|[0-9]{8}(?:T|$)"), datetime.fromisoformat),
    (re.compile(r"(?:[A-Za-z]{3}, )?[0-9]{1,2} [A-Za-z]{3} [0-9]{4}"), parsedate_to_datetime),
    (re.compile(r"[0-9]{2}[./][0-9]{2}[./][0-9]{4}|[A-Z][a-z]{2} [0-9]{1,2}, [0-9]{4}"), _parse_national),
)
