"""The pages for people who don't read code, and the one that explains a decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proxy.admin.progress import groups
from proxy.admin.room.chart import chart_of
from proxy.admin.room.explaining import reason_text
from proxy.errors import StoreError
from tests.admin.hostile import HOSTILE
from tests.admin.structure import Structure
from tests.fakes import SINCE, route_row, signature_row

if TYPE_CHECKING:
    import httpx

    from tests.fakes import FakeControl

EXPLAIN = "/explain?path=/api/feeds&user=7"


def text_of(response: httpx.Response) -> str:
    return " ".join(" ".join(Structure(response.text).words).split())


def test_progress_says_how_far_it_is_and_what_blocks_it(client: httpx.Client, control: FakeControl):
    """Shares, a verdict in words with its basis, owner and ticket, what was decided."""
    control.signature_rows = [signature_row(owner="bo", ticket="T-1", state="known")]
    text = text_of(client.get("/progress"))
    wanted = (
        "Traffic on new 49.17 % 1,770 of 3,600 requests of the last 24 hours",
        "Same answers 99.78 % coverage 90 %: how much of what should have been compared was, so far",
        "too early only 90 % of what should have been compared was",
        "900 comparable pairs, 0.22 % differ, at most 0.81 % with 95 % confidence",
        "(known, owner bo, ticket T-1, seen 1,234 times)",
        "known Owner bo Ticket T-1 Seen 1,234",
        "Not yet : 0 of 1 routes send everybody to new",
        "ada raised feeds from 1 % to 5 % of the users Why wave 1",
        "Not enough data for a projection: 1 of the 7 days",
        "0 of 1 routes send everybody to new; not yet feeds (5 %)",
        "legacy answered 1,830 users' requests in the last 7 days",
    )
    assert [] == [each for each in wanted if each not in text]


def test_groups_have_their_routes_together(client: httpx.Client):
    """Users are those of the largest route: one user may be on each of them."""
    rows = [
        route_row("feeds", group="reader"),
        route_row("search"),
        route_row("items", group="reader", users={"legacy": 70, "new": 30}),
    ]
    reader, search = groups(rows)
    assert (["feeds", "items"], "items", 0.3, 0.05) == (
        reader["routes"], reader["largest"], reader["of_users"], reader["of_requests"],
    )  # fmt: skip
    assert ["search"] == search["routes"]
    assert None is groups([route_row(users={"legacy": 0, "new": 0})])[0]["of_users"]


def test_progress_stays_readable_without_history(client: httpx.Client, control: FakeControl):
    """What the store can't say now is said to be unknown."""

    async def away(*_: object) -> None:
        raise StoreError("store: away")

    control.burn_up = control.audit = away  # type: ignore[method-assign, assignment]
    text = text_of(client.get("/progress"))
    assert "Not known : it is not known how many users' requests legacy answered" in text


def test_progress_without_routes_says_what_to_do(client: httpx.Client, control: FakeControl):
    """An empty state leads on."""
    control.route_rows = []
    control.signature_rows = []
    text = text_of(client.get("/progress"))
    assert "The config has no routes yet, so legacy serves everybody. Routes are added in the config file" in text


def line(id_: int, at: float) -> dict[str, float]:
    return {"id": id_, "at": at}


def bucket(at: float, legacy: int, new: int) -> dict[str, object]:
    return {"at": at, "requests": {"legacy": legacy, "new": new}}


def test_chart_is_the_share_over_time_with_marks_for_decisions():
    """What was decided before it began has none; a bucket without requests is passed over."""
    burn_up = {"buckets": [bucket(100, 10, 0), bucket(200, 0, 0), bucket(300, 5, 5), bucket(500, 0, 8)]}
    chart, numbers = chart_of(burn_up, [line(9, 500), line(7, 200), line(3, 50)])
    assert chart is not None
    assert ("M0.00 100.00L50.00 50.00L100.00 0.00", {9: 2, 7: 1}) == (chart.edge, numbers)
    assert [("1", 25.0), ("2", 100.0)] == [(mark.label, mark.x) for mark in chart.marks]
    assert (100, 500, 0, 1) == (chart.since, chart.until, chart.first, chart.last)


def test_marks_that_would_lie_on_each_other_are_one():
    """As those of a group, whose routes change together."""
    burn_up = {"buckets": [bucket(0, 10, 0), bucket(1_000, 5, 5)]}
    chart, _ = chart_of(burn_up, [line(5, 900), line(4, 130), line(3, 101), line(2, 100), line(1, 0)])
    assert chart is not None
    assert [("1", 0.0), ("2–4", 10.0), ("5", 90.0)] == [(mark.label, mark.x) for mark in chart.marks]


@pytest.mark.parametrize("burn_up", [None, {"buckets": []}, {"buckets": [bucket(100, 1, 1)]}])
def test_chart_needs_two_moments(burn_up: dict[str, object] | None):
    """One is no line."""
    assert (None, {}) == chart_of(burn_up, [line(1, 100)])


def test_progress_draws_how_it_went(client: httpx.Client):
    """With words for those who don't see it; the decision has its number there and in the table."""
    html = client.get("/progress").text
    assert 'aria-label="Share of requests on new: 0 % on' in html
    assert "<text " in html
    assert '<span class="mark">1</span>' in html


def test_explain_asks_before_it_answers(client: httpx.Client, control: FakeControl):
    """An empty form, and no question to the control plane."""
    assert ("Who would serve a request" in text_of(client.get("/explain")), []) == (True, control.calls)


def test_explain_says_the_decision_and_where_the_user_would_be(client: httpx.Client, control: FakeControl):
    """Bucket 1,234 is on new above 1.234 %."""
    text = text_of(client.get(f"{EXPLAIN}&method=get&host=a.example&header=X-Staff:+1"))
    wanted = ("new would serve it: by the percentage in force", "1,234 of 100,000", "at 1 % on legacy at 5 % on new")
    assert [] == [each for each in wanted if each not in text]
    assert [("explain", "GET", "/api/feeds", "7", "a.example", {"x-staff": "1"})] == control.calls


@pytest.mark.parametrize(
    "query", ["path=feeds", "path=/&header=x", "path=/&header=:x", "path=/&colour=red", f"path=/{'x' * 1_001}"]
)
def test_explain_refuses_what_it_would_misread(client: httpx.Client, control: FakeControl, query: str):
    """With the reason."""
    assert (400, []) == (client.get(f"/explain?{query}").status_code, control.calls)


@pytest.mark.parametrize(
    ("reason", "expected"),
    [("pin:staff", "the pin staff says so"), ("hold", "a hold keeps it on legacy"), ("later", "later")],
)
def test_reason_is_said_in_words(reason: str, expected: str):
    """One that isn't known is named as it is."""
    assert expected in reason_text(reason)


@pytest.mark.parametrize("text", HOSTILE)
def test_pages_are_the_same_whatever_the_text(client: httpx.Client, control: FakeControl, text: str):
    """People's words, and what is typed into the form, bring no tag and no attribute."""

    def page(word: str) -> Structure:
        control.signature_rows = [signature_row(path=word, shape=word, owner=word, ticket=word, route=word)]
        hold = {"route": word, "percentage": 1, "who": word, "reason": word, "since": SINCE}
        control.route_rows = [route_row(group=word, hold=hold)]
        sent = word.encode("utf-8", "replace").decode()
        typed = client.get("/explain", params={"path": f"/{sent}", "user": sent, "host": sent})
        return Structure(client.get("/progress").text + client.get("/routes/feeds").text + typed.text)

    hostile, harmless = page(text), page("word")
    assert ([], harmless.tags) == (hostile.open, hostile.tags)
