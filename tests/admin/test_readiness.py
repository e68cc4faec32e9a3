"""Whether a route may move on: the verdict, its reason and its basis."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.admin.readiness import blockers, readiness_of, switch_off, waiting_by_route
from tests.fakes import SINCE, covered, route_row, signature_row

FAST = {"p50": 8.0, "p95": 9.0, "p99": 10.0}
SLOW = {"p50": 20.0, "p95": 30.0, "p99": 40.0}
AS_FAST = {"p50": 8.2, "p95": 9.0, "p99": 10.0}


def measured(compared: int, mismatches: int = 0, **changes: Any) -> dict[str, Any]:
    return route_row(
        mismatches=mismatches,
        match_rate=1 - mismatches / compared if compared else None,
        **{"coverage": covered(compared), "latency_ms": {"legacy": FAST, "new": AS_FAST}, **changes},
    )


@pytest.mark.parametrize(
    ("route", "states", "verdict", "why"),
    [
        (measured(0), [], "unknown", "nothing was compared yet"),
        (measured(100, 50), [], "not ready", "too many answers differ: fewer than 99.9 % are the same"),
        (measured(50_000), ["new"], "not ready", "1 difference waits for a decision"),
        (measured(50_000), ["regressed", "unproven"], "not ready", "2 differences wait for a decision"),
        (measured(50_000, coverage=covered(50_000, timeout=50_000)), [], "too early", "only 50 % of what should have"),
        (measured(100), [], "too early", "3,738 more answers without a difference prove that 99.9 %"),
        (
            measured(50_000),
            ["known", "ignored", "fixed"],
            "ready",
            "at least 99.9 % of the answers are the same, proven",
        ),
        (measured(50_000, latency_ms={"legacy": FAST, "new": SLOW}), [], "ready", "but new takes 2.5 times as long"),
    ],
)
def test_verdict_follows_from_the_evidence(route: dict[str, Any], states: list[str], verdict: str, why: str):
    """What was not compared is never ready; nor is what nobody decided about."""
    signatures = [signature_row(str(number), state=state) for number, state in enumerate(states)]
    waiting = waiting_by_route([*signatures, signature_row("other", route="search")])
    found = readiness_of(route, waiting["feeds"])
    assert (verdict, True) == (found.verdict, why in found.why), found


def test_basis_has_numbers_with_their_coverage():
    """Law 5, in words."""
    found = readiness_of(measured(12_480, 2, coverage=covered(12_480, timeout=20)), 0)
    expected = (
        "12,480 comparable pairs, 0.02 % differ, at most 0.06 % with 95 % confidence",
        "coverage 99.84 %: 12,480 of 12,500",
        "answers about as fast as legacy (median)",
        "4 % of the requests that new answered ended in an error (2 of 50), of legacy's 0.42 %",
        "counted: everything so far",
    )
    assert expected == found.basis


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        ({"p50": 5.28}, "answers 34 % faster than legacy (median)"),
        ({"p50": 9.6}, "answers 20 % slower than legacy (median)"),
        ({"p50": 40.0}, "takes 5.0 times as long as legacy (median)"),
    ],
)
def test_basis_compares_the_speed(new: dict[str, float], expected: str):
    """At the median; nothing is said where one side is unknown."""
    assert expected in readiness_of(measured(10, latency_ms={"legacy": FAST, "new": new}), 0).basis
    unknown = readiness_of(measured(10, latency_ms={"legacy": FAST, "new": {"p50": None}}), 0)
    assert [] == [each for each in unknown.basis if "(median)" in each]


@pytest.mark.parametrize(
    ("because", "words"),
    [
        ({"version": {"before": "v6", "after": "v7"}}, "when new became v7 (before: v6)"),
        ({"setup": ["new"]}, "when new got another address"),
        ({"setup": ["legacy", "rules"]}, "when legacy got another address and the rules of comparing were changed"),
        ({"week": True}, "a week ago"),
    ],
)
def test_verdict_is_about_the_window(because: dict[str, Any], words: str):
    """What was mended before it began counts no longer, and it is said since when it has been counted."""
    good = measured(50_000)
    row = measured(90_000, 9_000, evidence={**good["evidence"], "since": SINCE, "because": because})
    found = readiness_of(row, 0)
    assert ("ready", f"counted: since 2026-09-21 14:13:20Z, {words}") == (found.verdict, found.basis[-1])
    assert found.basis[0].startswith("50,000 comparable pairs, 0 % differ")


def test_blockers_are_open_differences_by_count():
    """What was ignored or fixed blocks nothing; what is known still does."""
    rows = [
        signature_row(state, state=state, count=number)
        for number, state in enumerate(("new", "ignored", "known", "fixed", "noise", "regressed", "unproven"))
    ]
    assert ["unproven", "regressed", "known"] == [row["id"] for row in blockers(rows)[:3]]


def burnt_up(*legacy: int, bucket_s: int = 86_400) -> dict[str, Any]:
    """Days with so many requests on legacy, the last one today."""
    until = 1_790_035_200.0 + bucket_s * len(legacy)
    buckets = [
        {"at": 1_790_035_200 + bucket_s * number, "requests": {"legacy": each, "new": 5}}
        for number, each in enumerate(legacy)
    ]
    return {"until": until, "bucket_s": bucket_s, "buckets": buckets}


QUIET = burnt_up(9, 0, 0, 0, 0, 0, 0, 0)


def test_what_keeps_legacy_on_is_named():
    """With who holds it back, and not without end."""
    held = route_row("feeds", effective_percentage=1, hold={"who": "ada", "reason": "errors"})
    others = [route_row(f"route-{number}", effective_percentage=5) for number in range(7)]
    words, is_true = switch_off([held, *others], None)[0]
    expected = "0 of 8 routes send everybody to new; not yet feeds (1 %, held by ada), route-0 (5 %), "
    assert (False, True, True) == (is_true, words.startswith(expected), words.endswith(" and 3 more"))


@pytest.mark.parametrize(
    ("routes", "burn_up", "expected"),
    [
        ([], QUIET, [False, False, True]),
        ([route_row(effective_percentage=100, stage="complete")], QUIET, [True, True, True]),
        ([route_row(effective_percentage=100, stage="rampdown")], burnt_up(*[0] * 8, 3), [True, False, False]),
        ([route_row(effective_percentage=100, stage="complete")], burnt_up(0, 0, 0), [True, True, None]),
        ([route_row(effective_percentage=100, stage="complete")], burnt_up(), [True, True, None]),
        ([route_row()], None, [False, False, None]),
    ],
)
def test_switching_off_needs_all_of_it(
    routes: list[dict[str, Any]], burn_up: dict[str, Any] | None, expected: list[bool | None]
):
    """Everybody on new, nothing asked of legacy, nothing served by it for a week; what isn't known isn't true."""
    assert expected == [is_true for _, is_true in switch_off(routes, burn_up)]


@pytest.mark.parametrize(
    ("burn_up", "words"),
    [
        (burnt_up(9, 1, 0, 0, 0, 0, 0, 2), "legacy answered 3 users' requests in the last 7 days"),
        (QUIET, "legacy answered no user's request in the last 7 days"),
        (burnt_up(0, 0), "legacy answered no user's request, but less than 7 days are known"),
        (None, "it is not known how many users' requests legacy answered in the last 7 days"),
    ],
)
def test_a_week_without_legacy_is_counted(burn_up: dict[str, Any] | None, words: str):
    """Days before that don't count, and a week that isn't known isn't a quiet one."""
    assert words == switch_off([route_row()], burn_up)[-1][0]
