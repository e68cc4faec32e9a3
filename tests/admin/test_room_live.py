"""The overview's changes as a stream: what is sent and when, to how many, and how it ends."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from proxy.admin.room.live import Live, difference
from proxy.admin.room.overview import Overview, parts_of
from proxy.errors import StoreError
from tests.admin.hostile import HOSTILE
from tests.fakes import route_row

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx
    from starlette.requests import Request

    from tests.fakes import FakeControl
    from tests.live import Stage

LET_GO_S = 5.0


def events(answer: httpx.Response) -> Iterator[dict[str, Any]]:
    """What each event carries, as a browser reads it."""
    for line in answer.iter_lines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


@pytest.fixture
def live(stage: tuple[Stage, str], control: FakeControl, client: httpx.Client) -> Live:
    """At /live for one browser at a time, and for half a second."""
    live = Live(Overview(control), max_clients=1, span_s=0.5)

    async def answer(request: Request) -> Any:
        return await live.answer(request, control)

    stage[0].app = Starlette(routes=[Route("/live", answer)])
    return live


def wait_until_left(live: Live) -> None:
    until = time.monotonic() + LET_GO_S
    while live.clients and time.monotonic() < until:
        time.sleep(0.01)
    assert 0 == live.clients


def test_stream_begins_with_all_parts_of_the_page(client: httpx.Client):
    """As they are on it."""
    page = client.get("/").text
    with client.stream("GET", "/live") as answer:
        first = next(events(answer))
        kind = answer.headers["content-type"].partition(";")[0]
    assert ("text/event-stream", "no-store") == (kind, answer.headers["cache-control"])
    assert ["holds", "node-panels", "notices", "route-feeds", "totals"] == sorted(first)
    assert [] == [id_ for id_, content in first.items() if content not in page]


def test_stream_goes_on_with_what_has_changed(client: httpx.Client, control: FakeControl):
    """The rest is not sent again; what is gone is null."""
    with client.stream("GET", "/live") as answer:
        found = events(answer)
        next(found)
        control.route_rows = [route_row(percentage=25, effective_percentage=25)]
        second = next(found)
        control.route_rows = [route_row("other")]
        third = next(found)
    assert (["route-feeds"], True) == (list(second), "25 %" in second["route-feeds"])
    assert (None, True) == (third["route-feeds"], "route-other" in third)


def test_stream_ends_and_makes_room(client: httpx.Client, live: Live):
    """Who comes while all places are taken is told so, and asks instead."""
    with client.stream("GET", "/live") as answer:
        found = events(answer)
        next(found)
        refused = client.get("/live")
        assert [] == list(found)
    assert (503, "60") == (refused.status_code, refused.headers["retry-after"])
    wait_until_left(live)
    with client.stream("GET", "/live") as answer:
        assert 200 == answer.status_code


def test_stream_knows_who_has_left(client: httpx.Client, live: Live):
    """A browser that goes away in between takes no place."""
    with client.stream("GET", "/live") as answer:
        found = events(answer)
        next(found)
        assert 1 == live.clients
    wait_until_left(live)


def test_stream_does_not_begin_where_something_is_wrong(client: httpx.Client, control: FakeControl):
    """The same refusal as elsewhere."""
    control.fault = StoreError("store: away")
    assert 503 == client.get("/live").status_code


def test_stream_ends_where_something_goes_wrong(client: httpx.Client, control: FakeControl):
    """Without half an event."""
    with client.stream("GET", "/live") as answer:
        found = events(answer)
        next(found)
        control.fault = StoreError("store: away")
        assert [] == list(found)


@pytest.mark.parametrize("text", [*HOSTILE, "<!--/live--><!--live totals-->"])
def test_parts_are_the_same_whatever_the_text(client: httpx.Client, control: FakeControl, text: str):
    """Nothing that is shown ends a part or begins one."""
    names = set(parts_of(client.get("/").text))
    hold = {"route": "feeds", "percentage": 1, "who": text, "reason": text, "since": 0.0}
    control.route_rows = [route_row(group=text, hold=hold)]
    page = client.get("/").text
    assert names == set(parts_of(page))


def test_difference_names_what_is_new_other_and_gone():
    """And nothing else."""
    assert {"b": "3", "c": "4", "d": None} == difference({"a": "1", "b": "2", "d": "5"}, {"a": "1", "b": "3", "c": "4"})
