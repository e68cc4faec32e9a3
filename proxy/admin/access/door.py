"""How the admin listener may be entered, decided from the settings before anything is started.

On loopback everybody of this machine may do everything, unless a token, a tokens file or a sign-on proxy is set.
Anywhere else one of them must be.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING

from proxy.admin.access.rights import Role
from proxy.admin.access.roster import Key, Roster, RosterFile, digest_of
from proxy.core.trusted import TrustedProxies
from proxy.errors import StartError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.settings import Settings

MIN_TOKEN_CHARACTERS = 16  # 64 bits even of hex digits; a token is made by a program, not remembered
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


@dataclass(frozen=True, slots=True)
class SignOn:
    """A proxy that signs people in and says who they are: in which header, and who is believed."""

    header: str
    proxies: TrustedProxies


@dataclass(frozen=True, slots=True)
class Door:
    """`names`: Host names of the listener. `shared`: the one token that may do everything, and says nothing of who."""

    names: frozenset[str]
    shared: Key | None = None
    roster_file: RosterFile | None = None
    sign_on: SignOn | None = None
    is_read_only: bool = False

    @property
    def is_open(self) -> bool:
        """Whether nobody need say who they are."""
        return self.shared is None and self.roster_file is None and self.sign_on is None

    @property
    def roster(self) -> Roster:
        return Roster() if self.roster_file is None else self.roster_file.roster

    def key_of(self, token: str, now: float) -> Key | None:
        """The token's, while it is good. Digests are compared: how long it takes tells nothing of a token."""
        digest = digest_of(token)
        return next((key for key in self._keys(now) if key.digest == digest), None)

    def key_by_id(self, id_: str, now: float) -> Key | None:
        """That which a session was begun with, while it is good."""
        return next((key for key in self._keys(now) if key.id == id_), None)

    def _keys(self, now: float) -> Iterator[Key]:
        if self.shared is not None:
            yield self.shared
        yield from (key for key in self.roster.keys.values() if now < key.until)

    @property
    def problem(self) -> str | None:
        """Why the tokens file as it is now is not in force."""
        return None if self.roster_file is None else self.roster_file.problem


def open_door(settings: Settings) -> Door:
    """The door of the settings' listener. Raises StartError for one that others can reach and that asks for nothing."""
    token = settings.admin_token
    if token is not None and len(token) < MIN_TOKEN_CHARACTERS:
        raise StartError(
            f"CHANGEOVER_ADMIN_TOKEN: it has fewer than {MIN_TOKEN_CHARACTERS} characters; "
            "use e.g. `openssl rand -hex 24`"
        )
    roster_file = None
    if settings.admin_tokens_file is not None:
        roster_file = RosterFile(settings.admin_tokens_file, time.time)
        if not roster_file.roster.keys and not roster_file.roster.people and token is None:
            raise StartError(
                f"{settings.admin_tokens_file}: nobody stands in it; "
                f"make a token with `changeover access token NAME --file {settings.admin_tokens_file}`"
            )
    host = settings.admin_host
    door = Door(
        _LOOPBACK_NAMES | {_as_host_name(name) for name in (host, *settings.admin_host_names)},
        None if token is None else Key(None, Role.ADMIN, float("inf"), digest_of(token)),
        roster_file,
        _sign_on(settings),
        settings.admin_read_only,
    )
    if door.is_open and not is_loopback(host):
        raise StartError(
            f"admin listener {host}: it can be reached from elsewhere, and nobody need say who they are; "
            "set CHANGEOVER_ADMIN_TOKENS_FILE or CHANGEOVER_ADMIN_TOKEN, or listen on 127.0.0.1"
        )
    return door


def _sign_on(settings: Settings) -> SignOn | None:
    header, proxies = settings.admin_sso_header, settings.admin_sso
    if (header is None) != (proxies == TrustedProxies()):
        raise StartError(
            "CHANGEOVER_ADMIN_SSO_HEADER and CHANGEOVER_ADMIN_SSO_PROXIES: one is set without the other; a header is "
            "believed only from the proxies that are listed"
        )
    if header is None:
        return None
    if settings.admin_tokens_file is None:
        raise StartError(
            "CHANGEOVER_ADMIN_SSO_HEADER: nobody has a role; set CHANGEOVER_ADMIN_TOKENS_FILE to a file with lines "
            "like `person ada operator` and `person * viewer`"
        )
    return SignOn(header.lower(), proxies)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a listener on `host`; of names, only localhost is."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _as_host_name(host: str) -> str:
    """As the Host header writes it: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host.lower()
