"""Forms."""

from __future__ import annotations

from tests.core.corpus.row import Row, Sent, body, differs, equal, sent

TYPE = "application/x-www-form-urlencoded"


def form(text: str) -> Sent:
    return sent(text, TYPE)


def same(name: str, before: str, after: str) -> Row:
    return equal(f"forms: {name}", form(before), form(after))


def changed(name: str, before: str, after: str, path: str, shape: str) -> Row:
    return differs(f"forms: {name}", form(before), form(after), body(path, shape))


ROWS = (
    same("order of names", "a=1&b=2", "b=2&a=1"),
    same("encodings of a space", "a=x+y", "a=x%20y"),
    same("needless encoding", "a=xy&b=%c3%a9", "a=%78%79&b=%C3%A9"),
    same("name without a value", "a=1&b", "a=1&b="),
    same("empty pairs", "a=1&b=2", "&a=1&&b=2&"),
    same("line end", "a=1", "a=1\r\n"),
    same("masked values are still equal", "token=one&a=1", "a=1&token=one"),
    equal("forms: ignored", form("a=1&nonce=1"), form("a=1&nonce=2"), ignore=("$.nonce",)),
    equal("forms: any order of a repeated name", form("a=1&a=2"), form("a=2&a=1"), unordered=("$.a",)),
    changed("value", "a=1&b=2", "a=1&b=3", "$.b", "value"),
    changed("emptied", "a=1", "a=", "$.a", "string→empty string"),
    changed("missing", "a=1&b=2", "a=1", "$.b", "missing"),
    changed("extra", "a=1", "a=1&b=2", "$.b", "extra"),
    changed("order of a repeated name", "a=1&a=2", "a=2&a=1", "$.a", "reordered"),
    changed("repeated once more", "a=1&a=2", "a=1&a=2&a=2", "$.a[*]", "extra"),
    changed("not repeated any more", "a=1&a=2", "a=2", "$.a", "list→string"),
    changed("plus became a space", "a=1%2B1", "a=1+1", "$.a", "value"),
    changed("encoded twice", "a=x%20y", "a=x%2520y", "$.a", "value"),
    changed("bytes that are no UTF-8", "a=%ff", "a=%fe", "$.a", "value"),
    changed("masked values still differ", "token=one", "token=two", "$.token", "value"),
    changed("document instead", "a=1", '{"a": 1}', "$", "body form→json"),
    changed("text instead", "a=1", "oops", "$", "body form→text"),
)
