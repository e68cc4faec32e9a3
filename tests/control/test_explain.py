"""Explain: the same decision as in a worker, with its reason, for a request that nobody sends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from proxy.control.explain import explain
from proxy.core.bucket import bucket
from proxy.core.model import Hold, KeySource, Match, Pin, ShadowRule, Users
from tests.factories import make_rollout, make_route

if TYPE_CHECKING:
    from proxy.core.model import Rollout

SALT = "inkzee-2026"
USERS = Users(salt=SALT, key=(KeySource("header", "x-user-id"),))
FEEDS = make_route(match=Match("path", "/api/feeds/{id}"), millipercent=100_000, shadow=ShadowRule(50_000))


def ask(rollout: Rollout, *, user: str | None = None, **asked: Any) -> dict[str, Any]:
    """The explanation of a plain GET, with the given differences."""
    fields: dict[str, Any] = {"method": "GET", "target": "/api/feeds/1", "user": user, "host": None, "headers": {}}
    return explain(rollout, **{"is_new_healthy": True, **fields, **asked})


def test_explain_names_route_backend_bucket_and_shadow():
    """The answer has everything the decision was made from."""
    expected = {
        "route": "feeds",
        "backend": "new",
        "reason": "bucket",
        "bucket": bucket(SALT, "feeds", "ada"),
        "effective_percentage": 100.0,
        "shadow": 50.0,
    }
    assert expected == ask(make_rollout(FEEDS, users=USERS), user="ada")


@pytest.mark.parametrize(
    ("rollout", "asked", "reason"),
    [
        (make_rollout(FEEDS, users=USERS), {}, "missing_key"),
        (make_rollout(FEEDS, users=USERS), {"headers": {"x-user-id": "ada"}}, "bucket"),
        (make_rollout(FEEDS, users=USERS), {"target": "/elsewhere", "user": "ada"}, "no_route"),
        (make_rollout(FEEDS, users=USERS), {"user": "ada", "is_new_healthy": False}, "unhealthy"),
        (make_rollout(FEEDS, users=USERS, kill_switch=True), {"user": "ada"}, "kill_switch"),
        (make_rollout(FEEDS, users=USERS, holds=[Hold("feeds", 0, "ada", "", 0.0)]), {"user": "ada"}, "hold"),
        (
            make_rollout(FEEDS, users=USERS, pins=(Pin("vips", "legacy", frozenset({"ada"})),)),
            {"user": "ada"},
            "pin:vips",
        ),
    ],
)
def test_explain_gives_the_reason(rollout, asked, reason):
    """Every reason a decision can have is told as the worker would count it."""
    assert reason == ask(rollout, **asked)["reason"]


@pytest.mark.parametrize("target", ["/api/feeds/1?page=2", "/api/%66eeds/1"])
def test_explain_reads_the_path_as_a_worker_does(target):
    """The query is no part of the path, and the path is percent-decoded."""
    assert ask(make_rollout(FEEDS), target=target)["route"] == "feeds"


@pytest.mark.parametrize(("writes", "share"), [(False, 0.0), (True, 50.0)])
def test_explain_shadows_writes_only_where_the_route_says_so(writes, share):
    """A POST is not shadowed by default (law 4)."""
    route = make_route(shadow=ShadowRule(50_000, writes=writes))
    assert share == ask(make_rollout(route), method="POST")["shadow"]
