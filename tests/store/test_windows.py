"""From when on a route's evidence counts, for all nodes; how each of them is; and when signatures became fixed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from proxy.core.versions import Versions
from proxy.store import Batch, Sighting, Store, WindowChange
from proxy.store.nodes import FORGOTTEN_S
from proxy.store.windows import since_then

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.store.conftest import Clock

DAY = 86_400.0
NOON = 20_000 * DAY + DAY / 2
SETUP = {"rules": "r1", "match": "m1", "legacy": "l1", "new": "n1"}


def count(store: Store, node: str = "one", **counters: int) -> None:
    store.write(Batch(node, 0.0, {("feeds", 1): counters, ("items", 1): counters}))


def versions(*met: str, now: float = NOON) -> Versions:
    known = Versions()
    for each in met:
        known, _ = known.meet(each, now)
    return known


def begin(store: Store, now: float, *routes: str, setup: dict[str, str] | None = None, **fields: Any) -> None:
    known = fields.pop("versions", Versions())
    store.begin_windows([WindowChange(route, setup or {}, known, **fields) for route in routes or ("feeds",)], now)


def test_window_begins_when_something_is_another(store: Store) -> None:
    """What is met for the first time begins none; then its totals are kept, of all nodes together."""
    count(store, match=10)
    begin(store, NOON, setup=SETUP)
    assert {} == store.windows(NOON)
    count(store, "two", match=5)
    begin(store, NOON + 60, setup={**SETUP, "rules": "r2", "new": "n2"})
    window = store.windows(NOON + 90)["feeds"]
    assert (NOON + 60, {"setup": ["new", "rules"]}, {"match": 15}) == (window.since, window.because, window.counts)
    count(store, match=1, mismatch=2)
    assert {"match": 1, "mismatch": 2} == since_then(store.totals()["feeds"], window.counts)
    begin(store, NOON + 70, setup={**SETUP, "rules": "r2", "new": "n2"})
    assert NOON + 60 == store.windows(NOON + 90)["feeds"].since, "nothing is another"


def test_version_begins_a_window_and_one_line_of_the_audit(store: Store) -> None:
    """However many nodes and routes find it; who finds it later moves the beginning there."""
    for node in range(2):
        begin(store, NOON, "feeds", "items", setup=SETUP, versions=versions("v6"))
        assert ([], {}) == (store.audit(), store.windows(NOON)), node
    later = NOON + 60
    begin(store, later, versions=versions("v6", "v7", now=later))
    begin(store, later + 1, "items", versions=versions("v6", "v7", now=later + 1))
    begin(store, later + 2, versions=versions("v6", "v7", now=later + 2), is_mixed=True)
    found = store.windows(later + 9)
    because = {"version": {"before": "v6", "after": "v7"}}
    assert [(later + 2, because), (later + 1, because)] == [
        (found[route].since, found[route].because) for route in ("feeds", "items")
    ]
    (line,) = store.audit()
    assert ("version.changed", "new", {"version": "v6"}, {"version": "v7"}) == (
        line.action, line.subject, line.before, line.after,
    )  # fmt: skip
    setup, known = store.known_setups()["feeds"]
    assert (SETUP, "v7") == (setup, known.current)


def test_version_that_changed_before_any_was_stored_begins_a_window(store: Store) -> None:
    """One second may bring both."""
    begin(store, NOON, setup=SETUP, versions=versions("v6", "v7"))
    assert {"version": {"before": "v6", "after": "v7"}} == store.windows(NOON)["feeds"].because


def test_no_window_is_older_than_a_week(store: Store) -> None:
    """The totals of each day's first look are kept; days of before the week are forgotten but the last of them."""
    for day in range(12):
        count(store, match=1)
        assert (True, False) == (store.keep_day(NOON + day * DAY), store.keep_day(NOON + day * DAY + 60)), day
    now = NOON + 11 * DAY
    window = store.windows(now)["feeds"]
    assert (NOON + 4 * DAY, {"week": True}, {"match": 5}) == (window.since, window.because, window.counts)
    begin(store, NOON + 3 * DAY, setup=SETUP)
    begin(store, NOON + 3 * DAY, setup={**SETUP, "match": "m2"})
    assert {"week": True} == store.windows(now)["feeds"].because, "what began before counts no longer"
    begin(store, NOON + 6 * DAY, setup=SETUP)
    assert {"setup": ["match"]} == store.windows(now)["feeds"].because


def test_nodes_say_how_they_are(store: Store) -> None:
    """Each replaces its own words; who said nothing for a day is forgotten."""
    store.say_node("one", 10.0, {"rollout_version": 1})
    store.say_node("two", 11.0, {"rollout_version": 7})
    store.say_node("one", 12.0, {"rollout_version": 2})
    assert [("one", 12.0, 2), ("two", 11.0, 7)] == [
        (row.node, row.at, row.state["rollout_version"]) for row in store.nodes()
    ]
    store.say_node("one", 11.5 + FORGOTTEN_S, {})
    assert ["one"] == [row.node for row in store.nodes()]


def test_history_says_when_a_signature_was_fixed_and_came_back(
    store: Store, clock: Clock, sighting: Callable[..., Sighting]
) -> None:
    """Once, with the numbers it rests on, by nobody; a decision doesn't take it away."""
    seen = sighting(at=clock.now, count=10)
    store.write(Batch("one", clock.now, {("feeds", 1): {"match": 90, "mismatch": 10}}, sightings=[seen]))
    assert [] == store.note_fixed()
    store.write(Batch("one", clock.now, {("feeds", 1): {"match": 400}}))
    clock.now += 3_600
    id_ = seen.signature.id
    assert ([id_], []) == (store.note_fixed(), store.note_fixed())
    store.write(Batch("one", clock.now, sightings=[sighting(at=clock.now)]))
    assert "regressed" == store.signature(id_).row.state
    regressed, fixed = store.audit(subject=id_)
    assert [("diff.fixed", "new", "fixed"), ("diff.regressed", "fixed", "regressed")] == [
        (line.action, line.before["state"], line.after["state"]) for line in (fixed, regressed)
    ]
    assert {"changeover"} == {fixed.who, regressed.who}
    assert fixed.reason == (
        "not seen in the 400 pairs of its route that were compared as a whole since; were it still there, "
        "40.0 sightings were to be expected"
    )
    assert regressed.reason == "seen again, after 400 pairs of its route were compared as a whole without it"
    store.write(Batch("one", clock.now, {("feeds", 1): {"match": 4_000}}))
    clock.now += 3_600
    assert [id_] == store.note_fixed(), "and it may be fixed again"
