"""What another config would change: shares of users by the bucket's own rule, and keys that read differently."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.bucket import bucket
from proxy.core.model import KeySource, Users
from proxy.core.plan import Change, RoutePlan, changed_keys, plan_routes
from tests.factories import make_migration, make_route

KEYS = [f"user-{number}" for number in range(4_000)]
percentages = st.integers(0, 100_000)


def on_new(salt: str, group: str, millipercent: int) -> set[str]:
    return {key for key in KEYS if bucket(salt, group, key) < millipercent}


@given(before=percentages, after=percentages)
def test_plan_moves_users_one_way_by_the_difference(before: int, after: int):
    """With the same salt and group nobody moves against the percentage."""
    (planned,) = plan_routes(
        make_migration(make_route(millipercent=before)), make_migration(make_route(millipercent=after))
    )
    assert (round(max(after - before, 0) / 1000, 3), round(max(before - after, 0) / 1000, 3)) == (
        planned.forward,
        planned.back,
    )
    assert not planned.is_reshuffled


@pytest.mark.parametrize(
    ("salt", "group", "before", "after"),
    [("other", "feeds", 30_000, 30_000), ("inkzee-2026", "readers", 20_000, 60_000), ("other", "feeds", 100_000, 0)],
)
def test_plan_says_what_a_reshuffle_moves(salt: str, group: str, before: int, after: int):
    """The expected shares are those that 4,000 real keys show, to 3 %."""
    old = make_migration(make_route(millipercent=before))
    new = make_migration(make_route(group=group, millipercent=after), users=Users(salt))
    (planned,) = plan_routes(old, new)
    was, becomes = on_new("inkzee-2026", "feeds", before), on_new(salt, group, after)
    assert pytest.approx(len(becomes - was) / 40, abs=3) == planned.forward
    assert pytest.approx(len(was - becomes) / 40, abs=3) == planned.back


@pytest.mark.parametrize(("before", "after"), [(0, 0), (100_000, 100_000)])
def test_plan_of_all_or_nobody_is_no_reshuffle(before: int, after: int):
    """Where everybody is on one side, another salt moves nobody."""
    old, new = make_migration(make_route(millipercent=before)), make_migration(make_route(millipercent=after))
    (planned,) = plan_routes(old, make_migration(*new.routes, users=Users("other")))
    assert (0.0, 0.0, False) == (planned.forward, planned.back, planned.is_reshuffled)


def test_plan_sees_another_place_of_the_key_as_a_reshuffle():
    """Who the user is changes with it."""
    old = make_migration(make_route(millipercent=50_000))
    new = make_migration(*old.routes, users=Users("inkzee-2026", (KeySource("cookie", "session"),)))
    assert [(25.0, 25.0, True)] == [(each.forward, each.back, each.is_reshuffled) for each in plan_routes(old, new)]


def test_plan_brings_users_of_a_removed_route_back_and_of_an_added_one_forward():
    """Without a route legacy serves (law 9)."""
    old = make_migration(make_route("a", millipercent=10_000), make_route("b", millipercent=40_000))
    new = make_migration(make_route("c", millipercent=5_000), make_route("a", millipercent=10_000))
    assert [
        RoutePlan("c", "added", None, 5.0, 5.0, 0, False),
        RoutePlan("a", "kept", 10.0, 10.0, 0, 0, False),
        RoutePlan("b", "removed", 40.0, None, 0, 40.0, False),
    ] == plan_routes(old, new)


def test_plan_of_the_kill_switch_brings_everybody_back():
    """The switch stands before any percentage."""
    old = make_migration(make_route(millipercent=30_000))
    (planned,) = plan_routes(old, make_migration(*old.routes, kill_switch=True))
    assert (30.0, 0.0, 0, 30.0) == (planned.before, planned.after, planned.forward, planned.back)


def test_changed_keys_names_each_key_as_in_the_file():
    """Nested keys by their path, lists whole, unset ones as None; equal configs have none."""
    before = {"users": {"salt": "x", "key": ["header:a"]}, "routes": {"a": {"shadow": {"timeout": "5s"}}, "b": {}}}
    after = {"users": {"salt": "x", "key": ["header:b"]}, "routes": {"b": {}, "a": {"shadow": {"writes": True}}}}
    assert [
        Change("users.key", ["header:a"], ["header:b"]),
        Change("routes.a.shadow.writes", None, True),
        Change("routes.a.shadow.timeout", "5s", None),
        Change("routes (their order)", ["a", "b"], ["b", "a"]),
    ] == changed_keys(before, after)
    assert [] == changed_keys(before, before)
