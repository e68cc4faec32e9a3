"""Which rules of the config are stale, by what the comparers found: so many pairs, and never the rule's place.

Only unequal pairs are looked at, as only they meet rules, and only those of this node since its start.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxy.core.rule_use import rule_names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxy.control.outcome import Outcome
    from proxy.core.model import CompareRules

# Pairs in which a rule was looked for. By then a place that one answer in a hundred has would have been missed with a
# chance of 1 in 150 (0.99 to the power of 500); no more than a hint hangs on it.
STALE_AFTER = 500


@dataclass(slots=True)
class _Use:
    looked: int = 0
    is_met: bool = False


class RuleUse:
    """Route -> rule -> its use. A rule that stays in the config keeps what is known of it."""

    def __init__(self) -> None:
        self._uses: dict[str, dict[str, _Use]] = {}

    def set_rules(self, rules: Mapping[str, CompareRules]) -> None:
        """The rules in force."""
        self._uses = {
            route: {name: self._uses.get(route, {}).get(name, _Use()) for name in rule_names(own)}
            for route, own in rules.items()
        }

    def note(self, outcome: Outcome) -> None:
        """What a comparer found out about one pair."""
        if outcome.rules_met is None:
            return
        for name, use in self._uses.get(outcome.route, {}).items():
            use.looked += 1
            use.is_met = use.is_met or name in outcome.rules_met

    def stale(self, route: str) -> list[str]:
        """The rules that were looked for long enough and never found."""
        uses = self._uses.get(route, {})
        return [name for name, use in uses.items() if not use.is_met and use.looked >= STALE_AFTER]
