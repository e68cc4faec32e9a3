"""What each endpoint asks of who enters: one table, which is complete or the listener doesn't start.

Roles are ordered: who has one may do what those below it may. A viewer sees everything, masked as it is; an operator
decides how the migration goes on; an admin also gives back to new what the kill switch took from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from starlette.routing import compile_path

from proxy.errors import StartError

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable

    from starlette.routing import Route


class Role(IntEnum):
    """ANYONE: unknown, or not signed in. LINK: has the link to the progress page, and sees nothing else."""

    ANYONE = 0
    LINK = 1
    VIEWER = 2
    OPERATOR = 3
    ADMIN = 4


ROLES = {role.name.lower(): role for role in (Role.VIEWER, Role.OPERATOR, Role.ADMIN)}
"""Those that are given to people and programs, by name."""

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})  # RFC 9110 §9.2.1, less TRACE


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who enters; without a `name` where they need not say who they are."""

    role: Role
    name: str | None = None


NOBODY = Visitor(Role.ANYONE)


def _reading(*paths: str) -> dict[str, dict[str, Role]]:
    return {path: {"GET": Role.VIEWER} for path in paths}


def _acting(*paths: str) -> dict[str, dict[str, Role]]:
    return {path: {"POST": Role.OPERATOR} for path in paths}


_TABLES = ("audit", "burn-up", "diffs", "gaps", "groups", "history", "progress", "routes")
RIGHTS: dict[str, dict[str, Role]] = {
    # --- programs ---
    **_reading("/api/openapi.json", "/api/v1/status", "/api/v1/routes", "/api/v1/history", "/api/v1/progress"),
    **_reading("/api/v1/routes/{name}/preview", "/api/v1/diffs/{id}", "/api/v1/diffs/{id}/rule"),
    **_reading("/api/v1/diffs", "/api/v1/trends", "/api/v1/explain", "/api/v1/audit", "/metrics"),
    **_acting("/api/v1/diffs/{id}/retry", "/api/v1/reload"),
    "/api/v1/kill-switch": {"GET": Role.VIEWER, "PUT": Role.OPERATOR, "DELETE": Role.ADMIN},
    "/kill-switch": {"GET": Role.VIEWER, "POST": Role.OPERATOR},
    "/kill-switch/off": {"POST": Role.ADMIN},
    "/api/v1/routes/{name}/rollout": {"GET": Role.VIEWER, "PUT": Role.OPERATOR},
    "/api/v1/routes/{name}/hold": {"GET": Role.VIEWER, "PUT": Role.OPERATOR, "DELETE": Role.OPERATOR},
    "/api/v1/routes/{name}/proposals": {"GET": Role.VIEWER, "POST": Role.OPERATOR},
    "/api/v1/diffs/{id}/state": {"GET": Role.VIEWER, "POST": Role.OPERATOR},
    "/livez": {"GET": Role.ANYONE},  # an orchestrator has neither name nor token
    "/readyz": {"GET": Role.ANYONE},
    # --- people ---
    **_reading("/", "/live", "/audit", "/diffs", "/diffs/{id}", "/diffs/{id}/ignore", "/diffs/{id}/har", "/explain"),
    **_reading("/routes/{name}", *(f"/{table}.{kind}" for table in _TABLES for kind in ("csv", "json"))),
    **_acting("/diffs/{id}/state", "/diffs/{id}/retry"),
    **_acting("/routes/{name}/rollout", "/routes/{name}/hold", "/routes/{name}/release"),
    "/progress": {"GET": Role.LINK},
    "/shared/{token}": {"GET": Role.ANYONE},
    "/sign-in": {"GET": Role.ANYONE, "POST": Role.ANYONE},
    "/sign-out": {"POST": Role.ANYONE},
    "/static/{name}": {"GET": Role.ANYONE},  # the sign-in page needs its style
}
_PATTERNS: list[tuple[re.Pattern[str], dict[str, Role]]] = [
    (compile_path(path)[0], methods) for path, methods in RIGHTS.items() if "{" in path
]
UNCHANGING = frozenset({"/sign-in", "/sign-out"})
"""Where POST changes nothing but who is signed in."""


def needed_role(method: str, path: str) -> Role:
    """What the address asks for; of one that doesn't exist nobody is told so but those who see everything."""
    methods = RIGHTS.get(path) or next((found for pattern, found in _PATTERNS if pattern.match(path)), {})
    return methods.get("GET" if method == "HEAD" else method, Role.VIEWER)


def check_complete(routes: Iterable[Route]) -> None:
    """Raises StartError where an endpoint has no row, or a row no endpoint."""
    found = {(route.path, method) for route in routes for method in (route.methods or set()) - {"HEAD"}}
    known = {(path, method) for path, methods in RIGHTS.items() for method in methods}
    if found != known:
        raise StartError(
            f"admin listener: rights and endpoints differ in {sorted(found ^ known)}; see access/rights.py"
        )
