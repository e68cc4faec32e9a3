"""Who is known: the tokens file, read anew whenever its content changes.

    token NAME ROLE UNTIL sha256:DIGEST     a program's or a person's bearer token; ROLE is viewer, operator or admin
    link NAME UNTIL sha256:DIGEST           who has the link sees the progress page, and nothing else
    person NAME ROLE                        by the name that the sign-on proxy gives; * is everybody else

A line each. UNTIL is the last day (2026-12-31, UTC), or `never`. Of a token only the digest is kept: it has 256 random
bits, which nobody finds by trying, so that a slow hash would add nothing. `#` begins a comment.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

import structlog

from proxy.admin.access.rights import ROLES, Role, Visitor
from proxy.errors import StartError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

log = structlog.get_logger(__name__)

EVERYBODY_ELSE = "*"
MAX_NAME_CHARACTERS = 64
_NAME = re.compile(r"[^\s#*][^\s#]*")
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_ID_CHARACTERS = 32
_LOOK_S = 1.0
_TOKEN_PREFIX = "chg_"  # noqa: S105  # by which scanners for leaked secrets know one


@dataclass(frozen=True, slots=True)
class Key:
    """What somebody has who knows a token; good before `until`, in Unix seconds. Without a name it is everybody's."""

    name: str | None
    role: Role
    until: float
    digest: str = field(repr=False)

    @property
    def id(self) -> str:
        """Names it in a cookie without being it."""
        return self.digest[:_ID_CHARACTERS]

    @property
    def visitor(self) -> Visitor:
        return Visitor(self.role, self.name)


@dataclass(frozen=True, slots=True)
class Roster:
    """Digest -> key, and name -> role."""

    keys: Mapping[str, Key] = field(default_factory=dict)
    people: Mapping[str, Role] = field(default_factory=dict)

    def role_of(self, person: str) -> Role | None:
        return self.people.get(person, self.people.get(EVERYBODY_ELSE))


class RosterFile:
    """The file, looked at once a second at most; while it can't be read, whoever was known stays known.

    Raises StartError where it can't be read from the first.
    """

    def __init__(self, path: Path, now: Callable[[], float]) -> None:
        self._path = path
        self._now = now
        self._looked_at = now()
        self._text = _read(path)
        self._roster = parse_roster(self._text, str(path))
        self.problem: str | None = None

    @property
    def roster(self) -> Roster:
        if self._now() - self._looked_at >= _LOOK_S:
            self._looked_at = self._now()
            self._look()
        return self._roster

    def _look(self) -> None:
        try:
            text = _read(self._path)
            if text != self._text or self.problem:
                self._roster = parse_roster(text, str(self._path))
                self._text, self.problem = text, None
                log.info("roster.read", file=str(self._path), keys=len(self._roster.keys))
        except StartError as error:
            if self.problem != str(error):
                log.warning("roster.refused", cause=str(error))
            self.problem = str(error)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StartError(
            f"{path}: the tokens file can't be read ({error}); "
            f"make one with `changeover access token NAME --file {path}`"
        ) from error


def parse_roster(text: str, name: str) -> Roster:
    """The roster of a file's text. Raises StartError with every line that can't be read."""
    keys: dict[str, Key] = {}
    people: dict[str, Role] = {}
    faults = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            if words[0] == "person":
                person, role = _person(words[1:], people)
                people[person] = role
            else:
                key = _key(words, keys)
                keys[key.digest] = key
        except ValueError as error:
            faults.append(f"{name}:{number}: {error}")
    if faults:
        raise StartError("\n".join(faults))
    return Roster(keys, people)


def _key(words: list[str], known: Mapping[str, Key]) -> Key:
    kind, *rest = words
    if kind == "token" and len(rest) == 4:
        name, role, until, digest = rest
        key = Key(_name(name), _role(role), _until(until), _digest(digest))
    elif kind == "link" and len(rest) == 3:
        name, until, digest = rest
        key = Key(_name(name), Role.LINK, _until(until), _digest(digest))
    else:
        raise ValueError(
            "must be `token NAME ROLE UNTIL sha256:…`, `link NAME UNTIL sha256:…` or `person NAME ROLE`; "
            "`changeover access` writes the first two"
        )
    if key.digest in known or any(each.name == key.name for each in known.values()):
        raise ValueError(f"{key.name!r} or its token stands in a line above: give each a name of its own")
    return key


def _person(words: list[str], known: Mapping[str, Role]) -> tuple[str, Role]:
    if len(words) != 2:
        raise ValueError("must be `person NAME ROLE`")
    person = words[0] if words[0] == EVERYBODY_ELSE else _name(words[0])
    if person in known:
        raise ValueError(f"{person!r} stands in a line above")
    return person, _role(words[1])


def _name(text: str) -> str:
    if not _NAME.fullmatch(text) or not text.isprintable() or len(text) > MAX_NAME_CHARACTERS:
        raise ValueError(
            f"the name {text[:70]!r} must have at most {MAX_NAME_CHARACTERS} printable characters, without blanks and #"
        )
    return text


def _role(text: str) -> Role:
    if text not in ROLES:
        raise ValueError(f"the role {text[:40]!r} must be one of {', '.join(ROLES)}")
    return ROLES[text]


def _until(text: str) -> float:
    """The end of the day."""
    if text == "never":
        return float("inf")
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise ValueError(f"the end {text[:40]!r} must be a day as 2026-12-31, or never") from None
    return (day + timedelta(days=1)).timestamp()


def _digest(text: str) -> str:
    found = _DIGEST.fullmatch(text)
    if not found:
        raise ValueError("the digest must be sha256: and 64 hex digits, of the token; never the token itself")
    return found[1]


def written(kind: str, name: str, role: str | None, until: str, token: str) -> str:
    """The line that makes the token known."""
    return " ".join(word for word in (kind, name, role, until, f"sha256:{digest_of(token)}") if word)


def digest_of(token: str) -> str:
    return sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def make_token() -> str:
    """A new one, of 256 random bits."""
    return _TOKEN_PREFIX + secrets.token_urlsafe(32)
