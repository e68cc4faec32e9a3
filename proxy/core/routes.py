"""Which route a request belongs to: the first whose match fits.

Paths are matched percent-decoded, as the backends read them, so that two spellings of one path are one route.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from proxy.core.model import Match, Route

_PARAMETER = re.compile(r"{([a-zA-Z_][a-zA-Z0-9_]*)(?::([a-z]+))?}")
# Starlette's convertors, so that a template means here what it means in the backends.
_CONVERTORS = {
    "str": "[^/]+",
    "path": ".*",
    "int": "[0-9]+",
    "float": r"[0-9]+(?:\.[0-9]+)?",
    "uuid": "[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}",
}
_CACHED_PATHS = 4096  # bounds what a crawler of random paths can make us remember


def compile_template(template: str) -> re.Pattern[str]:
    """A path template as a pattern for the whole path. Raises ValueError on an unknown convertor or stray brace."""
    parts: list[str] = []
    end = 0
    for parameter in _PARAMETER.finditer(template):
        convertor = parameter[2] or "str"
        if convertor not in _CONVERTORS:
            known = ", ".join(sorted(_CONVERTORS))
            raise ValueError(f"unknown convertor {convertor!r} in {template!r}; known are {known}")
        parts += (_literal(template[end : parameter.start()], template), f"(?:{_CONVERTORS[convertor]})")
        end = parameter.end()
    parts.append(_literal(template[end:], template))
    return re.compile("".join(parts), re.DOTALL)


def _literal(text: str, template: str) -> str:
    if "{" in text or "}" in text:
        raise ValueError(f"a brace in {template!r} belongs to no parameter; write {{name}} or {{name:path}}")
    return re.escape(text)


def compile_match(match: Match) -> re.Pattern[str]:
    """The pattern that a request's whole path must match. Raises ValueError or re.error with the reason."""
    if match.kind == "prefix":
        return re.compile(re.escape(match.pattern) + ".*", re.DOTALL)
    return compile_template(match.pattern) if match.kind == "path" else re.compile(match.pattern, re.DOTALL)


class RouteTable:
    """The routes of one config, compiled. Not shared between threads: it remembers what it found."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes = [
            (route, compile_match(route.match).fullmatch, route.match.methods, route.match.host) for route in routes
        ]
        self._needs_host = any(host for _, _, _, host in self._routes)
        self._found: dict[tuple[str, str, str | None], Route | None] = {}

    def find(self, method: str, path: str, host: str | None) -> Route | None:
        """The first route that fits, or None. `host` is the Host header's value, with or without a port."""
        cache_key = (method, path, host if self._needs_host else None)
        try:
            return self._found[cache_key]
        except KeyError:
            pass
        if len(self._found) >= _CACHED_PATHS:
            self._found.clear()
        route = self._found[cache_key] = self._search(method, path, _hostname(host))
        return route

    def _search(self, method: str, path: str, hostname: str | None) -> Route | None:
        for route, fits, methods, wanted_host in self._routes:
            if methods is not None and method not in methods:
                continue
            if wanted_host is not None and wanted_host != hostname:
                continue
            if fits(path):
                return route
        return None


def _hostname(host: str | None) -> str | None:
    """The host without its port, in lower case; an IPv6 literal keeps its brackets."""
    if host is None:
        return None
    return re.sub(r":\d*\Z", "", host).lower()
