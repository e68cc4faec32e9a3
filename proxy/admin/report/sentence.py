"""One signature as a sentence that says what differs, for people who don't know the vocabulary of shapes.

A sentence is a tuple of parts, because a path is foreign text and each format marks and escapes it in its own way.
A shape that isn't known here is named as it is: nothing is left out.
"""

from __future__ import annotations

from typing import Any, NamedTuple

Json = dict[str, Any]


class Part(NamedTuple):
    """A piece of a sentence: our own words, or, as `is_code`, text that came from an answer."""

    text: str
    is_code: bool = False


Sentence = tuple[Part, ...]

MAX_CODE_CHARACTERS = 300  # of a path: three lines
_PLACE = "{place}"
_SENTENCES = {
    "missing": "New leaves out {place}.",
    "extra": "New adds {place}, which legacy doesn't send.",
    "value": "New sends another value for {place}.",
    "reordered": "New sends the items of {place} in another order.",
    "datetime format": "New writes the same point in time differently in {place}.",
    "time zone": "New writes {place} with another time zone.",
    "shifted by hours": "New sends a point in time for {place} that is off by hours, as from another time zone.",
    "rounded": "New rounds {place}.",
    "rounded before": "New sends {place} with more decimals; legacy rounds it.",
    "cut short": "New cuts the text of {place} short.",
    "cut short before": "New sends the whole text of {place}; legacy cuts it short.",
    "html-escaped": "New sends the text of {place} with more HTML escapes than legacy.",
    "html-unescaped": "New sends the text of {place} with fewer HTML escapes than legacy.",
    "white space": "New sends the text of {place} with other white space.",
    "letter case": "New sends the text of {place} in other upper and lower case.",
    "unicode form": "New sends the text of {place} in another Unicode form.",
    "key repeated": "New sends {place} several times, legacy once.",
    "key not repeated": "New sends {place} once, legacy several times.",
    "repeated values": "New sends other values for {place}, which both repeat.",
    "bytes": "New sends other bytes.",
    "size": "New sends the picture in another size.",
    "proportions": "New sends the picture in other proportions: cut, squeezed or turned.",
    "frames": "New sends an animation with another number of frames.",
    "frames 1→n": "New sends an animation where legacy sends a still picture.",
    "frames n→1": "New sends a still picture where legacy sends an animation.",
    "duration": "New sends an animation that takes another time.",
    "transparent→opaque": "New sends the picture without its transparency.",
    "opaque→transparent": "New sends the picture with transparency, legacy without.",
    "colour profile": "New sends the picture with another colour profile.",
    "looks different": "New sends a picture that looks different.",
    "namespace": "New sends {place} in another XML namespace.",
    "document type": "New sends XML of another document type.",
    "style sheet": "New sends XML with another style sheet.",
    "doctype": "New sends a page with another doctype, which browsers show in another mode.",
}
_LINES = {
    "missing": "New leaves out lines of the text.",
    "extra": "New adds lines to the text.",
    "value": "New sends a line of the text with other words.",
    "numbers": "New sends a line of the text with other numbers.",
    "reordered": "New sends the lines of the text in another order.",
    "white space": "New sends a line of the text with other white space.",
    "letter case": "New sends a line of the text in other upper and lower case.",
    "unicode form": "New sends a line of the text in another Unicode form.",
    "html-escaped": "New sends a line of the text with more HTML escapes than legacy.",
    "html-unescaped": "New sends a line of the text with fewer HTML escapes than legacy.",
    "datetime format": "New writes the same point in time differently in a line of the text.",
    "time zone": "New writes a line of the text with another time zone.",
    "shifted by hours": "New sends a line of the text with a point in time that is off by hours.",
    "cut short": "New cuts a line of the text short.",
    "cut short before": "New sends a whole line of the text that legacy cuts short.",
    "string→empty string": "New empties a line of the text.",
    "empty string→string": "New fills an empty line of the text.",
}
_KINDS = {
    "boolean": "a boolean",
    "null": "null",
    "number": "a number",
    "integer": "an integer",
    "float": "a number with a fraction",
    "string": "a string",
    "numeric string": "a string that holds a number",
    "empty string": "an empty string",
    "list": "a list",
    "object": "an object",
    "not a number": "NaN or an infinity",
}
_BODIES = {
    "json": "JSON",
    "text": "text",
    "broken text": "text whose bytes aren't of its charset",
    "bytes": "bytes that aren't text",
    "empty": "an empty body",
    "image": "a picture",
    "broken image": "a picture that can't be decoded",
}


def sentence_of(signature: Json) -> Sentence:
    """What differs, from a signature's kind, path and shape."""
    kind, shape = signature["kind"], signature.get("shape", "")
    before, arrow, after = shape.partition("→")
    if kind == "status" and arrow:
        return (Part(f"New answers with status {after}, legacy with {before}."),)
    if shape.startswith("line "):
        return _of_lines(shape.removeprefix("line "))
    if arrow and before.startswith("body "):
        was, became = _body(before.removeprefix("body ")), _body(after)
        return (Part("New answers with "), became, Part(" where legacy answers with "), was, Part("."))
    if shape in _SENTENCES:
        return _filled(_SENTENCES[shape], _place(signature))
    if arrow and before.startswith("format "):
        was, became = _code(before.removeprefix("format ")), _code(after)
        return (Part("New sends the picture as "), became, Part(", legacy as "), was, Part("."))
    if arrow and before.startswith("charset "):
        was, became = _code(before.removeprefix("charset ")), _code(after)
        return (Part("New writes the text in "), became, Part(", legacy in "), was, Part("."))
    if arrow:
        sent, was, became = _place(signature), _kind(before), _kind(after)
        return (Part("New sends "), *sent, Part(" as "), became, Part(" where legacy sends "), was, Part("."))
    return (Part("New differs in "), *_place(signature), Part(": "), _code(shape or "unknown"), Part("."))


def sentence_text(sentence: Sentence) -> str:
    """The sentence as one text, still with its foreign characters."""
    return "".join(part.text for part in sentence)


def _of_lines(shape: str) -> Sentence:
    if shape in _LINES:
        return (Part(_LINES[shape]),)
    return (Part("New differs in a line of the text: "), _code(shape), Part("."))


def _filled(template: str, place: Sentence) -> Sentence:
    before, found, after = template.partition(_PLACE)
    return (Part(before), *place, Part(after)) if found else (Part(before),)


def _place(signature: Json) -> Sentence:
    kind, path = signature["kind"], signature["path"]
    if kind == "header":
        return _header(path)
    if kind == "status":
        return (Part("the status"),)
    return (Part("the body"),) if path in {"", "$"} else (_code(path),)


def _header(path: str) -> Sentence:
    """`content-type.charset` and `set-cookie.NAME.ATTRIBUTE` are parts of a header (docs/comparing.md)."""
    name, _, rest = path.partition(".")
    cookie, _, attribute = rest.rpartition(".")
    if name != "set-cookie" or not rest:
        return (Part("the header "), _code(path))
    if not cookie:
        return (Part("the cookie "), _code(rest))
    return (Part("the attribute "), _code(attribute), Part(" of the cookie "), _code(cookie))


def _kind(name: str) -> Part:
    return Part(_KINDS[name]) if name in _KINDS else _code(name)


def _body(name: str) -> Part:
    return Part(_BODIES[name]) if name in _BODIES else _code(name)


def _code(text: str) -> Part:
    return Part(text if len(text) <= MAX_CODE_CHARACTERS else f"{text[: MAX_CODE_CHARACTERS - 1]}…", is_code=True)
