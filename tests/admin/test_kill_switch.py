"""The kill switch on each page and in the API: one step for putting it on, a word typed for taking it off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes import FakeControl, status_row

if TYPE_CHECKING:
    import httpx

FORM = {"reason": "errors", "who": "ada"}


@pytest.fixture
def browser(client: httpx.Client) -> httpx.Client:
    client.headers.update({"accept": "text/html", "sec-fetch-site": "same-origin"})
    return client


@pytest.mark.parametrize("path", ["/", "/diffs", "/progress", "/explain", "/audit", "/routes/feeds", "/kill-switch"])
def test_it_stands_on_each_page(browser: httpx.Client, control: FakeControl, path: str) -> None:
    """Until it is on: then who put it on does."""
    assert 'action="/kill-switch"' in browser.get(path).text
    control.status_answer = status_row(kill_switch=True, killed_by={"who": "ada", "reason": "errors", "since": 0.0})
    control.killed_by = control.status_answer["killed_by"]
    if path != "/":  # which is made once a second
        text = browser.get(path).text
        assert 'action="/kill-switch"' not in text
        assert "By ada since" in text


def test_a_reason_is_enough_to_put_it_on(browser: httpx.Client, control: FakeControl) -> None:
    """And without one nothing happens."""
    assert 400 == browser.post("/kill-switch", data={"who": "ada"}).status_code
    done = browser.post("/kill-switch", data=FORM)
    assert (303, "/kill-switch") == (done.status_code, done.headers["location"])
    assert [("put_kill_switch", "errors", "ada")] == control.calls


def test_taking_it_off_needs_the_word(browser: httpx.Client, control: FakeControl) -> None:
    """It moves users to new at once."""
    browser.post("/kill-switch", data=FORM)
    refused = browser.post("/kill-switch/off", data=FORM)
    assert (400, True) == (refused.status_code, "Nothing was changed" in refused.text)
    assert 303 == browser.post("/kill-switch/off", data={**FORM, "confirm": "off"}).status_code
    assert ("delete_kill_switch", "errors", "ada") == control.calls[-1]


def test_programs_have_it_as_well(client: httpx.Client, control: FakeControl) -> None:
    """As JSON; off when it is off is no such thing."""
    assert client.get("/api/v1/kill-switch").json() == {"on": False, "by_file": False, "by_hand": None}
    put = client.put("/api/v1/kill-switch", json={"reason": "errors"}, headers={"x-changeover-who": "ada"})
    assert (True, "ada") == (put.json()["on"], put.json()["by_hand"]["who"])
    assert not client.delete("/api/v1/kill-switch?reason=well").json()["on"]
    assert 404 == client.delete("/api/v1/kill-switch").status_code
    assert 400 == client.put("/api/v1/kill-switch", json={}).status_code
