"""What another percentage would do, before anything moves: who of the users seen lately changes sides."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from proxy.control.figures import binding_hold, effective_percentage, hold_row
from proxy.core.model import percentage
from proxy.core.moves import count_moves

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.control.store_threads import StoreThreads
    from proxy.core.model import Rollout, Route
    from proxy.store import Store

Json = dict[str, Any]
SPAN_S = 86_400.0  # a day: those who come each day are in it


async def preview(
    store: Store,
    threads: StoreThreads,
    rollout: Rollout,
    route: Route,
    number: float,
    now: Callable[[], float] = time.time,
) -> Json:
    """The answer of `GET /api/v1/routes/{name}/preview`. Raises StoreError."""
    members = [each.name for each in rollout.migration.routes if each.group == route.group]
    since = now() - SPAN_S
    hashes, weight = await threads.run(lambda: store.user_hashes(members, since))
    hold = binding_hold(rollout, route)
    before = 0 if rollout.is_killed else rollout.effective[route.name]
    after = 0 if rollout.is_killed else round(number * 1000)
    if hold is not None:
        after = min(after, hold.cap_millipercent)
    moves = count_moves(hashes, before, after, weight)
    return {
        "name": route.name,
        "routes": members,
        "percentage": {"before": percentage(route.millipercent), "after": number},
        "effective_percentage": {"before": effective_percentage(rollout, route), "after": percentage(after)},
        "hold": hold_row(hold),
        "users": {"seen": moves.seen, "forward": moves.forward, "back": moves.back, "is_estimate": weight > 1},
        "span_s": SPAN_S,
    }
