"""Valid values of the core, each with defaults: a test overrides the one field it is about."""

from __future__ import annotations

from typing import Any

from proxy.core.model import Backend, Match, Migration, Rollout, Route, ShadowRule, Users


def make_backend(side: Any = "legacy", port: int = 1, **fields: Any) -> Backend:
    return Backend(**({"side": side, "scheme": "http", "host": "127.0.0.1", "port": port} | fields))


def make_route(name: str = "feeds", **fields: Any) -> Route:
    match = fields.pop("match", Match("prefix", "/"))
    return Route(name=name, match=match, group=fields.pop("group", name), **fields)


def make_migration(*routes: Route, **fields: Any) -> Migration:
    defaults: dict[str, Any] = {
        "legacy": make_backend("legacy", 1),
        "new": make_backend("new", 2),
        "users": Users(salt="inkzee-2026"),
        "routes": routes or (make_route(shadow=ShadowRule(100_000)),),
    }
    return Migration(**(defaults | fields))


def make_rollout(*routes: Route, holds: Any = (), **fields: Any) -> Rollout:
    return Rollout(make_migration(*routes, **fields), version=1, digest="d", holds=tuple(holds))
