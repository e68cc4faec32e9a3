"""An example's request is sent again to two real backends, and what they answer now decides."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from starlette.responses import Response

from proxy.errors import Refused
from tests.control.nodes import CONFIG, linked, make_settings, run, running, until, until_answer
from tests.control.pairs import encoded_pair
from tests.live import serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from starlette.types import Receive, Scope, Send

    from proxy.control.control import Control

COOKIE = ("cookie", "session=masked:string:0123456789ab")


class Backend:
    """Answers what it is told to, and keeps what it was asked."""

    def __init__(self, body: str) -> None:
        self.body, self.status = body, 200
        self.asked: list[tuple[str, bytes, dict[bytes, bytes]]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.append((scope["method"], scope["raw_path"] + b"?" + scope["query_string"], dict(scope["headers"])))
        await Response(self.body, self.status, media_type="application/json")(scope, receive, send)


@contextmanager
def backends() -> Iterator[tuple[Backend, Backend, str]]:
    """Legacy and new as they differ in the example, and a config with them."""
    legacy, new = Backend('{"n": 1}'), Backend('{"n": "1"}')
    with serve(legacy) as legacy_url, serve(new) as new_url:
        yield legacy, new, CONFIG.replace("http://127.0.0.1:8001", legacy_url).replace("http://127.0.0.1:8002", new_url)


@asynccontextmanager
async def node_with(tmp_path: Path, text: str, **fields: Any) -> AsyncIterator[tuple[Control, str]]:
    """A node that has one example, and its signature's id."""
    settings = make_settings(tmp_path, text=text)
    async with running(settings) as control, linked(settings.link_path) as worker:
        worker.send(encoded_pair({"n": 1}, {"n": "1"}, **fields))
        await until(lambda: not worker.unsettled)
        yield control, (await until_answer(lambda: control.diffs("feeds", None), bool))[0]["id"]


def test_retry_asks_both_the_same_and_says_that_it_still_differs(tmp_path: Path):
    """Target byte for byte, headers but for the masked ones; the question is in the audit, and counts nowhere."""

    async def scenario() -> None:
        with backends() as (legacy, new, text):
            headers = (("host", "news.example"), ("x-a", "1"), COOKIE)
            fields = {"target": "/a/../%2f//?q=%20", "request_headers": headers}
            async with node_with(tmp_path, text, **fields) as (control, id_):
                found = await control.retry(id_, "ada", {})
                assert (True, ["cookie"], [200, 200]) == (found["differs"], found["left_out"], found["statuses"])
                for backend in (legacy, new):
                    ((method, target, given),) = backend.asked
                    assert ("GET", b"/a/../%2f//?q=%20") == (method, target)
                    assert {b"host": b"news.example", b"x-a": b"1"} == given
                lines = await until_answer(lambda: control.audit(5), bool)
                assert ("diff.retry", "ada") == (lines[0]["action"], lines[0]["who"])
                assert [1] == [row["count"] for row in await control.diffs("feeds", None)]

    run(scenario)


def test_retry_sees_that_it_is_mended(tmp_path: Path):
    """What differs elsewhere now is named, by its own signature."""

    async def scenario() -> None:
        with backends() as (_, new, text):
            async with node_with(tmp_path, text) as (control, id_):
                new.body = '{"n": 1}'
                found = await control.retry(id_, "ada", {})
                assert (False, []) == (found["differs"], found["others"])
                new.body = '{"n": 1, "m": 2}'
                found = await control.retry(id_, "ada", {})
                assert (False, 1) == (found["differs"], len(found["others"]))

    run(scenario)


def test_retry_concludes_nothing_from_a_refusal(tmp_path: Path):
    """Both answer 401 without the masked cookie: equal, and no proof."""

    async def scenario() -> None:
        with backends() as (legacy, new, text):
            async with node_with(tmp_path, text, request_headers=(COOKIE,)) as (control, id_):
                for backend in (legacy, new):
                    backend.status, backend.body = 401, "{}"
                found = await control.retry(id_, "ada", {})
                advice = f"give your own, by `changeover diffs retry {id_} --header`"
                assert (None, f"legacy answered 401 without cookie, and 200 before; {advice}") == (
                    found["differs"],
                    found["reason"],
                )

    run(scenario)


def test_retry_sends_what_is_given_in_place_of_what_is_masked(tmp_path: Path):
    """Both backends get it; the audit gets its name, and nothing keeps its value."""

    async def scenario() -> None:
        with backends() as (legacy, new, text):
            headers = (("x-a", "1"), ("Cookie", COOKIE[1]), COOKIE)
            async with node_with(tmp_path, text, request_headers=headers) as (control, id_):
                found = await control.retry(id_, "ada", {"cookie": "session=s3cr3t", "x-b": "2"})
                assert (True, [], ["cookie", "x-b"]) == (found["differs"], found["left_out"], found["given"])
                for backend in (legacy, new):
                    given = backend.asked[0][2]
                    assert (b"session=s3cr3t", b"1", b"2") == (given[b"cookie"], given[b"x-a"], given[b"x-b"])
                (line,) = [line for line in await control.audit(5) if line["action"] == "diff.retry"]
                assert ["cookie", "x-b"] == line["after"]["given"]
                detail = await control.diff(id_)
                assert "s3cr3t" not in repr(line) + repr(detail) + repr(found)

    run(scenario)


@pytest.mark.parametrize(
    ("fields", "config", "expected"),
    [
        ({"method": "POST"}, "", "POST is not a safe method"),
        ({"target": "/a?token=masked:string:0123456789ab"}, "", "the target holds masked values"),
        ({}, "kill_switch: true\n", "the kill switch is on"),
    ],
)
def test_retry_refuses_what_must_not_be_sent(tmp_path: Path, fields: dict[str, Any], config: str, expected: str):
    """No backend is asked then."""

    async def scenario() -> None:
        with backends() as (legacy, new, text):
            async with node_with(tmp_path, text + config, **fields) as (control, id_):
                with pytest.raises(Refused, match=expected):
                    await control.retry(id_, "ada", {})
            assert [] == legacy.asked + new.asked

    run(scenario)


def test_retry_of_a_backend_that_is_away_says_which(tmp_path: Path):
    """Neither "differs" nor "no longer": a refusal with the backend's name."""

    async def scenario() -> None:
        with backends() as (_, _, text):
            pass
        async with node_with(tmp_path, text) as (control, id_):
            with pytest.raises(Refused, match=r"legacy at http://127\.0\.0\.1:\d+ did not answer"):
                await control.retry(id_, "ada", {})

    run(scenario)
