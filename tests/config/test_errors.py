"""Every bad config is refused with the place, the key and what to do; all of its faults at once."""

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.config import parse
from proxy.config.faults import findings
from proxy.config.places import Finding
from proxy.errors import ConfigError, Problem

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

BASE = """version: 1
backends:
  legacy: {url: "http://127.0.0.1:8001"}
  new: {url: "http://127.0.0.1:8002"}
users: {salt: s, key: ["cookie:id"]}
routes:
  feeds:
    match: {prefix: /feeds}
    rollout: {percentage: 5}
"""
MATCH = "match: {prefix: /feeds}"
NEW_URL = '"http://127.0.0.1:8002"'
END = "    rollout: {percentage: 5}\n"


def problems_of(text: str) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as refusal:
        parse(text, "migration.yaml", {})
    return refusal.value.problems


# What is replaced in BASE, by what; then line, column, path and a part of the message.
ROWS = {
    # --- the file as a whole ---
    "empty": (BASE, "", 1, 1, "", "the file is empty"),
    "only-comments": (BASE, "# nothing\n", 1, 1, "", "the file is empty"),
    "list": (BASE, "\n- a\n", 2, 1, "", "holds a list, not a mapping"),
    "text": (BASE, "hello", 1, 1, "", "holds the text 'hello', not a mapping"),
    "not-yaml": ("users: {salt: s", "users: {salt: 's", 10, 1, "", "not YAML: while scanning a quoted scalar"),
    "tab": ("  legacy:", "\tlegacy:", 3, 1, "", "cannot start any token"),
    "control-character": ("salt: s", "salt: \x00", 5, 15, "", "the character U+0000 is not allowed"),
    "two-documents": (END, f"{END}---\nversion: 1\n", 10, 1, "", "another document"),
    "undefined-alias": ("{percentage: 5}", "*nothing", 9, 14, "", "undefined alias 'nothing'"),
    "tag": ("salt: s", "salt: !secret s", 5, 15, "users.salt", "the tag !secret is not supported"),
    "set": ("salt: s", "salt: !!set {s}", 5, 15, "users.salt", "the tag set is not supported"),
    "deep": ("salt: s", f"salt: {'[' * 60}{']' * 60}", 5, 53, "", "nested deeper than 40 levels"),
    "self-reference": ("salt: s", "salt: &a [*a]", 5, 15, "", "nested deeper than 40 levels"),
    "merge-of-text": (END, f"{END}    <<: text\n", 10, 9, 'routes.feeds["<<"]', "a merge key takes a mapping"),
    "key-not-text": (END, f"{END}    ? [a]\n    : b\n", 10, 7, "routes.feeds", "a key must be plain text"),
    "unknown-yaml": ("version: 1\n", "%YAML 3.9\n---\nversion: 1\n", 1, 1, "", "found incompatible YAML document"),
    "impossible-character": ("salt: s", 'salt: "\\UFFFFFFFF"', 1, 1, "", "not YAML that can be read: OverflowError"),
    "half-character": ("salt: s", 'salt: "\\ud800"', 5, 15, "users.salt", "half of a surrogate pair"),
    "half-character-in-key": ("salt: s", 'salt: s, "\\ud800": 1', 5, 18, "users", "half of a surrogate pair"),
    # --- keys ---
    "duplicate-top": (END, f"{END}version: 1\n", 10, 1, "version", "duplicate key, first given in line 1"),
    "duplicate-route": (END, f"{END}  feeds: {{}}\n", 10, 3, "routes.feeds", "first given in line 7"),
    "duplicate-flow": ("{percentage: 5}", '{percentage: 5, "percentage": 6}', 9, 30,
                       "routes.feeds.rollout.percentage", "first given in line 9"),
    "unknown-top": ("users:", "kill_swich: true\nusers:", 5, 1, "kill_swich", "did you mean 'kill_switch'?"),
    "unknown-route-key": ("rollout:", "rolout:", 9, 5, "routes.feeds.rolout", "did you mean 'rollout'?"),
    "unknown-far": ("{salt: s,", "{salt: s, zzz: 1,", 5, 18, "users.zzz", "known are key, salt, without_key"),
    "unknown-backend": ("  new:", "  nwe: {}\n  new:", 4, 3, "backends.nwe", "did you mean 'new'?"),
    "missing-version": ("version: 1\n", "", 1, 1, "", "the key 'version' is missing: the format of this file"),
    "missing-backend": (f"  new: {{url: {NEW_URL}}}\n", "", 3, 3, "backends", "the key 'new' is missing"),
    "missing-url": (f"{{url: {NEW_URL}}}", "{}", 4, 8, "backends.new", "the key 'url' is missing"),
    "missing-users": ('users: {salt: s, key: ["cookie:id"]}\n', "", 1, 1, "", "the key 'users' is missing"),
    "missing-salt": ("salt: s, ", "", 5, 8, "users", "the key 'salt' is missing"),
    "missing-match": (f"    {MATCH}\n", "", 8, 5, "routes.feeds", "the key 'match' is missing"),
    "missing-health-path": ('8002"', '8002", health: {interval: 2s}', 4, 47, "backends.new.health",
                            "the key 'path' is missing"),
    "empty-value": ("{percentage: 5}", "", 9, 5, "routes.feeds.rollout", "is empty; give it a value"),
    "null-value": ("percentage: 5", "percentage: ~", 9, 27, "routes.feeds.rollout.percentage", "is empty"),
    "empty-routes": (BASE[BASE.index("  feeds"):], "", 6, 1, "routes", "is empty"),
    # --- kinds of values ---
    "version-2": ("version: 1", "version: 2", 1, 10, "version", "the number 2 is not a version"),
    "version-text": ("version: 1", 'version: "1"', 1, 10, "version", "the text '1' is not a version"),
    "version-true": ("version: 1", "version: true", 1, 10, "version", "true is not a version"),
    "boolean-as-text": ("users:", "kill_switch: on\nusers:", 5, 14, "kill_switch", "'on' is not true or false"),
    "boolean-as-number": (END, f"{END}    fallback: 1\n", 10, 15, "routes.feeds.fallback", "is not true or false"),
    "text-as-number": ("salt: s", "salt: 2026", 5, 15, "users.salt", "2026 is not text; write it in quotes"),
    "text-as-list": ("salt: s", "salt: [s]", 5, 15, "users.salt", "a list is not text"),
    "list-as-text": ('["cookie:id"]', "cookie:id", 5, 23, "users.key", "is not a list; write [one, two]"),
    "mapping-as-text": ("{percentage: 5}", "5", 9, 14, "routes.feeds.rollout", "the number 5 is not a mapping"),
    "routes-as-list": (BASE[BASE.index("  feeds"):], "  - feeds\n", 7, 3, "routes", "a list is not a mapping"),
    "whole-number": ('8002"', '8002", connections: 2.5', 4, 52, "backends.new.connections", "is not a whole number"),
    "too-few": ('8002"', '8002", connections: 0', 4, 52, "backends.new.connections", "0 is below 1"),
    "too-many": ('8002"', '8002", connections: 65536', 4, 52, "backends.new.connections", "above 65535"),
    # --- percentages ---
    "below-0": ("percentage: 5", "percentage: -1", 9, 27, "routes.feeds.rollout.percentage", "-1 is below 0"),
    "over-100": ("percentage: 5", "percentage: 100.001", 9, 27, "routes.feeds.rollout.percentage", "is above 100"),
    "too-fine": ("percentage: 5", "percentage: 5.0001", 9, 27, "routes.feeds.rollout.percentage", "finer than 0.001"),
    "far-too-fine": ("percentage: 5", f"percentage: 5.{'0' * 29}1", 9, 27, "routes.feeds.rollout.percentage",
                     "finer than 0.001"),
    "percentage-true": ("percentage: 5", "percentage: true", 9, 27, "routes.feeds.rollout.percentage",
                        "true is not a number"),
    "percentage-quoted": ("percentage: 5", 'percentage: "5"', 9, 27, "routes.feeds.rollout.percentage",
                          "is not a number; a percentage is a number from 0 to 100; remove the quotes"),
    "percentage-sign": ("percentage: 5", "percentage: 5%", 9, 27, "routes.feeds.rollout.percentage", "'5%' is not"),
    "percentage-infinite": ("percentage: 5", "percentage: .inf", 9, 27, "routes.feeds.rollout.percentage",
                            "'.inf' is not a number"),
    "percentage-huge": ("percentage: 5", f"percentage: {'9' * 5000}", 9, 27, "routes.feeds.rollout.percentage",
                        "is not a number"),
    "percentage-list": ("percentage: 5", "percentage: [5]", 9, 27, "routes.feeds.rollout.percentage", "a list is not"),
    "shadow-percentage": (END, f"{END}    shadow: {{percentage: 101}}\n", 10, 26, "routes.feeds.shadow.percentage",
                          "101 is above 100"),
    "noise-percentage": (END, f"{END}    compare: {{noise: {{percentage: -0.5}}}}\n", 10, 35,
                         "routes.feeds.compare.noise.percentage", "-0.5 is below 0"),
    # --- durations ---
    "no-unit": ('8002"', '8002", timeout: {read: 30}', 4, 55, "backends.new.timeout.read",
                "the number 30 is not a duration; write it as 250ms, 2s or 5m"),
    "wrong-unit": ('8002"', '8002", timeout: {read: 1h}', 4, 55, "backends.new.timeout.read", "'1h' is not a duration"),
    "no-time": (END, f"{END}    shadow: {{timeout: 0s}}\n", 10, 23, "routes.feeds.shadow.timeout", "above 0"),
    # --- backends ---
    "no-scheme": (NEW_URL, "127.0.0.1:8002", 4, 14, "backends.new.url", "no http://, https:// or unix:"),
    "other-scheme": (NEW_URL, "ftp://h", 4, 14, "backends.new.url", "no http://, https:// or unix:"),
    "with-path": (NEW_URL, '"http://h:1/api"', 4, 14, "backends.new.url",
                  "has a path or a query; write http://h:1: requests keep the path"),
    "with-query": (NEW_URL, '"http://h/?a"', 4, 14, "backends.new.url", "has a path or a query"),
    "with-fragment": (NEW_URL, '"http://h#"', 4, 14, "backends.new.url", "has a path or a query"),
    "no-host": (NEW_URL, '"http://:80"', 4, 14, "backends.new.url", "has no usable host"),
    "bad-host": (NEW_URL, '"http://a_b*c"', 4, 14, "backends.new.url", "has no usable host"),
    "bad-ipv6": (NEW_URL, '"http://[::zz]"', 4, 14, "backends.new.url", "is not an address"),
    "bad-port": (NEW_URL, '"http://h:99999"', 4, 14, "backends.new.url", "port that isn't 1 to 65535"),
    "port-0": (NEW_URL, '"http://h:0"', 4, 14, "backends.new.url", "port that isn't 1 to 65535"),
    "blank": (NEW_URL, '"http://h o"', 4, 14, "backends.new.url", "has blanks"),
    "unix-relative": (NEW_URL, '"unix:run/app.sock"', 4, 14, "backends.new.url", "write it as unix:/run/app.sock"),
    "unix-host": (NEW_URL, '"unix://h/run/"', 4, 14, "backends.new.url", "has no absolute path of a socket"),
    "unix-long": (NEW_URL, f'"unix:/{"a" * 107}"', 4, 14, "backends.new.url", "longer than the 107 bytes"),
    "tls-without-https": ('8002"', '8002", tls: {}', 4, 39, "backends.new.tls",
                          "has no effect on http://127.0.0.1:8002; write https:// there, or remove tls"),
    "tls-on-a-socket": (NEW_URL, '"unix:/run/app.sock", tls: {verify: false}', 4, 36, "backends.new.tls",
                        "has no effect on unix:/run/app.sock"),
    "tls-unknown-key": (NEW_URL, '"https://h", tls: {cert: /c.pem}', 4, 33, "backends.new.tls.cert",
                        "known are ca, certificate, key, server_name, verify"),
    "tls-relative-file": (NEW_URL, '"https://h", tls: {ca: ca.pem}', 4, 37, "backends.new.tls.ca",
                          "'ca.pem' is not an absolute path"),
    "tls-without-key": (NEW_URL, '"https://h", tls: {certificate: /c.pem}', 4, 33, "backends.new.tls.certificate",
                        "needs key beside it; give both or neither"),
    "tls-without-certificate": (NEW_URL, '"https://h", tls: {key: /k.pem}', 4, 33, "backends.new.tls.key",
                                "needs certificate beside it; give both or neither"),
    "tls-server-name": (NEW_URL, '"https://h", tls: {server_name: "https://a"}', 4, 46,
                        "backends.new.tls.server_name", "write it without scheme and port, as app.internal"),
    "tls-verify": (NEW_URL, '"https://h", tls: {verify: off}', 4, 41, "backends.new.tls.verify",
                   "'off' is not true or false"),
    "tls-absent-file": (NEW_URL, '"https://h", tls: {ca: /absent/ca.pem}', 4, 37, "backends.new.tls.ca",
                        "/absent/ca.pem: the file doesn't exist; create it, or name another"),
    "health-after": ('8002"', '8002", health: {path: /h, healthy_after: 0}', 4, 73, "backends.new.health.healthy_after",
                     "0 is below 1, the least allowed"),
    "health-typo": ('8002"', '8002", health: {path: /h, time_out: 1s}', 4, 58, "backends.new.health.time_out",
                    "did you mean 'timeout'?"),
    "breaker-typo": ('8002"', '8002", breaker: {cooldown: 1s}', 4, 49, "backends.new.breaker.cooldown",
                     "did you mean 'cool_down'?"),
    "breaker-off": ('8002"', '8002", breaker: off', 4, 48, "backends.new.breaker", "is not a mapping"),
    "breaker-percentage": ('8002"', '8002", breaker: {failure_percentage: 0}', 4, 69,
                           "backends.new.breaker.failure_percentage", "0 is below 1, the least allowed"),
    "breaker-window": ('8002"', '8002", breaker: {window: 10}', 4, 57, "backends.new.breaker.window",
                       "the number 10 is not a duration"),
    "version-of-legacy": ('8001"', '8001", version_header: x-a', 3, 42, "backends.legacy.version_header",
                          "only new's version is noted"),
    "breaker-of-legacy": ('8001"', '8001", breaker: {}', 3, 42, "backends.legacy.breaker",
                          "legacy has no breaker: nothing stands in for legacy"),
    "breaker-of-legacy-off": ('8001"', '8001", breaker: {enabled: false}', 3, 42, "backends.legacy.breaker",
                              "legacy has no breaker"),
    "health-path": ('8002"', '8002", health: {path: healthz}', 4, 54, "backends.new.health.path", "begins with '/'"),
    # --- users, pins, redact ---
    "empty-salt": ("salt: s", 'salt: ""', 5, 15, "users.salt", "the salt is empty"),
    "key-without-kind": ('"cookie:id"', '"id"', 5, 24, "users.key[0]", "write header:NAME, cookie:NAME or jwt:CLAIM"),
    "key-header": ('"cookie:id"', '"header:x y"', 5, 24, "users.key[0]", "'x y' is not a header's name"),
    "key-cookie": ('"cookie:id"', '"cookie:a;b"', 5, 24, "users.key[0]", "'a;b' is not a cookie's name"),
    "without-key": ("salt: s,", "salt: s, without_key: cokie,", 5, 31, "users.without_key",
                    "the text 'cokie' is not one of cookie, legacy; did you mean 'cookie'?"),
    "without-key-list": ("salt: s,", "salt: s, without_key: [],", 5, 31, "users.without_key",
                         "a list is not one of cookie, legacy"),
    "pin-nobody": ("routes:", "pins: {p: {backend: new}}\nroutes:", 6, 11, "pins.p", "pins nobody"),
    "pin-backend": ("routes:", "pins: {p: {backend: knew, users: ['1']}}\nroutes:", 6, 21, "pins.p.backend",
                    "not one of legacy, new; did you mean 'new'?"),
    "pin-name": ("routes:", "pins: {P!: {backend: new, users: ['1']}}\nroutes:", 6, 8, 'pins["P!"]', "is not a name"),
    "pin-user-number": ("routes:", "pins: {p: {backend: new, users: [42]}}\nroutes:", 6, 34, "pins.p.users[0]",
                        "the number 42 is not text; write it in quotes"),
    "pin-user-empty": ("routes:", "pins: {p: {backend: new, users: ['']}}\nroutes:", 6, 34, "pins.p.users[0]",
                       "an empty text has no effect"),
    "pin-header": ("routes:", "pins: {p: {backend: new, header: {'x:': a}}}\nroutes:", 6, 35, 'pins.p.header["x:"]',
                   "is not a header's name"),
    "pin-header-twice": ("routes:", "pins: {p: {backend: new, header: {a: b, A: c}}}\nroutes:", 6, 34,
                         "pins.p.header", "the header 'a' is given twice"),
    "redact-header": ("routes:", "redact: {headers: ['']}\nroutes:", 6, 20, "redact.headers[0]", "not a header's name"),
    "redact-field": ("routes:", "redact: {fields: [password]}\nroutes:", 6, 19, "redact.fields[0]", "begins with '$'"),
    # --- routes ---
    "route-name": ("  feeds:", "  Feeds:", 7, 3, "routes.Feeds", "'Feeds' is not a name"),
    "group-name": ("percentage: 5", "group: a b", 9, 22, "routes.feeds.rollout.group", "'a b' is not a name"),
    "no-kind": (MATCH, "match: {methods: [GET]}", 8, 12, "routes.feeds.match", "matches nothing; give it path"),
    "two-kinds": (MATCH, "match: {prefix: /, path: /}", 8, 12, "routes.feeds.match", "has path and prefix"),
    "relative-prefix": (MATCH, "match: {prefix: feeds}", 8, 21, "routes.feeds.match.prefix", "begins with '/'"),
    "prefix-query": (MATCH, "match: {prefix: /a?b}", 8, 21, "routes.feeds.match.prefix", "has a query"),
    "relative-path": (MATCH, "match: {path: a}", 8, 19, "routes.feeds.match.path", "begins with '/'"),
    "stray-brace": (MATCH, 'match: {path: "/{"}', 8, 19, "routes.feeds.match.path", "a brace in '/{' belongs to no"),
    "convertor": (MATCH, 'match: {path: "/{a:integer}"}', 8, 19, "routes.feeds.match.path", "'integer'"),
    "regex": (MATCH, 'match: {regex: "/("}', 8, 20, "routes.feeds.match.regex", "is not a regular expression"),
    "method-case": (MATCH, "match: {prefix: /, methods: [get]}", 8, 34, "routes.feeds.match.methods[0]",
                    "methods are upper case: write GET, not get"),
    "method-token": (MATCH, "match: {prefix: /, methods: ['G T']}", 8, 34, "routes.feeds.match.methods[0]",
                     "is not a method"),
    "no-methods": (MATCH, "match: {prefix: /, methods: []}", 8, 33, "routes.feeds.match.methods", "the list is empty"),
    "host-port": (MATCH, "match: {prefix: /, host: 'a:80'}", 8, 30, "routes.feeds.match.host", "without scheme and"),
    "host-ipv6": (MATCH, "match: {prefix: /, host: '[a]'}", 8, 30, "routes.feeds.match.host", "is not a host"),
    "equal-routes": (END, f"{END}  b:\n    match: {{prefix: /feeds}}\n", 11, 12, "routes.b.match",
                     "the same requests as the route 'feeds' (line 8)"),
    "disagreeing-group": (END, f"{END}  b: {{match: {{prefix: /b}}, rollout: {{group: feeds, percentage: 6}}}}\n",
                          10, 64, "routes.b.rollout.percentage", "6 here, 5 in the route 'feeds' (line 9), and both"),
    # --- compare ---
    "ignore-path": (END, f"{END}    compare: {{ignore: [a.b]}}\n", 10, 24, "routes.feeds.compare.ignore[0]",
                    "begins with '$'"),
    "ignore-header": (END, f"{END}    compare: {{ignore: ['header:']}}\n", 10, 24, "routes.feeds.compare.ignore[0]",
                      "is not a header's name"),
    "headers-framing": (END, f"{END}    compare: {{headers: [te]}}\n", 10, 25, "routes.feeds.compare.headers[0]",
                        "te belongs to one connection or follows from the body: it is never compared"),
    "headers-compared": (END, f"{END}    compare: {{headers: [x-own]}}\n", 10, 25, "routes.feeds.compare.headers[0]",
                         "x-own is compared anyway; leave it out here"),
    "unordered-path": (END, f"{END}    compare: {{unordered: ['$.']}}\n", 10, 27, "routes.feeds.compare.unordered[0]",
                       "expected a name"),
    "keys-path": (END, f"{END}    compare: {{keys: {{items: id}}}}\n", 10, 22, "routes.feeds.compare.keys.items",
                  "begins with '$'"),
    "keys-member": (END, f"{END}    compare: {{keys: {{$.items: 3}}}}\n", 10, 31,
                    'routes.feeds.compare.keys["$.items"]', "the number 3 is not text"),
    "images-distance": (END, f"{END}    compare: {{images: {{distance: 21}}}}\n", 10, 34,
                        "routes.feeds.compare.images.distance", "21 is out of range; a distance is a number"),
    "images-null": (END, f"{END}    compare: {{images: }}\n", 10, 15, "routes.feeds.compare.images", ""),
    "tolerance": (END, f"{END}    compare: {{tolerance: {{$.a: -0.1}}}}\n", 10, 32,
                  'routes.feeds.compare.tolerance["$.a"]', "-0.1 is below 0"),
    "tolerance-text": (END, f"{END}    compare: {{tolerance: {{$.a: some}}}}\n", 10, 32,
                       'routes.feeds.compare.tolerance["$.a"]', "'some' is not a number; a tolerance is"),
    "tolerance-share": (END, f"{END}    compare: {{tolerance: {{$.a: -1%}}}}\n", 10, 32,
                        'routes.feeds.compare.tolerance["$.a"]', "'-1%' is not a number; a tolerance is"),
    "round": (END, f"{END}    compare: {{round: {{$.a: 1.5}}}}\n", 10, 28, 'routes.feeds.compare.round["$.a"]',
              "1.5 is not a number of decimals; write how many decimals count: 0 to 15"),
    "round-text": (END, f"{END}    compare: {{round: {{$.a: two}}}}\n", 10, 28, 'routes.feeds.compare.round["$.a"]',
                   "'two' is not a number; write how many decimals count"),
    "time-window": (END, f"{END}    compare: {{time_window: {{$.a: 5}}}}\n", 10, 34,
                    'routes.feeds.compare.time_window["$.a"]', "5"),
    "pattern": (END, f"{END}    compare: {{pattern: {{$.a: '[a-z'}}}}\n", 10, 30,
                'routes.feeds.compare.pattern["$.a"]', "'[a-z' is not a regular expression"),
    "pattern-empty": (END, f"{END}    compare: {{pattern: {{$.a: ''}}}}\n", 10, 30,
                      'routes.feeds.compare.pattern["$.a"]', "an empty pattern fits nothing"),
    "pattern-name": (END, f"{END}    compare: {{pattern: {{$.a: uid}}}}\n", 10, 30,
                     'routes.feeds.compare.pattern["$.a"]', "'uid' fits this one text only; did you mean 'uuid'?"),
    "pattern-place": (END, f"{END}    compare: {{pattern: {{a: uuid}}}}\n", 10, 25,
                      "routes.feeds.compare.pattern.a", "begins with '$'"),
    "equate": (END, f"{END}    compare: {{equate: {{$.a: [null=none]}}}}\n", 10, 30,
               'routes.feeds.compare.equate["$.a"][0]', "'null=none' is not an equation; write null=missing, "),
    "equate-none": (END, f"{END}    compare: {{equate: {{$.a: []}}}}\n", 10, 29,
                    'routes.feeds.compare.equate["$.a"]', "the list is empty; write an item or remove the key"),
    "equate-number": (END, f"{END}    compare: {{equate: {{$.a: [1]}}}}\n", 10, 30,
                      'routes.feeds.compare.equate["$.a"][0]', "the number 1 is not an equation; write null=missing, "),
    "equate-null": (END, f"{END}    compare: {{equate: {{$.a: [null]}}}}\n", 10, 30,
                    'routes.feeds.compare.equate["$.a"][0]', "is empty; give it a value or remove the key"),
    "defaults": (END, f"{END}defaults: {{compare: {{ignored: []}}}}\n", 10, 22, "defaults.compare.ignored",
                 "did you mean 'ignore'?"),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_fault_is_told_with_place_and_advice(row: tuple[str, str, int, int, str, str]) -> None:
    """Each fault gives one problem: at its line and column, with its key, and with what to do."""
    old, new, line, column, path, message = row
    assert BASE.count(old) == 1
    text = BASE.replace(old, new)

    (problem,) = problems_of(text)

    assert (line, column, path) == (problem.line, problem.column, problem.path)
    assert message in problem.message
    lines = [*text.splitlines(), ""]
    assert lines[line - 1].strip().replace("\0", "\ufffd")[:100] == problem.source[:100]


def test_all_faults_are_told_at_once_in_the_order_of_the_file() -> None:
    """Faults of the reader, of single values and between routes come in one refusal, from top to bottom."""
    found = problems_of("""version: 2
backends:
  legacy: {url: "http://user:secret@h"}
  new: {url: http://h, timeot: {}}
users: {salt: "", without_key: off}
routes:
  a: {match: {prefix: /a}, rollout: {percentage: 101}}
  b: {match: {prefix: /b}, fallback: }
  c: {match: {prefix: /c}}
  d: {match: {prefix: /c}, d: &x {}, d: *x}
  e: {match: {prefix: /e}, rollout: {percentage: 1, group: c}}
  f: {match: {prefix: /f}, rollout: {percentage: 2, group: c}}
  g: {match: {prefix: /c}}
""")

    assert [
        (1, "version"),
        (3, "backends.legacy.url"),
        (4, "backends.new.timeot"),
        (5, "users.salt"),
        (5, "users.without_key"),
        (7, "routes.a.rollout.percentage"),
        (8, "routes.b.fallback"),
        (10, "routes.d.d"),
        (10, "routes.d.d"),
        (12, "routes.f.rollout.percentage"),
        (13, "routes.g.match"),
    ] == [(problem.line, problem.path) for problem in found]


def test_passwords_are_shown_neither_in_message_nor_in_source_line() -> None:
    """A refused address with a password can be logged."""
    (problem,) = problems_of(BASE.replace("http://127.0.0.1:8002", "http://me:secret@h"))

    assert (
        Problem(
            4,
            14,
            "backends.new.url",
            "'http://***@h' holds a user or a password; write http://host:port without them",
            'new: {url: "http://***@h"}',
        )
        == problem
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{path: "/a/{id}"}', '{path: "/a/{name:str}"}'),
        ("{prefix: /a, methods: [GET, PUT]}", "{prefix: /a, methods: [PUT, GET]}"),
        ("{prefix: /a, host: h.example}", "{prefix: /a, host: H.example}"),
        ("{regex: /a}", "{regex: '/a'}"),
    ],
)
def test_matches_that_mean_the_same_are_equal(one: str, other: str) -> None:
    """Spelling, the parameters' names and the order of methods don't make another match."""
    (problem,) = problems_of(f"{BASE}  a: {{match: {one}}}\n  b: {{match: {other}}}\n")

    assert "the route 'a' (line 10)" in problem.message


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("{path: /a}", "{prefix: /a}"),
        ("{prefix: /a, methods: [GET]}", "{prefix: /a}"),
        ("{prefix: /a, host: a}", "{prefix: /a, host: b}"),
        ('{path: "/a/{id}"}', '{path: "/a/{id:int}"}'),
        ("{prefix: '/{a}'}", "{prefix: '/{b}'}"),
    ],
)
def test_matches_that_mean_different_requests_are_not_equal(one: str, other: str) -> None:
    """A different kind, method, host or convertor is another match."""
    loaded = parse(f"{BASE}  a: {{match: {one}}}\n  b: {{match: {other}}}\n", "migration.yaml", {})

    assert [route.name for route in loaded.migration.routes] == ["feeds", "a", "b"]


def test_document_that_grows_by_aliases_is_refused() -> None:
    """A billion laughs are stopped at 100,000 values, soon and with little memory."""
    laughs = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    laughs += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]

    (problem,) = problems_of("\n".join(laughs))

    assert "more than 100,000 values once its aliases are written out" in problem.message


def test_merge_keys_that_grow_are_read_once() -> None:
    """Mappings that merge each other ten times over, or themselves, end."""
    merges = ["a0: &a0 {x: 1}"]
    merges += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}" for n in range(1, 30)]

    found = problems_of("\n".join([*merges, "b: &b {<<: *b, y: 1}"]))

    assert [f"a{n}" for n in range(30)] + ["b"] == [each.path for each in found if "unknown key" in each.message]


def test_long_source_lines_are_cut() -> None:
    """A line of a kilobyte doesn't fill the terminal."""
    (problem,) = problems_of(BASE.replace("salt: s", f"salt: {'1' * 1000}, zz: 1"))[:1]

    assert 160 == len(problem.source)
    assert problem.source.endswith("...")


WORDS = st.sampled_from(
    ["version", "routes", ": ", ":\n  ", "\n", "- ", "[", "]", "{", "}", "&a ", "*a", "<<", "!", "!!str ",
     "|", ">", "'", '"', "%", "@", "# ", "1", "-", "?", ",", "\t", "\r\n", "---", "\x85", "\ufeff", "\\", "~", "é"]
)  # fmt: skip


def test_fault_of_a_new_kind_is_told_in_pydantics_words() -> None:
    """A kind of fault that a later pydantic brings is passed on, with its place."""
    fault: ErrorDetails = {"type": "novel", "loc": ("users", "key", 0), "msg": "is too novel", "input": "x"}

    assert [Finding(("users", "key", 0), "is too novel")] == findings([fault])


@settings(deadline=None)
@given(st.lists(WORDS, max_size=40).map("".join) | st.text(max_size=60))
def test_any_text_is_refused_as_a_config_error(text: str) -> None:
    """Whatever the file holds, the answer is a list of problems, each with a place, and never a traceback."""
    assert all(problem.line >= 1 and problem.column >= 1 and problem.message for problem in problems_of(text))


VALUES = st.sampled_from(
    ["true", "5", "5.5", "-1", "[]", "[1]", "{}", "{a: 1}", "''", "x", "~", "", "!!binary x", "&a a", "2024-01-01",
     "0o17", "1_000", "0x1f", ".nan", "'\\ud800'", '"\\ud800"']
)  # fmt: skip


@settings(deadline=None)
@given(st.integers(0, BASE.count("\n") - 1), VALUES)
def test_any_value_at_any_key_is_accepted_or_refused_with_a_place(line: int, value: str) -> None:
    """A value of the wrong kind anywhere in a good config gives problems with places, or another good config."""
    lines = BASE.splitlines()
    key = lines[line].partition(":")[0]
    indented = [
        following
        for following in lines[line + 1 :]
        if len(following) - len(following.lstrip()) <= len(key) - len(key.lstrip())
    ]
    text = "\n".join([*lines[:line], f"{key}: {value}", *indented])

    found: list[int] = []
    try:
        parse(text, "migration.yaml", {})
    except ConfigError as error:
        found = [problem.line for problem in error.problems]

    assert 0 not in found
