"""Answering a user: a backend's answer as it comes, or a problem document of our own.

An answer that breaks off is never ended cleanly: without its last message the server aborts the connection.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import structlog

from proxy.core.decide import ISSUED_COOKIE
from proxy.core.headers import read_answer
from proxy.errors import RequestRefused, UpstreamError

if TYPE_CHECKING:
    from proxy.core.headers import RawHeaders
    from proxy.errors import ChangeoverError
    from proxy.traffic.call import Call, Send
    from proxy.traffic.upstream.exchange import Exchange

log = structlog.get_logger(__name__)

_COOKIE_AGE_S = 400 * 86_400  # the longest that browsers keep a cookie (RFC 6265bis §5.6.1)


def answer_fields(call: Call, exchange: Exchange) -> RawHeaders:
    """The header fields that the user gets."""
    fields = read_answer(exchange.headers)
    if call.issued_key is not None:
        fields = [*fields, _issued_cookie(call.issued_key, call.scope["scheme"])]
    return fields


async def answer(call: Call, exchange: Exchange) -> None:
    """Passes the answer on, from its head to its last byte."""
    watch, send = call.watch, call.send
    await send({"type": "http.response.start", "status": exchange.status, "headers": answer_fields(call, exchange)})
    if exchange.has_nothing_new:  # the head goes out with the first piece of the body, unless that lets itself wait
        await send({"type": "http.response.body", "body": b"", "more_body": True})
    try:
        while not exchange.is_complete:
            chunks = exchange.take()
            watch.keep(chunks)
            # Also where nothing has come yet: a head whose body takes its time is not to wait for it.
            await send({"type": "http.response.body", "body": b"".join(chunks), "more_body": True})
            if exchange.has_nothing_new:
                await exchange.wait()
    except UpstreamError as error:
        broken_off(call, error)
        return
    except BaseException:
        exchange.abandon()
        watch.lost("client_left")
        raise
    chunks = exchange.take()
    watch.keep(chunks)
    await send({"type": "http.response.body", "body": b"".join(chunks), "more_body": False})
    answered(call, exchange)


def answered(call: Call, exchange: Exchange) -> None:
    """Counts a whole answer."""
    call.tally.served(exchange.side, exchange.status, exchange.finished_at - exchange.started_at)
    call.watch.answered(exchange)


def broken_off(call: Call, error: UpstreamError) -> None:
    """Counts an answer that ended before its end."""
    if error.is_client_gone:
        call.tally.count("client_left")
        call.watch.lost("client_left")
        return
    call.tally.count(f"failed.{error.backend}")
    call.watch.lost("served_failed")
    log.warning("answer.broken_off", request_id=call.head.request_id, backend=error.backend, cause=str(error))


async def answer_failure(call: Call, error: UpstreamError) -> None:
    """502 or 504 in place of an answer that never began."""
    if error.is_client_gone:
        broken_off(call, error)
        return
    call.tally.count(f"failed.{error.backend}")
    call.watch.lost("served_failed")
    request_id = call.head.request_id
    log.warning("request.failed", request_id=request_id, backend=error.backend, phase=error.phase, cause=str(error))
    await answer_problem(call.send, error, request_id)


async def answer_problem(send: Send, error: ChangeoverError, request_id: str) -> None:
    """A problem document (RFC 9457). What a backend's failure says of our insides stays in the log."""
    detail = str(error)
    if isinstance(error, UpstreamError):
        detail = "The service behind this address gave no usable answer. Try again in a moment."
    problem = {"type": "about:blank", "status": error.status, "code": error.code, "detail": detail}
    body = json.dumps(problem | {"request_id": request_id}).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-request-id", request_id.encode("latin-1")),
    ]
    if isinstance(error, RequestRefused):  # what follows on this connection can't be trusted
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _issued_cookie(key: str, scheme: str) -> tuple[bytes, bytes]:
    secure = "; Secure" if scheme == "https" else ""
    value = f"{ISSUED_COOKIE}={key}; Path=/; Max-Age={_COOKIE_AGE_S}; HttpOnly; SameSite=Lax{secure}"
    return (b"set-cookie", value.encode())
