"""Session tokens as legacy issues them, so that a sign-in on one backend holds on the other."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

COOKIE = "session"
COOKIE_DAYS = 30


@dataclass(frozen=True, slots=True)
class Signer:
    """Issues and checks `<login>.<HMAC-SHA-256 of the login in hex>`: no state, no time."""

    key: bytes

    def issue(self, login: str) -> str:
        """The token of a login, always the same one."""
        return f"{login}.{self._digest(login).decode()}"

    def check(self, token: str) -> str | None:
        """The login of a token that was issued with this key, or None."""
        login, _, digest = token.rpartition(".")
        given = digest.encode("utf-8", "surrogatepass")
        return login if hmac.compare_digest(self._digest(login), given) else None

    def _digest(self, login: str) -> bytes:
        return hmac.new(self.key, login.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest().encode()
