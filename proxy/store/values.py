"""The frozen values that go into and come out of the store. Times are Unix seconds, minutes Unix minutes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from proxy.core.model import Side
    from proxy.core.noise import Judgement
    from proxy.core.signature import Signature
    from proxy.core.triage import State
    from proxy.core.versions import Versions


@dataclass(frozen=True, slots=True)
class Sighting:
    """One signature met `count` times. `example` is the masked pair with its differences, as JSON bytes.

    `compared_total` is the number of the route's comparable pairs as the writer knows it; the store takes its own
    sum over all nodes when that is larger. `versions` are those of the new backend that showed it, oldest first.
    """

    signature: Signature
    at: float
    count: int = 1
    example: bytes | None = None
    compared_total: int = 0
    versions: tuple[str, ...] = ()


class Shown(NamedTuple):
    """How many pairs of a route showed one place, or one signature: those of legacy with itself, and those with new.

    `both` is the number of requests of which both pairs did. `_alone`: noise runs in which one answer differed at the
    place from two that agreed (`core.noise.Rates`); none for a signature.
    """

    route: str
    of_self: int
    of_new: int
    both: int = 0
    new_alone: int = 0
    first_alone: int = 0
    again_alone: int = 0

    def plus(self, other: Shown) -> Shown:
        return Shown(self.route, *(one + another for one, another in zip(self.numbers, other.numbers, strict=True)))

    @property
    def numbers(self) -> tuple[int, ...]:
        """All but the route."""
        return self[1:]


@dataclass(frozen=True, slots=True)
class Batch:
    """What one node saw since its last batch; written in one transaction, or not at all.

    `counts`: (route, minute) -> counter -> how much it grew. `users`: (route, side) -> 64-bit hashes of user keys;
    a hash on both sides of one batch counts for new. `sightings`: differences met, in any order. `shown`: id of a place
    or a signature -> the pairs that showed it.
    """

    node: str
    at: float
    counts: Mapping[tuple[str, int], Mapping[str, int]] = field(default_factory=dict)
    users: Mapping[tuple[str, Side], Collection[int]] = field(default_factory=dict)
    sightings: Sequence[Sighting] = ()
    shown: Mapping[str, Shown] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Written:
    """What a batch left out, for the caller to count; and what it brought, for the caller to tell.

    `overflow`: route -> sightings of signatures that found no room among the route's, or gave way to others.
    `oversized`: route -> examples that were larger than the limit and were not kept. `appeared` are signatures that
    were never met before, `regressed` those that were fixed: each is said by one node only, whose batch came first.
    `full` are routes that had as many signatures as are kept and met others: of those none is in `appeared`, because
    what gives way comes back as new.
    """

    overflow: Mapping[str, int]
    oversized: Mapping[str, int]
    appeared: tuple[Signature, ...] = ()
    regressed: tuple[Signature, ...] = ()
    full: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SignatureRow:
    """One signature as read: `state` is derived from the evidence (`proxy.core.triage`).

    `rule` is the rule of the config that ignores all of its examples, or "". `versions`: see `Sighting`; the latest.
    `noise` is what the route's noise runs say of it, None where there were none.
    """

    id: str
    route: str
    kind: str
    path: str
    shape: str
    algorithm: int
    state: State
    count: int
    first_seen: float
    last_seen: float
    who: str
    reason: str
    owner: str
    ticket: str
    until: float | None
    rule: str = ""
    versions: tuple[str, ...] = ()
    noise: Judgement | None = None
    revision: str = field(default="", compare=False)  # of what is decided about it: made of the other fields


@dataclass(frozen=True, slots=True)
class Example:
    """One kept pair of a signature: `payload` is the JSON that was handed in with the sighting."""

    at: float
    payload: bytes


@dataclass(frozen=True, slots=True)
class SignatureDetail:
    """A signature with its examples: the first ones and the latest ones, in the order of time.

    `minutes`: Unix minute -> sightings, in the day until `read_at`.
    """

    row: SignatureRow
    examples: tuple[Example, ...]
    minutes: Mapping[int, int] = field(default_factory=dict)
    read_at: float = 0.0


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One change somebody made. `before` and `after` are JSON values, or None where there was or is nothing.

    `origin` is the address from which it was asked for, `unix` for a Unix socket, "" where no request asked for it.
    """

    id: int
    at: float
    who: str
    action: str
    subject: str
    before: Any
    after: Any
    reason: str
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Window:
    """From when on a route's evidence counts, and its totals at that moment.

    `because`: what is another since. `{"version": {"before": TEXT, "after": TEXT}}`, `{"setup": [NAME, …]}`, or
    `{"week": True}` where nothing is, and only the last days count.
    """

    since: float
    because: Mapping[str, Any]
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class WindowChange:
    """What a node has found out about a route: its `setup` (name -> digest; empty: as it was), the `versions` of new.

    `is_mixed`: answers of an earlier version still come while another one is taking over.
    """

    route: str
    setup: Mapping[str, str]
    versions: Versions
    is_mixed: bool = False


@dataclass(frozen=True, slots=True)
class NodeRow:
    """What a node said of itself, and when: JSON, as docs/admin-api.md has it."""

    node: str
    at: float
    state: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep removed, in rows; `folded` are minutes that went into their hours, `departed` totals
    of nodes that are gone.

    `halved` are routes whose counts of noise were old. `is_complete` is False when the sweep stopped at its own limit
    and should be repeated soon. `size_bytes` is the store's size afterwards; when it is still above the limit in a
    complete sweep, nothing evictable is left.
    """

    minutes: int = 0
    folded: int = 0
    departed: int = 0
    users: int = 0
    examples: int = 0
    signatures: int = 0
    halved: int = 0
    signature_minutes: int = 0
    served_minutes: int = 0
    size_bytes: int = 0
    is_complete: bool = True
