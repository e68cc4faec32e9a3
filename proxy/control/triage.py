"""What people decide about a signature: a state in the store, or a rule in the config that ignores its place.

A rule is the better home for what differs on purpose: it is reviewed with the config, and the pairs match again. Where
none can be written, because a status or a whole body has no place of its own or because the file can't be edited, the
state alone is stored, and the answer's `note` says why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from proxy.control import figures
from proxy.core.ignoring import ignoring_rule
from proxy.core.rule_line import RuleLine
from proxy.errors import ConfigError, Conflict, NotFound, Refused

if TYPE_CHECKING:
    from proxy.control.changes import Changes
    from proxy.control.decisions import Decisions
    from proxy.control.store_threads import StoreThreads
    from proxy.store import Store
    from proxy.store.values import SignatureRow

Json = dict[str, Any]


class Triage:
    """See the module."""

    def __init__(self, store: Store, threads: StoreThreads, decisions: Decisions, changes: Changes) -> None:
        self._store = store
        self._threads = threads
        self._decisions = decisions
        self._changes = changes

    async def set_state(
        self,
        signature_id: str,
        state: str,
        reason: str,
        who: str,
        owner: str | None,
        ticket: str | None,
        until: float | None,
        seen: str | None = None,
    ) -> Json:
        """Raises NotFound, Refused for a state that only evidence sets, StoreError.

        Conflict where the decision is no longer the one `seen` (its `revision`).
        """
        await self._threads.run(
            lambda: self._store.set_state(signature_id, state, who, reason, owner or "", ticket or "", until, seen)
        )
        return await self._decided(signature_id)

    async def ignore_by_rule(
        self,
        signature_id: str,
        reason: str,
        who: str,
        owner: str | None,
        ticket: str | None,
        seen: str | None = None,
    ) -> Json:
        """Writes the rule, or where that can't be done stores the state. Raises NotFound, StoreError, Conflict."""
        row = (await self._threads.run(lambda: self._store.signature(signature_id))).row
        if seen is not None and seen != row.revision:
            raise Conflict(f"signature {signature_id}: somebody decided about it meanwhile; look again, and repeat")
        rule = ignoring_rule(row.kind, row.path)
        if rule is None:
            note = f"{_no_rule(row)}: the state alone was set"
        else:
            note = await self._write_rule(row, rule, _comment(who, reason, ticket), reason, who)
        if rule is None or note:
            answer = await self.set_state(signature_id, "ignored", reason, who, owner, ticket, None, seen)
            return {**answer, "file": None, "note": note}
        by = {"who": who, "reason": reason, "owner": owner or "", "ticket": ticket or ""}
        await self._threads.run(lambda: self._store.set_rule(signature_id, rule, by))
        return {**await self._decided(signature_id), "file": self._changes.file, "note": ""}

    async def preview_ignore(self, signature_id: str, reason: str, who: str, ticket: str | None) -> Json:
        """What `ignore_by_rule` would write: `rule`, `file`, the `lines` that change; `note`: why no rule can be.

        Raises NotFound, StoreError.
        """
        row = (await self._threads.run(lambda: self._store.signature(signature_id))).row
        rule = ignoring_rule(row.kind, row.path)
        nothing: Json = {"rule": rule, "file": self._changes.file, "lines": [], "note": ""}
        if rule is None:
            return {**nothing, "note": _no_rule(row)}
        try:
            line = RuleLine("ignore", rule)
            lines = await self._changes.preview_rule(row.route, line, _comment(who, reason, ticket))
        except (Refused, NotFound, ConfigError) as error:
            return {**nothing, "note": f"the rule {rule} can't be written, the state alone will be set: {error}"}
        return {**nothing, "lines": lines}

    async def _write_rule(self, row: SignatureRow, rule: str, comment: str, reason: str, who: str) -> str:
        """Why the rule could not be written, or ""."""
        try:
            await self._changes.add_rule(row.route, RuleLine("ignore", rule), comment, reason, who)
        except (Refused, NotFound, ConfigError) as error:
            return f"the rule {rule} could not be written, the state alone was set: {error}"
        return ""

    async def _decided(self, signature_id: str) -> Json:
        await self._decisions.refresh()
        detail = await self._threads.run(lambda: self._store.signature(signature_id))
        return figures.signature_row(detail.row)


def _no_rule(row: SignatureRow) -> str:
    what = "a status" if row.kind == "status" else "a whole body"
    return f"{what} has no place that a rule could name"


def _comment(who: str, reason: str, ticket: str | None) -> str:
    return f"{who}: {reason}" + (f" ({ticket})" if ticket else "")
