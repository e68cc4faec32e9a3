"""How a browser stays signed in: a cookie that names a key of the roster, signed, with an end of its own.

It says nothing secret and is worth nothing without the key in the roster: a line taken out of the file ends its
sessions too. The signing key is in the state folder, so a session outlives a restart, and is good on its node only.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from proxy.admin.access.roster import Key

COOKIE = "changeover_session"
SESSION_S = 12 * 3600.0
LINK_S = 30 * 86_400.0
_VERSION = "1"


class Sessions:
    """Makes and reads the cookie. `key` signs it, `prefix` is the path below which it is sent."""

    def __init__(self, key: bytes, prefix: str) -> None:
        self._key = key
        self._path = prefix or "/"

    def begin(self, answer: Response, request: Request, key: Key, now: float, *, is_link: bool = False) -> None:
        """Signs the browser in. A link comes from a mail, say, so that its cookie must come along from elsewhere."""
        until = int(min(key.until, now + (LINK_S if is_link else SESSION_S)))
        said = f"{_VERSION}.{key.id}.{until}"
        answer.set_cookie(
            COOKIE,
            f"{said}.{self._sign(said)}",
            max_age=max(until - int(now), 0),
            path=self._path,
            httponly=True,
            secure=_is_secure(request),
            samesite="lax" if is_link else "strict",
        )

    def end(self, answer: Response) -> None:
        answer.delete_cookie(COOKIE, path=self._path, httponly=True, samesite="strict")

    def key_id(self, request: Request, now: float) -> str | None:
        """Which key the browser has signed in with; None without a cookie of ours that is still good."""
        said, _, signature = request.cookies.get(COOKIE, "").rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._sign(said).encode()):
            return None
        version, id_, until = said.split(".")
        return id_ if version == _VERSION and now < int(until) else None

    def _sign(self, said: str) -> str:
        return hmac.new(self._key, said.encode(), sha256).hexdigest()


def _is_secure(request: Request) -> bool:
    """Whether the browser came by TLS, which ends before us: it says so itself."""
    return request.headers.get("origin", request.headers.get("referer", "")).startswith("https://")
