"""Law 6 from a real worker to every place where evidence is kept or shown: no secret of any kind in any of them.

The worker talks raw HTTP to raw backends; its pairs go into a real control plane, with comparer processes and a store.
"""

from __future__ import annotations

import asyncio
import gzip
import html
from typing import TYPE_CHECKING, Any

import httpx

from proxy.admin.api import create_app
from proxy.admin.report.content import Scope, build_report
from proxy.admin.report.formats import FORMATS
from proxy.admin.request_text import curl_command, har
from proxy.admin.signature_text import signature_lines
from proxy.core.evidence import encode_pair
from tests.control.nodes import linked, make_settings, running, until_answer
from tests.core.secret_places import ANYWHERE, UNDER_A_NAME, readings
from tests.traffic.stage import SHADOWED, staged
from tests.traffic.wire import ok

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.traffic.wire import Asked

# What each side, and the user, keeps secret: nothing that is in the traffic by chance.
OF_LEGACY, OF_NEW, OF_THE_USER = "QzLegacySecret7731", "QzNewSecret8842", "QzUserSecret9953"
HIDDEN = [OF_LEGACY, OF_NEW, OF_THE_USER]
BACKENDS = {"legacy": "http://127.0.0.1:8001", "new": "http://127.0.0.1:8002"}


def answer(content_type: str, text: str, secret: str, *, is_packed: bool = False) -> bytes:
    """With secrets in its fields as well; compressed or not."""
    fields = [
        f"content-type: {content_type}",
        f"set-cookie: session={secret}; Path=/",
        f"location: /next?token={secret}",
        f"x-api-key: {secret}",
        f"www-authenticate: Bearer {secret}",
        f"refresh: 0; url=https://x.example/?access_token={secret}",
    ]
    body = text.encode()
    return ok(gzip.compress(body), *fields, "content-encoding: gzip") if is_packed else ok(body, *fields)


def answers() -> list[tuple[bytes, bytes]]:
    """Of legacy and new: each place for a secret that looks like one, and for one under a name."""
    looks = [
        (f"Bearer {word}", f"eyJhbGciOiJIUzI1NiJ9.eyJ{word}.{word}", f"{word}@shop.example") for word in HIDDEN[:2]
    ]
    found = []
    for number, (content_type, write) in enumerate(ANYWHERE.values()):
        for look in range(3):
            pair = [
                answer(content_type, write(looks[side][look]), HIDDEN[side], is_packed=number % 2 > 0)
                for side in (0, 1)
            ]
            found.append((pair[0], pair[1]))
    for content_type, write_named in UNDER_A_NAME.values():
        pair = [answer(content_type, write_named("password", secret), secret) for secret in HIDDEN[:2]]
        found.append((pair[0], pair[1]))
    return found


async def pairs_of_a_worker() -> list[bytes]:
    """The encoded pairs of a user who sends secrets too, one for each answer."""
    prepared = answers()

    def backend(side: int) -> Any:
        async def behave(asked: Asked) -> None:
            await asked.write(prepared[int(asked.target.rpartition("=")[2])][side])

        return behave

    async with staged(backend(0), backend(1), is_linked=True, shadow=SHADOWED) as stage:
        for number in range(len(prepared)):
            await stage.ask(
                "GET",
                f"/{OF_THE_USER}@shop.example/a?access_token={OF_THE_USER}&n={number}",
                f"Authorization: Bearer {OF_THE_USER}",
                f"Cookie: session={OF_THE_USER}; theme={OF_THE_USER}",
                f"Referer: https://shop.example/?token={OF_THE_USER}",
                f"X-Api-Key: {OF_THE_USER}",
                f"User-Agent: curl token={OF_THE_USER}",
            )
        await stage.check_nothing_lost()
        found = [encode_pair(pair) for pair in await stage.control.wait_pairs(len(prepared))]
        assert [] == hidden_in(str([dict(entry) for entry in stage.logs]))
        return found


async def shown_by_a_node(folder: Path, pairs: list[bytes]) -> dict[str, str]:
    """Place -> all that it holds or shows, once all pairs are compared and stored."""
    settings = make_settings(folder, log_format="json")
    async with running(settings) as control, linked(settings.link_path) as worker:
        transport = httpx.ASGITransport(create_app(control, settings))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:9000") as client:

            async def get(target: str) -> Any:
                return (await client.get(f"/api/v1/{target}")).raise_for_status().json()

            for encoded in pairs:
                worker.send(encoded)
            routes = await until_answer(lambda: get("routes"), lambda routes: routes[0]["mismatches"] == len(pairs))
            rows = await until_answer(lambda: get("diffs"), bool)
            details = {row["id"]: await get(f"diffs/{row['id']}") for row in rows}
            examples = [example for detail in details.values() for example in detail["examples"]]
            assert examples
            report = build_report(await get("status"), routes, rows, scope=Scope(0), details=details)
            found = {f"report as {name}": write(report) for name, write in FORMATS.items()}
            found["API"] = str([routes, rows, details, await get("audit"), await get("status")])
            paths = ["/", "/diffs", "/progress", "/audit", "/routes/feeds", *(f"/diffs/{id_}" for id_ in details)]
            pages = [(await client.get(path)).raise_for_status().text for path in paths]
            found["control room"] = html.unescape("\n".join(pages))
            found["metrics"] = (await client.get("/metrics")).text
            found["signatures on a terminal"] = "\n".join(
                line for each in details.values() for line in signature_lines(each)
            )
            found["curl"] = "\n".join(curl_command(example, BACKENDS["new"]) for example in examples)
            found["HAR"] = str(har(examples, BACKENDS))
            found |= files_in(folder)  # while the store is open, so that its journal is there too
    return found


def files_in(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.name.endswith("-wal") for path in files)
    return {f"file {path.name}": path.read_bytes().decode("latin-1") for path in files}


def hidden_in(text: str) -> list[str]:
    return [secret for secret in HIDDEN if any(secret in reading for reading in readings(text))]


def test_no_secret_of_user_or_backends_is_kept_or_shown(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    """Neither queue, store, journal, log, report, page, metric, API, terminal, curl command nor HAR has one."""

    async def scenario() -> None:
        async with asyncio.timeout(100):
            pairs = await pairs_of_a_worker()
            found = {"queue": b"".join(pairs).decode("latin-1")} | await shown_by_a_node(tmp_path, pairs)
            assert len(found) > len(FORMATS) + 6
            assert {} == {place: secrets for place, text in found.items() if (secrets := hidden_in(text))}
            seen = [
                place
                for place in ("queue", "API", "HAR", "report as html", "control room")
                if "masked:" not in found[place]
            ]
            assert [] == seen

    asyncio.run(scenario())
    said = capfd.readouterr()
    assert [] == hidden_in(said.out + said.err)
