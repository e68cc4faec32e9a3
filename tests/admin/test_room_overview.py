"""The overview: what it says of routes, holds and the node, and how often it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proxy.admin.api import create_app
from proxy.admin.room.drawing import stacked
from proxy.admin.room.overview import gaps, totals
from proxy.settings import Settings
from tests.admin.hostile import HOSTILE
from tests.admin.structure import Structure
from tests.fakes import SINCE, covered, route_row, status_row

if TYPE_CHECKING:
    import httpx

    from tests.fakes import FakeControl
    from tests.live import Stage

HOLD = {"route": "feeds", "percentage": 1, "who": "ada", "reason": "errors", "since": SINCE}


def text_of(client: httpx.Client, path: str = "/") -> str:
    page = Structure(client.get(path, headers={"accept": "text/html"}).text)
    return " ".join(" ".join(page.words).split())


def test_overview_shows_each_route(client: httpx.Client):
    """Percentage, stage, users, requests, match rate with its coverage, latency of both sides, errors."""
    text = text_of(client)
    wanted = (
        "feeds shadow",
        "On new 5 % as wished",
        "legacy 19 new 1",
        "legacy 950 new 50",
        "99.78 % 99.19 to 99.94 % coverage 90 % 2 mismatches",
        "node-a this one, Changeover 0.1.0 Config abababababab since",
        "2 of 2 linked Evidence is counted",
        "Config cdcdcdcdcdcd since 2026-09-21 14:13:20Z another one than here its file is refused",
        "2 of 2 linked Evidence counted nothing since 2026-09-21 13:43:20Z",
        "legacy 12.5 40.0 81.2",
        "new - - -",
        "legacy 0.42 % new 4 % 4 / 2 errors 0 / 1 failed",
    )
    assert [] == [each for each in wanted if each not in text]


def test_overview_says_what_stands_between_wish_and_force(client: httpx.Client, control: FakeControl):
    """A hold has its cap, its author and its reason, at the route and once on top."""
    control.route_rows = [route_row(percentage=25, effective_percentage=1, hold=HOLD)]
    text = text_of(client)
    assert "1 % wished: 25 %; held by ada: errors" in text
    assert "Hold on feeds : its group gets at most 1 %. ada, 2026-09-21 14:13:20Z: errors" in text


def test_match_rate_never_stands_without_its_coverage(client: httpx.Client, control: FakeControl):
    """Law 5: also where nothing was compared, which is not 100 % (law 10)."""
    control.route_rows = [route_row(match_rate=None, mismatches=0, coverage=covered(0, timeout=3))]
    text = text_of(client)
    assert ("nothing compared coverage 0 %" in text, "Match rate unknown coverage 0 %" in text) == (True, True)


def test_gaps_of_pairs_compared_in_part_stand_with_the_others(client: httpx.Client, control: FakeControl):
    """A mismatch of which the body could not be read is a gap as well (law 5)."""
    control.route_rows = [route_row(coverage={**covered(900, timeout=100), "partly": {"size": 3}})]
    assert "timeout 100 only in part: size 3" in text_of(client)


def test_gaps_stand_by_reason(client: httpx.Client):
    """What was not compared is counted; what somebody chose is said to be chosen."""
    assert "timeout 100 not_sampled chosen 7" in text_of(client)
    assert [("timeout", 100, False), ("not_sampled", 7, True)] == gaps([route_row()])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"kill_switch": True}, "Kill switch: everything goes to legacy"),
        ({"store": {"name": "s", "up": False, "error": "no space", "dropped": 3}}, "The store is away"),
        (
            {"config": {**status_row()["config"], "error": "m.yaml:9:5: wrong", "refused_at": SINCE}},
            "the last good one stays in force. m.yaml:9:5: wrong",
        ),
        ({"workers": {"linked": 0, "expected": 1, "links": []}}, "No worker is linked"),
    ],
)
def test_trouble_is_said_on_top(client: httpx.Client, control: FakeControl, changes: dict[str, object], expected: str):
    """In words, whatever the colours."""
    control.status_answer = status_row(**changes)
    assert expected in text_of(client)


def test_overview_without_routes_says_what_to_do(client: httpx.Client, control: FakeControl):
    """An empty state leads on."""
    control.route_rows = []
    assert "The config has no routes yet, so legacy serves everybody. Add one under" in text_of(client)


def test_overview_counts_what_the_window_has(client: httpx.Client, control: FakeControl):
    """A fault that was mended is not shown for ever, and since when it counts stands beside it."""
    mended = route_row(mismatches=0, match_rate=1.0, coverage=covered(90), server_errors={"legacy": 0, "new": 0})
    control.route_rows = [
        route_row(evidence={**mended["evidence"], "since": SINCE, "because": {"setup": ["rules"]}}),
        route_row("items", evidence={"since": SINCE + 60}),
    ]
    text = text_of(client)
    wanted = (
        "100 % 95.9 to 100 % coverage 100 % since 2026-09-21 14:13:20Z",
        "legacy 0 % new 0 %",
        "100 of 2,000, since 2026-09-21 14:13:20Z or later",
    )
    assert [] == [each for each in wanted if each not in text], text


def test_overview_is_made_once_for_all_who_look_at_once(client: httpx.Client, control: FakeControl):
    """Ten browsers cost what one costs."""
    asked: list[int] = []
    of_control = control.routes

    async def counted(since: float | None = None, /) -> list[dict[str, object]]:
        asked.append(1)
        return await of_control(since)

    control.routes = counted  # type: ignore[method-assign]
    pages = {client.get("/").text for _ in range(10)}
    assert (1, 1) == (len(pages), len(asked))


@pytest.mark.parametrize(("number", "expected"), [(1, "1000"), (20, "1000"), (50, "2500"), (2_000, "30000")])
def test_overview_of_many_routes_is_looked_at_less_often(
    client: httpx.Client, control: FakeControl, number: int, expected: str
):
    """The page says how often."""
    control.route_rows = [route_row(f"route-{each}") for each in range(number)]
    assert f'data-live-ms="{expected}"' in client.get("/").text


def test_totals_are_unknown_where_there_is_nothing_to_divide_by():
    """Neither 0 nor 100 %."""
    nothing = totals([], status_row())
    assert (None, None, None) == (nothing["on_new"], nothing["match_rate"], nothing["coverage"])


def test_bars_stand_on_each_other():
    """As high as their share of the largest sum; nothing draws nothing."""
    assert ("M1 24V12M5 24V0", "M1 12V0", 2) == (
        (drawn := stacked([(1, 1), (0, 0), (2, 0)])).lower,
        drawn.upper,
        drawn.largest,
    )
    assert ("", "", 6) == ((empty := stacked([(0, 0)] * 3)).lower, empty.upper, empty.width)


@pytest.mark.parametrize("text", HOSTILE)
def test_overview_is_the_same_whatever_the_text(
    client: httpx.Client, control: FakeControl, stage: tuple[Stage, str], text: str
):
    """Reasons and names of people, and what the config or the store says, bring no tag and no attribute."""

    def page(word: str) -> Structure:
        control.route_rows = [
            route_row(hold={**HOLD, "who": word, "reason": word}, percentage=9, coverage=covered(5, **{word: 2}))
        ]
        config = {**status_row()["config"], "file": word, "error": word.replace("\n", " "), "warnings": [word]}
        control.status_answer = status_row(node=word, config=config)
        stage[0].app = create_app(control, Settings(admin_listen="127.0.0.1:9000"))  # nothing is kept from before
        return Structure(client.get("/", headers={"accept": "text/html"}).text)

    hostile = page(text)
    assert ([], page("word").tags) == (hostile.open, hostile.tags)
