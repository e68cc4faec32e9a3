"""The rule that ignores a signature, the versions that showed it, and the way to a schema that knows both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from alembic import command

from proxy.core.triage import RULE_GRACE_S
from proxy.errors import NotFound
from proxy.store import Batch, Store
from proxy.store.schema import _config, head

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.store import Sighting
    from tests.store.conftest import Clock

BY = {"who": "ada", "reason": "a clock"}


def write(store: Store, clock: Clock, *sightings: Sighting, **counts: int) -> None:
    store.write(Batch("node-a", clock.now, {("feeds", int(clock.now // 60)): counts}, sightings=sightings))


def test_signature_under_a_rule_is_ignored_until_the_rule_goes(
    store: Store, clock: Clock, sighting: Callable[..., Sighting]
) -> None:
    """The stored decision waits below the rule; each change of it is audited once."""
    write(store, clock, sighting(), mismatch=1)
    id_ = sighting().signature.id
    for rule in ("$.a", "$.a"):
        store.set_rule(id_, rule, BY)
    assert [("ignored", "$.a")] == [(row.state, row.rule) for row in store.signatures()]
    store.set_rule(id_, "", BY)
    assert [("new", "")] == [(row.state, row.rule) for row in store.signatures()]
    lines = [(line.action, line.before, line.after, line.who) for line in store.audit()]
    assert [
        ("diff.rule", {"rule": "$.a"}, {"rule": ""}, "ada"),
        ("diff.rule", {"rule": ""}, {"rule": "$.a"}, "ada"),
    ] == lines


def test_pairs_compared_under_a_rule_fix_nothing(store: Store, clock: Clock, sighting: Callable[..., Sighting]) -> None:
    """They could not have shown the signature: without the rule it is as it was, and not fixed."""
    write(store, clock, sighting(), mismatch=1)
    store.set_rule(sighting().signature.id, "$.a", BY)
    clock.now += 3600
    write(store, clock, match=10_000)
    store.set_rule(sighting().signature.id, "", BY)
    assert ["new"] == [row.state for row in store.signatures()]
    write(store, clock, match=60_000)  # five times the pairs so far: those under the rule count for its share
    assert ["fixed"] == [row.state for row in store.signatures()]


def test_sighting_after_the_rule_shows_the_signature_again(
    store: Store, clock: Clock, sighting: Callable[..., Sighting]
) -> None:
    """A rule that leaves some of it doesn't hide it; what was under way when the rule came doesn't count."""
    write(store, clock, sighting())
    store.set_rule(sighting().signature.id, "$.a", BY)
    states = []
    for later_s in (RULE_GRACE_S, RULE_GRACE_S + 1):
        write(store, clock, sighting(at=clock.now + later_s))
        states.append(store.signatures()[0].state)
    assert ["ignored", "new"] == states


def test_rule_of_an_unknown_signature_is_refused(store: Store) -> None:
    """Nobody is told that something was ignored when nothing was."""
    with pytest.raises(NotFound, match="0123456789ab"):
        store.set_rule("0123456789ab", "$.a", BY)


def test_versions_are_kept_once_each_the_latest_ones(
    store: Store, clock: Clock, sighting: Callable[..., Sighting]
) -> None:
    """Over batches, in the order in which they came, at most ten."""
    write(store, clock, sighting(versions=("1", "2")), sighting(versions=("2", "3")))
    assert [("1", "2", "3")] == [row.versions for row in store.signatures()]
    write(store, clock, sighting(versions=tuple(map(str, range(20)))))
    assert [tuple(map(str, range(10, 20)))] == [row.versions for row in store.signatures()]


def test_upgrade_keeps_what_the_first_schema_held(url: str) -> None:
    """A signature from before has no rule and no versions, and what was called noise without counts is so no more."""
    store = Store(url)
    columns: dict[str, Any] = {
        "id": "aaaaaaaaaaaa", "route": "feeds", "kind": "body", "path": "$.a", "shape": "value", "algorithm": 1,
        "state": "known", "count": 3, "first_seen": 1.0, "last_seen": 2.0, "compared_at_last_seen": 9,
    }  # fmt: skip
    seen_once = columns | {"id": "bbbbbbbbbbbb", "state": "noise", "count": 2, "who": "changeover", "reason": "once"}
    with store._database.writing() as connection:
        command.upgrade(_config(connection), "0001")
        for row in (columns, seen_once):
            names, marks = ", ".join(row), ", ".join(f"'{value}'" for value in row.values())
            connection.exec_driver_sql(f"INSERT INTO signatures ({names}) VALUES ({marks})")
    store.upgrade()
    store.check_schema()
    assert ("0009", [("known", 3, "", (), ""), ("new", 2, "", (), "")]) == (
        head(),
        [(row.state, row.count, row.rule, row.versions, row.who) for row in store.signatures()],
    )
    store.close()
