"""Pages: what is new with each build or each answer, and what only looks like it."""

from __future__ import annotations

from tests.core.corpus.html import changed, page, same
from tests.core.corpus.row import Row, body, differs, equal


def same_head(name: str, before: str, after: str) -> Row:
    return equal(f"html: {name}", page("", before), page("", after))


def changed_head(name: str, before: str, after: str, place: str, shape: str = "value") -> Row:
    return differs(f"html: {name}", page("", before), page("", after), body(f"$.html.head.{place}", shape))


SAME = (
    same("hashed picture", "<img src=/i/logo.3f9a1c2b.png>", "<img src=/i/logo.77aa0c2d.png>"),
    same(
        "hashed picture of a builder's folder",
        "<img src=/assets/logo-Dd3f9aQc.png>",
        "<img src=/assets/logo-7xK1bW2q.png>",
    ),
    same(
        "hashed pictures of several sizes",
        "<picture><source srcset='/a.3f9a1c2b.webp 1x, /b.3f9a1c2c.webp 2x'><img src=/a.png></picture>",
        "<picture><source srcset='/a.77aa0c2d.webp 1x, /b.77aa0c2e.webp 2x'><img src=/a.png></picture>",
    ),
    same("version of a script", "<script src='/a.js?v=17'></script>", "<script src='/a.js?v=18'></script>"),
    same(
        "hashed version of a script",
        "<script src='/a.js?h=3f9a1c2b#x'></script>",
        "<script src='/a.js?h=77aa0c2d#x'></script>",
    ),
    same("hashed script", "<script src=/app.3f9a1c2b.min.js></script>", "<script src=/app.77aa0c2d.min.js></script>"),
    same(
        "hashed script of rollup",
        "<script src=/assets/app-Dd-3f9aQ.js></script>",
        "<script src=/assets/app-7xK1_W2q.js></script>",
    ),
    same(
        "hashed script of esbuild", "<script src=/main-5UCJYOKE.js></script>", "<script src=/main-UB2WQXZ4.js></script>"
    ),
    same_head(
        "hashed style sheet", "<link rel=stylesheet href=/a.3f9a1c2b.css>", "<link rel=stylesheet href=/a.77aa0c2d.css>"
    ),
    same_head(
        "version of an icon",
        "<link rel='shortcut icon' href='/f.ico?v=2'>",
        "<link rel='shortcut icon' href='/f.ico?v=3'>",
    ),
    same_head(
        "hashed font that is preloaded",
        "<link rel=preload as=font href=/f.3f9a1c2b.woff2>",
        "<link rel=preload as=font href=/f.77aa0c2d.woff2>",
    ),
    same_head(
        "hashed picture that is preloaded",
        "<link rel=preload as=image href=/f.3f9a1c2b.png>",
        "<link rel=preload as=image href=/f.77aa0c2d.png>",
    ),
    same("nonce", "<script nonce=a>f()</script>", "<script nonce=b>f()</script>"),
    same_head(
        "digest of a style sheet",
        "<link rel=stylesheet href=/a.css integrity=sha384-a>",
        "<link rel=stylesheet href=/a.css integrity=sha384-b>",
    ),
    same("token of a form", "<input type=hidden name=_csrf value=a1>", "<input type=hidden name=_csrf value=b2>"),
    same_head("token of a page", "<meta name=csrf-token content=a1>", "<meta name=csrf-token content=b2>"),
)


def changed_picture(name: str, before: str, after: str) -> Row:
    return changed(name, f'<img src="{before}">', f'<img src="{after}">', ('.img["@src"]', "value"))


CHANGED = (
    changed_picture("picture of another number", "/p/product-10000001.jpg", "/p/product-20000002.jpg"),
    changed_picture("picture of another name", "/i/hero-banner-summer2024.jpg", "/i/hero-totally-different-1.jpg"),
    changed_picture("picture of another year", "/static/i/hero-Summer2024.jpg", "/static/i/hero-Winter2025.jpg"),
    changed_picture("picture of another user", "/avatars/user-3f9a1c2b.png", "/avatars/user-77aa0c2d.png"),
    changed_picture(
        "picture of another document",
        "/static/p.65a1b2c3d4e5f6a7b8c9d0e1.png",
        "/static/p.65a1b2c3d4e5f6a7b8c9d0e2.png",
    ),
    changed_picture("picture that is all digest", "/static/3f9a1c2b.png", "/static/77aa0c2d.png"),
    changed_picture("picture of another size", "/t?w=400&h=300", "/t?w=400&h=200"),
    changed_picture("picture of another version", "/t.png?v=1", "/t.png?v=2"),
    changed_picture("hashed picture of another name", "/i/logo.3f9a1c2b.png", "/i/hero.77aa0c2d.png"),
    changed(
        "picture that is loaded later",
        "<img data-src=/pic-12345678.webp>",
        "<img data-src=/pic-87654321.webp>",
        ('.img["@data-src"]', "value"),
    ),
    changed(
        "one of several sizes",
        "<img srcset='/p-12345678.jpg 1x'>",
        "<img srcset='/p-99945678.jpg 1x'>",
        ('.img["@srcset"]', "value"),
    ),
    changed(
        "picture of a film",
        "<video poster=/film.3f9a1c2b.jpg></video>",
        "<video poster=/film.77aa0c2d.jpg></video>",
        ('.video["@poster"]', "value"),
    ),
    changed(
        "film",
        '<iframe src="https://youtube.example/watch?v=dQw4w9WgXcQ"></iframe>',
        '<iframe src="https://youtube.example/watch?v=aaaaaaaaaaa"></iframe>',
        ('.iframe["@src"]', "value"),
    ),
    changed("sound", "<audio src='/s?t=1'></audio>", "<audio src='/s?t=2'></audio>", ('.audio["@src"]', "value")),
    changed("document", "<embed src='/d?version=1'>", "<embed src='/d?version=2'>", ('.embed["@src"]', "value")),
    changed(
        "part of a drawing",
        "<svg><use href='/icons.svg?v=1#a'/></svg>",
        "<svg><use href='/icons.svg?v=2#a'/></svg>",
        ('.svg.use["@href"]', "value"),
    ),
    changed(
        "script of another customer",
        "<script src='/x.js?t=tenant1'></script>",
        "<script src='/x.js?t=tenant2'></script>",
        ('.script["@src"]', "value"),
    ),
    changed(
        "script of another number",
        "<script src=/tenant-12345678.js></script>",
        "<script src=/tenant-87654321.js></script>",
        ('.script["@src"]', "value"),
    ),
    changed(
        "script of another page",
        "<script src=/page-checkout.js></script>",
        "<script src=/page-settings.js></script>",
        ('.script["@src"]', "value"),
    ),
    changed(
        "link of an anchor is no asset",
        "<a href=/post.3f9a1c21.png>x</a>",
        "<a href=/post.3f9a1c22.png>x</a>",
        ('.a["@href"]', "value"),
    ),
    changed_head(
        "canonical address",
        "<link rel=canonical href='/doc?version=1'>",
        "<link rel=canonical href='/doc?version=2'>",
        'link["@href"]',
    ),
    changed_head(
        "data that is preloaded",
        "<link rel=preload as=fetch href='/api?v=1'>",
        "<link rel=preload as=fetch href='/api?v=2'>",
        'link["@href"]',
    ),
    changed("no nonce", "<script nonce=a>f()</script>", "<script>f()</script>", ('.script["@nonce"]', "missing")),
    changed_head(
        "no digest",
        "<link rel=stylesheet href=/a.css integrity=sha384-a>",
        "<link rel=stylesheet href=/a.css>",
        'link["@integrity"]',
        "missing",
    ),
    changed(
        "token that users write",
        "<input name=_token value=a1>",
        "<input name=_token value=b2>",
        ('.input["@value"]', "value"),
    ),
    changed(
        "no token of a form",
        "<input type=hidden name=_csrf value=a1>",
        "<input type=hidden name=_csrf>",
        ('.input["@value"]', "missing"),
    ),
)

ROWS = (*SAME, *CHANGED)
