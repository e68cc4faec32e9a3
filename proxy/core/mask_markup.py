"""Secrets in HTML and XML: inputs, meta tags, settings and elements whose names say that they hold one.

Tags are found by patterns, not parsed: broken pages are the usual ones. Attributes with secret names are `name=value`
like everywhere else (`mask_names`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from proxy.core.edits import edited
from proxy.core.mask_names import marked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from proxy.core.edits import Edit
    from proxy.core.secret_names import SecretNames

# What names an element's content: `<input name=…>`, `<meta name=…>`, .NET's `<add key=… value=…>`, Android's strings.
_LABEL_END = r"(?i:me|ey|ty|id|te|pe)"  # of `_LABELS`
_LABEL = re.compile(rf"=(?:(?<={_LABEL_END}=)|(?<={_LABEL_END}\s=))\s*+[\\]?[\"']?([^\"'\s<>\\]++)")
_TAG = re.compile(r"<(?P<element>[a-zA-Z][\w:.\-]*+)\s(?P<attributes>[^<>]*+)>(?P<content>[^<>]++)?")
_ATTRIBUTE = re.compile(r"(?<![\w\-:])([\w\-:]++)\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s\"'<>]++))")
_LABELS = ("name", "key", "property", "id", "autocomplete", "type")
# An id, or a field's type, names more than secrets (`<section id="card">`); these elements hold nothing but a value.
_FIELDS = frozenset({"input", "button", "option", "param", "meta", "textarea"})
_VOID = frozenset({"input", "param", "meta"})
_NAMES_CONTENT = ("name", "key", "property")
_CLOSING = re.compile(r"</([\w:.\-]++)")
_OPENING = re.compile(r"<(?P<name>[\w:.\-]++)(?:\s[^<>]*+)?(?<!/)>")


def mask_markup(text: str, names: SecretNames, mark: Callable[..., str]) -> str:
    """The text with the values of secret fields and settings masked, and the content of secret elements."""
    edits: list[Edit] = []
    if any(map(names.has, _labels(text))):
        for tag in _TAG.finditer(text):
            edits += _field(tag, names, mark)
    if any(map(names.has, _closed_elements(text))):
        edits += _elements(text, names, mark)
    return edited(text, edits)


def has_secret_tags(text: str, names: SecretNames) -> bool:
    """Whether `mask_markup` may find something in the text, or in a JSON string in it; says yes too often."""
    if "<" not in text:
        return False
    text = text.replace("\\/", "/") if "\\/" in text else text
    return any(map(names.has, _labels(text))) or any(map(names.has, _closed_elements(text)))


def _labels(text: str) -> set[str]:
    """What names something in a tag of the text."""
    return set(_LABEL.findall(text))


def _closed_elements(text: str) -> set[str]:
    """The local names of all elements that are closed in the text."""
    return {name.rpartition(":")[2] for name in set(_CLOSING.findall(text))}


def _field(tag: re.Match[str], names: SecretNames, mark: Callable[..., str]) -> Iterator[Edit]:
    attributes = {found[1].lower(): found for found in _ATTRIBUTE.finditer(tag["attributes"])}
    secret = [name for name in _LABELS if name in attributes and names.has(_value(attributes[name]))]
    is_field = tag["element"].lower() in _FIELDS
    if not secret or not (is_field or any(name in _NAMES_CONTENT for name in secret)):
        return
    offset = tag.start("attributes")
    for name in ("value", "content"):
        found = attributes.get(name)
        if found is not None:
            group = next(group for group in (2, 3, 4) if found[group] is not None)
            yield offset + found.start(group), offset + found.end(group), marked(found[group], mark)
            return
    if tag["content"] and tag["element"].lower() not in _VOID and not tag["attributes"].endswith("/"):
        yield tag.start("content"), tag.end("content"), marked(tag["content"], mark)


def _value(attribute: re.Match[str]) -> str:
    return next(value for value in attribute.group(2, 3, 4) if value is not None)


def _elements(text: str, names: SecretNames, mark: Callable[..., str]) -> Iterator[Edit]:
    """All between the tags of a secret element, with the elements in it."""
    done = 0
    for opening in _OPENING.finditer(text):
        name = opening["name"]
        if opening.start() >= done and names.has(name.rpartition(":")[2]):
            end = text.find(f"</{name}", opening.end())
            done = len(text) if end < 0 else end  # without an end there is none for the next ones either
            content = text[opening.end() : done]
            yield opening.end(), done, marked(content, mark)
