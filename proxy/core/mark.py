"""What stands in place of a secret: `masked:<type>:<12 hex digits of HMAC-SHA256>`.

The digits depend on the secret and the installation's key alone: the same secret has the same digits wherever it
stands, whatever type it is there, and without the key nobody gets back from the digits to the secret.
"""

from __future__ import annotations

import hmac
import re

# 48 bits: among a million secrets two share a mark with a probability of 0.2 %.
MARK = re.compile(r"masked:[a-z]+:[0-9a-f]{12}")
MARK_CHARS = 40  # no mark is longer: its longest type is "object"
# What a text in a cookie is, as far as everybody may know: a JWT (RFC 7519), a UUID, or what programs write of nothing.
_FORMS = {
    "null": re.compile(r"null|none|nil|nan|undefined|\[object object\]", re.IGNORECASE),
    "jwt": re.compile(r"eyJ[\w-]+(?:\.[\w-]*){2,4}"),
    "uuid": re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE),
}
_MARK_AT_END = re.compile(MARK.pattern + r"\Z")


class Mark:
    """Makes marks with one key of at least 16 bytes. What is a mark already stays one."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __call__(self, secret: str, kind: str = "string") -> str:
        """The mark; an empty secret stays empty, because that there is none is no secret."""
        if not secret or is_mark(secret):
            return secret
        digest = hmac.digest(self._key, secret.encode("utf-8", "surrogatepass"), "sha256")
        return f"masked:{kind}:{digest.hex()[:12]}"


def form_of(text: str) -> str:
    """What the text looks like, as a mark's type: "null", "jwt", "uuid", or "string"."""
    return next((form for form, pattern in _FORMS.items() if pattern.fullmatch(text)), "string")


def form_in(mark: str) -> str:
    """The type that a mark tells; of a text that is none, what it looks like."""
    return mark.split(":")[1] if is_mark(mark) else form_of(mark)


def is_mark(text: str) -> bool:
    """Whether the text is one mark and nothing else."""
    return text.startswith("masked:") and MARK.fullmatch(text) is not None


def ends_with_mark(text: str, end: int) -> bool:
    """Whether a mark ends at this index of the text."""
    return _MARK_AT_END.search(text, max(end - MARK_CHARS, 0), end) is not None
