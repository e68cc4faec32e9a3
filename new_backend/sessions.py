"""Signing in and out, and who is signed in."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Literal

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from legacy_backend.dataset import hash_password
from new_backend.bugs import Bug
from new_backend.migration import USERS
from new_backend.refusal import CHALLENGE, Refusal
from new_backend.tokens import COOKIE, COOKIE_DAYS

if TYPE_CHECKING:
    from new_backend.call import Call
    from new_backend.documents import Document


async def sign_in(call: Call) -> Response:
    """200 with the session cookie. Refuses with 400 or 401."""
    document = call.read_object()
    login, password = document.get("username"), document.get("password")
    if not isinstance(login, str) or not isinstance(password, str):
        raise Refusal(400, "username and password are required, both strings")
    user = await call.service.store.get(USERS, login) if login.isascii() else None
    if user is None or not await run_in_threadpool(_is_password, user, password):
        raise Refusal(401, "unknown username or wrong password", CHALLENGE)
    response = JSONResponse(_describe(user))
    samesite: Literal["lax"] | None = None if Bug.COOKIE_SAMESITE in call.service.bugs else "lax"
    max_age_s = COOKIE_DAYS * 24 * 3600
    response.set_cookie(COOKIE, call.service.signer.issue(login), max_age_s, httponly=True, samesite=samesite)
    return response


async def show_session(call: Call) -> Response:
    """200 with the signed-in user."""
    return JSONResponse(_describe(await call.user()))


async def sign_out(_: Call) -> Response:
    """204 and an empty cookie, signed in or not."""
    response = Response(status_code=204)
    response.set_cookie(COOKIE, "", 0, httponly=True, samesite="lax")
    return response


def _is_password(user: Document, password: str) -> bool:
    return hmac.compare_digest(user["password_hash"], hash_password(user["id"], password))


def _describe(user: Document) -> Document:
    return {"name": user["name"], "username": user["id"], "user_id": user["number"]}
