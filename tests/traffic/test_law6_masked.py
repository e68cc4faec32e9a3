"""Law 6 at the link: no byte that leaves the worker for control carries a secret."""

from __future__ import annotations

import gzip
import json
import string
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.core.model import CompareRules, ImageRule, Redaction
from proxy.core.paths import parse as parse_path
from tests.traffic.stage import SHADOWED, WITH_WRITES, staged
from tests.traffic.wire import ok, request, run

if TYPE_CHECKING:
    from proxy.core.evidence import Answer

# Long and odd enough not to be in the traffic by chance.
SECRETS = st.text(string.ascii_letters + string.digits + "-_.~!", min_size=12, max_size=40).map(
    lambda text: f"Zq{text}"
)


def answer(fields: list[str], body: bytes) -> Any:
    """Each side answers alike but for its name, so that every request becomes a pair that goes up."""

    def made(side: str) -> bytes:
        wide = body.replace("SIDE".encode("utf-16-le"), side.encode("utf-16-le"))
        return ok(wide.replace(b"SIDE", side.encode()), *fields)

    return made


async def bytes_on_link(fields: list[str], body: bytes, data: bytes, **rollout: Any) -> bytes:
    """All that went over the socket for one request whose answers differ."""
    made = answer(fields, body)
    async with staged(made("legacy"), made("new"), is_linked=True, **({"shadow": WITH_WRITES} | rollout)) as stage:
        await stage.send(data)
        await stage.control.wait_pairs()
        await stage.check_nothing_lost()
        stage.worker.link.send_tally()
        await stage.control.wait(lambda: stage.control.tallies)
        return bytes(stage.control.received)


def spellings(secret: str) -> set[bytes]:
    """As it is, as JSON writes it, percent-encoded."""
    return {secret.encode(), json.dumps(secret)[1:-1].encode(), quote(secret, safe="").encode()}


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(secret=SECRETS)
def test_masked_request_headers_never_leave_the_worker(secret: str) -> None:
    """Authorization, cookies, API keys and tokens in the request's fields and target."""
    data = request(
        "POST",
        f"/path?password={quote(secret)}&q=1&access_token={quote(secret)}",
        f"Authorization: Bearer {secret}",
        f"Proxy-Authorization: Basic {secret}",
        f"Cookie: session={secret}; theme=dark; other={secret}",
        f"X-Api-Key: {secret}",
        f"X-Auth-Token: {secret}",
        f"Referer: https://shop.example/?token={quote(secret)}",
        body=json.dumps({"password": secret}).encode(),
    )
    found: list[bytes] = []

    async def scenario() -> None:
        found.append(await bytes_on_link(["content-type: application/json"], b'{"side": "SIDE"}', data))

    run(scenario())
    assert [] == [spelling for spelling in spellings(secret) if spelling in found[0]]
    assert b"SIDE" not in found[0]
    assert b"legacy" in found[0]


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(secret=SECRETS)
def test_masked_json_answers_never_leave_the_worker_in_clear(secret: str) -> None:
    """Secret members of JSON bodies at any depth, Set-Cookie, and the fields that the config names."""
    body = {
        "side": "SIDE",
        "user": {"password": secret, "name": "anna"},
        "items": [{"accessToken": secret}, {"card_number": secret}, {"nested": [{"client_secret": secret}]}],
        "own": {"shoe": secret},
    }
    fields = [
        "content-type: application/json",
        f"set-cookie: session={secret}; Path=/; HttpOnly",
        f"x-mine: {secret}",
        f"location: /next?code=1&token={quote(secret)}",
    ]
    found: list[bytes] = []

    async def scenario() -> None:
        found.append(
            await bytes_on_link(
                fields,
                json.dumps(body).encode(),
                request(),
                shadow=SHADOWED,
                redaction=Redaction(frozenset({"x-mine"}), (parse_path("$..shoe"),)),
            )
        )

    run(scenario())
    assert [] == [spelling for spelling in spellings(secret) if spelling in found[0]]
    assert b"anna" in found[0]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/x-www-form-urlencoded", b"side=SIDE&password=Zq-planted-secret&user=anna"),
        ("text/html; charset=utf-8", b'<p>SIDE</p><input name="password" value="Zq-planted-secret">'),
        ("text/plain", b"SIDE password=Zq-planted-secret"),
        ("application/octet-stream", b"SIDE\x00\x01Zq-planted-secret"),
        ("image/png", b"\x89PNG SIDE Zq-planted-secret"),
        ("application/json", b'{"side": "SIDE", "password": "Zq-planted-secret"'),
        ("text/plain", "\ufeffSIDE password=Zq-planted-secret".encode("utf-16-le")),
        ("text/plain; charset=utf-16le", b"SIDE password=Zq-planted-secret!"),
        ("text/plain", b"\xff\xfeSIDE password=Zq-planted-secret"),
        ("text/html", "<p>SIDE é</p><input name=password value=Zq-planted-secret>".encode("cp1252")),
        ("application/x-ndjson", b'{"side": "SIDE"}\n{"password": "Zq-planted-secret"}\n{"pin": "Zq-planted-secret'),
        ("application/json-seq", b'\x1e{"side": "SIDE"}\n\x1e{"password":\n"Zq-planted-secret"}\n'),
        ("text/event-stream", b'data: SIDE\n\ndata: {"password":\ndata: "Zq-planted-secret"}\n\n'),
        (
            "multipart/form-data; boundary=x",
            (
                b'--x\r\ncontent-disposition: form-data; name="password"\r\n\r\nZq-planted-secret\r\n'
                b"--x\r\n\r\nSIDE\r\n--x--"
            ),
        ),
        ("application/json; charset=utf-16", '{"side": "SIDE", "password": "Zq-planted-secret"}'.encode("utf-16-le")),
    ],
)
def test_masked_bodies_of_other_kinds_never_leave_the_worker_in_clear(content_type: str, body: bytes) -> None:
    """Forms, markup, plain text, lines, events, other charsets, bytes that nobody can read, and broken JSON."""
    found: list[bytes] = []

    async def scenario() -> None:
        found.append(await bytes_on_link([f"content-type: {content_type}"], body, request(), shadow=SHADOWED))

    run(scenario())
    assert b"Zq-planted-secret" not in found[0]
    assert "Zq-planted-secret".encode("utf-16-le") not in found[0]


def test_masked_large_bodies_go_the_same_way() -> None:
    """Bodies that the child masks are masked all the same."""
    filler = [{"id": number, "password": "Zq-planted-secret"} for number in range(3000)]
    found: list[bytes] = []

    async def scenario() -> None:
        body = json.dumps({"side": "SIDE", "items": filler}).encode()
        found.append(await bytes_on_link(["content-type: application/json"], body, request(), shadow=SHADOWED))

    run(scenario())
    assert b"Zq-planted-secret" not in found[0]


@pytest.mark.parametrize(("items", "is_child_needed"), [(20, False), (3000, True)], ids=["small", "large"])
def test_masked_bodies_that_unpack_large_leave_the_loop_to_users(items: int, is_child_needed: bool) -> None:
    """What counts is the size that is masked, not that on the wire; and its secrets go the same way."""
    body = gzip.compress(json.dumps([{"password": "Zq-planted-secret"}] * items).encode())
    assert len(body) < 2_000
    has_child, found = masked_in(body, "content-type: application/json", "content-encoding: gzip")
    assert is_child_needed == has_child
    assert found.startswith(b'[{"password": "masked:string:')
    assert b"Zq-planted-secret" not in found


def masked_in(body: bytes, *fields: str, **rollout: Any) -> tuple[bool, bytes]:
    """Whether the worker needed its child to make of the answers what may leave; what became of legacy's body."""
    found: list[tuple[bool, bytes]] = []

    def made(side: str) -> bytes:
        return ok(body, *fields, f"x-side: {side}")

    async def scenario() -> None:
        async with staged(made("legacy"), made("new"), is_linked=True, shadow=SHADOWED, **rollout) as stage:
            await stage.ask()
            pair = (await stage.control.wait_pairs())[0]
            found.append((stage.worker.masking.pid is not None, pair.control.body or b""))

    run(scenario())
    return found[0]


@pytest.mark.parametrize(
    ("content_type", "body", "rules"),
    [
        ("multipart/mixed; boundary=x", b"--x\r\n\r\na\r\n--x--", CompareRules()),
        ("image/png", b"\x89PNG", CompareRules(images=ImageRule())),
    ],
)
def test_parts_and_pictures_leave_the_loop_to_users(content_type: str, body: bytes, rules: CompareRules) -> None:
    """However small they are: what they take says their content."""
    assert masked_in(body, f"content-type: {content_type}", compare=rules)[0]


def test_masked_bodies_stay_within_the_limit() -> None:
    """Marks are longer than what they hide: of a body that is all but marks, length and digest stand."""
    found: list[Answer] = []

    async def scenario() -> None:
        body = b'{"side": "SIDE", "a": [%s]}' % b",".join([b'{"pin":1}'] * 4000)
        made = answer(["content-type: application/json"], body)
        limit = {"max_compared_bytes": 2 * len(body) + 100}
        async with staged(made("legacy"), made("new"), is_linked=True, shadow=SHADOWED, settings=limit) as stage:
            await stage.ask()
            found.append((await stage.control.wait_pairs())[0].control)

    run(scenario())
    assert (None, 64, "size") == (found[0].body, len(found[0].digest), found[0].unkept)


def test_masked_user_keys_are_in_no_tally() -> None:
    """Users are counted by hashes: a tally names none of them."""

    async def scenario() -> None:
        async with staged(shadow=SHADOWED, is_linked=True) as stage:
            await stage.ask(user="Zq-anna@shop.example")
            stage.worker.link.send_tally()
            await stage.control.wait(lambda: any(tally["users"] for tally in stage.control.tallies))
            users = next(tally["users"] for tally in stage.control.tallies if tally["users"])
            assert 1 == len(users["feeds"]["legacy"])
            assert b"Zq-anna" not in bytes(stage.control.received)

    run(scenario())


@pytest.mark.parametrize("percent", [0, 100])
def test_masked_version_of_new_is_what_a_tally_says(percent: int) -> None:
    """An equal pair sends nothing but what new says of its version, whoever may have put a secret there."""
    secret = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJlLW9mLWFkYQ"

    async def scenario() -> None:
        alike = ok(b"alike", f"x-version: v7 Bearer {secret}")
        async with staged(alike, alike, shadow=SHADOWED, percent=percent, is_linked=True) as stage:
            await stage.ask()
            counts = await stage.settle()
            stage.worker.link.send_tally()
            await stage.control.wait(lambda: any(tally["versions"] for tally in stage.control.tallies))
            (said,) = (tally["versions"] for tally in stage.control.tallies if tally["versions"])
            assert (1, [True]) == (counts["match"], [version.startswith("v7") for version in said.values()])
            assert secret[:20].encode() not in bytes(stage.control.received)

    run(scenario())
