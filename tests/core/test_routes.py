"""Which route a request belongs to."""

from __future__ import annotations

import re

import pytest

from proxy.core.model import Match
from proxy.core.routes import RouteTable, compile_match, compile_template
from tests.factories import make_route


@pytest.mark.parametrize(
    ("match", "path", "fits"),
    [
        (Match("path", "/api/feeds/{id}"), "/api/feeds/7", True),
        (Match("path", "/api/feeds/{id}"), "/api/feeds/7/items", False),
        (Match("path", "/api/feeds/{id}"), "/api/feeds/", False),
        (Match("path", "/api/feeds/{rest:path}"), "/api/feeds/7/items", True),
        (Match("path", "/api/feeds/{rest:path}"), "/api/feeds/", True),
        (Match("path", "/api/feeds/{rest:path}"), "/api/feeds", False),
        (Match("path", "/n/{n:int}"), "/n/12", True),
        (Match("path", "/n/{n:int}"), "/n/a", False),
        (Match("path", "/a.b"), "/axb", False),
        (Match("path", "/f/{x:float}"), "/f/1.5", True),
        (Match("path", "/u/{x:uuid}"), "/u/6f1c2d3e-0000-4000-8000-000000000000", True),
        (Match("prefix", "/api/"), "/api/x", True),
        (Match("prefix", "/api/"), "/apx", False),
        (Match("prefix", "/"), "/line\nbreak", True),
        (Match("regex", "/v[12]/.*"), "/v2/x", True),
        (Match("regex", "/v[12]"), "/v2/x", False),
    ],
)
def test_match_reads_as_its_kind_says(match: Match, path: str, fits: bool):
    """A template, a prefix and a regex each match whole paths in their own way."""
    found = RouteTable([make_route(match=match)]).find("GET", path, None)
    assert fits == (found is not None)


def test_first_match_wins():
    """Of two routes that fit, the earlier one is taken."""
    routes = [make_route("a", match=Match("prefix", "/x")), make_route("b", match=Match("prefix", "/"))]
    table = RouteTable(routes)
    assert ["a", "b"] == [table.find("GET", path, None).name for path in ("/x/1", "/y")]  # type: ignore[union-attr]


def test_methods_and_host_narrow_a_route():
    """A route with methods or a host takes only those; the port of Host doesn't count."""
    route = make_route(match=Match("prefix", "/", methods=frozenset({"GET"}), host="api.example"))
    table = RouteTable([route])
    asked = [("GET", "api.example"), ("GET", "API.example:8000"), ("POST", "api.example"), ("GET", None), ("GET", "x")]
    assert [True, True, False, False, False] == [table.find(method, "/", host) is not None for method, host in asked]


def test_table_forgets_in_time():
    """Any number of different paths leaves the memory bounded, and the answers right."""
    table = RouteTable([make_route(match=Match("prefix", "/a"))])
    found = [table.find("GET", f"/{'ab'[number % 2]}{number}", None) is not None for number in range(10_000)]
    assert [number % 2 == 0 for number in range(10_000)] == found
    assert len(table._found) <= 4096


@pytest.mark.parametrize("template", ["/a/{id:colour}", "/a/{id", "/a/}", "/{}"])
def test_template_that_makes_no_sense_is_refused(template: str):
    """An unknown convertor or a stray brace is an error that shows the template."""
    with pytest.raises(ValueError, match=re.escape(template)):
        compile_template(template)


def test_regex_that_does_not_compile_is_refused():
    """A broken regex raises re.error when its match is compiled."""
    with pytest.raises(re.error):
        compile_match(Match("regex", "(["))
