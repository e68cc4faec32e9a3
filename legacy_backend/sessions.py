"""Signing in and out, and who is signed in."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from starlette.responses import Response

from legacy_backend.call import Json
from legacy_backend.dataset import hash_password
from legacy_backend.problem import Problem
from legacy_backend.token import COOKIE, MAX_AGE_S, sign_login

if TYPE_CHECKING:
    import sqlite3

    from legacy_backend.call import Call


def sign_in(call: Call) -> Response:
    """200 with the session cookie, or Problem 400 or 401."""
    document = call.json_object()
    username, password = document.get("username"), document.get("password")
    if not isinstance(username, str) or not isinstance(password, str):
        raise Problem(400, "username and password are required, both strings")
    user = _find_user(call.database, username)
    if user is None or not hmac.compare_digest(user["password_hash"], hash_password(username, password)):
        raise Problem(401, "unknown username or wrong password", {"www-authenticate": 'Cookie realm="reader"'})
    response = Json(_describe(user))
    token = sign_login(username, call.service.session_secret)
    response.set_cookie(COOKIE, token, max_age=MAX_AGE_S, path="/", httponly=True, samesite="lax")
    return response


def show_session(call: Call) -> Response:
    """200 with the signed-in user."""
    return Json(_describe(call.sign_in_required()))


def sign_out(_: Call) -> Response:
    """204 and an empty cookie, signed in or not. The token itself holds no state that could end."""
    response = Response(status_code=204)
    # Not delete_cookie: it writes an Expires with the current time.
    response.set_cookie(COOKIE, "", max_age=0, path="/", httponly=True, samesite="lax")
    return response


def _find_user(database: sqlite3.Connection, login: str) -> sqlite3.Row | None:
    if not login.isascii():  # no login is; and SQLite can't bind lone surrogates
        return None
    row: sqlite3.Row | None = database.execute("SELECT * FROM users WHERE login = ?", [login]).fetchone()
    return row


def _describe(user: sqlite3.Row) -> dict[str, object]:
    return {"user_id": user["id"], "username": user["login"], "name": user["name"]}
