"""Rules proposed from what noise runs showed, and written into the config when somebody asks for it.

A place counts when it differed between two answers of legacy; all of its stored examples are looked at, those with new
as well: what new alone does differently there is no noise, and must be recognised as the same kind of value. Places
about which somebody has decided, or that a rule covers, are left alone.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from proxy.core.learn import MIN_SELF_SHOWN, Observed, Proposal, propose
from proxy.core.rule_line import RuleLine
from proxy.errors import ConfigError, NotFound, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.control.changes import Changes
    from proxy.control.store_threads import StoreThreads
    from proxy.store import SignatureDetail, SignatureRow, Store

Json = dict[str, Any]
MAX_PLACES = 200  # of a route, the most frequent ones, as are compared again when rules change
_OPEN = frozenset({"new", "regressed", "unproven", "noise", "fixed"})
_NOBODY = frozenset({"", "changeover"})


class Learn:
    """See the module."""

    def __init__(self, store: Store, threads: StoreThreads, changes: Changes) -> None:
        self._store = store
        self._threads = threads
        self._changes = changes

    async def proposals(self, route: str) -> Json:
        """Raises NotFound for a route that isn't in the config, StoreError."""
        self._changes.route(route)
        rows = await self._threads.run(lambda: _noisy_places(self._store.signatures(route)))
        found: Json = {"route": route, "proposals": [], "unrecognised": []}
        for (kind, path), place in rows[:MAX_PLACES]:
            details = await self._threads.run(partial(self._details, place))
            proposal = propose(kind, path, [each for detail in details for each in _observed(detail)])
            evidence = _evidence(kind, path, place)
            if proposal is None:
                found["unrecognised"].append(evidence)
            else:
                found["proposals"].append(_proposal_row(proposal) | evidence)
        return found

    async def write(self, route: str, rules: list[str], reason: str, who: str) -> Json:
        """Adds those of the proposed rules that are asked for; what can't be written says why in its `note`.

        Raises NotFound, StoreError, and Refused for a rule that isn't proposed: `diffs ignore` takes any.
        """
        proposed = {each["rule"]: each for each in (await self.proposals(route))["proposals"]}
        if unknown := [rule for rule in rules if rule not in proposed]:
            raise Refused(f"rule {unknown[0]}: is not proposed for the route {route}; see `changeover diffs learn`")
        written = [await self._write(route, proposed[rule], reason, who) for rule in rules]
        return {"route": route, "file": self._changes.file, "written": written}

    async def _write(self, route: str, proposal: Json, reason: str, who: str) -> Json:
        comment = f"{who}: {reason} ({proposal['rule']} {proposal['evidence']})"
        line = RuleLine(proposal["section"], proposal["rule"], proposal["form"])
        try:
            await self._changes.add_rule(route, line, comment, reason, who)
        except (Refused, NotFound, ConfigError) as error:
            return {**proposal, "note": str(error)}
        return {**proposal, "note": ""}

    def _details(self, place: list[SignatureRow]) -> list[SignatureDetail]:
        return [self._store.signature(row.id) for row in place]


def _noisy_places(rows: list[SignatureRow]) -> list[tuple[tuple[str, str], list[SignatureRow]]]:
    """Kind and path -> the place's signatures, the most frequent first, where noise runs showed it."""
    places: dict[tuple[str, str], list[SignatureRow]] = {}
    for row in rows:
        places.setdefault((row.kind, row.path), []).append(row)
    return [(place, found) for place, found in places.items() if all(map(_is_open, found)) and _was_shown(found)]


def _is_open(row: SignatureRow) -> bool:
    return row.state in _OPEN and row.who in _NOBODY


def _was_shown(place: list[SignatureRow]) -> bool:
    """Often enough, and no shape of it is new's own."""
    return all(
        row.noise is not None and not row.noise.of_shape and row.noise.rates.self_shown >= MIN_SELF_SHOWN
        for row in place
    )


def _observed(detail: SignatureDetail) -> Iterator[Observed]:
    for example in detail.examples:
        for each in json.loads(example.payload)["differences"]:
            if each["signature"] == detail.row.id:
                yield Observed(example.at, each["shape"], each["before"], each["after"])


def _proposal_row(proposal: Proposal) -> Json:
    line = proposal.line
    return {"section": line.section, "rule": line.place, "form": line.form, "recognised": proposal.recognised}


def _evidence(kind: str, path: str, place: list[SignatureRow]) -> Json:
    judged = place[0].noise
    if judged is None:  # pragma: no cover  # `_was_shown` has seen to it
        raise ValueError(f"{kind} {path} has no counts")
    rates = judged.rates
    more = ", more often with new" if judged.verdict == "mismatch" else ""
    return {
        "kind": kind,
        "path": path,
        "self_shown": rates.self_shown,
        "self_pairs": rates.self_pairs,
        "verdict": judged.verdict,
        "evidence": f"in {rates.self_shown:,} of {rates.self_pairs:,} noise pairs{more}",
        "signatures": [row.id for row in place],
    }
