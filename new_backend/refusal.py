"""A request that is not carried out, and its answer: an RFC 9457 problem document."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

CHALLENGE = {"www-authenticate": 'Cookie realm="reader"'}


class Refusal(Exception):
    """Raised by a handler; `detail` says which value and why."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        super().__init__(detail)

    def answer(self) -> JSONResponse:
        """The response that says so."""
        document = {
            "status": self.status,
            "title": HTTPStatus(self.status).phrase,
            "detail": self.detail,
            "type": "about:blank",
        }
        return JSONResponse(document, self.status, self.headers, "application/problem+json")
