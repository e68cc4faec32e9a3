"""A good config becomes the values that it says, all of them; and comes back from its document unchanged."""

import hashlib
import json
from decimal import Decimal
from pathlib import Path

import pytest

from proxy.config import Loaded, build, load, parse
from proxy.core.model import (
    Backend,
    BreakerRule,
    CompareRules,
    Health,
    ImageRule,
    KeySource,
    Match,
    Migration,
    Pin,
    Redaction,
    Route,
    ShadowRule,
    Timeouts,
    Users,
)
from proxy.core.paths import parse as parse_path
from proxy.core.value_rules import Equate, Round, Tolerance
from proxy.errors import ConfigError

FULL = Path(__file__).with_name("full.yaml")
SMALL = """version: 1
backends:
  legacy: {url: "http://127.0.0.1:8001"}
  new: {url: "http://127.0.0.1:8002"}
users: {salt: s, key: ["cookie:id"]}
"""


def parsed(text: str) -> Loaded:
    return parse(text, "migration.yaml", {})


def with_routes(routes: str) -> Loaded:
    return parsed(f"{SMALL}routes:\n{routes}")


def test_full_example_loads_with_every_value() -> None:
    """Each key of the documented example has its value in the migration, and nothing is warned about."""
    loaded = load(FULL, {})

    assert (
        Migration(
            legacy=Backend("legacy", "http", "127.0.0.1", 8001),
            new=Backend(
                "new",
                "http",
                "127.0.0.1",
                8002,
                timeouts=Timeouts(connect_s=2.0, read_s=30.0),
                connections=256,
                health=Health("/healthz", 2.0),
                breaker=BreakerRule(),
            ),
            users=Users(
                salt="inkzee-2026",
                key=(KeySource("header", "x-user-id"), KeySource("cookie", "session"), KeySource("jwt", "sub")),
                without_key="cookie",
            ),
            routes=(
                Route(
                    name="feeds",
                    match=Match("path", "/api/feeds/{rest:path}", frozenset({"GET", "HEAD"})),
                    group="reader",
                    millipercent=5_000,
                    shadow=ShadowRule(millipercent=100_000, writes=False, timeout_s=5.0),
                    fallback=True,
                    compare=CompareRules(
                        ignore=(parse_path("$.generated_at"), parse_path("$.items[*].etag")),
                        ignore_headers=frozenset({"x-runtime"}),
                        unordered=(parse_path("$.tags"),),
                        keys=((parse_path("$.items"), "id"),),
                        values=((parse_path("$.items[*].score"), Tolerance(Decimal("0.001"))),),
                        noise_millipercent=1_000,
                    ),
                ),
            ),
            kill_switch=False,
            pins=(
                Pin("staff", "new", headers=(("x-staff", "1"),)),
                Pin("vips", "legacy", users=frozenset({"42", "77"})),
            ),
            redaction=Redaction(
                headers=frozenset({"x-api-key"}),
                fields=(parse_path("$..password"), parse_path("$..card_number")),
            ),
        )
        == loaded.migration
    )
    assert loaded.warnings == ()
    assert loaded.file == FULL
    assert loaded.overridden == {}


def test_absent_keys_have_the_defaults_of_the_values() -> None:
    """A config that says only what it must gets every default from the core's values."""
    loaded = parsed(SMALL + "routes:\n  all: {match: {prefix: /}}\n")

    assert (
        Migration(
            legacy=Backend("legacy", "http", "127.0.0.1", 8001),
            new=Backend("new", "http", "127.0.0.1", 8002, breaker=BreakerRule()),
            users=Users(salt="s", key=(KeySource("cookie", "id"),)),
            routes=(Route("all", Match("prefix", "/"), group="all"),),
        )
        == loaded.migration
    )


def test_every_other_form_of_a_value_is_read() -> None:
    """Regular expressions, hosts, addresses, durations and header names in their less usual forms."""
    loaded = parsed("""version: 1
backends:
  legacy: {url: "https://legacy.example/", timeout: {connect: 250ms, read: 1.5s, write: 5m, pool: 1ms}}
  new: {url: "http://[::1]"}
users: {salt: off, key: ["header:X-User"]}
pins: {p: {backend: legacy, header: {X-Staff: no}}}
redact: {headers: [X-Key]}
routes:
  r: {match: {regex: "/a/.+", host: API.example.com}, compare: {ignore: ["header:X-Time"]}}
  7: {match: {path: "/{n:int}", host: "[::1]"}}
""")

    assert Backend("legacy", "https", "legacy.example", 443, Timeouts(0.25, 1.5, 300.0, 0.001)) == (
        loaded.migration.legacy
    )
    assert Backend("new", "http", "::1", 80, breaker=BreakerRule()) == loaded.migration.new
    assert Users("off", (KeySource("header", "x-user"),)) == loaded.migration.users
    assert (("x-staff", "no"),) == loaded.migration.pins[0].headers
    assert frozenset({"x-key"}) == loaded.migration.redaction.headers
    assert [Match("regex", "/a/.+", None, "api.example.com"), Match("path", "/{n:int}", None, "[::1]")] == [
        route.match for route in loaded.migration.routes
    ]
    assert frozenset({"x-time"}) == loaded.migration.routes[0].compare.ignore_headers
    assert [route.name for route in loaded.migration.routes] == ["r", "7"]


def test_health_and_breaker_are_read() -> None:
    """Every key of both has its value."""
    loaded = parsed(
        SMALL.replace(
            '8002"}',
            '8002", health: {path: /up, interval: 5s, timeout: 250ms, healthy_after: 1, unhealthy_after: 3}, '
            "breaker: {failure_percentage: 75, window: 1m, min_requests: 100, cool_down: 10s}}",
        )
        + "routes: {all: {match: {prefix: /}}}\n"
    )

    assert Health("/up", 5.0, 0.25, 1, 3) == loaded.migration.new.health
    assert BreakerRule(75, 60.0, 100, 10.0) == loaded.migration.new.breaker


def test_breaker_is_only_news_and_can_be_switched_off() -> None:
    """New has one unless it says no; legacy never has one."""
    routes = "routes: {all: {match: {prefix: /}}}\n"
    on = parsed(SMALL + routes).migration
    off = parsed(SMALL.replace('8002"}', '8002", breaker: {enabled: false, min_requests: 5}}') + routes).migration

    assert (None, BreakerRule()) == (on.legacy.breaker, on.new.breaker)
    assert (None, None) == (off.legacy.breaker, off.new.breaker)


@pytest.mark.parametrize(
    ("written", "millipercent"),
    [("0", 0), ("100", 100_000), ("100.000", 100_000), ("12.345", 12_345), ("0.001", 1), ("99.999", 99_999),
     ("5e1", 50_000), ("16.1", 16_100), ("33.300", 33_300), (".5", 500), ("007", 7_000), ("-0", 0)],
)  # fmt: skip
def test_percentage_is_exact(written: str, millipercent: int) -> None:
    """A percentage is read from its source text; 16.1 * 1000 as floats would be 16100.000000000002."""
    loaded = with_routes(f"  r: {{match: {{prefix: /}}, rollout: {{percentage: {written}}}}}\n")

    assert millipercent == loaded.migration.routes[0].millipercent
    assert millipercent == build(json.loads(json.dumps(loaded.document))).routes[0].millipercent


def test_group_without_statement_inherits_the_stated_percentage() -> None:
    """A route of a group that states no percentage has the one that its group states, before or after it."""
    loaded = with_routes(
        "  a: {match: {prefix: /a}, rollout: {group: g}}\n"
        "  b: {match: {prefix: /b}, rollout: {group: g, percentage: 7}}\n"
        "  c: {match: {prefix: /c}, rollout: {group: g, percentage: 7.0}}\n"
        "  g: {match: {prefix: /g}}\n"
        "  z: {match: {prefix: /z}, rollout: {group: alone}}\n"
    )

    assert [7_000, 7_000, 7_000, 7_000, 0] == [route.millipercent for route in loaded.migration.routes]


def test_anchors_and_merge_keys_are_written_out() -> None:
    """An alias stands for its value; a merge key brings what the mapping doesn't say itself, the first one first."""
    loaded = with_routes(
        "  a: &a\n    match: {prefix: /a}\n    rollout: &roll {percentage: 3}\n    fallback: true\n"
        "  b: {match: {prefix: /b}, rollout: *roll}\n"
        "  c: {<<: *a, match: {prefix: /c}}\n"
        "  d:\n    <<: [{fallback: false, match: {prefix: /d}}, *a]\n"
    )

    assert [
        ("/a", 3_000, True),
        ("/b", 3_000, False),
        ("/c", 3_000, True),
        ("/d", 3_000, False),
    ] == [(route.match.pattern, route.millipercent, route.fallback) for route in loaded.migration.routes]


def test_document_builds_the_same_migration() -> None:
    """The document, through JSON, gives back the migration; its digest is that of its content."""
    loaded = load(FULL, {})

    assert loaded.migration == build(json.loads(json.dumps(loaded.document)))
    assert hashlib.sha256(json.dumps(loaded.document, ensure_ascii=False).encode()).hexdigest() == loaded.digest


def test_digest_ignores_comments_and_sees_the_order_of_routes() -> None:
    """Two files with the same content have one digest; two orders of routes are two rollouts."""
    one = with_routes("  a: {match: {prefix: /a}}\n  b: {match: {prefix: /b}}\n")
    same = with_routes("  # first\n  'a': {match: {'prefix': /a}}\n\n  b:\n    match: {prefix: /b}\n")
    other = with_routes("  b: {match: {prefix: /b}}\n  a: {match: {prefix: /a}}\n")

    assert one.digest == same.digest
    assert one.digest != other.digest


def test_build_refuses_a_document_by_its_keys() -> None:
    """A damaged document names the key; it has no lines."""
    document = load(FULL, {}).document
    document["routes"]["feeds"]["rollout"]["percentage"] = 101

    with pytest.raises(ConfigError) as refusal:
        build(document)

    assert [(0, 0, "routes.feeds.rollout.percentage")] == [
        (each.line, each.column, each.path) for each in refusal.value.problems
    ]


def test_build_names_both_routes_of_a_clash_by_their_keys() -> None:
    """Two equal routes of a document are named by their keys, because it has no lines."""
    document = with_routes("  a: {match: {prefix: /a}}\n").document
    document["routes"]["b"] = {"match": {"prefix": "/a"}}

    with pytest.raises(ConfigError) as refusal:
        build(document)

    assert ["routes.b.match"] == [each.path for each in refusal.value.problems]
    assert "'a' (routes.a.match)" in refusal.value.problems[0].message


def test_questionable_values_are_warned_about() -> None:
    """What is allowed and probably a mistake is a warning with its place, and the config loads."""
    loaded = parsed("""version: 1
backends:
  legacy: {url: "http://127.0.0.1:80"}
  new: {url: "http://127.0.0.1/"}
users: {salt: s}
routes:
  a: {match: {prefix: /a}, shadow: {writes: true}}
""")

    assert (
        (
            "migration.yaml:4:14: backends.new.url: legacy and new are the same address, so every comparison compares "
            "legacy with itself"
        ),
        (
            "migration.yaml:5:8: users: no user has a key and users without a key stay on legacy, so no percentage has "
            "an effect"
        ),
        "migration.yaml:7:36: routes.a.shadow: has no percentage, so nothing is shadowed",
    ) == loaded.warnings


def test_byte_order_mark_and_windows_line_ends_are_read() -> None:
    """A file saved on Windows is the same config."""
    text = FULL.read_text()

    assert parsed(text).migration == parsed("\ufeff" + text.replace("\n", "\r\n")).migration


def test_rules_of_defaults_hold_for_every_route() -> None:
    """A route adds its own rules, which come first; a rule of the same kind and place replaces the default's."""
    loaded = parsed(
        SMALL
        + """defaults:
  compare:
    ignore: [$.at, "header:X-Build"]
    tolerance: {$.a: 1, $.b: 2%}
    equate: {"header:x-note": [empty=missing]}
    images: {}
    noise: {percentage: 3}
routes:
  all: {match: {prefix: /}}
  wide: {match: {prefix: /wide}, compare: {images: {distance: 7}}}
  never: {match: {prefix: /never}, compare: {images: {enabled: false}}}
  own:
    match: {prefix: /own}
    compare: {ignore: [$.own, $.at], tolerance: {$.a: 0.5}, round: {$.a: 2}, noise: {percentage: 0}}
"""
    )
    inherited, wide, never, own = (route.compare for route in loaded.migration.routes)
    header = (("x-note", Equate(frozenset({"empty=missing"}))),)
    share = (parse_path("$.b"), Tolerance(Decimal("0.02"), is_relative=True))

    assert inherited == CompareRules(
        ignore=(parse_path("$.at"),),
        ignore_headers=frozenset({"x-build"}),
        values=((parse_path("$.a"), Tolerance(Decimal("1.0"))), share),
        header_values=header,
        noise_millipercent=3_000,
        images=ImageRule(4.0),
    )
    assert (ImageRule(7.0), None) == (wide.images, never.images)
    assert own == CompareRules(
        ignore=(parse_path("$.own"), parse_path("$.at")),
        ignore_headers=frozenset({"x-build"}),
        values=((parse_path("$.a"), Tolerance(Decimal("0.5"))), share, (parse_path("$.a"), Round(2))),
        header_values=header,
        noise_millipercent=0,
        images=ImageRule(4.0),
    )
