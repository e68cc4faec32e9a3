"""The session token: a login and its signature, the same for one user at all times and on both backends.

It holds no state and no time, so that a user who signed in on one backend is known to the other.
"""

from __future__ import annotations

import hashlib
import hmac

COOKIE = "session"
MAX_AGE_S = 30 * 24 * 3600


def sign_login(login: str, secret: str) -> str:
    """`<login>.<HMAC-SHA-256 of the login, 64 hex digits>`."""
    return f"{login}.{_signature(login, secret)}"


def read_login(token: str, secret: str) -> str | None:
    """The login in a token, or None when the token was not signed with `secret`."""
    login, _, signature = token.rpartition(".")
    expected = _signature(login, secret)
    # Bytes, because compare_digest refuses strings that aren't ASCII, and a cookie may hold any.
    is_ours = hmac.compare_digest(expected.encode(), signature.encode("utf-8", "surrogatepass"))
    return login if is_ours else None


def _signature(login: str, secret: str) -> str:
    return hmac.new(secret.encode(), login.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
