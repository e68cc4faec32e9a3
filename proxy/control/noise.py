"""Which signatures don't count as mismatches: legacy differs there from itself, or somebody said so.

The store's `noise` and `ignored` signatures are read when the store's version changes. What noise runs show in
between counts at once, and is told to the store by the recorder's thread. A person's decision is never overruled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from proxy.store import SignatureRow, Store

SILENT_STATES = ("noise", "ignored")
MAX_UNSAVED = 1_000  # as many as the store keeps signatures of one route; more noise than that is no noise
_WHO = "changeover"
_REASON = "legacy's answers differ here from each other (noise run)"
_OPEN_STATES = ("new", "regressed", "fixed")


class Silenced:
    """Signature ids, on the loop's thread only; `read_silenced` and `save_noise` are for the store's threads."""

    def __init__(self) -> None:
        self._stored: frozenset[str] = frozenset()
        self._unsaved: dict[str, None] = {}
        self._decided: frozenset[str] = frozenset()

    def __contains__(self, id_: object) -> bool:
        return id_ in self._stored or id_ in self._unsaved

    @property
    def unsaved(self) -> tuple[str, ...]:
        return tuple(self._unsaved)

    def note_noise(self, ids: Iterable[str]) -> None:
        """Signatures that a noise run showed."""
        for id_ in ids:
            is_known = id_ in self or id_ in self._decided
            if not is_known and len(self._unsaved) < MAX_UNSAVED:
                self._unsaved[id_] = None

    def saved(self, noise: Collection[str], decided: Collection[str]) -> None:
        """What `save_noise` made of the unsaved ones."""
        self._stored |= frozenset(noise)
        self._decided |= frozenset(decided)
        for id_ in (*noise, *decided):
            self._unsaved.pop(id_, None)

    def replace(self, stored: frozenset[str]) -> None:
        """The store's own list, read anew: decisions may have changed."""
        self._stored = stored
        self._decided = frozenset()


def read_silenced(store: Store) -> frozenset[str]:
    """Raises StoreError."""
    return frozenset(row.id for state in SILENT_STATES for row in store.signatures(state=state))


def save_noise(store: Store, ids: Iterable[str]) -> tuple[list[str], list[str]]:
    """Marks signatures as noise; returns those marked, and those about which a person has decided. Raises StoreError.

    A signature that isn't in the store yet is in neither: its sighting is still on the way, or found no room.
    """
    noise, decided = [], []
    for id_ in ids:
        try:
            row = store.signature(id_).row
        except NotFound:
            continue
        if row.state == "noise":
            noise.append(id_)
        elif _is_open(row):
            store.set_state(id_, "noise", _WHO, _REASON)
            noise.append(id_)
        else:
            decided.append(id_)
    return noise, decided


def _is_open(row: SignatureRow) -> bool:
    return row.state in _OPEN_STATES and row.who in {"", _WHO}
