"""Refusals of a request, as RFC 9457 problem documents."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Problem(Exception):
    """A request that is not carried out; `detail` says which value and why."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        super().__init__(detail)

    def document(self) -> dict[str, object]:
        """The members of the problem document."""
        title = HTTPStatus(self.status).phrase
        return {"type": "about:blank", "title": title, "status": self.status, "detail": self.detail}


def not_signed_in() -> Problem:
    """401 for a missing, malformed or forged session cookie: which of them is nobody's business."""
    return Problem(401, "sign in first: POST /api/session", {"www-authenticate": 'Cookie realm="reader"'})
