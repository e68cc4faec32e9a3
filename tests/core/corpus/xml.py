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

DEFAULT = '<!DOCTYPE a [<!ATTLIST a b CDATA "1">]><a/>'
UNKNOWN = '<!DOCTYPE a SYSTEM "a.dtd"><a c="&x;"/>'
RSS = 'PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN" "http://my.netscape.com/publish/formats/rss-0.91.dtd"'
TYPED = '<a xmlns:i="http://www.w3.org/2001/XMLSchema-instance" xmlns:{0}="urn:p" i:type="{0}:T"/>'
KEPT = '<a xml:space="preserve"><b>{}<c/></b></a>'

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
    same("prefix of a type", TYPED.format("p"), TYPED.format("q")),
    same("prefixes of attributes", '<a xmlns:n="urn:x" n:b="1"/>', '<a xmlns:m="urn:x" m:b="1"/>'),
    same("CDATA beside text", "<a>x<![CDATA[y]]><!-- c -->z<?p q?>!</a>", "<a>xyz!</a>"),
    changed("blanks kept below", KEPT.format(""), KEPT.format(" "), ('$.a.b["#text"]', "extra")),
    changed("namespace", '<a xmlns="urn:x"><b/></a>', '<a xmlns="urn:y"><b/></a>', ("$.a", "namespace")),
    changed(
        "namespace, and a text",
        '<a xmlns="urn:x"><b>1</b></a>',
        '<a xmlns="urn:y"><b>2</b></a>',
        ("$.a", "namespace"),
        ('$.a.b["#text"]', "value"),
    ),
    changed("namespace of a child", '<a><b xmlns="urn:x">1</b></a>', "<a><b>1</b></a>", ("$.a.b", "namespace")),
    changed(
        "namespace of an attribute",
        '<a xmlns:n="urn:x" n:b="1"/>',
        '<a xmlns:n="urn:y" n:b="1"/>',
        ('$.a["@{urn:x}b"]', "missing"),
        ('$.a["@{urn:y}b"]', "extra"),
    ),
    changed("language", '<a xml:lang="de"/>', '<a xml:lang="en"/>', ('$.a["@xml:lang"]', "value")),
    changed("style sheet", '<?xml-stylesheet href="a.xsl"?><a/>', "<a/>", ('$["?xml-stylesheet"]', "style sheet")),
    changed("document type", '<!DOCTYPE a SYSTEM "a.dtd"><a/>', "<a/>", ('$["!doctype"]', "document type")),
    same("document type ignored", '<!DOCTYPE a SYSTEM "a.dtd"><a/>', "<a/>", ignore=('$["!doctype"]',)),
    same("document type without anything", "<!DOCTYPE a><a/>", "<!DOCTYPE a []><a/>"),
    same("entities of a known type", f"<!DOCTYPE rss {RSS}><rss>&eacute;</rss>", f"<!DOCTYPE rss {RSS}><rss>é</rss>"),
    changed("entities without a type", "<a>&eacute;</a>", "<a>é</a>", ("$", "line html-unescaped")),
    changed("declarations in a text", f"<a><![CDATA[{ENTITY}]]></a>", "<a>1</a>", ('$.a["#text"]', "value")),
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
    gives_up("xml: defaults of attributes", xml(DEFAULT), xml(DEFAULT.replace('"1"', '"2"')), "entities"),
    gives_up("xml: an entity of its type", xml(UNKNOWN), xml(UNKNOWN.replace("&x;", "&y;")), "entities"),
    gives_up("xml: too deep", xml("<a>" * 300 + "1" + "</a>" * 300), xml("<a>" * 300 + "2" + "</a>" * 300), "depth"),
)
