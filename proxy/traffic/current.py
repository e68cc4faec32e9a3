"""What is in force in this worker: the rollout, and everything made from it that a request needs.

A frozen value, replaced whole when a new rollout comes: a request that began under the old one ends under it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxy.core.compared_headers import uncompared_names
from proxy.core.decide import key_headers
from proxy.core.mask import Masker
from proxy.core.model import LEGACY, NEW
from proxy.core.routes import RouteTable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from proxy.core.model import Backend, Rollout, Side
    from proxy.traffic.upstream import Upstream


SHED_SHARE = 0.8  # of a limit of users': from there on shadows are shed, long before users are refused


@dataclass(frozen=True, slots=True)
class Current:
    """`wanted` are the header names (lower case, bytes) that decisions read; `uncompared`, by route, those that don't
    count when answers are compared.

    Shadows have upstreams of their own, so that they can't take a connection from users (law 1). With fewer requests
    under way than `crowded_from`, no backend's connections for users can be near their limit.
    """

    rollout: Rollout
    table: RouteTable
    wanted: frozenset[bytes]
    uncompared: Mapping[str, frozenset[bytes]]
    served: Mapping[Side, Upstream]
    shadows: Mapping[Side, Upstream]
    masker: Masker
    crowded_from: float

    def is_crowded(self) -> bool:
        """Whether users need most of the connections to a backend that they may have."""
        return any(_busy(pool) >= SHED_SHARE * pool.backend.connections for pool in self.served.values())


def _busy(pool: Upstream) -> int:
    connections, idle = pool.connections
    return connections - idle


def make_current(
    rollout: Rollout, mask_key: bytes, make_upstream: Callable[[Backend, str], Upstream], before: Current | None
) -> Current:
    """From a new rollout; upstreams of unchanged backends are kept. The caller closes those no longer used."""
    migration = rollout.migration
    names = key_headers(migration.users) | {name for pin in migration.pins for name, _ in pin.headers}

    def upstreams(purpose: str, old: Mapping[Side, Upstream] | None) -> dict[Side, Upstream]:
        found: dict[Side, Upstream] = {}
        for side in (LEGACY, NEW):
            backend = migration.backend(side)
            kept = old[side] if old is not None and old[side].backend == backend else None
            found[side] = kept or make_upstream(backend, purpose)
        return found

    return Current(
        rollout=rollout,
        table=RouteTable(migration.routes),
        wanted=frozenset(name.encode("latin-1") for name in names),
        uncompared={route.name: uncompared_names(route.compare) for route in migration.routes},
        served=upstreams("served", before.served if before else None),
        shadows=upstreams("shadow", before.shadows if before else None),
        masker=Masker(migration.redaction, mask_key),
        crowded_from=SHED_SHARE * min(migration.backend(side).connections for side in (LEGACY, NEW)),
    )
