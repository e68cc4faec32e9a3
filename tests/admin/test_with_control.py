"""The API over the real control plane, with a config file, a SQLite store and a worker's link."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import TypeAdapter

from proxy.admin.api import create_app
from proxy.admin.openapi.files import FILE_OPERATIONS
from proxy.admin.openapi.operations import OPERATIONS
from proxy.admin.report.content import Scope, build_report
from proxy.admin.report.formats import FORMATS
from proxy.admin.signature_text import signature_lines
from proxy.cli.status import header_lines, row
from tests import fakes
from tests.control.nodes import linked, make_settings, running, until_answer
from tests.control.pairs import encoded_pair

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from proxy.settings import Settings

    Scenario = Callable[[httpx.AsyncClient, Settings], Awaitable[None]]


@asynccontextmanager
async def asked(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the API of a node that has begun to answer."""
    async with running(settings) as control:
        transport = httpx.ASGITransport(create_app(control, settings))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:9000") as client:
            await get(client, "/api/v1/status")
            yield client


@pytest.fixture
def play(tmp_path: Path) -> Callable[[Scenario], None]:
    """Runs a scenario against a node whose state is in a folder of its own."""

    async def bounded(scenario: Scenario) -> None:
        settings = make_settings(tmp_path)
        async with asyncio.timeout(90), asked(settings) as client:
            await scenario(client, settings)

    return lambda scenario: asyncio.run(bounded(scenario))


async def get(client: httpx.AsyncClient, target: str) -> Any:
    return (await client.get(target)).raise_for_status().json()


def test_fake_has_no_field_that_the_real_one_lacks(play: Callable[[Scenario], None]):
    """What the other tests believe of the answers is true of the control plane."""

    async def scenario(client: httpx.AsyncClient, settings: Settings) -> None:
        reason = {"reason": "r"}
        status = await get(client, "/api/v1/status")
        route = (await get(client, "/api/v1/routes"))[0]
        set_ = (await client.put("/api/v1/routes/feeds/rollout", json={"percentage": 6, **reason})).json()
        held = (await client.put("/api/v1/routes/feeds/hold", json=reason)).json()
        fake = fakes.FakeControl()
        expected = [
            fakes.status_row(),
            fakes.status_row()["config"],
            fakes.status_row()["store"],
            fakes.status_row()["workers"],
            fakes.route_row(),
            fakes.route_row()["coverage"],
            await fake.set_rollout("feeds", 6, "r", "ada"),
            await fake.hold("feeds", 0, "r", "ada"),
            (await fake.hold("feeds", 0, "r", "ada"))["hold"],
            await fake.explain("GET", "/", None, None, {}),
            (await fake.audit(1))[0],
            await fake.reload(),
        ]
        real = [
            status,
            status["config"],
            status["store"],
            status["workers"],
            route,
            route["coverage"],
            set_,
            held,
            held["hold"],
            await get(client, "/api/v1/explain?path=/api/feeds"),
            (await get(client, "/api/v1/audit"))[0],
            (await client.post("/api/v1/reload")).json(),
        ]
        assert [set()] * len(expected) == [set(one) - set(other) for one, other in zip(expected, real, strict=True)]

    play(scenario)


def test_rollout_put_edits_the_file_and_is_audited(play: Callable[[Scenario], None]):
    """The wish is in the file, in force for the whole group, and in the audit log with who, why and from where."""

    async def scenario(client: httpx.AsyncClient, settings: Settings) -> None:
        before = settings.config.read_text()
        body, headers = {"percentage": 25, "reason": "wave 2"}, {"x-changeover-who": "ada"}
        response = await client.put("/api/v1/routes/items/rollout", json=body, headers=headers)
        assert 200 == response.status_code, response.text
        assert [25, 25] == [route["effective_percentage"] for route in await get(client, "/api/v1/routes")]
        changed = [
            old
            for old, new in zip(before.split("\n"), settings.config.read_text().split("\n"), strict=True)
            if old != new
        ]
        assert 1 == len(changed)
        line = (await get(client, "/api/v1/audit"))[0]
        assert ("ada", "rollout.set", "wave 2") == (line["who"], line["action"], line["reason"])
        await client.put("/api/v1/routes/items/hold", json={"reason": "errors"})
        written_by_store = (await get(client, "/api/v1/audit"))[0]
        assert ("127.0.0.1", "hold.put", "127.0.0.1") == (
            line["origin"], written_by_store["action"], written_by_store["origin"],
        )  # fmt: skip

    play(scenario)


def test_hold_caps_and_release_gives_back(play: Callable[[Scenario], None]):
    """A hold takes the group down at once; without it the file's wish is in force again."""

    async def scenario(client: httpx.AsyncClient, settings: Settings) -> None:
        async def effective() -> list[float]:
            return [route["effective_percentage"] for route in await get(client, "/api/v1/routes")]

        held = await client.put("/api/v1/routes/feeds/hold", json={"percentage": 1.5, "reason": "errors"})
        assert (200, [1.5, 1.5]) == (held.status_code, await effective())
        released = await client.delete("/api/v1/routes/feeds/hold?reason=fixed")
        assert (200, [5, 5]) == (released.status_code, await effective())
        again = await client.delete("/api/v1/routes/feeds/hold")
        assert (404, "not_found") == (again.status_code, again.json()["code"])
        actions = [line["action"] for line in await get(client, "/api/v1/audit")]
        assert ["hold.release", "hold.put"] == actions[:2]

    play(scenario)


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("PUT", "/api/v1/routes/feed/rollout", {"percentage": 1, "reason": "r"}),
        ("PUT", "/api/v1/routes/feed/hold", {"reason": "r"}),
        ("DELETE", "/api/v1/routes/feed/hold", None),
        ("GET", "/api/v1/diffs/0123456789ab", None),
        ("POST", "/api/v1/diffs/0123456789ab/retry", None),
        ("POST", "/api/v1/diffs/0123456789ab/state", {"state": "known", "reason": "r"}),
    ],
)
def test_unknown_names_are_404(play: Callable[[Scenario], None], method: str, target: str, body: Any):
    """A route or signature that isn't there is said so, whoever looks for it."""

    async def scenario(client: httpx.AsyncClient, settings: Settings) -> None:
        response = await client.request(method, target, json=body)
        assert (404, "not_found") == (response.status_code, response.json()["code"])

    play(scenario)


def test_refused_config_is_422_and_the_last_good_one_stays(play: Callable[[Scenario], None]):
    """Law 7 by way of the API: problems with their places, and nothing changes."""

    async def scenario(client: httpx.AsyncClient, settings: Settings) -> None:
        digest = (await get(client, "/api/v1/status"))["config"]["digest"]
        settings.config.write_text(settings.config.read_text().replace("percentage: 5", "percentage: 105"))
        response = await client.post("/api/v1/reload")
        assert (422, "config", 8 + 1) == (
            response.status_code,
            response.json()["code"],
            response.json()["problems"][0]["line"],
        )
        config = (await get(client, "/api/v1/status"))["config"]
        assert (digest, True) == (config["digest"], "105" in config["error"])

    play(scenario)


def test_readyz_follows_the_workers_link(play: Callable[[Scenario], None]):
    """Without a worker not ready; with one ready."""

    async def scenario(client: httpx.AsyncClient, settings: Settings) -> None:
        async def probe() -> int:
            return (await client.get("/readyz")).status_code

        assert 503 == await probe()
        async with linked(settings.link_path):
            await until_answer(probe, lambda code: code == 200)
        await until_answer(probe, lambda code: code == 503)

    play(scenario)


def test_counters_of_a_worker_reach_routes_metrics_reports_and_status(play: Callable[[Scenario], None]):
    """One tally is shown the same everywhere, and every writer can show what control answers."""

    async def scenario(client: httpx.AsyncClient, settings: Settings) -> None:
        async with linked(settings.link_path) as worker:
            tally = worker.tally.route("feeds")
            for counter, number in (("served.legacy", 9), ("pairs", 8), ("match", 6), ("skipped.timeout", 2)):
                tally.count(counter, number)
            tally.answered("legacy", 0.012)
            routes = await until_answer(
                lambda: get(client, "/api/v1/routes"), lambda routes: routes[0]["coverage"]["compared"] == 6
            )
        assert (9, 1.0, 0.75) == (
            routes[0]["requests"]["legacy"],
            routes[0]["match_rate"],
            routes[0]["coverage"]["ratio"],
        )
        metrics = (await client.get("/metrics")).text
        samples = {
            (sample.name, sample.labels.get("route"), sample.labels.get("reason")): sample.value
            for family in text_string_to_metric_families(metrics)
            for sample in family.samples
        }
        assert 2 == samples["changeover_pairs_skipped_total", "feeds", "timeout"]
        status = await get(client, "/api/v1/status")
        report = build_report(status, routes, await get(client, "/api/v1/diffs"), scope=Scope(0))
        assert [True] * 5 == ["feeds" in write(report) for write in FORMATS.values()]
        assert ("feeds", "75 %") == (row(routes[0])[0], row(routes[0])[7])
        assert header_lines(status)[0].endswith("on node-a")

    play(scenario)


def test_routes_count_since_a_time(play: Callable[[Scenario], None]):
    """What is stored for the minutes from then on; what was before isn't in it."""

    async def scenario(client: httpx.AsyncClient, settings: Settings) -> None:
        def compared_since(moment: float) -> Awaitable[int]:
            async def asked() -> int:
                found = await get(client, f"/api/v1/routes?since={moment:.3f}")
                compared: int = found[0]["coverage"]["compared"]
                return compared

            return asked()

        async with linked(settings.link_path) as worker:
            worker.tally.route("feeds").count("match", 6)
            began_at = time.time()
            assert 6 == await until_answer(lambda: compared_since(began_at), bool)
        assert (6, 6, 0) == (
            await compared_since(0),
            await compared_since(began_at - 90_000),
            await compared_since(began_at + 120),
        )
        refused = await client.get("/api/v1/routes?since=yesterday")
        assert (400, True) == (refused.status_code, "Unix seconds" in refused.text)

    play(scenario)


def test_difference_is_found_shown_and_decided_about(play: Callable[[Scenario], None]):
    """An unequal pair becomes a signature with an example, as the fake has it, and keeps what people say of it."""

    async def scenario(client: httpx.AsyncClient, settings: Settings) -> None:
        async with linked(settings.link_path) as worker:
            worker.send(encoded_pair({"score": 1}, {"score": "1"}))
            found = await until_answer(lambda: get(client, "/api/v1/diffs?route=feeds"), bool)
        detail = await get(client, f"/api/v1/diffs/{found[0]['id']}")
        real, fake = detail["examples"][0], fakes.example()
        parts = ("request", "control", "candidate")
        assert [set()] * 6 == [
            set(fakes.signature_row()) - set(found[0]),
            set(fake) - set(real),
            set(fake["differences"][0]) - set(real["differences"][0]),
            *(set(fake[part]) - set(real[part]) for part in parts),
        ]
        assert {"  body $.score: " + found[0]["shape"], "    - 1", '    + "1"'} <= set(signature_lines(detail))
        body = {"state": "ignored", "reason": "meant to be", "owner": "bo", "ticket": "T-1", "until": 4_000_000_000}
        decided = (await client.post(f"/api/v1/diffs/{found[0]['id']}/state", json=body)).json()
        assert body == {name: decided[name] for name in body}
        assert [] == await get(client, "/api/v1/diffs?state=new")

    play(scenario)


def test_explain_tells_the_bucket_and_the_shadow(play: Callable[[Scenario], None]):
    """The decision of the data plane, without a request."""

    async def scenario(client: httpx.AsyncClient, settings: Settings) -> None:
        answer = await get(client, "/api/v1/explain?path=/api/feeds&user=7&method=get")
        assert ("feeds", "bucket", 5, 100) == (
            answer["route"],
            answer["reason"],
            answer["effective_percentage"],
            answer["shadow"],
        )
        assert ("new" if answer["bucket"] < 5_000 else "legacy") == answer["backend"]

    play(scenario)


def test_answers_have_the_described_shape_and_no_other_field(play: Callable[[Scenario], None]):
    """Every GET of the real control plane is what its model says, with differences of a real pair, strictly."""

    async def scenario(client: httpx.AsyncClient, settings: Settings) -> None:
        async with linked(settings.link_path) as worker:
            worker.send(encoded_pair({"a": 1, "b": "x"}, {"a": "1", "b": "y"}))
            worker.send(encoded_pair({"a": 1}, {"a": 2}, kind="noise"))
            rows = await until_answer(lambda: get(client, "/api/v1/diffs"), lambda rows: len(rows) >= 2)
            await client.put("/api/v1/routes/feeds/hold", json={"percentage": 1, "reason": "to see it"})
            asked = {"name": "feeds", "id": rows[0]["id"]}
            for (method, path), operation in {**OPERATIONS, **FILE_OPERATIONS}.items():
                if method != "GET" or isinstance(operation.answer, str):
                    continue
                query = {each.name: NEEDED[each.name].format(**asked) for each in operation.query if each.is_needed}
                answer = await client.get(path.format(**asked), params=query)
                TypeAdapter(operation.answer_type).validate_python(answer.raise_for_status().json())

    play(scenario)


NEEDED = {"percentage": "10", "path": "/api/feeds", "id": "{id}"}
