"""Who serves a request, and why: kill switch, pin to legacy, pin to new, hold, percentage, in this order.

1. Unknown means legacy (law 9): no route, no key, or a new backend that is ill.
2. The same key in the same group gets the same side, as long as percentage and holds stay (law 2).
3. A hold only ever moves users to legacy (law 3).

`find_key` says who the user is; nothing here sees a request as such.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from proxy.core.bucket import bucket_of, user_hash
from proxy.core.model import LEGACY, NEW, Side

if TYPE_CHECKING:
    from proxy.core.model import KeySource, Pin, Rollout, Route, Users

Header = Callable[[str], str | None]
ISSUED_COOKIE = "changeover_id"
_MAX_JWT_LENGTH = 8192  # the limit of a header line in most servers (node, Apache: 8 KiB)


@dataclass(slots=True)  # not frozen: one is made for each request, in a third of the time
class Decision:
    """The side that serves and the reason. `hashed` and `bucket` are None where no key was hashed."""

    backend: Side
    reason: str
    bucket: int | None = None
    effective_millipercent: int | None = None
    hashed: int | None = None


_NO_ROUTE = Decision(LEGACY, "no_route")
_KILLED = Decision(LEGACY, "kill_switch")


def decide(rollout: Rollout, route: Route | None, key: str | None, header: Header, *, is_new_healthy: bool) -> Decision:
    """The decision for one request; `header` gives the first value of a header by its lower-case name."""
    migration = rollout.migration
    if rollout.is_killed:
        return _KILLED
    if route is None:
        return _NO_ROUTE
    effective = rollout.effective[route.name]
    hashed = user_hash(migration.users.salt, route.group, key) if key else None
    bucket = bucket_of(hashed) if hashed is not None else None
    side, reason = LEGACY, "missing_key"
    pin = find_pin(migration.pins, key, header) if migration.pins else None
    if pin is not None:
        side, reason = pin.backend, f"pin:{pin.name}"
    elif bucket is not None:
        side, reason = _by_percentage(bucket, effective, route.millipercent)
    if side == NEW and not is_new_healthy:
        side, reason = LEGACY, "unhealthy"
    return Decision(side, reason, bucket, effective, hashed)


def _by_percentage(bucket: int, effective: int, wished: int) -> tuple[Side, str]:
    if bucket < effective:
        return NEW, "bucket"
    return LEGACY, "hold" if bucket < wished else "bucket"


def find_pin(pins: tuple[Pin, ...], key: str | None, header: Header) -> Pin | None:
    """The pin that binds this user, or None; a pin to legacy wins over a pin to new."""
    found: Pin | None = None
    for pin in pins:
        if _is_pinned(pin, key, header):
            if pin.backend == LEGACY:
                return pin
            found = found or pin
    return found


def _is_pinned(pin: Pin, key: str | None, header: Header) -> bool:
    if key is not None and key in pin.users:
        return True
    return any(header(name) == value for name, value in pin.headers)


def find_key(users: Users, header: Header) -> str | None:
    """The user's key: the first source that is present and not empty, then the cookie that we issue."""
    for source in users.key:
        key = _read(source, header)
        if key:
            return key
    if users.without_key == "cookie":
        return cookie_value(header("cookie"), ISSUED_COOKIE) or None
    return None


def _read(source: KeySource, header: Header) -> str | None:
    if source.kind == "header":
        value = header(source.name)
        return value.strip() if value else None
    if source.kind == "cookie":
        return cookie_value(header("cookie"), source.name)
    return jwt_claim(header("authorization"), source.name)


def key_headers(users: Users) -> frozenset[str]:
    """The lower-case names of the headers that `find_key` may ask for."""
    by_kind: dict[str, Callable[[str], str]] = {
        "header": str.lower,
        "cookie": lambda _: "cookie",
        "jwt": lambda _: "authorization",
    }
    names = {by_kind[source.kind](source.name) for source in users.key}
    return frozenset(names | ({"cookie"} if users.without_key == "cookie" else set()))


@lru_cache(maxsize=64)
def _cookie_pattern(name: str) -> re.Pattern[str]:
    return re.compile(rf'(?:\A|;)[ \t]*{re.escape(name)}[ \t]*=[ \t]*"?([^;"]*)')


def cookie_value(cookies: str | None, name: str) -> str | None:
    """The first value of a cookie in a Cookie header (RFC 6265 §4.2.1), without quotes, or None."""
    if not cookies or name not in cookies:
        return None
    found = _cookie_pattern(name).search(cookies)
    return found[1].strip() if found else None


def jwt_claim(authorization: str | None, claim: str) -> str | None:
    """A claim of a bearer JWT as text, or None.

    The signature is not checked: the key only chooses a side, and both sides check the token themselves.
    """
    if not authorization or len(authorization) > _MAX_JWT_LENGTH:
        return None
    scheme, _, token = authorization.partition(" ")
    parts = token.strip().split(".")
    if scheme.lower() != "bearer" or len(parts) != 3:  # RFC 7519 §3: header.payload.signature
        return None
    try:
        payload = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return None
    value = payload.get(claim) if isinstance(payload, dict) else None
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None
