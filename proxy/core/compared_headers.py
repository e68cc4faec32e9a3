"""Answer headers as they are compared: what says nothing about the answer is left out, the rest is taken apart.

The result is flat: a path and a text for each thing that may differ, so that one fault is one difference.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from proxy.core.content_type import parse_content_type
from proxy.core.difference import Difference
from proxy.core.shape import EXTRA, MISSING, VALUE
from proxy.core.value_rules import ABSENT

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from proxy.core.model import CompareRules

HeaderPath = tuple[str, ...]

# Never compared: they belong to one connection (RFC 9110 §7.6.1, RFC 9112), or follow from the body.
FRAMING = frozenset(
    {
        "connection",
        "content-length",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# Not compared unless a route says so (`compare.headers`): the moment and the machine, ids that are new each time,
# counters of what this user did before, and what caches, tracers and gateways note down.
INCIDENTAL = frozenset(
    {
        *("age", "alt-svc", "date", "server", "server-timing", "via", "x-powered-by"),
        *("cf-cache-status", "cf-ray", "nel", "report-to", "x-cache", "x-cache-hits", "x-served-by", "x-timer"),
        *("request-id", "traceparent", "tracestate", "x-amz-cf-id", "x-amzn-requestid", "x-amzn-trace-id"),
        *("x-b3-sampled", "x-b3-spanid", "x-b3-traceid", "x-correlation-id", "x-request-id", "x-trace-id"),
        *("ratelimit", "ratelimit-limit", "ratelimit-policy", "ratelimit-remaining", "ratelimit-reset"),
        *("x-rate-limit-limit", "x-rate-limit-remaining", "x-rate-limit-reset", "x-ratelimit-limit"),
        *("x-ratelimit-remaining", "x-ratelimit-reset", "x-ratelimit-resource", "x-ratelimit-used"),
        *("x-envoy-upstream-service-time", "x-process-time", "x-response-time", "x-runtime", "x-version"),
    }
)
# Compared only by presence: opaque by definition (RFC 9110 §8.8.3), or moments that move with the clock.
_OPAQUE = frozenset({"etag", "expires", "retry-after"})
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
# URLs, in which the application's own host says only how it was reached (RFC 9110 §10.2.2 and §8.7).
_LOCATIONS = frozenset({"location", "content-location"})
# New with each answer (Content Security Policy level 3, §2.3.1).
_POLICIES = frozenset({"content-security-policy", "content-security-policy-report-only"})
_NONCE = re.compile(r"'nonce-[A-Za-z0-9+/_=-]+'")
_PRESENT = "present"
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def uncompared_names(rules: CompareRules) -> frozenset[bytes]:
    """The names of fields that are left out as a whole, as they come in an answer: in lower case."""
    names = FRAMING | (INCIDENTAL - rules.headers) | rules.ignore_headers
    return frozenset(name.encode("latin-1", "replace") for name in names)


def comparable_headers(
    headers: Iterable[tuple[str, str]], *, own_hosts: Collection[str] = (), compared: Collection[str] = ()
) -> dict[HeaderPath, str]:
    """Path -> text. Lines of one name are joined (RFC 9110 §5.3), but for Set-Cookie; names are in lower case.

    `own_hosts` are authorities (`host:port`, in lower case) that mean the application itself; `compared` are names that
    are compared although they're INCIDENTAL.
    """
    lines: dict[str, list[str]] = {}
    for name, value in headers:
        lines.setdefault(name.lower(), []).append(value.strip())
    found: dict[HeaderPath, str] = {}
    for name, values in lines.items():
        if name not in FRAMING and (name not in INCIDENTAL or name in compared):
            found.update(_parts(name, values, own_hosts))
    return found


def header_differences(
    control: Iterable[tuple[str, str]],
    candidate: Iterable[tuple[str, str]],
    rules: CompareRules,
    own_hosts: Collection[str] = (),
) -> list[Difference]:
    """The differences in the headers, by path. What rules ignore may also be `set-cookie.session.samesite`."""
    before = comparable_headers(control, own_hosts=own_hosts, compared=rules.headers)
    after = comparable_headers(candidate, own_hosts=own_hosts, compared=rules.headers)
    differences: list[Difference] = []
    reported: set[HeaderPath] = set()
    # Shorter paths first: a cookie that is missing isn't followed by its attributes.
    for path in sorted(before.keys() | after.keys(), key=lambda path: (len(path), path)):
        old, new = before.get(path), after.get(path)
        if old == new or path[:-1] in reported or _is_ignored(path, rules.ignore_headers):
            continue
        if _is_accepted(path, old, new, rules):
            continue
        change = EXTRA if old is None else MISSING if new is None else VALUE
        if change != VALUE:
            reported.add(path)
        differences.append(Difference("header", path, change, old, new))
    return differences


def _is_ignored(path: HeaderPath, ignored: Collection[str]) -> bool:
    return any(".".join(path[:length]) in ignored for length in range(1, len(path) + 1))


def _is_accepted(path: HeaderPath, before: str | None, after: str | None, rules: CompareRules) -> bool:
    place = ".".join(path)
    old, new = (ABSENT if text is None else text for text in (before, after))
    return any(rule.accepts(old, new) for name, rule in rules.header_values if name == place)


def _parts(name: str, values: list[str], own_hosts: Collection[str]) -> Iterator[tuple[HeaderPath, str]]:
    if name == "set-cookie":
        yield from _cookies(values)
    elif name == "content-type":
        yield from _content_type(", ".join(values))
    elif name in _LOCATIONS:
        yield (name,), _within(", ".join(values), own_hosts)
    elif name in _POLICIES:
        yield (name,), _NONCE.sub("'nonce-…'", ", ".join(values))
    elif name == "content-encoding":
        yield from _codings(",".join(values))
    elif name in _OPAQUE:
        yield (name,), _PRESENT
    elif name in _SETS:
        members = {member.strip().lower() for member in ",".join(values).split(",")}
        yield (name,), ", ".join(sorted(members - {""}))
    else:
        yield (name,), ", ".join(values)


def _within(url: str, own_hosts: Collection[str]) -> str:
    """The URL without scheme and host where they're the application's own."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    authority = parts.netloc.rpartition("@")[2].lower().removesuffix(_DEFAULT_PORTS.get(parts.scheme, " "))
    if parts.scheme not in {"http", "https", ""} or authority not in own_hosts:
        return url
    return urlunsplit(("", "", parts.path or "/", parts.query, parts.fragment))


def _content_type(value: str) -> Iterator[tuple[HeaderPath, str]]:
    """The media type, and apart from it the charset; JSON has none (RFC 8259 §11)."""
    found = parse_content_type(value)
    yield ("content-type",), found.essence
    if found.charset and not found.is_json:
        yield ("content-type", "charset"), found.charset


def _codings(value: str) -> Iterator[tuple[HeaderPath, str]]:
    """What was done to the body, in order: `identity` is nothing, and x-gzip is gzip (RFC 9110 §8.4.1)."""
    codings = [coding.strip().lower().removeprefix("x-") for coding in value.split(",")]
    if applied := [coding for coding in codings if coding not in {"", "identity"}]:
        yield ("content-encoding",), ", ".join(applied)


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
