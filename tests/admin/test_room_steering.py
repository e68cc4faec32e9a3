"""Steering: what a route's page shows, and that nothing is changed by a slip or over somebody else's change."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from proxy.admin.api import create_app
from proxy.admin.room.steering import needs_name
from proxy.core.model import LEGACY
from proxy.errors import Refused
from proxy.store import Batch
from tests.admin.structure import Structure
from tests.control.nodes import make_settings, open_store, running
from tests.fakes import SINCE, route_row

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes import FakeControl

PAGE = "/routes/feeds"
ROLLOUT = f"{PAGE}/rollout"
OWN = {"sec-fetch-site": "same-origin", "accept": "text/html"}
HOLD = {"route": "feeds", "percentage": 1, "who": "bo", "reason": "errors", "since": SINCE}


def text_of(response: httpx.Response) -> str:
    return " ".join(" ".join(Structure(response.text).words).split())


def test_preview_says_who_moves_before_anything_does(client: httpx.Client, control: FakeControl):
    """Nothing is changed by looking; the form beneath brings along what was seen."""
    response = client.get(f"{PAGE}?percentage=12,5")
    text = text_of(response)
    assert "5 % → 12.5 %: of 20 users seen in the last 24 hours, 3 move forward to new and 0 go back to legacy." in text
    assert ('name="seen" value="5"' in response.text, 'name="percentage" value="12.5"' in response.text) == (True, True)
    assert [] == control.calls


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [(5, 15, False), (5, 15.001, True), (99, 100, True), (100, 100, False), (90, 0, False), (100, 99, False)],
)
def test_large_steps_need_the_name(before: float, after: float, expected: bool):
    """More than ten points up, or to all; never down."""
    assert expected == needs_name(before, after)


def test_percentage_is_set_with_what_was_seen(client: httpx.Client, control: FakeControl):
    """The same function that the API asks; the page follows."""
    form = {"percentage": "15", "seen": "5", "reason": "wave 2", "who": "ada"}
    response = client.post(ROLLOUT, data=form, headers=OWN)
    assert (303, PAGE) == (response.status_code, response.headers["location"])
    assert [("set_rollout", "feeds", 15.0, "wave 2", "ada", 5.0)] == control.calls


@pytest.mark.parametrize(("confirm", "is_set"), [("feeds", True), (" feeds ", True), ("feed", False), ("", False)])
def test_large_step_is_taken_only_with_the_name(client: httpx.Client, control: FakeControl, confirm: str, is_set: bool):
    """Else the page comes back with what was given."""
    form = {"percentage": "80", "seen": "5", "reason": "all of them", "confirm": confirm}
    response = client.post(ROLLOUT, data=form, headers=OWN)
    assert (303 if is_set else 400, is_set) == (response.status_code, bool(control.calls))
    if not is_set:
        assert "Nothing was changed. from 5 % to 80 % is a large step: type the route's name, feeds" in text_of(
            response
        )
        assert 'value="all of them"' in response.text


def test_second_of_two_gets_a_conflict(client: httpx.Client, control: FakeControl):
    """The first change stands, and the page shows it."""
    control.route_rows = [route_row(percentage=7, effective_percentage=7)]
    response = client.post(ROLLOUT, data={"percentage": "6", "seen": "5", "reason": "r"}, headers=OWN)
    assert (409, 7) == (response.status_code, control.route_rows[0]["percentage"])
    assert "Nothing was changed. route feeds: somebody changed it" in text_of(response)
    assert "7 % → 6 %" in text_of(response)


@pytest.mark.parametrize(
    "form",
    [
        {"percentage": "6", "seen": "5"},
        {"percentage": "6", "reason": "r"},
        {"percentage": "101", "seen": "5", "reason": "r"},
        {"percentage": "six", "seen": "5", "reason": "r"},
        {"percentage": "6", "seen": "5", "reason": "r", "who": "x" * 65},
    ],
)
def test_incomplete_form_changes_nothing(client: httpx.Client, control: FakeControl, form: dict[str, str]):
    """A reason, a number and what was seen are needed."""
    assert (400, []) == (client.post(ROLLOUT, data=form, headers=OWN).status_code, control.calls)


@pytest.mark.parametrize("path", [ROLLOUT, f"{PAGE}/hold", f"{PAGE}/release"])
@pytest.mark.parametrize("headers", [{}, {"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}])
def test_form_from_elsewhere_steers_nothing(
    client: httpx.Client, control: FakeControl, path: str, headers: dict[str, str]
):
    """No other page moves users."""
    form = {"percentage": "6", "seen": "5", "reason": "r"} if path == ROLLOUT else {"reason": "r"}
    assert (403, []) == (client.post(path, data=form, headers=headers).status_code, control.calls)


def test_hold_needs_a_reason_and_no_number(client: httpx.Client, control: FakeControl):
    """For a hurry."""
    assert 'name="seen" value="none"' in client.get(PAGE).text
    form = {"seen": "none", "who": "ada"}
    assert 303 == client.post(f"{PAGE}/hold", data={**form, "reason": "errors"}, headers=OWN).status_code
    assert 400 == client.post(f"{PAGE}/hold", data=form, headers=OWN).status_code
    assert [("hold", "feeds", 0.0, "errors", "ada", None)] == control.calls


def test_second_of_two_holds_is_a_conflict(client: httpx.Client, control: FakeControl):
    """Who has not seen a hold doesn't replace it; who loads the page again does."""
    forms = [{"percentage": cap, "reason": "errors", "who": "ada", "seen": "none"} for cap in ("2", "3")]
    assert [303, 409] == [client.post(f"{PAGE}/hold", data=form, headers=OWN).status_code for form in forms]
    assert 'name="seen" value="2"' in client.get(PAGE).text
    assert 303 == client.post(f"{PAGE}/hold", data={**forms[1], "seen": "2"}, headers=OWN).status_code
    assert 3 == control.route_rows[0]["hold"]["percentage"]


@pytest.mark.parametrize(("wish", "confirm", "is_released"), [(5, "", True), (60, "", False), (60, "feeds", True)])
def test_release_that_is_a_large_step_needs_the_name(
    client: httpx.Client, control: FakeControl, wish: float, confirm: str, is_released: bool
):
    """It raises what is in force as a percentage does."""
    control.route_rows = [route_row(percentage=wish, effective_percentage=1, hold=HOLD)]
    assert "At most 1 % since 2026-09-21 14:13:20Z, by bo: errors" in text_of(client.get(PAGE))
    form = {"reason": "fixed", "seen": "1", "confirm": confirm, "who": "ada"}
    response = client.post(f"{PAGE}/release", data=form, headers=OWN)
    assert (303 if is_released else 400) == response.status_code
    assert ([("release", "feeds", "fixed", "ada", 1.0)] if is_released else []) == control.calls


def test_hold_of_another_route_is_released_there(client: httpx.Client, control: FakeControl):
    """The page leads to it."""
    control.route_rows = [route_row(effective_percentage=1, hold={**HOLD, "route": "items"})]
    assert 'It is the hold of <a href="/routes/items">items</a>' in client.get(PAGE).text


def test_refusal_of_the_file_is_said_on_the_page(client: httpx.Client, control: FakeControl):
    """With the words of whoever refused."""

    async def refusing(*_: Any) -> Any:
        raise Refused("the percentage comes from the variable CHANGEOVER_X")

    control.set_rollout = refusing  # type: ignore[method-assign]
    response = client.post(ROLLOUT, data={"percentage": "6", "seen": "5", "reason": "r"}, headers=OWN)
    assert (400, True) == (response.status_code, "comes from the variable CHANGEOVER_X" in text_of(response))


def test_unknown_route_is_404(client: httpx.Client):
    """Whatever is asked of it."""
    assert 404 == client.get("/routes/nope").status_code
    assert 404 == client.post("/routes/nope/hold", data={"reason": "r"}, headers=OWN).status_code


def test_two_browsers_at_once_change_the_file_once(tmp_path: Path):
    """Over the real control plane: all saw 5 %, one wins, the others are told; the file has one change."""

    async def scenario() -> None:
        settings = make_settings(tmp_path)
        async with running(settings) as control:
            transport = httpx.ASGITransport(create_app(control, settings))
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:9000", headers=OWN) as client:
                forms = [{"percentage": str(each), "seen": "5", "reason": f"by {each}"} for each in (6, 7, 8)]
                answers = await asyncio.gather(*(client.post(ROLLOUT, data=form) for form in forms))
                assert [303, 409, 409] == sorted(answer.status_code for answer in answers)
                won = next(form for form, answer in zip(forms, answers, strict=True) if answer.status_code == 303)
                assert f"percentage: {won['percentage']}, group" in settings.config.read_text()
                lines = (await client.get("/api/v1/audit?subject=feeds")).json()
                assert [won["reason"]] == [line["reason"] for line in lines]

    asyncio.run(scenario())


def test_preview_counts_the_users_whom_the_change_moves(tmp_path: Path):
    """By their hashes in the store, over the group; a hold caps it, and only the hold that was seen is lifted."""

    async def scenario() -> None:
        settings = make_settings(tmp_path)
        async with running(settings) as control:
            hashes = [((2 * number + 1) << 64) // 200 for number in range(100)]  # one in each percent
            with open_store(settings) as store:
                store.write(Batch("node-a", 4e9, users={("items", LEGACY): hashes}))
            found = await control.preview_rollout("feeds", 25)
            assert {"seen": 100, "forward": 20, "back": 0, "is_estimate": False} == found["users"]
            assert ["feeds", "items"] == found["routes"]
            await control.hold("items", 2, "errors", "bo")
            held = await control.preview_rollout("feeds", 25)
            assert ({"before": 2, "after": 2}, 0) == (held["effective_percentage"], held["users"]["forward"])
            transport = httpx.ASGITransport(create_app(control, settings))
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:9000") as client:
                refused = await client.delete("/api/v1/routes/items/hold?seen=1")
                assert (409, "conflict") == (refused.status_code, refused.json()["code"])
                released = await client.delete("/api/v1/routes/items/hold?seen=2")
                assert 200 == released.status_code

    asyncio.run(scenario())
