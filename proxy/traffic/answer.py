"""Answering a user: a backend's answer as it comes, or a problem document of our own.

An answer that breaks off is never ended cleanly.
"""

from __future__ import annotations

import http
import json
from time import monotonic
from typing import TYPE_CHECKING

from proxy.core.decide import ISSUED_COOKIE
from proxy.errors import UpstreamBusy, UpstreamError
from proxy.traffic.body import ClientLeft
from proxy.traffic.closing import find_events
from proxy.traffic.turns import in_pieces

if TYPE_CHECKING:
    from proxy.errors import ChangeoverError
    from proxy.traffic.call import Call
    from proxy.traffic.turns import Transfer
    from proxy.traffic.upstream.exchange import Exchange

_COOKIE_AGE_S = 400 * 86_400  # the longest that browsers keep a cookie (RFC 6265bis §5.6.1)
_RETRY_AFTER_S = 1
_ALLOW = "allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"  # and any other method, but for CONNECT and TRACE


def _added_lines(call: Call, exchange: Exchange) -> bytes:
    """The field lines that the user gets beside the backend's."""
    lines = _issued_cookie(call.issued_key, call.user.scheme) if call.issued_key is not None else b""
    if not call.visit.is_shown:
        return lines
    return lines + _shown(call, exchange.side, exchange.touched_at() - exchange.started_at)


def _shown(call: Call, side: str, elapsed_s: float) -> bytes:
    """For those who know the debug token: who answered, why, and how long the backend took until now."""
    decision, route = call.decision, call.route.name if call.route is not None else "none"
    about = f"{side}; route={route}; reason={decision.reason}"
    if decision.bucket is not None:
        about += f"; bucket={decision.bucket}; percentage={(decision.effective_millipercent or 0) / 1000:g}"
    if call.fell_back is not None:
        about += "; fell_back"
    timing = f'backend;desc="{side}";dur={elapsed_s * 1000:.3f}'
    return f"x-changeover-backend: {about}\r\nserver-timing: {timing}\r\n".encode("latin-1", "replace")


def answer_at_once(call: Call, exchange: Exchange) -> None:
    """Passes on an answer that is whole, in one write."""
    user, chunks = call.user, exchange.take()
    call.watch.keep(chunks)
    body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    user.finish(user.head_of(call, exchange, _added_lines(call, exchange)) + user.framed(body) + user.end_of(exchange))


async def answer(call: Call, exchange: Exchange, download: Transfer) -> None:
    """Passes the answer on, from its head to its last byte. What is there goes out together, what isn't is awaited.

    `download` says when it may go on.
    """
    watch, user = call.watch, call.user
    data = user.head_of(call, exchange, _added_lines(call, exchange))
    stream = user.stream if exchange.is_upgraded else find_events(call, exchange)
    user.follow(stream)
    try:
        while not exchange.is_complete:
            chunks = exchange.take()
            watch.keep(chunks)
            if stream is not None:  # at once: what was taken before the stream is to end, the user gets
                chunks = [stream.pass_on(b"".join(chunks))]
            for piece in in_pieces(chunks):
                data += user.framed(piece)
                await user.writable()
                if data:  # also a head whose body lets itself be waited for
                    call.answer_began_at = call.answer_began_at or monotonic()
                    user.write(data)
                    await download.moved(len(data))
                    data = b""
            if stream is not None and stream.is_over:
                await stream.see_off()
                _ended_early(call, exchange)
                return
            if exchange.has_nothing_new and not (stream is not None and stream.can_end):
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
    user.follow(None)
    user.finish(data + user.framed(b"".join(chunks)) + user.end_of(exchange))
    answered(call, exchange)


def _ended_early(call: Call, exchange: Exchange) -> None:
    """Counts a stream that ended because the worker stops, as its user was told: in order, but nothing to compare."""
    call.user.follow(None)
    call.user.finish(call.user.end_of(exchange))
    call.tally.served(exchange.side, exchange.status, None)
    call.watch.lost("stopped")


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
        if call.refusal is not None and not call.user.is_gone:  # too late to say so
            call.watch.lost("request_refused")
            call.user.break_off()
            return
        call.tally.count("client_left")
        call.watch.lost("client_left")
        return
    call.tally.count(f"failed.{error.backend}")
    call.watch.lost("served_failed")
    call.user.break_off()


def answer_failure(call: Call, error: UpstreamError) -> None:
    """502, 503 or 504 in place of an answer that never began."""
    if error.is_client_gone:
        call.tally.count("client_left")
        call.watch.lost("client_left")
        return
    call.tally.count(f"failed.{error.backend}")
    call.watch.lost("served_failed")
    shown = _shown(call, error.backend, error.after_s) if call.visit.is_shown else b""
    call.user.answer_ourselves(
        make_problem(error, call.request_id, is_last=call.user.is_last, is_head=call.method == "HEAD", lines=shown)
    )


def make_problem(
    error: ChangeoverError, request_id: str, *, is_last: bool, is_head: bool = False, lines: bytes = b""
) -> bytes:
    """A whole answer with a problem document (RFC 9457). What a backend's failure says of our insides stays in the log.

    `is_last` says in it that the connection ends; `is_head` leaves the document out; `lines` are further field lines.
    """
    detail = str(error)
    if isinstance(error, UpstreamBusy):
        detail = "Too many requests are under way. Try again in a moment."
    elif isinstance(error, UpstreamError):
        detail = "The service behind this address gave no usable answer. Try again in a moment."
    problem = {"type": "about:blank", "status": error.status, "code": error.code, "detail": detail}
    body = json.dumps(problem | {"request_id": request_id}).encode()
    head = [
        f"HTTP/1.1 {error.status} {http.HTTPStatus(error.status).phrase}",
        "content-type: application/problem+json",
        f"content-length: {len(body)}",
        "cache-control: no-store",
        f"x-request-id: {request_id}",
    ]
    if error.status == http.HTTPStatus.SERVICE_UNAVAILABLE:
        head.append(f"retry-after: {_RETRY_AFTER_S}")
    if error.status == http.HTTPStatus.METHOD_NOT_ALLOWED:
        head.append(_ALLOW)
    if is_last:
        head.append("connection: close")
    return "\r\n".join([*head, ""]).encode("latin-1") + lines + b"\r\n" + (b"" if is_head else body)


def make_options(request_id: str, *, is_last: bool) -> bytes:
    """The whole answer to an OPTIONS that was to go no further (Max-Forwards: 0, RFC 9110 §7.6.2)."""
    close = "connection: close\r\n" if is_last else ""
    return f"HTTP/1.1 200 OK\r\n{_ALLOW}\r\ncontent-length: 0\r\nx-request-id: {request_id}\r\n{close}\r\n".encode()


def _issued_cookie(key: str, scheme: str) -> bytes:
    secure = "; Secure" if scheme == "https" else ""
    value = f"{ISSUED_COOKIE}={key}; Path=/; Max-Age={_COOKIE_AGE_S}; HttpOnly; SameSite=Lax{secure}"
    return f"set-cookie: {value}\r\n".encode()
