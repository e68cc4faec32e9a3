"""Who serves, and why."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from proxy.core.bucket import bucket
from proxy.core.decide import Decision, decide, find_key, jwt_claim, key_headers
from proxy.core.model import Hold, KeySource, Pin, Users
from tests.factories import make_rollout, make_route

ROUTE = make_route(millipercent=100_000)


STAFF: dict[str, Any] = {"x-staff": "1"}
STRANGER: dict[str, Any] = {"x-staff": "2"}


def asked(
    rollout: Any = None, route: Any = "first", key: str | None = "u", well: bool = True, **headers: str
) -> Decision:
    rollout = rollout or make_rollout(ROUTE)
    route = rollout.migration.routes[0] if route == "first" else route
    return decide(rollout, route, key, headers.get, is_new_healthy=well)


def hold(cap: int, route: str = "feeds") -> Hold:
    return Hold(route, cap, "ops", "because", 0.0)


PIN_OLD = Pin("vips", "legacy", users=frozenset({"u"}))
PIN_NEW = Pin("staff", "new", headers=(("x-staff", "1"),))


@pytest.mark.parametrize(
    ("decision", "backend", "reason"),
    [
        (asked(), "new", "bucket"),
        (asked(make_rollout(make_route())), "legacy", "bucket"),
        (asked(route=None), "legacy", "no_route"),
        (asked(key=None), "legacy", "missing_key"),
        (asked(key=""), "legacy", "missing_key"),
        (asked(well=False), "legacy", "unhealthy"),
        (asked(make_rollout(ROUTE, holds=[hold(0)])), "legacy", "hold"),
        (asked(make_rollout(ROUTE, kill_switch=True)), "legacy", "kill_switch"),
        (asked(make_rollout(ROUTE, kill_switch=True, pins=(PIN_NEW,)), **STAFF), "legacy", "kill_switch"),
        (asked(make_rollout(ROUTE, pins=(PIN_OLD,))), "legacy", "pin:vips"),
        (asked(make_rollout(make_route(), pins=(PIN_NEW,)), **STAFF), "new", "pin:staff"),
        (asked(make_rollout(make_route(), pins=(PIN_NEW,)), **STRANGER), "legacy", "bucket"),
        (asked(make_rollout(ROUTE, pins=(PIN_NEW, PIN_OLD)), **STAFF), "legacy", "pin:vips"),
        (asked(make_rollout(ROUTE, pins=(PIN_NEW,), holds=[hold(0)]), **STAFF), "new", "pin:staff"),
        (asked(make_rollout(ROUTE, pins=(PIN_NEW,)), well=False, **STAFF), "legacy", "unhealthy"),
        (asked(make_rollout(ROUTE, pins=(PIN_NEW,)), key=None, **STAFF), "new", "pin:staff"),
    ],
)
def test_decision_follows_the_order_of_evaluation(decision: Decision, backend: str, reason: str):
    """Kill switch, pin to legacy, pin to new, hold, percentage; and unknown means legacy."""
    assert (backend, reason) == (decision.backend, decision.reason)


def test_decision_carries_bucket_and_effective_percentage():
    """What `explain` shows is in the decision itself."""
    route = make_route(millipercent=25_000)
    decision = asked(make_rollout(route, holds=[hold(10_000)]), route)
    assert (bucket("inkzee-2026", "feeds", "u"), 10_000) == (decision.bucket, decision.effective_millipercent)


def test_hold_binds_its_whole_group():
    """A hold on one route caps every route of the group, and no other."""
    routes = [
        make_route(name, group=group, millipercent=50_000) for name, group in (("a", "g"), ("b", "g"), ("c", "c"))
    ]
    effective = make_rollout(*routes, holds=[hold(20_000, "a")]).effective
    assert {"a": 20_000, "b": 20_000, "c": 50_000} == dict(effective)


def test_hold_above_the_wish_changes_nothing():
    """A cap is no wish: it never raises a percentage."""
    assert {"feeds": 5_000} == dict(make_rollout(make_route(millipercent=5_000), holds=[hold(90_000)]).effective)


def test_hold_on_a_route_that_is_gone_is_ignored():
    """A hold outlives its route without harm."""
    assert {"feeds": 100_000} == dict(make_rollout(ROUTE, holds=[hold(0, "gone")]).effective)


def _jwt(claims: Any) -> str:
    parts = (json.dumps({"alg": "none"}), json.dumps(claims), "x")
    return "Bearer " + ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)


USERS = Users(
    "s", (KeySource("header", "x-user-id"), KeySource("cookie", "session"), KeySource("jwt", "sub")), "cookie"
)


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({"x-user-id": "42", "cookie": "session=a"}, "42"),
        ({"x-user-id": " 42 "}, "42"),
        ({"x-user-id": "", "cookie": "session=a"}, "a"),
        ({"x-user-id": "  ", "cookie": "session=a"}, "a"),
        ({"cookie": "xsession=no; session=yes"}, "yes"),
        ({"cookie": 'a=1;session="quoted" ;b=2'}, "quoted"),
        ({"cookie": "session=; changeover_id=abc"}, "abc"),
        ({"cookie": "session=", "authorization": _jwt({"sub": "ann"})}, "ann"),
        ({"authorization": _jwt({"sub": 7})}, "7"),
        ({"authorization": _jwt({"sub": True})}, None),
        ({"authorization": _jwt(["sub"])}, None),
        ({"authorization": "Bearer a.b"}, None),
        ({"authorization": "Bearer a.!!!.c"}, None),
        ({"authorization": "Basic a.b.c"}, None),
        ({}, None),
    ],
)
def test_key_is_the_first_source_that_is_present_and_not_empty(headers: dict[str, str], key: str | None):
    """Header, cookie, JWT claim, then our own cookie; an empty key is no key."""
    assert key == find_key(USERS, headers.get)


def test_issued_cookie_counts_only_where_it_is_issued():
    """With `without_key: legacy` our cookie is a cookie like any other."""
    assert find_key(Users("s", (), "legacy"), {"cookie": "changeover_id=a"}.get) is None


def test_jwt_that_is_too_long_is_not_read():
    """A token beyond a header line's usual limit is no key."""
    assert jwt_claim(_jwt({"sub": "a" * 10_000}), "sub") is None


def test_jwt_nested_too_deeply_is_no_key():
    """A hostile payload is no key, and no error."""
    payload = base64.urlsafe_b64encode(b"[" * 5_000).decode().rstrip("=")
    assert jwt_claim(f"Bearer a.{payload}.c", "sub") is None


def test_key_headers_are_those_that_keys_are_read_from():
    """The handler keeps exactly the fields that a decision may ask for."""
    assert frozenset({"x-user-id", "cookie", "authorization"}) == key_headers(USERS)
    assert frozenset() == key_headers(Users("s"))
