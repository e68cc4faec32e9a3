"""httpbin behind the proxy answers as it does directly: every endpoint, status, fields in their order, and each byte.

A proxied request is sent as users send it; the direct one is sent as the proxy says that it forwards it (with its
forwarding fields, which httpbin would otherwise echo as a difference).
"""

from __future__ import annotations

import base64
import gzip
import http.client
import re
import sys
import time
import zlib
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import brotli  # type: ignore[import-untyped]  # httpbin brings it
import httpbin
import pytest
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import RequestRedirect

from tests.e2e.node import Node, serving, write_config
from tests.e2e.program import Program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

CONFIG = """\
version: 1
backends: {{legacy: {{url: "{url}"}}, new: {{url: "{url}"}}}}
users: {{key: ["header:x-user-id"], salt: inkzee-2026}}
pins: {{moved: {{backend: new, users: [on-new]}}}}
routes:
  seeded: {{match: {{regex: "/(stream-)?bytes/.*"}}}}   # httpbin seeds one generator for all: a shadow would disturb it
  all: {{match: {{prefix: /}}, shadow: {{percentage: 100}}}}
"""
HOST = "bin.example"
Fields = list[tuple[str, str]]
# What each hop says of itself, and when (RFC 9110 §7.6.1, §6.6.1).
OF_THE_CONNECTION = frozenset({"connection", "keep-alive", "transfer-encoding", "date"})


@dataclass(frozen=True)
class Case:
    """A request; `changing` are fields with another value each time, `is_body_changing` says it of the body."""

    target: str
    method: str = "GET"
    fields: Fields = field(default_factory=list)
    body: bytes = b""
    is_chunked: bool = False
    changing: frozenset[str] = frozenset()
    is_body_changing: bool = False

    def __str__(self) -> str:
        coding = " chunked" if self.is_chunked else ""
        return f"{self.method} {self.target}{coding} {' '.join(name for name, _ in self.fields)}".strip()


FORM = [("Content-Type", "application/x-www-form-urlencoded")]
JSON = [("Content-Type", "application/json")]
PARTS = (
    b'--frontier\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n'
    b"Content-Type: application/octet-stream\r\n\r\n\x00\x01\xff\r\n--frontier--\r\n"
)
BASIC = [("Authorization", "Basic " + base64.b64encode(b"user:pass").decode())]
STATUSES = (
    *(200, 201, 202, 203, 204, 205, 206, 300, 301, 302, 303, 304, 305, 307, 308, 400, 401, 402, 403, 404, 405, 406),
    *(407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 418, 421, 422, 423, 424, 426, 428, 429, 431, 451, 500),
    *(501, 502, 503, 504, 505, 507, 511),
)
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH")
CASES = [
    # methods and bodies
    *(Case(f"/{method.lower()}?a=1&a=2&b=%20x", method) for method in METHODS),
    *(Case("/anything/some/path?q=%2F..", method) for method in METHODS),
    *(Case("/anything", method, JSON, b'{"one": 1, "two": [1, 2.50, null]}') for method in METHODS),
    Case("/anything//a/../b%2fc/%c3%a9"),
    Case("/post", "POST", FORM, b"name=x&name=y&empty="),
    Case("/post", "POST", [("Content-Type", "multipart/form-data; boundary=frontier")], PARTS),
    Case("/post", "POST", [("Content-Type", "application/octet-stream")], bytes(range(256)) * 1200),
    Case("/post", "POST", JSON, b'{"sent": "in chunks"}' * 3000, is_chunked=True),
    Case("/put", "PUT", JSON, b"[1]", is_chunked=True),
    Case("/get", "HEAD"),
    Case("/anything", "HEAD"),
    Case("/image/png", "HEAD"),
    Case("/stream/3", "HEAD"),
    Case("/get", "OPTIONS", [("Origin", "https://shop.example"), ("Access-Control-Request-Headers", "X-A, X-B")]),
    Case("/post", "GET"),  # 405 with Allow
    Case("/no/such/page"),
    # statuses and redirects
    *(Case(f"/status/{status}") for status in STATUSES),
    *(Case(f"/status/{status}", "POST") for status in (200, 204, 303, 500)),
    Case("/redirect/3"),
    Case("/redirect/1?absolute=true"),
    Case("/relative-redirect/2"),
    Case("/absolute-redirect/2"),
    Case("/redirect-to?url=https%3A%2F%2Felsewhere.example%2F%3Fa%3D1&status_code=307"),
    Case("/redirect-to?url=/get", "POST"),
    # cookies and fields
    Case("/cookies", fields=[("Cookie", 'a=1; b="two words"; a=3')]),
    Case("/cookies/set?first=1&second=2"),
    Case("/cookies/set/third/3"),
    Case("/cookies/delete?first&second"),
    Case("/response-headers?X-One=1&X-One=2&X-Two=%C3%A9"),
    Case("/response-headers?Server=other", "POST"),
    Case("/headers", fields=[("X-Twice", "1"), ("x-twice", "2"), ("X-Empty", "")]),
    Case("/headers?show_env=1", fields=[("Accept-Encoding", "gzip, br"), ("User-Agent", "Old/1.0 (x; y)")]),
    Case("/ip"),
    Case("/user-agent", fields=[("User-Agent", "Old/1.0")]),
    # codings, documents, images
    Case("/gzip", is_body_changing=True),  # it holds the time; see below
    Case("/deflate"),
    Case("/brotli"),
    *(Case(path) for path in ("/", "/html", "/robots.txt", "/deny", "/xml", "/json", "/encoding/utf8", "/forms/post")),
    Case("/base64/SGVsbG8="),
    Case("/base64/not%20base64"),
    *(Case(f"/image/{kind}") for kind in ("png", "jpeg", "webp", "svg")),
    *(Case("/image", fields=[("Accept", accept)]) for accept in ("image/webp", "image/*", "text/plain")),
    Case("/static/favicon.ico"),
    Case("/static/favicon.ico", fields=[("Range", "bytes=10-19")]),
    # caches and conditions
    Case("/cache", changing=frozenset({"etag", "last-modified"})),
    Case("/cache", fields=[("If-None-Match", '"x"')]),
    Case("/cache/60"),
    Case("/etag/abc"),
    Case("/etag/abc", fields=[("If-None-Match", '"abc"')]),
    Case("/etag/abc", fields=[("If-Match", '"other"')]),
    # who asks
    Case("/basic-auth/user/pass"),
    Case("/basic-auth/user/pass", fields=BASIC),
    Case("/hidden-basic-auth/user/pass"),
    Case("/hidden-basic-auth/user/pass", fields=BASIC),
    Case("/bearer"),
    Case("/bearer", fields=[("Authorization", "Bearer token")]),
    *(
        Case(f"/digest-auth/auth/user/pass{more}", changing=frozenset({"www-authenticate", "set-cookie"}))
        for more in ("", "/SHA-256", "/MD5/never")
    ),
    # bytes, ranges, streams, time
    Case("/bytes/0?seed=1"),
    Case("/bytes/100000?seed=1"),
    Case("/stream-bytes/100000?seed=1&chunk_size=1000"),
    Case("/range/1024"),
    Case("/range/1024", fields=[("Range", "bytes=100-199")]),
    Case("/range/1024", fields=[("Range", "bytes=-5")]),
    Case("/range/1024", fields=[("Range", "bytes=2000-")]),
    Case("/stream/20"),
    Case("/drip?duration=0.2&numbytes=5"),
    Case("/drip?duration=0.1&numbytes=2&code=500&delay=0.1"),
    Case("/delay/0.2"),
    Case("/delay/0.1", "POST", JSON, b"{}"),
    Case("/links/4/1"),
    Case("/links/4"),
    Case("/uuid", is_body_changing=True),
]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    fields: Fields
    body: bytes


def ask(port: int, case: Case, fields: Fields) -> Answer:
    """The answer on a connection of its own; the body without its transfer coding, else as it came."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.putrequest(case.method, case.target, skip_host=True, skip_accept_encoding=True)
        framing = [("Transfer-Encoding", "chunked")] if case.is_chunked else []
        if case.body and not case.is_chunked:
            framing = [("Content-Length", str(len(case.body)))]
        for name, value in [("Host", HOST), *fields, *framing]:
            connection.putheader(name, value)
        pieces = [case.body[at : at + 10_000] for at in range(0, len(case.body), 10_000)]
        connection.endheaders(iter(pieces) if pieces else None, encode_chunked=case.is_chunked)
        response = connection.getresponse()
        return Answer(
            response.status, [(name.lower(), value) for name, value in response.getheaders()], response.read()
        )
    finally:
        connection.close()


def comparable(answer: Answer, case: Case) -> tuple[int, Fields, bytes | int]:
    """What must be equal; of what changes by itself only that it is there."""
    fields = [
        (name, "" if name in case.changing else value) for name, value in answer.fields if name not in OF_THE_CONNECTION
    ]
    return answer.status, fields, len(answer.body) if case.is_body_changing else answer.body


def dates(answer: Answer) -> int:
    """How many Date fields there are; httpbin's static files have two."""
    return sum(name == "date" for name, _ in answer.fields)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Node]]:
    """The port of httpbin, and a node before it."""
    folder = tmp_path_factory.mktemp("httpbin")
    with Program("httpbin", (sys.executable, "-m", "tests.e2e.httpbin_server"), folder) as program:
        program.wait_until(lambda: program.stdout.read_text().endswith("\n"), "httpbin's URL")
        url = program.stdout.read_text().strip()
        with serving(write_config(folder, CONFIG.format(url=url)), folder) as node:
            yield int(url.rpartition(":")[2]), node
            assert node.stop() == 0


TRACE = f"00-{'a' * 32}-"
SPAN = re.compile(rb"00-a{32}-[0-9a-f]{16}-01")
DECODERS = {"gzip": gzip.decompress, "deflate": zlib.decompress, "br": brotli.decompress}


def both_ways(both: tuple[int, Node], case: Case, user: str) -> tuple[Answer, Answer]:
    """The answers to a case sent directly, and sent through the proxy.

    What is sent directly has the fields that the proxy adds, in its order, down to its new span in the trace.
    """
    port, node = both
    sent = [("X-User-Id", user), ("X-Request-Id", "e2e-1"), ("traceparent", f"{TRACE}{'b' * 16}-01")]
    actual = ask(node.port, case, case.fields + sent)
    way = [
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Host", HOST),
        ("Forwarded", f'for=127.0.0.1;host="{HOST}";proto=http'),
        ("Via", "1.1 changeover"),
        ("X-Request-Id", "e2e-1"),
        ("traceparent", echoed_trace(actual)),
    ]
    return ask(port, case, [*case.fields, ("X-User-Id", user), *way]), actual


def echoed_trace(answer: Answer) -> str:
    """The traceparent that the proxy sent, as far as httpbin shows it; one of the same length otherwise."""
    coding = dict(answer.fields).get("content-encoding", "")
    found = SPAN.search(DECODERS[coding](answer.body) if coding in DECODERS and answer.body else answer.body)
    return found[0].decode() if found else f"{TRACE}{'b' * 16}-01"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_endpoint_behind_the_proxy_answers_as_directly(case: Case, both: tuple[int, Node]):
    """Status, fields (order and duplicates included) and body bytes are those of httpbin, for users of either side."""
    for user in ("on-legacy", "on-new"):
        expected, actual = both_ways(both, case, user)
        assert comparable(expected, case) == comparable(actual, case)
        assert dates(expected) == dates(actual)


def test_gzip_passes_undecoded(both: tuple[int, Node]):
    """The compressed bytes are httpbin's, but for the time that gzip writes into them (RFC 1952 §2.3.1, MTIME)."""
    expected, actual = (answer.body for answer in both_ways(both, Case("/gzip"), "on-legacy"))
    assert b"\x1f\x8b" == actual[:2]
    assert expected[:4] + expected[8:] == actual[:4] + actual[8:]


def test_two_cookies_stay_two_lines(both: tuple[int, Node]):
    """Joined with a comma they would be one broken cookie."""
    answer = ask(both[1].port, Case("/cookies/set?first=1&second=2"), [])
    assert ["first=1; Path=/", "second=2; Path=/"] == [value for name, value in answer.fields if name == "set-cookie"]


def test_drip_arrives_as_it_is_dripped(both: tuple[int, Node]):
    """Bytes are not held until the answer is whole."""
    connection = http.client.HTTPConnection("127.0.0.1", both[1].port, timeout=30)
    try:
        connection.request("GET", "/drip?duration=1&numbytes=5")
        response = connection.getresponse()
        arrived = []
        while response.read(1):
            arrived.append(time.monotonic())
    finally:
        connection.close()
    assert (5, True) == (len(arrived), arrived[-1] - arrived[0] > 0.5)


def test_every_endpoint_of_httpbin_is_asked(figure: Callable[[str], None]):
    """The list above misses none of httpbin's rules; another version of httpbin that has more fails here."""
    known = {rule.rule for rule in httpbin.app.url_map.iter_rules()}
    table = httpbin.app.url_map.bind(HOST)
    asked = set()
    for case in CASES:
        with suppress(NotFound, MethodNotAllowed, RequestRedirect):  # are cases, too
            rule, _ = table.match(case.target.partition("?")[0], case.method, return_rule=True)
            asked.add(rule.rule)
    figure(f"httpbin: {len(CASES)} requests by users of either side, {len(asked)} of {len(known)} rules")
    assert set() == known - asked
