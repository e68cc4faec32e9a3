"""The store as the rest of the program knows it: one method for each thing that is kept or asked.

Synchronous; control calls it from threads. Threads may share one Store: each call is a transaction of its own on
a connection of its own. Every failure is a StoreError (NotFound and Refused aside), and every call after a failure
starts afresh: when the cause is gone the store works again without being reopened.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from proxy.errors import StoreError
from proxy.origin import ORIGIN
from proxy.store import (
    counts,
    decisions,
    fixed,
    judged,
    nodes,
    noise,
    schema,
    sightings,
    signatures,
    trend,
    users,
    windows,
)
from proxy.store.database import Database
from proxy.store.limits import Limits
from proxy.store.sweep import sweep

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from sqlalchemy import Connection

    from proxy.core.model import Hold, Side
    from proxy.core.versions import Versions
    from proxy.store.values import (
        AuditRow,
        Batch,
        NodeRow,
        SignatureDetail,
        SignatureRow,
        Swept,
        Window,
        WindowChange,
        Written,
    )


class Store:
    """Evidence, holds and triage in one database, named by `url`: sqlite:///file or postgresql://...

    Nothing is opened before the first call. `clock` gives Unix seconds, for lines of the audit and for states that
    depend on the time. A SQLite file is upgraded by whoever uses it first; PostgreSQL by `changeover db upgrade`
    only, as other nodes may run another version. Raises StoreError for a URL that can't be used.
    """

    def __init__(
        self,
        url: str,
        *,
        limits: Limits | None = None,
        busy_timeout_s: float = 5.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = Database(url, busy_timeout_s)
        self._limits = limits or Limits()
        self._clock = clock
        self._is_ready = False  # the schema was found right since the last failure

    @property
    def name(self) -> str:
        """The URL without options and with the password hidden, fit to be shown."""
        return self._database.name

    @property
    def is_sqlite(self) -> bool:
        return self._database.is_sqlite

    def upgrade(self) -> None:
        """Brings the schema to this version's; safe when several nodes do it at once. Raises StoreError."""
        schema.upgrade(self._database)

    def check_schema(self) -> None:
        """Raises StoreError when the schema is newer than this version knows, or not upgraded."""
        schema.check(self._database)

    def close(self) -> None:
        self._database.close()

    # --- evidence --------------------------------------------------------------------------------------------
    def write(self, batch: Batch) -> Written:
        """Adds a batch, whole or not at all; the answer says what found no room, for the caller to count."""
        routes = {route for route, _ in batch.users} | {one.signature.route for one in batch.sightings}
        routes |= {each.route for each in batch.shown.values()}
        with self._writing() as connection:
            counts.add_counts(connection, batch.node, batch.counts)
            levels = users.lock_routes(connection, routes)
            users.add_users(connection, batch.users, levels, batch.at, self._limits.users_per_route)
            noise.add_pairs(connection, batch.counts, batch.at)
            noise.add_shown(connection, batch.shown, self._limits.places_per_route)
            return sightings.add_sightings(connection, batch.sightings, self._limits)

    def totals(self) -> dict[str, dict[str, int]]:
        """Route -> counter -> sum over all nodes since the installation."""
        with self._reading() as connection:
            return counts.totals(connection)

    def minutes(self, route: str, since_minute: int) -> dict[int, dict[str, int]]:
        """Unix minute -> counter -> sum over all nodes, oldest first; older than a day by the hour."""
        with self._reading() as connection:
            return counts.minutes(connection, route, since_minute)

    def recent_minutes(self, since_minute: int) -> dict[str, dict[int, dict[str, int]]]:
        """Route -> Unix minute -> counter -> sum over all nodes, of all routes; older than a day by the hour."""
        with self._reading() as connection:
            return counts.recent_minutes(connection, since_minute)

    def recent_nodes(self, since_minute: int) -> dict[str, int]:
        """Node -> the last Unix minute since then of which it has counted anything."""
        with self._reading() as connection:
            return counts.recent_nodes(connection, since_minute)

    def first_minute(self, since_minute: int) -> int | None:
        """The oldest Unix minute since then in which anything was served; None where there is none."""
        with self._reading() as connection:
            return counts.first_minute(connection, since_minute)

    def served(self, since_minute: int, bucket: int) -> dict[int, tuple[int, int]]:
        """First Unix minute of each bucket of so many minutes -> requests served by legacy and new, of all routes."""
        with self._reading() as connection:
            return counts.served(connection, since_minute, bucket)

    def user_counts(self) -> dict[str, dict[Side, int]]:
        """Route -> side -> users last seen there: exact up to 20,000 of a route, then within about 1 %."""
        with self._reading() as connection:
            return users.user_counts(connection)

    def user_hashes(self, routes: Collection[str], since: float) -> tuple[set[int], int]:
        """Hashes of the users whom any of these routes of one group saw since then; and how many each stands for."""
        with self._reading() as connection:
            return users.user_hashes(connection, routes, since)

    # --- windows, nodes --------------------------------------------------------------------------------------
    def keep_day(self, now: float) -> bool:
        """Keeps all totals as they are at the first look of a day; False where that was done already."""
        with self._writing() as connection:
            return windows.keep_day(connection, now)

    def windows(self, now: float) -> dict[str, Window]:
        """Route -> from when on its evidence counts; those without count from their beginning."""
        with self._reading() as connection:
            return windows.windows(connection, now)

    def known_setups(self) -> dict[str, tuple[dict[str, str], Versions]]:
        """Route -> how it was set up when its window began, and the versions of new that answered it."""
        with self._reading() as connection:
            return windows.known(connection)

    def begin_windows(self, changes: Sequence[WindowChange], now: float) -> None:
        """Begins the windows of routes about which something is another; another version has its line in the audit."""
        with self._writing() as connection:
            windows.begin(connection, changes, now)

    def say_node(self, node: str, at: float, state: Mapping[str, Any]) -> None:
        """How a node is, for those who look at another one."""
        with self._writing() as connection:
            nodes.say_node(connection, node, at, state)

    def nodes(self) -> list[NodeRow]:
        """What the nodes of the last day said last, by name."""
        with self._reading() as connection:
            return nodes.nodes(connection)

    # --- triage ----------------------------------------------------------------------------------------------
    def signatures(self, route: str | None = None, state: str | None = None) -> list[SignatureRow]:
        """Signatures by route, the most frequent first. Raises Refused for an unknown state."""
        with self._reading() as connection:
            return signatures.signatures(connection, route, state, self._clock())

    def signature(self, id_: str) -> SignatureDetail:
        """One signature with its examples. Raises NotFound."""
        with self._reading() as connection:
            return signatures.signature(connection, id_, self._clock())

    def trends(self, ids: Collection[str], since: float) -> dict[str, dict[int, int]]:
        """Signature -> Unix minute -> sightings since then; without those that were not seen."""
        with self._reading() as connection:
            return trend.minutes_of_several(connection, ids, since, self._clock())

    def set_state(
        self,
        id_: str,
        state: str,
        who: str,
        reason: str,
        owner: str = "",
        ticket: str = "",
        until: float | None = None,
        seen: str | None = None,
    ) -> None:
        """Decides about a signature, with its line in the audit; at `until` (Unix seconds) it is `new` again.

        Raises NotFound, Refused for a state that only evidence can set, and Conflict where the decision is no longer
        the one `seen` (`SignatureRow.revision`).
        """
        decision: dict[str, Any] = {
            "state": state,
            "who": who,
            "reason": reason,
            "owner": owner,
            "ticket": ticket,
            "until": until,
        }
        with self._writing() as connection:
            decisions.set_state(connection, id_, decision, self._clock(), seen)

    def set_rule(self, id_: str, rule: str, by: dict[str, Any]) -> None:
        """Says which rule of the config ignores a signature, or "" for none; with its line in the audit.

        `by`: who and reason; owner and ticket too where a person asked for it. Raises NotFound.
        """
        with self._writing() as connection:
            decisions.set_rule(connection, id_, rule, by, self._clock())

    def note_fixed(self) -> list[str]:
        """Notes in the audit which signatures are fixed since the last look; their ids."""
        now = self._clock()
        with self._reading() as connection:  # thousands: nobody is to wait for that to write
            found = fixed.fixed_since(connection, now, sightings.track)
        if not found:
            return []
        with self._writing() as connection:
            return fixed.note_fixed(connection, now, found)

    def judged_rules(self) -> dict[str, str]:
        """Route -> digest of the rules under which its examples were judged; without those never judged."""
        with self._reading() as connection:
            return judged.judged_rules(connection)

    def set_judged_rules(self, route: str, digest: str) -> None:
        """Notes that a route's examples have been judged under these rules."""
        with self._writing() as connection:
            judged.set_judged_rules(connection, route, digest)

    # --- holds -----------------------------------------------------------------------------------------------
    def holds(self) -> tuple[Hold, ...]:
        with self._reading() as connection:
            return decisions.holds(connection)

    def put_hold(self, hold: Hold, agree: Callable[[Hold | None], None] | None = None) -> None:
        """Sets or replaces the hold of a route, with its line in the audit. Raises Refused for a wrong cap.

        `agree` gets the one that is there, and may refuse by raising: nobody changes it meanwhile, on any node.
        """
        with self._writing() as connection:
            decisions.put_hold(connection, hold, agree)

    def delete_hold(
        self, route: str, who: str, reason: str, agree: Callable[[Hold | None], None] | None = None
    ) -> None:
        """Lifts the hold of a route, with its line in the audit. Raises NotFound. `agree` as above."""
        with self._writing() as connection:
            decisions.delete_hold(connection, route, who, reason, self._clock(), agree)

    def version(self) -> int:
        """A number that grows with each change of a hold or a triage decision, on any node."""
        with self._reading() as connection:
            return decisions.version(connection)

    def installation_id(self) -> str:
        """A random name of this store, the same for all of its nodes."""
        with self._reading() as connection:
            return decisions.installation_id(connection)

    # --- audit, retention ------------------------------------------------------------------------------------
    def add_audit(
        self,
        who: str,
        action: str,
        subject: str,
        before: Any = None,
        after: Any = None,
        reason: str = "",
        at: float | None = None,
        origin: str | None = None,
    ) -> None:
        """Appends a line; `before` and `after` are JSON values. Holds and triage have written theirs already.

        Without `origin` it is that of the request under way.
        """
        moment = self._clock() if at is None else at
        come_from = ORIGIN.get() if origin is None else origin
        with self._writing() as connection:
            decisions.add_audit(connection, moment, who, action, subject, before, after, reason, come_from)

    def audit(self, limit: int = 100, before_id: int | None = None, subject: str | None = None) -> list[AuditRow]:
        """The latest lines, of one subject or all, newest first; `before_id` goes on where an earlier answer ended."""
        with self._reading() as connection:
            return decisions.audit(connection, limit, before_id, subject)

    def sweep(self, now: float, max_age_s: float, max_bytes: int) -> Swept:
        """Removes what is too old or too much, a bounded number of rows each time."""
        with self._prepared():
            return sweep(self._database, now, max_age_s, max_bytes)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._prepared(), self._database.reading() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._prepared(), self._database.writing() as connection:
            yield connection

    @contextmanager
    def _prepared(self) -> Iterator[None]:
        """The schema is looked at before the first use and after each failure: the file may be another one."""
        try:
            if not self._is_ready:
                self.upgrade() if self.is_sqlite else self.check_schema()
                self._is_ready = True
            yield
        except StoreError:
            self._is_ready = False
            raise
