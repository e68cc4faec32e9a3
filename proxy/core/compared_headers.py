"""Answer headers as they are compared: what says nothing about the answer is left out, the rest is taken apart.

The result is flat: a path and a text for each thing that may differ, so that one fault is one difference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.core.content_type import parse_content_type
from proxy.core.difference import Difference
from proxy.core.shape import EXTRA, MISSING, VALUE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

HeaderPath = tuple[str, ...]

# Never compared. RFC 9110 §7.6.1 and RFC 9112: these belong to one connection. The rest: the moment and the machine
# (date, age, server, via), what follows from the body (content-length), and ids that are new each time.
IGNORED = frozenset(
    {
        "age",
        "alt-svc",
        "connection",
        "content-length",
        "date",
        "keep-alive",
        "proxy-connection",
        "server",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
        "x-request-id",
    }
)
# Compared only by presence: opaque by definition (ETag: RFC 9110 §8.8.3).
_OPAQUE = frozenset({"etag"})
# Comma-separated members whose order means nothing (RFC 9110 §12.5.5 and §10.2.1, RFC 9111 §5.2, the Fetch standard).
_SETS = frozenset(
    {
        "access-control-allow-headers",
        "access-control-allow-methods",
        "access-control-expose-headers",
        "allow",
        "cache-control",
        "vary",
    }
)
_PRESENT = "present"


def comparable_headers(headers: Iterable[tuple[str, str]]) -> dict[HeaderPath, str]:
    """Path -> text. Lines of one name are joined (RFC 9110 §5.3), but for Set-Cookie; names are in lower case."""
    lines: dict[str, list[str]] = {}
    for name, value in headers:
        lines.setdefault(name.lower(), []).append(value.strip())
    found: dict[HeaderPath, str] = {}
    for name, values in lines.items():
        if name not in IGNORED:
            found.update(_parts(name, values))
    return found


def header_differences(
    control: Iterable[tuple[str, str]], candidate: Iterable[tuple[str, str]], ignored: Collection[str]
) -> list[Difference]:
    """The differences in the headers, by path. `ignored` holds names, also `set-cookie.session.samesite`."""
    before, after = comparable_headers(control), comparable_headers(candidate)
    differences: list[Difference] = []
    reported: set[HeaderPath] = set()
    # Shorter paths first: a cookie that is missing isn't followed by its attributes.
    for path in sorted(before.keys() | after.keys(), key=lambda path: (len(path), path)):
        old, new = before.get(path), after.get(path)
        if old == new or path[:-1] in reported or _is_ignored(path, ignored):
            continue
        change = EXTRA if old is None else MISSING if new is None else VALUE
        if change != VALUE:
            reported.add(path)
        differences.append(Difference("header", path, change, old, new))
    return differences


def _is_ignored(path: HeaderPath, ignored: Collection[str]) -> bool:
    return any(".".join(path[:length]) in ignored for length in range(1, len(path) + 1))


def _parts(name: str, values: list[str]) -> Iterator[tuple[HeaderPath, str]]:
    if name == "set-cookie":
        yield from _cookies(values)
    elif name == "content-type":
        yield from _content_type(", ".join(values))
    elif name in _OPAQUE:
        yield (name,), _PRESENT
    elif name in _SETS:
        members = {member.strip().lower() for member in ",".join(values).split(",")}
        yield (name,), ", ".join(sorted(members - {""}))
    else:
        yield (name,), ", ".join(values)


def _content_type(value: str) -> Iterator[tuple[HeaderPath, str]]:
    """The media type, and apart from it the charset; JSON has none (RFC 8259 §11)."""
    found = parse_content_type(value)
    yield ("content-type",), found.essence
    if found.charset and not found.is_json:
        yield ("content-type", "charset"), found.charset


def _cookies(values: list[str]) -> Iterator[tuple[HeaderPath, str]]:
    """Each cookie by name: whether it has a value, and each attribute. Values differ by nature and are masked."""
    seen: dict[str, int] = {}
    for value in values:
        pair, *attributes = value.split(";")
        name, _, content = pair.partition("=")
        name = name.strip()
        seen[name] = seen.get(name, 0) + 1
        label = name if seen[name] == 1 else f"{name} ({seen[name]})"
        yield ("set-cookie", label), _PRESENT if content.strip() else "empty"
        for attribute in attributes:
            yield from _attribute(label, attribute)


def _attribute(cookie: str, attribute: str) -> Iterator[tuple[HeaderPath, str]]:
    key, _, setting = attribute.partition("=")
    key, setting = key.strip().lower(), setting.strip()
    if not key:
        return
    if key == "expires":  # a moment, that moves with the clock
        setting = _PRESENT
    yield ("set-cookie", cookie, key), setting.lower() if key in {"samesite", "domain", "priority"} else setting
