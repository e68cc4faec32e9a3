"""Answering a user: a backend's answer as it comes, or a problem document of our own.

An answer that breaks off is never ended cleanly.
"""

from __future__ import annotations

import http
import json
from typing import TYPE_CHECKING

from proxy.core.decide import ISSUED_COOKIE
from proxy.errors import Overloaded, UpstreamError
from proxy.traffic.body import ClientLeft

if TYPE_CHECKING:
    from proxy.errors import ChangeoverError
    from proxy.traffic.call import Call
    from proxy.traffic.upstream.exchange import Exchange

_COOKIE_AGE_S = 400 * 86_400  # the longest that browsers keep a cookie (RFC 6265bis §5.6.1)
_RETRY_AFTER_S = 1
_ALLOW = "allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"  # and any other method, but for CONNECT and TRACE


def _added_lines(call: Call, exchange: Exchange) -> bytes:
    """The field lines that the user gets beside the backend's."""
    lines = _issued_cookie(call.issued_key, call.user.scheme) if call.issued_key is not None else b""
    return lines + _shown(call, exchange) if call.visit.is_shown else lines


def _shown(call: Call, exchange: Exchange) -> bytes:
    """For those who know the debug token: who answered, why, and for how long the backend took until now."""
    decision, route = call.decision, call.route.name if call.route is not None else "none"
    about = f"{exchange.side}; route={route}; reason={decision.reason}"
    if decision.bucket is not None:
        about += f"; bucket={decision.bucket}; percentage={(decision.effective_millipercent or 0) / 1000:g}"
    if call.fell_back is not None:
        about += "; fell_back"
    elapsed_ms = (exchange.touched_at() - exchange.started_at) * 1000
    timing = f'backend;desc="{exchange.side}";dur={elapsed_ms:.3f}'
    return f"x-changeover-backend: {about}\r\nserver-timing: {timing}\r\n".encode("latin-1", "replace")


def answer_at_once(call: Call, exchange: Exchange) -> None:
    """Passes on an answer that is whole, in one write."""
    user, chunks = call.user, exchange.take()
    call.watch.keep(chunks)
    body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    user.finish(user.head_of(call, exchange, _added_lines(call, exchange)) + user.framed(body) + user.end_of(exchange))


async def answer(call: Call, exchange: Exchange) -> None:
    """Passes the answer on, from its head to its last byte. What is there goes out together, what isn't is awaited."""
    watch, user = call.watch, call.user
    data = user.head_of(call, exchange, _added_lines(call, exchange))
    try:
        while not exchange.is_complete:
            chunks = exchange.take()
            watch.keep(chunks)
            data += user.framed(b"".join(chunks))
            await user.writable()
            if data:  # also a head whose body lets itself be waited for
                user.write(data)
                data = b""
            if exchange.has_nothing_new:
                await exchange.wait()
        await user.writable()
    except UpstreamError as error:
        broken_off(call, exchange, error)
        return
    except ClientLeft:
        exchange.user_left()
        broken_off(call, exchange, exchange.error or UpstreamError(exchange.side, "read", "", is_client_gone=True))
        return
    except BaseException:  # the worker is stopping
        exchange.abandon()
        watch.lost("client_left")
        raise
    chunks = exchange.take()
    watch.keep(chunks)
    user.finish(data + user.framed(b"".join(chunks)) + user.end_of(exchange))
    answered(call, exchange)


def answered(call: Call, exchange: Exchange) -> None:
    """Counts a whole answer."""
    elapsed_s = None if exchange.is_upgraded else exchange.finished_at - exchange.started_at
    call.tally.served(exchange.side, exchange.status, elapsed_s)
    call.watch.answered(exchange)


def broken_off(call: Call, exchange: Exchange, error: UpstreamError) -> None:
    """Counts an answer that ended before its end, and shows the user that it did."""
    if error.is_client_gone:
        if exchange.is_upgraded:  # a WebSocket ends when one of both goes
            answered(call, exchange)
            return
        call.tally.count("client_left")
        call.watch.lost("client_left")
        return
    call.tally.count(f"failed.{error.backend}")
    call.watch.lost("served_failed")
    call.user.break_off()


def answer_failure(call: Call, error: UpstreamError) -> None:
    """502, 503 or 504 in place of an answer that never began; a refusal where the request's body was at fault."""
    if error.is_client_gone:
        if call.refusal is not None and not call.user.is_gone:
            call.watch.lost("request_refused")
            call.user.refuse(make_problem(call.refusal, call.request_id, is_last=True))
            return
        call.tally.count("client_left")
        call.watch.lost("client_left")
        return
    call.tally.count(f"failed.{error.backend}")
    call.watch.lost("served_failed")
    call.user.answer_ourselves(
        make_problem(error, call.request_id, is_last=call.user.is_last, is_head=call.method == "HEAD")
    )


def make_problem(error: ChangeoverError, request_id: str, *, is_last: bool, is_head: bool = False) -> bytes:
    """A whole answer with a problem document (RFC 9457). What a backend's failure says of our insides stays in the log.

    `is_last` says in it that the connection ends; `is_head` leaves the document out.
    """
    detail = str(error)
    if isinstance(error, UpstreamError):
        detail = "The service behind this address gave no usable answer. Try again in a moment."
    problem = {"type": "about:blank", "status": error.status, "code": error.code, "detail": detail}
    body = json.dumps(problem | {"request_id": request_id}).encode()
    lines = [
        f"HTTP/1.1 {error.status} {http.HTTPStatus(error.status).phrase}",
        "content-type: application/problem+json",
        f"content-length: {len(body)}",
        "cache-control: no-store",
        f"x-request-id: {request_id}",
    ]
    if isinstance(error, Overloaded) or error.status == http.HTTPStatus.SERVICE_UNAVAILABLE:
        lines.append(f"retry-after: {_RETRY_AFTER_S}")
    if error.status == http.HTTPStatus.METHOD_NOT_ALLOWED:
        lines.append(_ALLOW)
    if is_last:
        lines.append("connection: close")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (b"" if is_head else body)


def make_options(request_id: str, *, is_last: bool) -> bytes:
    """The whole answer to an OPTIONS that was to go no further (Max-Forwards: 0, RFC 9110 §7.6.2)."""
    close = "connection: close\r\n" if is_last else ""
    return f"HTTP/1.1 200 OK\r\n{_ALLOW}\r\ncontent-length: 0\r\nx-request-id: {request_id}\r\n{close}\r\n".encode()


def _issued_cookie(key: str, scheme: str) -> bytes:
    secure = "; Secure" if scheme == "https" else ""
    value = f"{ISSUED_COOKIE}={key}; Path=/; Max-Age={_COOKIE_AGE_S}; HttpOnly; SameSite=Lax{secure}"
    return f"set-cookie: {value}\r\n".encode()
