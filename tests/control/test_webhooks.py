"""Events reach a receiver in order and signed; one that is down, slow or elsewhere costs control nothing."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import socket
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from proxy.control.webhooks import (
    DELIVERY_HEADER,
    EVENT_HEADER,
    SIGNATURE_HEADER,
    Hook,
    Patience,
    Webhooks,
    hook_of,
    signature,
)
from proxy.errors import StartError
from proxy.settings import Settings
from tests.admin.hostile import HOSTILE
from tests.control.nodes import run, until
from tests.control.receiver import HANG, Receiver, receiving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SECRET = "a secret of sixteen or more"
QUICK = Patience(attempt_s=5.0, first_retry_s=0.01, last_retry_s=0.02, give_up_s=60.0)


@asynccontextmanager
async def telling(url: str, patience: Patience = QUICK) -> AsyncIterator[Webhooks]:
    webhooks = Webhooks(Hook(url, SECRET), "node-a", patience)
    running = asyncio.create_task(webhooks.run())
    try:
        yield webhooks
    finally:
        running.cancel()
        await asyncio.wait([running])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_events_arrive_in_order_and_signed():
    """Body, name, id and signature are what docs/webhooks.md says; the receiver can verify them with the secret."""

    async def scenario() -> None:
        with receiving(Receiver()) as receiver:
            async with telling(receiver.url) as webhooks:
                for number in range(20):
                    webhooks.tell("hold.set", {"route": f"r{number}"})
                await until(lambda: webhooks.delivered == 20)
        assert [f"r{number}" for number in range(20)] == [each.document["data"]["route"] for each in receiver.got]
        assert 20 == len({each.document["id"] for each in receiver.got})
        for each in receiver.got:
            document = each.document
            assert ("hold.set", "node-a") == (document["event"], document["node"])
            assert abs(time.time() - document["at"]) < 60
            assert ("/hook?to=ops", "application/json") == (each.path, each.headers["content-type"])
            assert ("hold.set", document["id"]) == (each.headers[EVENT_HEADER], each.headers[DELIVERY_HEADER])
            at, digest = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})", each.headers[SIGNATURE_HEADER]).groups()  # type: ignore[union-attr]
            expected = hmac.new(SECRET.encode(), at.encode() + b"." + each.body, hashlib.sha256).hexdigest()
            assert expected == digest

    run(scenario)


def test_text_of_others_does_nothing_where_an_event_is_shown_as_a_page():
    """Reasons and paths come as they were; no byte of an event begins a tag, a reference or a line."""

    async def scenario() -> None:
        with receiving(Receiver()) as receiver:
            async with telling(receiver.url) as webhooks:
                for text in HOSTILE:
                    webhooks.tell("signature.new", {"signatures": [{"path": text}], "reason": text})
                await until(lambda: webhooks.delivered == len(HOSTILE))
        for text, each in zip(HOSTILE, receiver.got, strict=True):
            assert (text, text) == (each.document["data"]["reason"], each.document["data"]["signatures"][0]["path"])
            assert each.body.isascii()
            assert not set(each.body) & set(b"<>&\n\r\x00\x1b")

    run(scenario)


def test_signature_is_another_for_another_body_time_or_secret():
    """Nothing of what is signed can be exchanged."""
    made = {
        signature(secret, at, body).partition("v1=")[2]
        for secret, at, body in (("s", 1, b"{}"), ("t", 1, b"{}"), ("s", 2, b"{}"), ("s", 1, b"{ }"))
    }
    assert 4 == len(made)


def test_receiver_that_is_down_gets_everything_when_it_is_up():
    """Connections are refused, then it answers 503, then it takes all, in order, with the same ids in each attempt."""

    async def scenario() -> None:
        port = free_port()
        async with telling(f"http://127.0.0.1:{port}/hook") as webhooks:
            for number in range(3):
                webhooks.tell("hold.set", {"number": number})
            await until(lambda: webhooks.error is not None)
            assert "not reached: ConnectError" == webhooks.error
            with receiving(Receiver(503, 429, 204), port) as receiver:
                await until(lambda: webhooks.delivered == 3)
                assert [0, 0, 0, 1, 2] == [each.document["data"]["number"] for each in receiver.got]
                assert 1 == len({each.headers[DELIVERY_HEADER] for each in receiver.got[:3]})
            state = webhooks.state()
            assert (0, None, {}) == (state["waiting"], state["error"], state["dropped"])

    run(scenario)


def test_receiver_that_hangs_costs_a_bounded_queue():
    """Telling never waits; what finds no room is counted, and each attempt ends at its time."""

    async def scenario() -> None:
        patience = Patience(attempt_s=0.1, first_retry_s=0.01, last_retry_s=0.02, give_up_s=60.0, max_waiting=5)
        with receiving(Receiver(HANG)) as receiver:
            async with telling(receiver.url, patience) as webhooks:
                webhooks.tell("hold.set", {})
                await until(lambda: receiver.got)
                for _ in range(100):
                    webhooks.tell("hold.set", {})
                assert (6, {"full": 95}) == (webhooks.waiting, dict(webhooks.dropped))
                await until(lambda: len(receiver.got) >= 3)  # it is asked again and again
                assert ("no answer within 0.1 s", 0) == (webhooks.error, webhooks.delivered)
                receiver.answers = [204]
                await until(lambda: webhooks.delivered == 6)

    run(scenario)


def test_event_that_is_too_old_is_given_up():
    """A receiver that stays away costs each event once it is old; the next ones get their turn."""

    async def scenario() -> None:
        patience = Patience(attempt_s=5.0, first_retry_s=0.01, last_retry_s=0.01, give_up_s=0.0)
        with receiving(Receiver(500, 500, 204)) as receiver:
            async with telling(receiver.url, patience) as webhooks:
                for number in range(3):
                    webhooks.tell("hold.set", {"number": number})
                await until(lambda: webhooks.delivered)
        assert ({"gave_up": 2}, [0, 1, 2]) == (
            dict(webhooks.dropped),
            [each.document["data"]["number"] for each in receiver.got],
        )

    run(scenario)


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 404, 410])
def test_what_is_refused_for_good_is_not_sent_again(status: int):
    """A redirect is not followed, whatever it leads to; nor is a refusal repeated."""

    async def scenario() -> None:
        with receiving(Receiver()) as elsewhere, receiving(Receiver(status, 204)) as receiver:
            receiver.location = elsewhere.url
            async with telling(receiver.url) as webhooks:
                webhooks.tell("hold.set", {})
                webhooks.tell("hold.released", {})
                await until(lambda: webhooks.delivered == 1)
            assert (["hold.set", "hold.released"], []) == (receiver.events, elsewhere.got)
            assert {"refused": 1} == dict(webhooks.dropped)

    run(scenario)


def test_proxy_variables_have_no_say(monkeypatch: pytest.MonkeyPatch):
    """Only the configured address is asked."""

    async def scenario() -> None:
        with receiving(Receiver()) as proxy, receiving(Receiver()) as receiver:
            for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
                monkeypatch.setenv(name, proxy.url)
            async with telling(receiver.url) as webhooks:
                webhooks.tell("hold.set", {})
                await until(lambda: webhooks.delivered == 1)
            assert (1, []) == (len(receiver.got), proxy.got)

    run(scenario)


def test_without_a_receiver_nothing_is_kept():
    """No setting, no queue."""

    async def scenario() -> None:
        webhooks = Webhooks(None, "node-a")
        webhooks.tell("hold.set", {})
        await webhooks.run()
        assert (0, False) == (webhooks.waiting, webhooks.state()["configured"])

    run(scenario)


@pytest.mark.parametrize(
    ("url", "secret", "complaint"),
    [
        ("https://a/hook", None, "CHANGEOVER_WEBHOOK_SECRET: is missing"),
        (None, SECRET, "CHANGEOVER_WEBHOOK_URL: is missing"),
        ("ftp://a/hook", SECRET, "must be http"),
        ("/hook", SECRET, "must be http"),
        ("https://user:password@a/hook", SECRET, "without a user"),
        ("https://a/hook#x", SECRET, "fragment"),
        ("https://[::1/hook", SECRET, "must be http"),
        ("https://a:99999/hook", SECRET, "must be http"),
    ],
)
def test_receiver_that_can_not_be_asked_is_refused_at_the_start(url: str | None, secret: str | None, complaint: str):
    """The message names the variable, and never the value, which may be a secret."""
    with pytest.raises(StartError, match=complaint) as refusal:
        hook_of(Settings(webhook_url=url, webhook_secret=secret))
    assert "password" not in str(refusal.value).replace("user, password", "")


def test_hook_of_no_setting_is_none():
    """Webhooks are for those who want them."""
    assert None is hook_of(Settings())
    assert Hook("https://a/hook", SECRET) == hook_of(Settings(webhook_url="https://a/hook", webhook_secret=SECRET))
    assert SECRET not in repr(hook_of(Settings(webhook_url="https://a/hook", webhook_secret=SECRET)))
