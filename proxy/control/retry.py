"""An example's request, sent to both backends again: does the signature still show?

1. Safe methods only, and nothing to new while the kill switch is on: it is a request of ours, by nobody's wish but the
   operator's (law 4).
2. Masked fields are left out and named, unless who asks gives values of their own: these are sent and then forgotten,
   and their names alone are in the audit. Where legacy answers with another status, nothing is concluded.
3. It goes where the config says and nowhere else. Bodies are bounded, masked here, compared in a comparer, forgotten.
"""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from proxy.certificates import UnusableFile
from proxy.control.example import decode_example
from proxy.control.recorder import AuditLine
from proxy.core.evidence import Pair, Verdict, encode_pair
from proxy.core.mask import Masker
from proxy.core.observation import Observation
from proxy.core.resend import SAFE_METHODS, is_masked, replace_fields, sendable_headers
from proxy.errors import Refused
from proxy.traffic.upstream.tls import backend_server_name, backend_socket_path, backend_ssl_context

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxy.control.comparers import Comparers
    from proxy.control.outcome import Outcome
    from proxy.control.recorder import Recorder
    from proxy.control.rollout import LiveRollout
    from proxy.control.store_threads import StoreThreads
    from proxy.core.model import Backend
    from proxy.store import Store

Json = dict[str, Any]
AUDIT_PATIENCE_S = 2.0
ANSWER_TIMEOUT_S = 5.0  # for each backend; the commands wait 15 s for the whole


@dataclass(frozen=True, slots=True)
class _Answered:
    """An answer as it came: header lines in lower case, the body with its codings."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Retry:
    """See the module. `max_body_bytes` bounds each answer's body."""

    def __init__(
        self,
        store: Store,
        threads: StoreThreads,
        comparers: Comparers,
        recorder: Recorder,
        live: LiveRollout,
        max_body_bytes: int,
    ) -> None:
        self._store = store
        self._threads = threads
        self._comparers = comparers
        self._recorder = recorder
        self._live = live
        self._max_body_bytes = max_body_bytes
        self._lock = asyncio.Lock()  # one at a time: no button may load a backend

    async def retry(self, signature_id: str, who: str, own_headers: Mapping[str, str]) -> Json:
        """What came of it: docs/admin-api.md. Raises NotFound, StoreError, Refused where it can't be sent.

        `own_headers`: lower-case name -> value, in place of the example's fields of that name.
        """
        row, pair = await self._sendable(signature_id)
        headers, left_out = sendable_headers(replace_fields(pair.request_headers, own_headers))
        async with self._lock:
            sides = [await self._ask(backend, pair, headers) for backend in self._backends(pair)]
            outcome = await self._judge(pair, *sides)
        differs, reason = _conclusion(signature_id, pair, sides[0].status, outcome, left_out)
        found = {
            "differs": differs,
            "reason": reason,
            "method": pair.method,
            "target": pair.target,
            "left_out": left_out,
            "given": sorted(own_headers),
            "statuses": [side.status for side in sides],
        }
        at = time.time()
        self._recorder.take_audit(AuditLine(who, "diff.retry", signature_id, None, found, "", at))
        await self._recorder.is_audited(AUDIT_PATIENCE_S)  # who asked looks for it there
        return {
            "id": signature_id,
            "route": row.route,
            "at": at,
            **found,
            "others": [each.id for each in outcome.signatures if each.id != signature_id],
        }

    async def _sendable(self, signature_id: str) -> tuple[Any, Pair]:
        """The latest example that can be sent. Raises Refused where there is none."""
        detail = await self._threads.run(lambda: self._store.signature(signature_id))
        refusal = "no example is kept whole; wait for the next pair that shows it"
        for example in reversed(detail.examples):
            pair = decode_example(example.payload, detail.row.route)
            if pair is None:
                continue
            if pair.method not in SAFE_METHODS:
                refusal = f"{pair.method} is not a safe method; only GET, HEAD and OPTIONS are sent again"
            elif is_masked(pair.target):
                refusal = "the target holds masked values; ask with your own, by `changeover diffs show --curl`"
            else:
                return detail.row, pair
        raise Refused(f"signature {signature_id}: {refusal}")

    def _backends(self, pair: Pair) -> tuple[Backend, Backend]:
        rollout = self._live.rollout
        migration = rollout.migration
        if pair.kind == "noise":
            return migration.legacy, migration.legacy
        if rollout.is_killed:
            raise Refused("the kill switch is on: nothing is sent to new; switch it off to try again")
        return migration.legacy, migration.new

    async def _ask(self, backend: Backend, pair: Pair, headers: list[tuple[str, str]]) -> _Answered:
        try:
            context = backend_ssl_context(backend)
            transport = httpx.AsyncHTTPTransport(
                verify=context if context is not None else False, uds=backend_socket_path(backend), trust_env=False
            )
            extensions: Json = {"target": pair.target.encode("latin-1")}  # byte for byte: httpx would tidy it up
            if name := backend_server_name(backend):
                extensions["sni_hostname"] = name
            request = httpx.Request(pair.method, backend.base_url, headers=_encoded(headers), extensions=extensions)
            async with asyncio.timeout(ANSWER_TIMEOUT_S), transport:
                return await self._read(await transport.handle_async_request(request))
        except (httpx.HTTPError, TimeoutError, UnusableFile) as error:
            raise Refused(f"{backend.side} at {backend.url} did not answer: {error!r}") from error

    async def _read(self, response: httpx.Response) -> _Answered:
        """Raises Refused when the body is larger than what is compared."""
        chunks, size = [], 0
        try:
            async for chunk in response.aiter_raw():
                chunks.append(chunk)
                size += len(chunk)
                if size > self._max_body_bytes:
                    raise Refused(f"the answer is larger than the {self._max_body_bytes} bytes that are compared")
        finally:
            await response.aclose()
        lines = tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in response.headers.raw)
        return _Answered(response.status_code, lines, b"".join(chunks))

    async def _judge(self, pair: Pair, control: _Answered, candidate: _Answered) -> Outcome:
        # A key of its own: marks need only be the same on both sides of this pair.
        masker = Masker(self._live.rollout.migration.redaction, os.urandom(32))
        encoded = await asyncio.to_thread(self._encode, masker, pair, control, candidate)
        done: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        if not self._comparers.submit(encoded, lambda outcome: None if done.done() else done.set_result(outcome)):
            raise Refused("the comparers are busy with users' pairs; try again later")
        return await done

    def _encode(self, masker: Masker, pair: Pair, control: _Answered, candidate: _Answered) -> bytes:
        """As a worker does it."""
        route = self._live.rollout.migration.route(pair.route)
        has_pictures = route is not None and route.compare.images is not None
        seen = Observation(masker, self._max_body_bytes, has_pictures=has_pictures)
        return encode_pair(
            Pair(
                request_id=pair.request_id,
                route=pair.route,
                kind=pair.kind,
                served=pair.served,
                at=time.time(),
                method=pair.method,
                target=pair.target,
                request_headers=pair.request_headers,
                control=seen.answer(control.status, control.headers, control.body),
                candidate=seen.answer(candidate.status, candidate.headers, candidate.body),
                first_difference=seen.first_difference(),
            )
        )


def _encoded(headers: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]


def _conclusion(
    signature_id: str, pair: Pair, status: int, outcome: Outcome, left_out: list[str]
) -> tuple[bool | None, str]:
    """Whether the signature still shows, or None and why that can't be said."""
    if any(each.id == signature_id for each in outcome.signatures):
        return True, ""
    if outcome.verdict not in {Verdict.MATCH, Verdict.MISMATCH} or outcome.reason or outcome.has_more:
        return None, f"not compared in full: {outcome.reason or outcome.verdict.value}"
    if status != pair.control.status:
        without = f" without {', '.join(left_out)}" if left_out else ""
        advice = f"; give your own, by `changeover diffs retry {signature_id} --header`" if left_out else ""
        return None, f"legacy answered {status}{without}, and {pair.control.status} before{advice}"
    return False, ""
