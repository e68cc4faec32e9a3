"""Figures: rows as the admin API answers them, from counters and the rollout."""

from __future__ import annotations

from collections import Counter

from proxy.control.figures import added, binding_hold, effective_percentage, node_totals, route_rows, unwritten
from proxy.core.model import Hold, ShadowRule
from proxy.store import Window
from tests.factories import make_rollout, make_route

COUNTS = {
    "served.legacy": 90,
    "served.new": 10,
    "failed.new": 2,
    "fallback": 1,
    "pairs": 95,
    "match": 80,
    "mismatch": 4,
    "noise": 6,
    "partly.size": 1,
    "dropped.signatures": 2,
    "dropped.sightings": 1,
    "skipped.gave_up.time": 5,
    "skipped.not_sampled": 5,
    "self_pairs": 3,
    "self_mismatches": 1,
    "self_skipped.too_large": 2,
    "latency.legacy.9": 100,
}


def test_route_row_adds_up_the_counters():
    """Match rate and coverage come together, chosen gaps are listed and not expected, every side has its figures."""
    rollout = make_rollout(make_route(millipercent=5_000, shadow=ShadowRule(100_000)))
    row = route_rows(rollout, {"feeds": COUNTS}, {"feeds": {"legacy": 19, "new": 1}})[0]
    counted = {
        "server_errors": {"legacy": 0, "new": 0},
        "requests": {"legacy": 90, "new": 10},
        "failed": {"legacy": 0, "new": 2},
        "fallbacks": 1,
        "pairs": 95,
        "matches": 80,
        "mismatches": 4,
        "noise": 6,
        "match_rate": 1 - 4 / 90,
        "coverage": {
            "compared": 90,
            "partly": {"size": 1},
            "skipped": {"gave_up.time": 5, "not_sampled": 5},
            "unlisted": 3,
            "expected": 95,
            "ratio": 90 / 95,
        },
        "noise_runs": {"pairs": 3, "matches": 0, "mismatches": 1, "skipped": {"too_large": 2}},
        "latency_ms": {
            "legacy": {"p50": 0.009, "p95": 0.009, "p99": 0.009},
            "new": {"p50": None, "p95": None, "p99": None},
        },
    }
    expected = {
        "name": "feeds",
        "percentage": 5.0,
        "effective_percentage": 5.0,
        "users": {"legacy": 19, "new": 1},
        "hold": None,
        "group": "feeds",
        "stage": "live",
        **counted,
        "evidence": {"since": None, "because": {}, **counted},
    }
    assert expected == row


def test_evidence_is_what_was_counted_in_the_window():
    """Totals less what they were: a fault of before counts no longer, nor does its latency."""
    because = {"version": {"before": "v6", "after": "v7"}}
    later = {**COUNTS, "match": COUNTS["match"] + 40, "pairs": COUNTS["pairs"] + 40, "latency.new.20": 40}
    row = route_rows(make_rollout(), {"feeds": later}, {}, {"feeds": Window(9.0, because, COUNTS)})[0]
    evidence = row["evidence"]
    assert (4, 120, 0, 40, 1.0) == (
        row["mismatches"], row["matches"], evidence["mismatches"], evidence["matches"], evidence["match_rate"],
    )  # fmt: skip
    assert (9.0, because, 40, 40) == (
        evidence["since"], evidence["because"], evidence["coverage"]["compared"], evidence["coverage"]["expected"],
    )  # fmt: skip
    assert (None, 0.025) == (evidence["latency_ms"]["legacy"]["p50"], evidence["latency_ms"]["new"]["p50"])


def test_route_row_without_traffic_claims_nothing():
    """A route that nobody used has no match rate and no coverage ratio, rather than 100 %."""
    row = route_rows(make_rollout(), {}, {})[0]
    assert (None, None) == (row["match_rate"], row["coverage"]["ratio"])


def test_hold_of_the_group_shows_on_each_of_its_routes():
    """The lowest cap of the group binds; the wish stays what it was (law 3)."""
    holds = [Hold("feeds", 2_000, "ada", "slow", 1.0), Hold("items", 1_000, "bob", "slower", 2.0)]
    routes = [
        make_route("feeds", group="reader", millipercent=5_000),
        make_route("items", group="reader", millipercent=5_000),
    ]
    rollout = make_rollout(*routes, holds=holds)
    rows = route_rows(rollout, {}, {})
    assert [(5.0, 1.0, "items"), (5.0, 1.0, "items")] == [
        (row["percentage"], row["effective_percentage"], row["hold"]["route"]) for row in rows
    ]


def test_hold_of_its_own_is_named_before_an_equal_one_of_the_group():
    """Where two holds cap alike, a route is shown its own: that is the one to release."""
    routes = [make_route("feeds", group="reader"), make_route("items", group="reader")]
    holds = [Hold("feeds", 0, "ada", "", 1.0), Hold("items", 0, "bob", "", 2.0)]
    rollout = make_rollout(*routes, holds=holds)
    assert holds[1] == binding_hold(rollout, routes[1])


def test_kill_switch_shows_as_nobody_on_new():
    """Under the kill switch the percentage in force is 0 and the stage is off, whatever the wish."""
    rollout = make_rollout(make_route(millipercent=100_000), kill_switch=True)
    row = route_rows(rollout, {}, {})[0]
    assert (0.0, "off", 0.0) == (row["effective_percentage"], row["stage"], effective_percentage(rollout, make_route()))


def test_unwritten_counts_are_what_the_store_has_not():
    """Taken over minus stored, by route and counter."""
    accepted = {"feeds": Counter(match=5, pairs=7), "items": Counter(match=1)}
    assert {"feeds": {"pairs": 3}, "items": {"match": 1}} == unwritten(accepted, {"feeds": Counter(match=5, pairs=4)})


def test_totals_add_up_over_routes_and_sources():
    """What the store has and what is still on its way are one number; routes that are gone count too."""
    totals = added(
        {"feeds": {"served.new": 2, "match": 1}}, {"feeds": {"served.new": 1}, "(no route)": {"served.legacy": 4}}
    )
    expected = {
        "requests": {"legacy": 4, "new": 3},
        "failed": {"legacy": 0, "new": 0},
        "pairs": 0,
        "compared": 1,
        "mismatches": 0,
        "expected": 1,
    }
    assert expected == node_totals(totals)
