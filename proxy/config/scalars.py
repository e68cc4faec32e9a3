"""The single values of `migration.yaml`: percentages, durations, addresses, names, paths. One function for each kind.

Each takes what the file says and returns it checked, or raises ValueError that says what to write instead.
"""

from __future__ import annotations

import ipaddress
import re
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal, NamedTuple
from urllib.parse import SplitResult, urlsplit

from proxy.addresses import UNIX, socket_path
from proxy.core.paths import parse as parse_path

_DURATION = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)(ms|s|m)")
_UNIT_S = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60)}
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 §5.6.2: header names, cookie names, methods
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})")
_USER_INFO = re.compile(r"//[^/?#\s]*@")
_KEY_SOURCE = re.compile(r"(header|cookie|jwt):(.+)", re.DOTALL)
_PORTS = {"http": 80, "https": 443}
_STEPS_PER_PERCENT = 1000


def described(value: object) -> str:
    """A value as a message names it: `text 'abc'`, `a list`, `nothing`. Passwords in addresses are left out."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float | Decimal):
        return f"the number {value}"
    if isinstance(value, str):
        shown = without_user_info(value)
        return f"the text {shown if len(shown) <= 80 else shown[:77] + '...'!r}"
    if isinstance(value, dict):
        return "a mapping"
    return "nothing" if value is None else "a list"


def without_user_info(text: str) -> str:
    """The text with `user:password@` of addresses blanked: it goes to logs."""
    return _USER_INFO.sub("//***@", text)


# --- numbers ---------------------------------------------------------------------------------------------------
def millipercent(value: Any) -> int:
    """A percentage, 0 to 100 in steps of 0.001, as whole thousandths: 12.5 -> 12500. Exact, and never a boolean."""
    number = decimal_of(value, "a percentage is a number from 0 to 100")
    if number < 0:
        raise ValueError(f"{value} is below 0; a percentage is a number from 0 to 100")
    if number > 100:
        raise ValueError(f"{value} is above 100; a percentage is a number from 0 to 100")
    # A Decimal's product is rounded to 28 digits; a fraction's is not.
    steps = Fraction(number) * _STEPS_PER_PERCENT
    if steps.denominator != 1:
        raise ValueError(f"{value} is finer than 0.001, the smallest step of a percentage")
    return int(steps)


def percentage_number(steps: int) -> int | float:
    """The percentage as the file writes it: 25_000 -> 25, 12_500 -> 12.5."""
    whole, rest = divmod(steps, _STEPS_PER_PERCENT)
    return whole if rest == 0 else steps / _STEPS_PER_PERCENT


def decimal_of(value: Any, expected: str) -> Decimal:
    """The finite number that the file has; `expected` ends the message where it has another thing."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        hint = "; remove the quotes" if isinstance(value, str) and _is_number(value) else ""
        raise ValueError(f"{described(value)} is not a number; {expected}{hint}")  # noqa: TRY004  # pydantic takes ValueError
    # A float comes from JSON only; its shortest text is what was written, its binary value is not.
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if not number.is_finite():
        raise ValueError(f"{value} is not a finite number; {expected}")
    return number


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[0-9]+(\.[0-9]+)?", text) is not None


def version(value: Any) -> int:
    """The version of the file's format: 1 is the only one."""
    if isinstance(value, bool) or value != 1:
        raise ValueError(f"{described(value)} is not a version that this Changeover reads; write version: 1")
    return 1


def duration(value: Any) -> str:
    """A duration above zero, as text: `250ms`, `2s`, `5m`."""
    if seconds(value) == 0:
        raise ValueError(f"{value} is no time at all; a duration is above 0")
    return str(value)


def seconds(value: Any) -> float:
    """The seconds of a duration."""
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"{described(value)} is not a duration; write it as 250ms, 2s or 5m")
    return float(Decimal(found[1]) * _UNIT_S[found[2]])


# --- names -----------------------------------------------------------------------------------------------------
def name(value: str) -> str:
    """The name of a route, a pin or a group: it stands in URLs, metrics and variables."""
    if not _NAME.fullmatch(value):
        raise ValueError(f"{value!r} is not a name; use a-z, 0-9, '-' and '_', beginning with a letter or a digit")
    return value


def header(value: str) -> str:
    """A header's name, in lower case (RFC 9110 §5.1)."""
    if not _TOKEN.fullmatch(value):
        raise ValueError(f"{value!r} is not a header's name; write it as x-user-id")
    return value.lower()


def method(value: str) -> str:
    """A request method (RFC 9110 §9.1: case-sensitive, and upper case by convention)."""
    if not _TOKEN.fullmatch(value):
        raise ValueError(f"{value!r} is not a method; write it as GET")
    if value != value.upper():
        raise ValueError(f"methods are upper case: write {value.upper()}, not {value}")
    return value


def host(value: str) -> str:
    """A host name without a port, in lower case, as the Host header is compared."""
    if not _HOST.fullmatch(value) and not _is_bracketed_ipv6(value):
        raise ValueError(f"{value!r} is not a host; write a name without scheme and port, as api.example.com")
    return value.lower()


def _is_bracketed_ipv6(value: str) -> bool:
    try:
        return value[:1] == "[" and value[-1:] == "]" and bool(ipaddress.IPv6Address(value[1:-1]))
    except ValueError:
        return False


def text(value: str) -> str:
    """Any text but an empty one."""
    if not value:
        raise ValueError("an empty text has no effect; write a value")
    return value


def salt(value: str) -> str:
    """The text that makes this rollout's assignment its own."""
    if not value:
        raise ValueError("the salt is empty; write any text, and keep it: a new salt reshuffles all users")
    return value


def key_source(value: str) -> str:
    """A place where a user's key may be: `header:NAME`, `cookie:NAME` or `jwt:CLAIM`."""
    kind_and_name(value)
    return value


def kind_and_name(value: str) -> tuple[Literal["header", "cookie", "jwt"], str]:
    """The two parts of a key source; a header's name in lower case."""
    found = _KEY_SOURCE.fullmatch(value)
    if found is None:
        raise ValueError(f"{value!r} is not a key; write header:NAME, cookie:NAME or jwt:CLAIM")
    if found[1] == "header":
        return "header", header(found[2])
    if found[1] == "jwt":
        return "jwt", found[2]
    if not _TOKEN.fullmatch(found[2]):
        raise ValueError(f"{found[2]!r} is not a cookie's name; write it as cookie:session")
    return "cookie", found[2]


# --- places ----------------------------------------------------------------------------------------------------
def json_path(value: str) -> str:
    """A path into JSON documents, by the language of `proxy.core.paths`."""
    parse_path(value)
    return value


def url_path(value: str) -> str:
    """The path of a URL, percent-decoded, without query."""
    if not value.startswith("/"):
        raise ValueError(f"{value!r} is not a path; it begins with '/'")
    if "?" in value or "#" in value:
        raise ValueError(f"{value!r} has a query or a fragment; routes match the path alone")
    return value


class BackendAddress(NamedTuple):
    """A backend's address taken apart; an IPv6 host without brackets. Fields are named as those of `Backend`."""

    scheme: Literal["http", "https"]
    host: str
    port: int
    socket_path: str | None = None


def backend_url(value: str) -> str:
    """A backend's address: `http://host:port`, and nothing after it, or `unix:/run/app.sock`."""
    backend_address(value)
    return value


def backend_address(value: str) -> BackendAddress:
    """The parts of a backend's address. A Unix socket stands on localhost, for who needs a host."""
    if value.startswith(UNIX):
        return BackendAddress("http", "localhost", _PORTS["http"], socket_path(value))
    shown = without_user_info(value)
    parts = _split(value, shown)
    if parts.scheme not in _PORTS:
        raise ValueError(f"{shown!r} has no http://, https:// or unix: at its beginning; write http://host:port")
    if "@" in parts.netloc:
        raise ValueError(f"{shown!r} holds a user or a password; write http://host:port without them")
    if parts.path not in {"", "/"} or "?" in value or "#" in value:
        raise ValueError(
            f"{shown!r} has a path or a query; write {parts.scheme}://{parts.netloc}: "
            "requests keep the path that the user sent"
        )
    scheme: Literal["http", "https"] = "https" if parts.scheme == "https" else "http"
    return BackendAddress(scheme, _host_of(parts, shown), _port_of(parts, shown))


def pem_file(value: str) -> str:
    """The absolute path of a PEM file: workers and commands may be started in different folders."""
    if not value.startswith("/") or not value.isprintable():
        raise ValueError(f"{value!r} is not an absolute path; write it as /etc/changeover/ca.pem")
    return value


def server_name(value: str) -> str:
    """The name by which a server is asked for and certified: a host name or an IP address, without a port."""
    found = value.removeprefix("[").removesuffix("]") if _is_bracketed_ipv6(value) else value
    if not _HOST.fullmatch(found) and not _is_bracketed_ipv6(f"[{found}]"):
        raise ValueError(f"{value!r} is not a server's name; write it without scheme and port, as app.internal")
    return found.lower()


def _split(value: str, shown: str) -> SplitResult:
    # urlsplit would drop tabs and line ends silently (bpo-43882).
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError(f"{shown!r} has blanks or characters outside ASCII; write http://host:port")
    try:
        return urlsplit(value)
    except ValueError as error:
        raise ValueError(f"{shown!r} is not an address ({error}); write http://host:port") from error


def _host_of(parts: SplitResult, shown: str) -> str:
    found = parts.hostname or ""
    if not _HOST.fullmatch(found) and not _is_bracketed_ipv6(f"[{found}]"):
        raise ValueError(f"{shown!r} has no usable host; write http://host:port")
    return found


def _port_of(parts: SplitResult, shown: str) -> int:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError(f"{shown!r} has a port that isn't 1 to 65535")
    return port or _PORTS[parts.scheme]
