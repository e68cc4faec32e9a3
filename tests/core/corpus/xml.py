"""XML documents, feeds and pictures made of it."""

from __future__ import annotations

from typing import Any

from tests.core.corpus.row import Row, Sent, body, differs, equal, gives_up, sent


def xml(text: str, content_type: str = "application/xml") -> Sent:
    return sent(f'<?xml version="1.0" encoding="utf-8"?>\n{text}', content_type)


def same(name: str, before: str, after: str, **rules: Any) -> Row:
    return equal(f"xml: {name}", xml(before), xml(after), **rules)


def changed(name: str, before: str, after: str, *places: tuple[str, str], **rules: Any) -> Row:
    return differs(f"xml: {name}", xml(before), xml(after), *(body(*place) for place in places), **rules)


ENTITY = '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'
OUTSIDE = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'

ROWS = (
    same("order of attributes and quotes", '<a b="1" c="2"/>', "<a c='2' b='1'></a>"),
    same("prefixes", '<a xmlns="urn:x"><b/></a>', '<n:a xmlns:n="urn:x"><n:b/></n:a>'),
    same("CDATA and references", "<a><![CDATA[x & y]]></a>", "<a>x &#38; y</a>"),
    same("blanks between elements", "<a><b/><c/></a>", "<a>\n  <b/>\n  <c/>\n</a>"),
    same("comments and instructions", "<a><b/></a>", "<?style x?><a><!-- c --><b/></a>"),
    same("ignored", "<a><at>1</at><b/></a>", "<a><at>2</at><b/></a>", ignore=("$.a.at",)),
    same("attribute ignored", '<a at="1"/>', '<a at="2"/>', ignore=('$.a["@at"]',)),
    changed("text", "<a><b>1</b></a>", "<a><b>2</b></a>", ('$.a.b["#text"]', "value")),
    changed("blanks in a text", "<a><b>1</b></a>", "<a><b> 1</b></a>", ('$.a.b["#text"]', "white space")),
    changed("attribute", '<a b="1"/>', '<a b="2"/>', ('$.a["@b"]', "value")),
    changed("attribute extra", "<a/>", '<a b="2"/>', ('$.a["@b"]', "extra")),
    changed("namespace", '<a xmlns="urn:x"/>', '<a xmlns="urn:y"/>', ("$", "a→a")),
    changed("element missing", "<a><b/><c><d/><e/></c></a>", "<a><b/></a>", ("$.a.c", "missing")),
    changed("element extra", "<a><b/></a>", "<a><b/><b>1</b></a>", ("$.a.b", "extra")),
    changed("turned round", "<a><b/><c/></a>", "<a><c/><b/></a>", ("$.a", "reordered")),
    changed("root", "<a/>", "<b/>", ("$", "a→b")),
    changed("not well-formed", "<a><b></a>", "<a><b/></a>", ("$", "line value")),
    differs(
        "xml: a picture",
        xml("<svg><g r='1'/></svg>", "image/svg+xml"),
        xml("<svg><g r='2'/></svg>", "image/svg+xml"),
        body('$.svg.g["@r"]', "value"),
    ),
    differs("xml: became JSON", xml("<a/>"), sent({"a": 1}, "application/json"), body("$", "body xml→json")),
    gives_up("xml: entities", xml(ENTITY), xml(ENTITY.replace('"y"', '"z"')), "entities"),
    gives_up("xml: entities of files", xml(OUTSIDE), xml("<a>root</a>"), "entities"),
    gives_up("xml: too deep", xml("<a>" * 300 + "1" + "</a>" * 300), xml("<a>" * 300 + "2" + "</a>" * 300), "depth"),
)
