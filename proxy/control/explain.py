"""Who would serve a request, and why: the decision of `core/decide`, on a request that nobody sent. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from proxy.core.decide import decide, find_key
from proxy.core.model import percentage
from proxy.core.routes import RouteTable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxy.core.model import Rollout, Route

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})  # RFC 9110 §9.2.1


def explain(
    rollout: Rollout,
    method: str,
    target: str,
    user: str | None,
    host: str | None,
    headers: Mapping[str, str],
    *,
    is_new_healthy: bool,
) -> dict[str, Any]:
    """The answer of `GET /api/v1/explain`; `headers` by lower-case name. Without `user` the headers say who it is.

    `shadow` is the percentage of such requests that are also asked of the other side.
    """
    path = unquote(target.split("?", 1)[0])
    route = RouteTable(rollout.migration.routes).find(method, path, host)
    key = user or find_key(rollout.migration.users, headers.get)
    decision = decide(rollout, route, key, headers.get, is_new_healthy=is_new_healthy)
    effective = decision.effective_millipercent
    return {
        "route": route.name if route else None,
        "backend": decision.backend,
        "reason": decision.reason,
        "bucket": decision.bucket,
        "effective_percentage": None if effective is None else percentage(effective),
        "shadow": _shadow_percentage(rollout, route, method),
    }


def _shadow_percentage(rollout: Rollout, route: Route | None, method: str) -> float:
    if route is None or rollout.is_killed:
        return 0.0
    is_shadowable = method in _SAFE_METHODS or route.shadow.writes
    return percentage(route.shadow.millipercent) if is_shadowable else 0.0
