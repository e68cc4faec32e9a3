"""Tells one receiver of what happened: signed JSON, in order, again where it did not arrive.

1. Nobody waits for a receiver: an event finds room in the queue, or is dropped and counted.
2. One event at a time, so that they arrive in order. One that fails is sent again with growing pauses until it is
   GIVE_UP_S old; what a receiver refuses for good (4xx, a redirect) is dropped at once.
3. Only the configured address is asked: no redirect is followed, no proxy variable read, no answer's body.
4. What waits when control ends is lost, and logged: the audit and the list of differences have it all.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import random
import ssl
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import structlog

from proxy import __version__
from proxy.errors import StartError

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from proxy.settings import Settings

log = structlog.get_logger(__name__)

Json = dict[str, Any]
SIGNATURE_HEADER = "x-changeover-signature"
EVENT_HEADER = "x-changeover-event"
DELIVERY_HEADER = "x-changeover-delivery"
EVENTS = (
    "kill_switch.on",
    "kill_switch.off",
    "hold.set",
    "hold.released",
    "rollout.changed",
    "config.changed",
    "config.refused",
    "signature.new",
    "signature.regressed",
    "signatures.full",
)
DROP_REASONS = ("full", "refused", "gave_up")
MAX_LISTED = 20  # signatures or faults in one event: a message is read by people
_HARMLESS = str.maketrans({each: f"\\u{ord(each):04x}" for each in "<>&"})  # even where somebody shows it as a page
_WORTH_A_RETRY = frozenset({408, 425, 429})  # RFC 9110 §15.5.9, RFC 8470 §5.2, RFC 6585 §4; and all of 5xx


@dataclass(frozen=True, slots=True)
class Hook:
    """Where events go, and the secret they are signed with."""

    url: str = field(repr=False)  # addresses of chats are secrets themselves
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long what is waited for, in seconds; how many events wait."""

    attempt_s: float = 10.0  # as GitHub gives its receivers
    first_retry_s: float = 1.0
    last_retry_s: float = 60.0
    give_up_s: float = 3_600.0
    max_waiting: int = 1_000  # of some hundred bytes, a few kB at the most


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened, and the body that says so: the same in every attempt."""

    id: str
    name: str
    at: float
    body: bytes


def hook_of(settings: Settings) -> Hook | None:
    """The receiver that the settings name, or None. Raises StartError where it can't be asked as they say."""
    url, secret = settings.webhook_url, settings.webhook_secret
    if url is None and secret is None:
        return None
    if url is None or secret is None:
        missing, given = ("URL", "SECRET") if url is None else ("SECRET", "URL")
        raise StartError(f"CHANGEOVER_WEBHOOK_{missing}: is missing, and CHANGEOVER_WEBHOOK_{given} is set; set both")
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or "@" in parts.netloc or parts.fragment:
        raise StartError("CHANGEOVER_WEBHOOK_URL: must be http(s)://HOST/PATH, without a user, password or fragment")
    return Hook(url, secret)


def signature(secret: str, at: int, body: bytes) -> str:
    """The header's value: `t=<Unix seconds of the attempt>,v1=<HMAC-SHA256 of "<t>.<body>", hex>`."""
    signed = str(at).encode() + b"." + body
    return f"t={at},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


class Webhooks:
    """See the module. `delivered` and `dropped` (by reason) count events; `error` says why the last attempt failed."""

    def __init__(
        self, hook: Hook | None, node: str, patience: Patience | None = None, now: Callable[[], float] = time.time
    ) -> None:
        self._hook = hook
        self._node = node
        self._patience = patience or Patience()
        self._now = now
        self._queue: asyncio.Queue[Event] = asyncio.Queue(self._patience.max_waiting)
        self._pause_s = self._patience.first_retry_s
        self._under_way = 0
        self.delivered = 0
        self.dropped: Counter[str] = Counter()
        self.error: str | None = None

    @property
    def waiting(self) -> int:
        """Events that are not delivered yet."""
        return self._queue.qsize() + self._under_way

    def state(self) -> Json:
        """As /status answers it."""
        return {
            "configured": self._hook is not None,
            "waiting": self.waiting,
            "delivered": self.delivered,
            "dropped": dict(self.dropped),
            "error": self.error,
        }

    def tell(self, name: str, data: Json) -> None:
        """Takes over an event; `name` is one of EVENTS, `data` JSON-able."""
        if self._hook is None:
            return
        at, id_ = self._now(), str(uuid.uuid4())
        document = {"id": id_, "event": name, "at": at, "node": self._node, "data": data}
        body = json.dumps(document, separators=(",", ":")).translate(_HARMLESS).encode("ascii")
        try:
            self._queue.put_nowait(Event(id_, name, at, body))
        except asyncio.QueueFull:
            self._drop(name, "full")

    async def run(self) -> None:
        """Delivers for ever; returns at once where no receiver is configured."""
        if self._hook is None:
            return
        import httpx  # noqa: PLC0415  # not for those without a receiver

        try:
            async with httpx.AsyncClient(
                verify=ssl.create_default_context(),
                trust_env=False,
                follow_redirects=False,
                timeout=self._patience.attempt_s,
                headers={"user-agent": f"changeover/{__version__}", "content-type": "application/json"},
            ) as client:
                while True:
                    event = await self._queue.get()
                    self._under_way = 1
                    await self._deliver(client, self._hook, event)
                    self._under_way = 0
        finally:
            if self.waiting:
                log.warning("webhooks.lost", number=self.waiting)

    async def _deliver(self, client: httpx.AsyncClient, hook: Hook, event: Event) -> None:
        while True:
            problem, is_final = await self._attempt(client, hook, event)
            self._tried(problem)
            if problem is None:
                self.delivered += 1
                self._pause_s = self._patience.first_retry_s
                return
            if is_final:
                self._drop(event.name, "refused")
                return
            if self._now() - event.at >= self._patience.give_up_s:
                self._drop(event.name, "gave_up")
                return
            # Half of it by chance, so that many nodes don't come back to a receiver at once.
            await asyncio.sleep(self._pause_s * random.uniform(0.5, 1.0))  # noqa: S311  # no secret
            self._pause_s = min(self._pause_s * 2, self._patience.last_retry_s)

    async def _attempt(self, client: httpx.AsyncClient, hook: Hook, event: Event) -> tuple[str | None, bool]:
        """What was wrong, or None; and whether another attempt is in vain."""
        import httpx  # noqa: PLC0415

        headers = {
            EVENT_HEADER: event.name,
            DELIVERY_HEADER: event.id,
            SIGNATURE_HEADER: signature(hook.secret, int(self._now()), event.body),
        }
        try:
            async with (
                asyncio.timeout(self._patience.attempt_s),
                client.stream("POST", hook.url, content=event.body, headers=headers) as answer,
            ):
                status = answer.status_code
        except TimeoutError:
            return f"no answer within {self._patience.attempt_s:g} s", False
        except (httpx.HTTPError, OSError) as error:
            return f"not reached: {type(error).__name__}", False  # without its text, which may hold the address
        except Exception as error:  # a fault of ours must not end the telling
            log.exception("webhooks.faulted")
            return repr(error), True
        if 200 <= status < 300:
            return None, False
        return f"answered with {status}", status < 500 and status not in _WORTH_A_RETRY

    def _tried(self, problem: str | None) -> None:
        """Logs only when it has become another."""
        if problem != self.error:
            if problem is None:
                log.info("webhooks.recovered")
            else:
                log.warning("webhooks.failed", cause=problem)
        self.error = problem

    def _drop(self, name: str, reason: str) -> None:
        if not self.dropped[reason]:
            log.warning("webhook.dropped", webhook=name, reason=reason)
        self.dropped[reason] += 1
