"""The frozen values that travel through Changeover: what the operator wrote, ready to decide with.

`config` builds them, `decide`, `routes` and `compare` read them. Nothing here knows about files or sockets.
Percentages are `millipercent`: whole numbers from 0 to 100,000, so that steps of 0.001 are exact.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxy.core.paths import Concrete, Path
    from proxy.core.value_rules import ValueRule

Side = Literal["legacy", "new"]
LEGACY: Side = "legacy"
NEW: Side = "new"
OTHER: Mapping[Side, Side] = {LEGACY: NEW, NEW: LEGACY}
"""The side beside each."""
ALL_MILLIPERCENT = 100_000
VERSION_HEADER = "x-version"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds for each phase of an exchange with a backend; `pool_s` is the wait for a free connection."""

    connect_s: float = 2.0
    read_s: float = 30.0
    write_s: float = 30.0
    pool_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Health:
    """An active probe: GET `path` every `interval_s`; a status below 500 within `timeout_s` is good.

    So many good probes in a row make an ill backend healthy, so many bad ones a healthy one ill.
    """

    path: str
    interval_s: float = 2.0
    timeout_s: float = 2.0
    healthy_after: int = 2
    unhealthy_after: int = 2


@dataclass(frozen=True, slots=True)
class BreakerRule:
    """When users of new are sent to legacy because of new's answers, and for how long at first: see `core.breaker`."""

    failure_percentage: int = 50
    window_s: float = 10.0
    min_requests: int = 20
    cool_down_s: float = 5.0


@dataclass(frozen=True, slots=True)
class BackendTls:
    """How a backend is known, and how we are known to it. Files are absolute paths of PEM files.

    `ca`: who vouches for it; None: the authorities of the system. `server_name`: what it is asked for and must be
    certified as; None: the URL's host. `certificate` and `key`, both or neither, are what it is shown.
    """

    ca: str | None = None
    server_name: str | None = None
    certificate: str | None = None
    key: str | None = None
    verify: bool = True


@dataclass(frozen=True, slots=True)
class Backend:
    """Where one side answers. The URL has no path: targets are forwarded byte for byte.

    With a `socket_path` it is reached by that Unix socket, and host and port only stand for it. `tls` is of https only.
    Only new has a `breaker`: nothing stands in for legacy. `version_header` names the header (in lower case) of its
    answers that says which version it is; legacy's isn't looked at.
    """

    side: Side
    scheme: Literal["http", "https"]
    host: str
    port: int
    timeouts: Timeouts = Timeouts()
    connections: int = 256
    health: Health | None = None
    breaker: BreakerRule | None = None
    socket_path: str | None = None
    tls: BackendTls = BackendTls()
    version_header: str = VERSION_HEADER

    @property
    def url(self) -> str:
        """The address as the config writes it."""
        return self.base_url if self.socket_path is None else f"unix:{self.socket_path}"

    @property
    def base_url(self) -> str:
        """What an HTTP client asks; with a `socket_path`, over that."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class KeySource:
    """One place where a user's key may be: a header, a cookie, or a claim of the bearer JWT."""

    kind: Literal["header", "cookie", "jwt"]
    name: str


@dataclass(frozen=True, slots=True)
class Users:
    """What makes two requests one user: the first source that is present and not empty wins."""

    salt: str
    key: tuple[KeySource, ...] = ()
    without_key: Literal["cookie", "legacy"] = "legacy"


@dataclass(frozen=True, slots=True)
class Pin:
    """Users, by key or by header (name in lower case, exact value), who go to `backend` whatever the percentage."""

    name: str
    backend: Side
    users: frozenset[str] = frozenset()
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Redaction:
    """What is masked beyond the built-in list: header names in lower case, and JSON fields by path."""

    headers: frozenset[str] = frozenset()
    fields: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """Which requests are a route's: `kind` says how `pattern` reads; None for methods or host means any.

    path: a template as Starlette's (`/api/feeds/{id}`, `/files/{rest:path}`); prefix: a string the path begins
    with; regex: matched against the whole path.
    """

    kind: Literal["path", "prefix", "regex"]
    pattern: str
    methods: frozenset[str] | None = None
    host: str | None = None


@dataclass(frozen=True, slots=True)
class ShadowRule:
    """How much of a route is asked a second time on the other side, and how long that may take."""

    millipercent: int = 0
    writes: bool = False
    timeout_s: float = 5.0


@dataclass(frozen=True, slots=True)
class ImageRule:
    """Pictures are compared by how they look: `distance` is how far a tile's colour may be off, in percent."""

    distance: float = 4.0


@dataclass(frozen=True, slots=True)
class CompareRules:
    """What differs on purpose. `keys` maps a list's path to the member that identifies its items.

    `headers` are names that are compared although `compared_headers.INCIDENTAL` has them. `values` and `header_values`
    judge values that differ at their place; one that accepts them is enough. A header's place is its name, or a part
    of it, as in `ignore_headers`. Without `images` pictures are compared byte by byte.
    """

    ignore: tuple[Path, ...] = ()
    ignore_headers: frozenset[str] = frozenset()
    headers: frozenset[str] = frozenset()
    unordered: tuple[Path, ...] = ()
    keys: tuple[tuple[Path, str], ...] = ()
    values: tuple[tuple[Path, ValueRule], ...] = ()
    header_values: tuple[tuple[str, ValueRule], ...] = ()
    noise_millipercent: int = 0
    images: ImageRule | None = None

    def ignores(self, place: Concrete) -> bool:
        """Whether a rule ignores this very place of a body."""
        return any(rule.matches(place) for rule in self.ignore)

    def within(self, index: int) -> CompareRules:
        """The rules for what stands at this index of a list, as if it were a body of its own."""
        return replace(
            self,
            ignore=tuple(below for path in self.ignore for below in path.below(index)),
            ignore_headers=frozenset(),
            unordered=tuple(below for path in self.unordered for below in path.below(index)),
            keys=tuple((below, member) for path, member in self.keys for below in path.below(index)),
            values=tuple((below, rule) for path, rule in self.values for below in path.below(index)),
            header_values=(),
        )

    def ignores_within(self, place: Concrete) -> bool:
        """Whether the place is ignored, or anything that it is in."""
        return any(self.ignores(place[:length]) for length in range(len(place) + 1))


@dataclass(frozen=True, slots=True)
class Route:
    """One route of the migration: what it matches, how far it is rolled out, and how it is watched."""

    name: str
    match: Match
    group: str
    millipercent: int = 0
    shadow: ShadowRule = ShadowRule()
    fallback: bool = False
    compare: CompareRules = CompareRules()


EVERY_ROUTE = "*"
"""In a hold: no route can have this name."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A cap on a route's effective percentage; it binds the route's whole group. `since` is Unix seconds.

    One on EVERY_ROUTE is the kill switch, put on by hand.
    """

    route: str
    cap_millipercent: int
    who: str
    reason: str
    since: float


@dataclass(frozen=True, slots=True)
class Migration:
    """The whole of `migration.yaml`, validated. Routes are in the file's order: the first match wins."""

    legacy: Backend
    new: Backend
    users: Users
    routes: tuple[Route, ...]
    kill_switch: bool = False
    pins: tuple[Pin, ...] = ()
    redaction: Redaction = Redaction()

    def backend(self, side: Side) -> Backend:
        return self.new if side == NEW else self.legacy

    def route(self, name: str) -> Route | None:
        return next((route for route in self.routes if route.name == name), None)


@dataclass(frozen=True, slots=True)
class Rollout:
    """What is in force: the operator's wish and the holds that keep it lower. Replaced whole, never changed.

    `version` grows with each change on this node; `digest` is the SHA-256 of the config's content. Everything goes to
    legacy where it `is_killed`: by the config, or by `kill`.
    """

    migration: Migration
    version: int = 0
    digest: str = ""
    holds: tuple[Hold, ...] = ()
    effective: Mapping[str, int] = field(init=False, default_factory=dict)
    kill: Hold | None = field(init=False, default=None)
    is_killed: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "effective", self._effective_millipercent())
        object.__setattr__(self, "kill", next((hold for hold in self.holds if hold.route == EVERY_ROUTE), None))
        object.__setattr__(self, "is_killed", self.migration.kill_switch or self.kill is not None)

    def _effective_millipercent(self) -> dict[str, int]:
        """Route name -> the percentage in force: the wish, capped by every hold on the route's group."""
        groups = {route.name: route.group for route in self.migration.routes}
        caps: dict[str, int] = {}
        for hold in self.holds:
            group = groups.get(hold.route)
            if group is not None:
                caps[group] = min(caps.get(group, ALL_MILLIPERCENT), hold.cap_millipercent)
        return {
            route.name: min(route.millipercent, caps.get(route.group, ALL_MILLIPERCENT))
            for route in self.migration.routes
        }


PERCENT_STEP = re.compile(r"\A(?:100(?:\.0{1,})?|\d{1,2}(?:\.\d{1,3}0*)?)\Z")


def percentage(millipercent: int) -> float:
    """The percentage as people write it: 12_500 -> 12.5."""
    return millipercent / 1000
