"""Pages sent as XML: what browsers make of them, and beside pages sent as HTML."""

from __future__ import annotations

from typing import Any

from tests.core.corpus.row import Row, Sent, body, differs, equal, gives_up, header, sent

TYPE = "application/xhtml+xml"
STRICT = '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">'
SPACE = "http://www.w3.org/1999/xhtml"


def page(inner: str, content_type: str = TYPE, doctype: str = STRICT) -> Sent:
    html = f'<html xmlns="{SPACE}"><head><title>t</title></head><body>{inner}</body></html>'
    return sent(f"{doctype}{html}", content_type)


def same(name: str, before: str, after: str, **rules: Any) -> Row:
    return equal(f"xhtml: {name}", page(before), page(after), **rules)


def changed(name: str, before: str, after: str, *places: tuple[str, str], **rules: Any) -> Row:
    return differs(f"xhtml: {name}", page(before), page(after), *(body(*place) for place in places), **rules)


ROWS = (
    same("ends of empty elements", "<div/><script src='a.js'/>", "<div></div><script src='a.js'></script>"),
    same("CDATA", "<p><![CDATA[a & b]]></p>", "<p>a &amp; b</p>"),
    same("CDATA in a script", "<script>//<![CDATA[\na<b//]]></script>", "<script>//\na&lt;b//</script>"),
    same("entities of its type", "<p title='&eacute;'>a&nbsp;b</p>", "<p title='é'>a\u00a0b</p>"),
    same("order of classes", "<p class='a b'>a</p>", "<p class='b a'>a</p>"),
    same("tokens", *(f"<form><input type='hidden' name='_csrf' value='{n}'/></form>" for n in (1, 2))),
    same("blanks beside a block", "<div> <p>a</p> </div>", "<div><p>a</p></div>"),
    same("JSON", *(f"<script type='application/json'>{text}</script>" for text in ('{"a":1}', '{"a": 1}'))),
    same("ignored", "<p id='at'>1</p>", "<p id='at'>2</p>", ignore=('$..["p#at"]',)),
    changed("blanks in a line", "<b>a</b> <i>b</i>", "<b>a</b><i>b</i>", ('$.html.body["#text"]', "missing")),
    changed("letter case", "<P>a</P>", "<p>a</p>", ("$.html.body.P", "missing"), ("$.html.body.p", "extra")),
    changed("attribute of an entity", "<p title='&eacute;a'/>", "<p title='a'/>", ('$.html.body.p["@title"]', "value")),
    changed("not well-formed: browsers show an error", "<p>a", "<p>a</p>", ("$", "line value")),
    equal(
        "xhtml: prefixes",
        sent(f'<h:html xmlns:h="{SPACE}"><h:body><h:p>a</h:p></h:body></h:html>', TYPE),
        sent(f'<html xmlns="{SPACE}"><body><p>a</p></body></html>', TYPE),
    ),
    differs(
        "xhtml: without its namespace browsers show no page",
        sent(f'<html xmlns="{SPACE}"><body/></html>', TYPE),
        sent("<html><body/></html>", TYPE),
        body("$.html", "namespace"),
    ),
    gives_up(
        "xhtml: entities",
        page("&x;", doctype='<!DOCTYPE html [<!ENTITY x "y">]>'),
        page("&x;", doctype='<!DOCTYPE html [<!ENTITY x "z">]>'),
        "entities",
    ),
    differs(
        "xhtml: as HTML now",
        page("<br/><p>a</p><p>b</p>"),
        page("<br><p>a<p>c", "text/html"),
        header("content-type", "value"),
        body('$.html.body.p["#text"]', "value"),
    ),
    differs(
        "xhtml: under text/html it is read as HTML",
        page("<div/><p>a</p>", "text/html"),
        page("<div></div><p>a</p>", "text/html"),
        body("$.html.body.div.p", "missing"),
        body("$.html.body.p", "extra"),
    ),
    equal(
        "xhtml: its namespace under text/html",
        page("<p>a", "text/html"),
        sent(f"{STRICT}<title>t</title><p>a", "text/html"),
    ),
    differs(
        "xhtml: within a feed",
        sent(f'<feed><d xmlns="{SPACE}"><b>a</b> <i>b</i></d></feed>', "application/xml"),
        sent(f'<feed><d xmlns="{SPACE}"><b>a</b><i>b</i></d></feed>', "application/xml"),
        body('$.feed.d["#text"]', "missing"),
    ),
)
