"""Stale rules: looked for long enough, and never found."""

from __future__ import annotations

from proxy.control.comparer import Comparer
from proxy.control.outcome import Outcome
from proxy.control.rule_use import STALE_AFTER, RuleUse
from proxy.core.evidence import Verdict
from proxy.core.model import CompareRules
from proxy.core.paths import parse
from proxy.core.rule_use import LOOK_EVERY
from tests.control.pairs import encoded_pair, make_document

RULES = {"feeds": CompareRules(ignore=(parse("$.at"), parse("$.gone")))}


def looked(*met: str) -> Outcome:
    return Outcome("feeds", "candidate", Verdict.MISMATCH, rules_met=frozenset(met))


def test_rule_is_stale_when_enough_pairs_lacked_its_place():
    """Not before, and not once it was found."""
    use = RuleUse()
    use.set_rules(RULES)
    use.note(looked("ignore: $.at"))
    for _ in range(STALE_AFTER - 2):
        use.note(looked())
    assert [] == use.stale("feeds")
    use.note(looked())
    assert ["ignore: $.gone"] == use.stale("feeds")
    use.note(looked("ignore: $.gone"))
    assert [] == use.stale("feeds")


def test_pairs_that_were_not_looked_at_say_nothing():
    """Nor do those of a route that is gone."""
    use = RuleUse()
    use.set_rules(RULES)
    for _ in range(STALE_AFTER):
        use.note(Outcome("feeds", "candidate", Verdict.MATCH))
        use.note(Outcome("gone", "candidate", Verdict.MATCH, rules_met=frozenset()))
    assert ([], []) == (use.stale("feeds"), use.stale("gone"))


def test_rule_that_stays_keeps_what_is_known_of_it():
    """A change of the config begins anew only for what is new in it."""
    use = RuleUse()
    use.set_rules(RULES)
    for _ in range(STALE_AFTER):
        use.note(looked())
    use.set_rules({"feeds": CompareRules(ignore=(parse("$.gone"), parse("$.new")))})
    assert ["ignore: $.gone"] == use.stale("feeds")


def test_comparer_tells_which_rules_it_met():
    """From pair to outcome: the mistyped rule is the one that stays."""
    comparer = Comparer(1_000_000)
    comparer.set_rules(make_document(ignore=["$.at", "$.att"]))
    use = RuleUse()
    use.set_rules({"feeds": CompareRules(ignore=(parse("$.at"), parse("$.att")))})
    pair = encoded_pair({"at": 1, "n": 1}, {"at": 2, "n": 2})
    for _ in range(STALE_AFTER * LOOK_EVERY):
        use.note(comparer.judge(pair))
    assert ["ignore: $.att"] == use.stale("feeds")
