"""Laws 2, 3 and 9 for any keys and percentages."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy.core.decide import decide
from proxy.core.model import Hold
from tests.factories import make_rollout, make_route

keys = st.lists(st.text(min_size=1, max_size=12).filter(lambda key: key.isprintable()), min_size=1, max_size=30)
percentages = st.integers(0, 100_000)


def on_new(
    key_list: list[str], millipercent: int, *, group: str = "g", cap: int | None = None, **fields: bool
) -> set[str]:
    route = make_route(group=group, millipercent=millipercent)
    holds = [] if cap is None else [Hold("feeds", cap, "w", "r", 0.0)]
    rollout = make_rollout(route, holds=holds, **fields)
    return {
        key for key in key_list if decide(rollout, route, key, lambda _: None, is_new_healthy=True).backend == "new"
    }


@given(keys, percentages, percentages)
def test_raising_moves_users_only_forward(key_list: list[str], one: int, other: int):
    """Law 2: who is on new at a percentage is on new at every higher one; lowering takes back the last first."""
    low, high = sorted((one, other))
    assert on_new(key_list, low) <= on_new(key_list, high)


@given(keys, percentages)
def test_users_are_on_the_same_side_in_every_route_of_a_group(key_list: list[str], millipercent: int):
    """Law 2: two routes of one group decide alike for every user."""
    routes = [make_route(name, group="g", millipercent=millipercent) for name in ("one", "two")]
    rollout = make_rollout(*routes)
    sides = [
        [decide(rollout, route, key, lambda _: None, is_new_healthy=True).backend for key in key_list]
        for route in routes
    ]
    assert sides[0] == sides[1]


@given(keys, percentages, percentages)
def test_hold_only_keeps_lower(key_list: list[str], wish: int, cap: int):
    """Law 3: with a hold, exactly the users below both wish and cap are on new."""
    assert on_new(key_list, min(wish, cap)) == on_new(key_list, wish, cap=cap)


@given(keys)
def test_ends_of_the_scale_are_exact(key_list: list[str]):
    """At 0 % nobody is on new, at 100 % everybody."""
    assert (set(), set(key_list)) == (on_new(key_list, 0), on_new(key_list, 100_000))


@given(keys, percentages)
def test_kill_switch_leaves_nobody_on_new(key_list: list[str], millipercent: int):
    """Law 3: the kill switch stands above every percentage."""
    assert set() == on_new(key_list, millipercent, kill_switch=True)
