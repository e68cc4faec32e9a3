"""Which signatures don't count as mismatches: legacy differs there from itself as often, or somebody said so.

The states come from the store (`proxy.core.triage`, `proxy.core.noise`), read when its version changes and every few
seconds: counts prove noise, and take it back, without a decision. A pair counts by what is known when it is compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proxy.store import Store

SILENT_STATES = ("noise", "ignored")


class Silenced:
    """Signature ids, on the loop's thread only; `read_silenced` is for the store's threads."""

    def __init__(self) -> None:
        self._ids: frozenset[str] = frozenset()

    def __contains__(self, id_: object) -> bool:
        return id_ in self._ids

    def replace(self, ids: frozenset[str]) -> None:
        """The store's list, read anew."""
        self._ids = ids


def read_silenced(store: Store) -> frozenset[str]:
    """Raises StoreError."""
    return frozenset(row.id for row in store.signatures() if row.state in SILENT_STATES)
