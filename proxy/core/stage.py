"""How far a route's migration is, in LaunchDarkly's words for it; derived for display, never set by anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from proxy.core.model import ALL_MILLIPERCENT

if TYPE_CHECKING:
    from proxy.core.model import Route

Stage = Literal["off", "dualwrite", "shadow", "live", "rampdown", "complete"]
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})  # RFC 9110 §9.2.1


def stage_of(route: Route, effective_millipercent: int) -> Stage:
    """The stage of a route at the percentage in force.

    off: legacy alone. dualwrite: legacy serves, and writes, which are all that the route takes, go to both. shadow:
    legacy serves, new is asked beside it. live: some users are on new. rampdown: all users are on new, legacy is still
    asked. complete: new alone.
    """
    is_shadowed = route.shadow.millipercent > 0
    if effective_millipercent >= ALL_MILLIPERCENT:
        return "rampdown" if is_shadowed else "complete"
    if effective_millipercent > 0:
        return "live"
    if not is_shadowed:
        return "off"
    return "dualwrite" if route.shadow.writes and _takes_only_writes(route) else "shadow"


def _takes_only_writes(route: Route) -> bool:
    return route.match.methods is not None and not route.match.methods & _SAFE_METHODS
