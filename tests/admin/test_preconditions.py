"""Changes with If-Match: who has not seen what is there changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from proxy.admin.preconditions import etag_of
from proxy.errors import Conflict

if TYPE_CHECKING:
    import httpx

    from tests.fakes import FakeControl

ROUTE = "/api/v1/routes/feeds"
STATE = "/api/v1/diffs/a1b2c3d4e5f6/state"
ROLLOUT = ("PUT", f"{ROUTE}/rollout", {"percentage": 6, "reason": "wave 2"})
HOLD = ("PUT", f"{ROUTE}/hold", {"percentage": 1, "reason": "errors"})
DECISION = ("POST", STATE, {"state": "known", "reason": "meant to be"})
RULE = ("POST", STATE, {"state": "ignored", "reason": "meant to be", "rule": True})
CHANGES = [ROLLOUT, HOLD, DECISION, RULE]


def tag_of(client: httpx.Client, address: str) -> str:
    answer = client.get(address).raise_for_status()
    assert etag_of(answer.json()) == answer.headers["etag"]
    return answer.headers["etag"]


@pytest.mark.parametrize(("method", "address", "body"), CHANGES)
def test_second_change_with_the_same_tag_is_stale(
    client: httpx.Client, control: FakeControl, method: str, address: str, body: dict[str, Any]
):
    """Two people have read the same: the first changes it, the second is told, and asks for nothing."""
    tag = tag_of(client, address)
    first, second = (client.request(method, address, json=body, headers={"if-match": tag}) for _ in range(2))
    assert (200, 412, "stale") == (first.status_code, second.status_code, second.json()["code"])
    assert "application/problem+json" == second.headers["content-type"]
    assert 1 == len(control.calls)
    assert tag != tag_of(client, address)
    again = client.request(method, address, json=body, headers={"if-match": tag_of(client, address)})
    assert 200 == again.status_code


@pytest.mark.parametrize(("method", "address", "body"), CHANGES)
def test_change_between_the_look_and_the_deed_is_stale_too(
    client: httpx.Client, control: FakeControl, method: str, address: str, body: dict[str, Any]
):
    """What the tag has seen goes along, so that the control plane can refuse within the change itself."""
    tag = tag_of(client, address)
    client.request(method, address, json=body, headers={"if-match": tag}).raise_for_status()
    seen = {"rollout": 5.0, "hold": None, "state": "00000000000a"}[address.rpartition("/")[2]]
    assert seen == control.calls[0][-1]
    control.fault = None
    original, name = (
        control.steering if "routes" in address else control.diff,
        "steering" if "routes" in address else "diff",
    )

    async def then_somebody_is_quicker(subject: str, /) -> Any:
        answer = await original(subject)
        control.fault = Conflict("somebody was quicker")
        return answer

    tag = tag_of(client, address)
    setattr(control, name, then_somebody_is_quicker)
    answer = client.request(method, address, json=body, headers={"if-match": tag})
    assert (412, "somebody was quicker") == (answer.status_code, answer.json()["detail"])


def test_release_takes_a_tag(client: httpx.Client, control: FakeControl):
    """The hold that was seen is lifted, and no other."""
    client.put(f"{ROUTE}/hold", json=HOLD[2])
    stale = tag_of(client, f"{ROUTE}/hold")
    client.put(f"{ROUTE}/hold", json={"percentage": 2, "reason": "less"})
    assert 412 == client.delete(f"{ROUTE}/hold", headers={"if-match": stale}).status_code
    assert 200 == client.delete(f"{ROUTE}/hold", headers={"if-match": tag_of(client, f"{ROUTE}/hold")}).status_code
    assert ("release", "feeds", "", "api", 2) == control.calls[-1]


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ("*", 200),
        ('"another"', 412),
        ('"another", {tag}', 200),
        ("W/{tag}", 412),
        ("{bare}", 400),
        ('"open', 400),
        ("", 400),
        ('"a" "b"', 400),
    ],
)
def test_if_match_is_read_as_rfc_9110_says(client: httpx.Client, given: str, status: int):
    """A list of tags of which one must be its own; weak ones never are; anything else is told."""
    tag = tag_of(client, f"{ROUTE}/hold")
    headers = {"if-match": given.format(tag=tag, bare=tag.strip('"'))}
    assert status == client.put(f"{ROUTE}/hold", json=HOLD[2], headers=headers).status_code


def test_what_is_not_there_matches_nothing(client: httpx.Client, control: FakeControl):
    """A route that isn't there is not found, whatever is sent along."""
    answer = client.put("/api/v1/routes/nowhere/hold", json=HOLD[2], headers={"if-match": "*"})
    assert (404, []) == (answer.status_code, control.calls)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"seen": None}, 200),
        ({"seen": 1}, 409),
        ({"seen": 1.5}, 409),
        ({}, 200),
        ({"seen": "1"}, 400),
        ({"seen": 101}, 400),
    ],
)
def test_hold_says_what_it_has_seen(client: httpx.Client, body: dict[str, Any], status: int):
    """In the body: a cap, null for no hold, or nothing at all."""
    assert status == client.put(f"{ROUTE}/hold", json={**HOLD[2], **body}).status_code


def test_decision_says_what_it_has_seen(client: httpx.Client):
    """By its revision; without one it is made in any case."""
    seen = client.get(STATE).json()["revision"]
    statuses = [client.post(STATE, json={**DECISION[2], "seen": seen}).status_code for _ in range(2)]
    assert [200, 409, 200] == [*statuses, client.post(STATE, json=DECISION[2]).status_code]
