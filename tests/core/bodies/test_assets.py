"""Digests and versions of builds in the URLs of a page's assets, and what isn't one."""

from __future__ import annotations

import pytest

from proxy.core.bodies.assets import without_build


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("/app.3f9a1c2b.js", "/app.{build}.js"),
        ("app_3f9a1c2b4d.min.js?x#y", "app_{build}.min.js?x#y"),
        ("/a/vendor-5UCJYOKE.js", "/a/vendor-{build}.js"),
        ("/assets/index-Bx-12abC.js", "/assets/index-{build}.js"),
        ("/a.js?v=1.2.3", "/a.js?v={build}"),
        ("/a.js?x=1&ver=v17#y", "/a.js?x=1&ver={build}#y"),
        ("/a.js?hash=3f9a1c", "/a.js?hash={build}"),
        ("/a.js?v=1.2.3-rc.1", "/a.js?v={build}"),
        ("/a.js?v=dark", "/a.js?v=dark"),
        ("/a.js?v=ab1", "/a.js?v=ab1"),
        ("/a.js?lang=17", "/a.js?lang=17"),
        ("/3f9a1c2b.js", "/3f9a1c2b.js"),
        ("/app.3f9a1c2.js", "/app.3f9a1c2.js"),
        ("/app.deadbeef.js", "/app.deadbeef.js"),
        ("/app.20240102.js", "/app.20240102.js"),
        ("/app-Summer2024.js", "/app-Summer2024.js"),
        ("/app.3f9a1c2b", "/app.3f9a1c2b"),
        ("/app.3f9a1c2b/x.js", "/app.3f9a1c2b/x.js"),
        ("", ""),
    ],
)
def test_script_is_known_without_its_build(url: str, expected: str):
    """A word, a number or a year stays."""
    assert expected == without_build("script", {}, "src", url)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("/logo.3f9a1c2b.png", "/logo.{build}.png"),
        ("/logo.3f9a1c2b.png?w=1", "/logo.{build}.png?w=1"),
        ("/_next/static/media/logo.3f9a1c2b.png", "/_next/static/media/logo.{build}.png"),
        ("/assets/logo-5UCJYOKE.svg", "/assets/logo-{build}.svg"),
        ("/logo-3f9a1c2b.png", "/logo-3f9a1c2b.png"),
        ("/assets/user_3f9a1c2b.png", "/assets/user_3f9a1c2b.png"),
        ("/assets/logo-face1234.png", "/assets/logo-face1234.png"),
        ("/assets/p-65a1b2c3d4e5f6a7b8c9d0e1.png", "/assets/p-65a1b2c3d4e5f6a7b8c9d0e1.png"),
        ("/assets/a-Bx-12abC.png", "/assets/a-Bx-12abC.png"),
        ("/logo.png?v=17", "/logo.png?v=17"),
    ],
)
def test_picture_is_known_without_its_build(url: str, expected: str):
    """Only where nothing but a build writes so."""
    assert expected == without_build("img", {}, "src", url)
    assert f"{expected} 2x, {expected}" == without_build("source", {}, "srcset", f"{url} 2x, {url}")


@pytest.mark.parametrize(
    ("element", "attributes", "name", "is_known"),
    [
        ("link", {"rel": "stylesheet"}, "href", True),
        ("link", {"rel": "Shortcut Icon"}, "href", True),
        ("link", {"rel": "preload", "as": "script"}, "href", True),
        ("link", {"rel": "preload", "as": "image"}, "href", False),
        ("link", {"rel": "preload", "as": "fetch"}, "href", False),
        ("link", {"rel": "preload"}, "href", False),
        ("link", {"rel": "alternate stylesheet"}, "href", True),
        ("link", {"rel": "canonical"}, "href", False),
        ("link", {"rel": None}, "href", False),
        ("link", {"rel": "stylesheet"}, "title", False),
        ("script", {}, "data-src", False),
        ("img", {}, "alt", False),
        ("a", {}, "href", False),
        ("iframe", {}, "src", False),
    ],
)
def test_version_is_left_out_where_code_is_loaded(
    element: str, attributes: dict[str, str | None], name: str, is_known: bool
):
    """And nowhere else."""
    assert is_known == (without_build(element, attributes, name, "/a.css?v=17") != "/a.css?v=17")
