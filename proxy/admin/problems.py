"""Errors as RFC 9457 problem documents: `type, title, status, detail, instance` and `code`, a stable slug.

`type` is always about:blank (RFC 9457 §4.2.1: the title is then the status phrase); machines read `code`.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from proxy.admin.answer import JsonAnswer
from proxy.admin.within import outside
from proxy.errors import ChangeoverError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.exceptions import HTTPException
    from starlette.requests import Request
    from starlette.responses import Response

_DETAILS = {
    404: "There is nothing at this address; docs/admin-api.md lists every endpoint.",
    405: "This address doesn't know the method; the Allow header lists those it knows.",
}
_CODES = {404: "not_found", 405: "method_not_allowed"}


def problem(
    status: int,
    code: str,
    detail: str,
    request: Request,
    *,
    headers: Mapping[str, str] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Response:
    """The answer that carries one problem; `extra` members stand beside the standard ones."""
    document = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": outside(request, request.url.path),
        "code": code,
        **(extra or {}),
    }
    return JsonAnswer(document, status, headers=headers, media_type="application/problem+json")


async def answer_changeover_error(request: Request, error: Exception) -> Response:
    """One of our own errors; a config error brings all of its `problems` along."""
    assert isinstance(error, ChangeoverError)  # noqa: S101 - registered for this class only
    headers = {"retry-after": "1"} if error.status == HTTPStatus.SERVICE_UNAVAILABLE else None
    return problem(error.status, error.code, str(error), request, headers=headers, extra=_config_problems(error))


async def answer_http_exception(request: Request, error: Exception) -> Response:
    """What Starlette's router refuses: no such path, no such method."""
    refusal: HTTPException = error  # type: ignore[assignment]  # registered for this class only
    status = refusal.status_code
    detail = _DETAILS.get(status, refusal.detail)
    code = _CODES.get(status, "request_refused")
    return problem(status, code, detail, request, headers=refusal.headers)


async def answer_fault(request: Request, error: Exception) -> Response:
    """A fault of ours. The log has the traceback; the client gets the kind of the error, not its content."""
    detail = f"The admin API failed on this request ({type(error).__name__}); its log has the details."
    return problem(500, "internal", detail, request)


def _config_problems(error: ChangeoverError) -> dict[str, Any]:
    if not isinstance(error, ConfigError):
        return {}
    problems = [
        {"line": fault.line, "column": fault.column, "path": fault.path, "message": fault.message}
        for fault in error.problems
    ]
    return {"file": error.file, "problems": problems}
