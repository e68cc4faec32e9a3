"""Answer headers as they are compared: what says nothing about the answer is left out, the rest is taken apart.

The result is flat: a path and a text for each thing that may differ, so that one fault is one difference.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit, urlunsplit

from proxy.core.content_type import parse_content_type
from proxy.core.difference import Difference
from proxy.core.mark import form_in
from proxy.core.shape import EXTRA, MISSING, VALUE
from proxy.core.signature import general_name
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
# Compared only by presence: opaque by definition (RFC 9110 §8.8.3).
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
# URLs, in which the host that users reach says no more than none (RFC 9110 §10.2.2 and §8.7).
_LOCATIONS = frozenset({"location", "content-location"})
# New with each answer (Content Security Policy level 3, §2.3.1).
_POLICIES = frozenset({"content-security-policy", "content-security-policy-report-only"})
_NONCE = re.compile(r"'nonce-[A-Za-z0-9+/_=-]+'")
_PRESENT, _PAST, _FUTURE = "present", "past", "future"
# RFC 9110 §5.6.6. What is quoted may hold any separator.
_PARAMETER = re.compile(r';\s*([^=;\s]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)')
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


@dataclass(frozen=True, slots=True)
class Reached:
    """How two answers were asked for: where users reach the application, where each backend is, and when it was.

    All are authorities as URLs have them (`host:port` without the scheme's own port, in lower case). `at` is in Unix
    seconds, None where nobody knows.
    """

    hosts: frozenset[str] = frozenset()
    control: str = ""
    candidate: str = ""
    at: float | None = None


NOWHERE = Reached()


def uncompared_names(rules: CompareRules) -> frozenset[bytes]:
    """The names of fields that are left out as a whole, as they come in an answer: in lower case."""
    names = FRAMING | (INCIDENTAL - rules.headers) | rules.ignore_headers
    return frozenset(name.encode("latin-1", "replace") for name in names)


def comparable_headers(
    headers: Iterable[tuple[str, str]], *, at: float | None = None, compared: Collection[str] = ()
) -> dict[HeaderPath, str]:
    """Path -> text. Lines of one name are joined (RFC 9110 §5.3), but for Set-Cookie; names are in lower case.

    Moments are told from the answer's own Date, or else from `at`, in Unix seconds; `compared` are names that are
    compared although they're INCIDENTAL.
    """
    lines: dict[str, list[str]] = {}
    for name, value in headers:
        lines.setdefault(name.lower(), []).append(value.strip())
    now = _instant(lines.get("date", [""])[0]) or at
    found: dict[HeaderPath, str] = {}
    for name, values in lines.items():
        if name not in FRAMING and (name not in INCIDENTAL or name in compared):
            found.update(_parts(name, values, now))
    return found


def header_differences(
    control: Iterable[tuple[str, str]],
    candidate: Iterable[tuple[str, str]],
    rules: CompareRules,
    reached: Reached = NOWHERE,
) -> list[Difference]:
    """The differences in the headers, by path. What rules ignore may also be `set-cookie.session.samesite`."""
    before = comparable_headers(control, at=reached.at, compared=rules.headers)
    after = comparable_headers(candidate, at=reached.at, compared=rules.headers)
    differences: list[Difference] = []
    reported: set[HeaderPath] = set()
    # Shorter paths first: a cookie that is missing isn't followed by its attributes.
    for path in sorted(before.keys() | after.keys(), key=lambda path: (len(path), path)):
        old, new = before.get(path), after.get(path)
        if old == new or path[:-1] in reported or _is_ignored(path, rules.ignore_headers):
            continue
        if _is_accepted(path, old, new, rules) or (path[0] in _LOCATIONS and _is_same_place(old, new, reached)):
            continue
        change = EXTRA if old is None else MISSING if new is None else VALUE
        if change != VALUE:
            reported.add(path)
        differences.append(Difference("header", path, change, old, new))
    return differences


def _is_ignored(path: HeaderPath, ignored: Collection[str]) -> bool:
    return bool(ignored) and any(
        place in ignored for length in range(1, len(path) + 1) for place in _places(path[:length])
    )


def _places(path: HeaderPath) -> tuple[str, str]:
    """As rules write it, in lower case: the place, and as signatures have it, without what is an id."""
    return ".".join(path).lower(), ".".join(map(general_name, path)).lower()


def _is_accepted(path: HeaderPath, before: str | None, after: str | None, rules: CompareRules) -> bool:
    places = _places(path)
    old, new = (ABSENT if text is None else text for text in (before, after))
    return any(rule.accepts(old, new) for name, rule in rules.header_values if name in places)


def _parts(name: str, values: list[str], now: float | None) -> Iterator[tuple[HeaderPath, str]]:
    if name == "set-cookie":
        yield from _cookies(values, now)
    elif name == "content-type":
        yield from _content_type(", ".join(values))
    elif name == "expires":
        yield (name,), _expiry(", ".join(values), now)
    elif name == "retry-after":
        yield (name,), _wait(", ".join(values), now)
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


def _is_same_place(before: str | None, after: str | None, reached: Reached) -> bool:
    """Whether two URLs lead users to one place: by the host that they reach, or each to the backend that wrote it.

    A backend's address where the other side has none is a fault: users can't reach it. So is another scheme.
    """
    if before is None or after is None:
        return False
    old, new = _split(before, reached.hosts, reached.control), _split(after, reached.hosts, reached.candidate)
    if old is None or new is None or old.path != new.path:
        return False
    if old.owner == new.owner == "backend":
        return True
    return "backend" not in {old.owner, new.owner} and (old.scheme == new.scheme or "" in {old.scheme, new.scheme})


@dataclass(frozen=True, slots=True)
class _Place:
    owner: Literal["users", "backend"]
    scheme: str  # "" where the URL leaves it open
    path: str  # with query and fragment


def _split(url: str, hosts: Collection[str], backend: str) -> _Place | None:
    """A URL of the application itself; None for all others."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    authority = parts.netloc.rpartition("@")[2].lower().removesuffix(_DEFAULT_PORTS.get(parts.scheme, " "))
    path = urlunsplit(("", "", parts.path or ("/" if authority else ""), parts.query, parts.fragment))
    if parts.scheme not in {"http", "https", ""} or (parts.scheme and not authority):
        return None
    if not authority or authority in hosts:
        return _Place("users", parts.scheme, path)
    return _Place("backend", parts.scheme, path) if authority == backend else None


def _expiry(value: str, now: float | None) -> str:
    """A date that is none, especially 0, has passed (RFC 9111 §5.3)."""
    at = _instant(value)
    return _PAST if at is None else _side_of(at, now, _PRESENT)


def _side_of(at: float | None, now: float | None, unknown: str) -> str:
    """Moments move with the clock: only whether they have passed is the backend's word."""
    if at is None or now is None:
        return _PRESENT if at is not None else unknown
    return _PAST if at <= now else _FUTURE


def _wait(value: str, now: float | None) -> str:
    """Seconds to wait, in digits or as a date (RFC 9110 §10.2.3)."""
    at = _instant(value)
    return value if at is None or now is None else str(max(round(at - now), 0))


def _instant(value: str) -> float | None:
    """Unix seconds of a date as headers write them; None for anything else."""
    try:
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return None


def _content_type(value: str) -> Iterator[tuple[HeaderPath, str]]:
    """The media type, and apart from it its parameters: JSON has no charset (RFC 8259 §11), a boundary no meaning."""
    found = parse_content_type(value)
    yield ("content-type",), found.essence
    if found.charset and not found.is_json:
        yield ("content-type", "charset"), found.charset
    for name, setting in _PARAMETER.findall(value):
        if setting and name.lower() not in {"charset", "boundary"}:
            yield ("content-type", name.lower()), _unquoted(setting.strip())


def _unquoted(setting: str) -> str:
    return re.sub(r"\\(.)", r"\1", setting[1:-1]) if setting.startswith('"') else setting


def _codings(value: str) -> Iterator[tuple[HeaderPath, str]]:
    """What was done to the body, in order: `identity` is nothing, and x-gzip is gzip (RFC 9110 §8.4.1)."""
    codings = [coding.strip().lower().removeprefix("x-") for coding in value.split(",")]
    if applied := [coding for coding in codings if coding not in {"", "identity"}]:
        yield ("content-encoding",), ", ".join(applied)


def _cookies(values: list[str], now: float | None) -> Iterator[tuple[HeaderPath, str]]:
    """Each cookie by name: what its value looks like, and each attribute. Values differ by nature and are masked."""
    seen: dict[str, int] = {}
    for value in values:
        pair, *attributes = value.split(";")
        name, _, content = pair.partition("=")
        name = name.strip()
        seen[name] = seen.get(name, 0) + 1
        label = name if seen[name] == 1 else f"{name} ({seen[name]})"
        yield ("set-cookie", label), _look(content.strip())
        for attribute in attributes:
            yield from _attribute(label, attribute, now)


def _look(content: str) -> str:
    if not content:
        return "empty"
    form = form_in(content)
    return form if form in {"null", "jwt", "uuid"} else _PRESENT


def _attribute(cookie: str, attribute: str, now: float | None) -> Iterator[tuple[HeaderPath, str]]:
    key, _, setting = attribute.partition("=")
    key, setting = key.strip().lower(), setting.strip()
    if not key:
        return
    if key == "expires":
        setting = _side_of(_instant(setting.replace("-", " ")), now, setting)
    yield ("set-cookie", cookie, key), setting.lower() if key in {"samesite", "domain", "priority"} else setting
