"""Pages: what browsers make one is one, and each fault has its place."""

from __future__ import annotations

from typing import Any

from tests.core.corpus.row import Row, Sent, body, differs, equal, gives_up, sent


def page(content: str, head: str = "") -> Sent:
    text = f"<!doctype html><html><head><title>t</title>{head}</head><body>{content}</body></html>"
    return sent(text, "text/html; charset=utf-8")


def same(name: str, before: str, after: str, **rules: Any) -> Row:
    return equal(f"html: {name}", page(before), page(after), **rules)


def changed(name: str, before: str, after: str, *places: tuple[str, str], **rules: Any) -> Row:
    """`places` are (path below the body, shape)."""
    expected = [body(f"$.html.body{path}", shape) for path, shape in places]
    return differs(f"html: {name}", page(before), page(after), *expected, **rules)


def json_script(text: str) -> str:
    return f"<script type=application/json>{text}</script>"


FEED = "<ul id=feed><li>1</li><li>2</li><li>3</li></ul>"
FEED_PLACE = '$.html.body["ul#feed"]'
CARDS = "<ul id=feed><li data-id=a>1</li><li data-id=b>2</li></ul>"
HTML = "text/html"
STRICT = '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01//EN" "http://www.w3.org/TR/html4/strict.dtd">'
OLD = '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN">'
BETWEEN = OLD.replace(">", ' "http://www.w3.org/TR/html4/loose.dtd">')

ROWS = (
    same("order of attributes", '<a href="/x" title="t">a</a>', "<a title=t href=/x>a</a>"),
    same("order of classes", '<p class="a b">x</p>', '<p class=" b  a b ">x</p>'),
    same("letter case of names", "<P ID=x>a</P>", "<p id=x>a</p>"),
    same("left out end tags", "<ul><li>1</li><li>2</li></ul>", "<ul><li>1<li>2</ul>"),
    same("forms of boolean attributes", "<input disabled>", '<input disabled="">'),
    same("entities and characters", "<p>a &amp; b &eacute;</p>", "<p>a &#38; b é</p>"),
    same("comments", "<p>a</p>", "<!-- rendered in 12 ms --><p>a</p>"),
    same("comment within a text", "<p>Hello <!-- -->World</p>", "<p>Hello World</p>"),
    same("comment between two blanks", "<p>a <!-- b --> c</p>", "<p>a c</p>"),
    same("comment within verbatim text", "<pre>a\n<!-- b -->c</pre>", "<pre>a\nc</pre>"),
    same("blanks between blocks", "<div><p>a</p><p>b</p></div>", "<div>\n  <p>a</p>\n  <p>b</p>\n</div>"),
    same(
        "what means nothing in a template",
        "<template><p class='a b' id=x>a</p></template>",
        "<template>\n <!-- c --> <p id=x class='b a'>a</p>\n</template>",
    ),
    same("line breaks in a text", "<p>one two</p>", "<p>\n one\n two </p>"),
    same("attribute ignored", "<a href=/1>x</a>", "<a href=/2>x</a>", ignore=('$..["@href"]',)),
    same("element ignored", f"{FEED}<footer>1</footer>", f"{FEED}<footer>2</footer>", ignore=("$..footer",)),
    same("missing element ignored", f"{FEED}<footer>1</footer>", FEED, ignore=("$.html.body.footer",)),
    same(
        "embedded JSON in another order",
        json_script('{"a":1,"b":2}'),
        json_script('{"b":2, "a":1}'),
    ),
    same("items in any order", FEED, "<ul id=feed><li>3</li><li>1</li><li>2</li></ul>", unordered=(FEED_PLACE,)),
    same(
        "items by their key in any order",
        CARDS,
        "<ul id=feed><li data-id=b>2</li><li data-id=a>1</li></ul>",
        unordered=(FEED_PLACE,),
        keys={FEED_PLACE: "data-id"},
    ),
    equal("html: doctypes of one mode", sent("<!doctype html><p>1", HTML), sent(f"<!-- x -->{STRICT}<p>1", HTML)),
    equal("html: two without a doctype", sent("<p>1", HTML), sent("<p >1", HTML)),
    equal("html: doctype ignored", sent("<!doctype html><p>1", HTML), sent("<p>1", HTML), ignore=('$["!doctype"]',)),
    differs(
        "html: no doctype", sent("<!doctype html><p>1", HTML), sent("<p>1", HTML), body('$["!doctype"]', "doctype")
    ),
    differs(
        "html: an old doctype",
        sent("<!doctype html><p>1", HTML),
        sent(f"{OLD}<p>1", HTML),
        body('$["!doctype"]', "doctype"),
    ),
    differs(
        "html: a doctype in between",
        sent(f"{OLD}<p>1", HTML),
        sent(f"{BETWEEN}<p>1", HTML),
        body('$["!doctype"]', "doctype"),
    ),
    changed(
        "one of the items in any order",
        FEED,
        "<ul id=feed><li>3</li><li>1</li><li>x</li></ul>",
        ('["ul#feed"].li["#text"]', "value"),
        unordered=(FEED_PLACE,),
    ),
    changed(
        "one more of the same items in any order",
        "<ul id=feed><li>1</li><li>1</li></ul>",
        "<ul id=feed><li>1</li></ul>",
        ('["ul#feed"].li', "missing"),
        unordered=(FEED_PLACE,),
    ),
    changed(
        "items by their key",
        CARDS,
        "<ul id=feed><li data-id=b>2</li><li data-id=a>x</li></ul>",
        ('["ul#feed"]', "reordered"),
        ('["ul#feed"].li["#text"]', "value"),
        keys={FEED_PLACE: "@data-id"},
    ),
    changed(
        "an item of another key",
        CARDS,
        "<ul id=feed><li data-id=a>1</li><li data-id=c>2</li></ul>",
        ('["ul#feed"].li', "missing"),
        ('["ul#feed"].li', "extra"),
        keys={FEED_PLACE: "data-id"},
    ),
    changed(
        "a key that is there twice",
        CARDS.replace("=b", "=a"),
        CARDS.replace("<li data-id=b>2</li>", ""),
        ('["ul#feed"].li', "missing"),
        keys={FEED_PLACE: "data-id"},
    ),
    changed(
        "items without their key",
        FEED,
        FEED.replace("2", "x"),
        ('["ul#feed"].li["#text"]', "value"),
        keys={FEED_PLACE: "data-id"},
    ),
    changed("text", "<p>one</p>", "<p>two</p>", ('.p["#text"]', "value")),
    changed("text beside a comment", "<p>one<!-- --> more</p>", "<p>two more</p>", ('.p["#text"]', "value")),
    changed("escaped twice", "<p>a &amp; b</p>", "<p>a &amp;amp; b</p>", ('.p["#text"]', "html-escaped")),
    changed("blank before an inline element", "<p>a <b>x</b></p>", "<p>a<b>x</b></p>", ('.p["#text"]', "white space")),
    changed("blanks in pre", "<pre> a</pre>", "<pre>a</pre>", ('.pre["#text"]', "white space")),
    changed("attribute", "<a href=/1>x</a>", "<a href=/2>x</a>", ('.a["@href"]', "value")),
    changed("attribute missing", "<a href=/1 rel=next>x</a>", "<a href=/1>x</a>", ('.a["@rel"]', "missing")),
    changed("class", "<p class='a b'>x</p>", "<p class='a c'>x</p>", ('.p["@class"]', "value")),
    changed("item missing", FEED, FEED.replace("<li>2</li>", ""), ('["ul#feed"].li', "missing")),
    changed("item extra", FEED, FEED.replace("</ul>", "<li>4</li></ul>"), ('["ul#feed"].li', "extra")),
    changed(
        "items turned round", FEED, "<ul id=feed><li>3</li><li>2</li><li>1</li></ul>", ('["ul#feed"]', "reordered")
    ),
    changed(
        "a whole section missing is one", f"<p>a</p><section>{FEED}</section>", "<p>a</p>", (".section", "missing")
    ),
    changed("another element", "<p><b>x</b></p>", "<p><i>x</i></p>", (".p.b", "missing"), (".p.i", "extra")),
    changed(
        "in a template",
        "<template><i>1</i></template>",
        "<template><i>2</i></template>",
        ('.template.i["#text"]', "value"),
    ),
    changed(
        "in a row of a template",
        "<template><tr><td>1</td></tr></template>",
        "<template><td>1</td></template>",
        (".template.tr", "missing"),
        (".template.td", "extra"),
    ),
    changed(
        "in a template of a template",
        "<template><p>1</p><template>2</template></template>",
        "<template><p>1</p><template>3</template></template>",
        ('.template.template["#text"]', "value"),
    ),
    changed(
        "in a shadow",
        "<my-card><template shadowrootmode=open><p>1</template></my-card>",
        "<my-card><template shadowrootmode=open><p>2</template></my-card>",
        ('.my-card.template.p["#text"]', "value"),
    ),
    changed(
        "indentation in pre in a template",
        "<template><pre>a\n b</pre></template>",
        "<template><pre>a b</pre></template>",
        ('.template.pre["#text"]', "white space"),
    ),
    changed("in a script", "<script>f(1)</script>", "<script>f(2)</script>", ('.script["#text"]', "value")),
    changed(
        "in embedded JSON",
        json_script('{"a":1}'),
        json_script('{"a":"1"}'),
        (".script.a", "number→numeric string"),
    ),
    differs(
        "html: title",
        page("", "<title>a</title>"),
        page("", "<title>b</title>"),
        body('$.html.head.title["#text"]', "value"),
    ),
    differs(
        "html: by its look",
        sent("<!DOCTYPE html><p>1"),
        sent("<!DOCTYPE html><p>2"),
        body('$.html.body.p["#text"]', "value"),
    ),
    gives_up("html: too deep", page("<div>" * 300 + "1"), page("<div>" * 300 + "2"), "depth"),
)
