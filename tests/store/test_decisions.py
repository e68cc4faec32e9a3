"""Holds, triage and the audit: each change with its line, and a version that tells the other nodes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from proxy.core.model import Hold
from proxy.errors import Conflict, NotFound, Refused, StoreError
from proxy.store import AuditRow, Batch, Sighting, Store

if TYPE_CHECKING:
    from collections.abc import Callable

HOLD = Hold(route="feeds", cap_millipercent=5_000, who="ada", reason="errors", since=100.0)


def test_holds_are_set_replaced_and_lifted(store: Store) -> None:
    """One hold per route: a second one takes the first one's place."""
    other = Hold("albums", 0, "bob", "panic", 101.0)
    replaced = Hold("feeds", 0, "bob", "worse", 102.5)
    for hold in (HOLD, other, replaced):
        store.put_hold(hold)
    both = store.holds()
    store.delete_hold("feeds", "ada", "repaired")
    assert ((other, replaced), (other,)) == (both, store.holds())


def test_hold_that_is_not_there_is_not_found(store: Store) -> None:
    """Lifting nothing is an error, and leaves no line in the audit."""
    with pytest.raises(NotFound, match="route feeds: has no hold"):
        store.delete_hold("feeds", "ada", "")
    assert ([], 0) == (store.audit(), store.version())


@pytest.mark.parametrize("cap", [-1, 100_001])
def test_hold_outside_the_percentages_is_refused(store: Store, cap: int) -> None:
    """A cap is a percentage."""
    with pytest.raises(Refused, match="is not a percentage"):
        store.put_hold(Hold("feeds", cap, "ada", "", 0.0))


def test_version_grows_with_each_hold_and_decision_only(store: Store, sighting: Callable[..., Sighting]) -> None:
    """Nodes that poll the version learn of decisions, and aren't woken by evidence."""
    store.write(Batch("one", 0.0, sightings=[sighting()]))
    versions = [store.version()]
    changes: tuple[Callable[[], None], ...] = (
        lambda: store.put_hold(HOLD),
        lambda: store.delete_hold("feeds", "ada", ""),
        lambda: store.set_state(sighting().signature.id, "noise", "ada", ""),
        lambda: store.add_audit("ada", "rollout.set", "feeds"),
    )
    for change in changes:
        change()
        versions.append(store.version())
    assert [0, 1, 2, 3, 3] == versions


def test_version_counts_every_change_of_two_nodes(url: str, open_store: Callable[..., Store]) -> None:
    """Two nodes that change the same hold at once raise the version by the sum of their changes."""
    stores = [open_store(url), open_store(url)]

    def change(store: Store) -> None:
        for _ in range(10):
            store.put_hold(HOLD)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(change, stores))
    assert (20, 20, (HOLD,)) == (stores[0].version(), len(stores[0].audit()), stores[1].holds())


def test_decision_is_stored_with_who_and_why(store: Store, sighting: Callable[..., Sighting], clock: Any) -> None:
    """A decision keeps its owner, ticket and end, and the next one replaces all of it."""
    id_ = sighting().signature.id
    store.write(Batch("one", 0.0, sightings=[sighting()]))
    store.set_state(id_, "known", "ada", "date format", owner="team", ticket="T-1", until=clock.now + 9)
    row = store.signature(id_).row
    decided = (row.state, row.who, row.reason, row.owner, row.ticket, row.until)
    assert ("known", "ada", "date format", "team", "T-1", clock.now + 9) == decided
    store.set_state(id_, "new", "bob", "again")
    row = store.signature(id_).row
    decided = (row.state, row.who, row.reason, row.owner, row.ticket, row.until)
    assert ("new", "bob", "again", "", "", None) == decided


@pytest.mark.parametrize("state", ["fixed", "regressed", "gone"])
def test_decision_for_what_only_evidence_says_is_refused(store: Store, state: str) -> None:
    """Nobody declares a difference fixed: the pairs do."""
    with pytest.raises(Refused, match="give one of ignored, known, new, noise"):
        store.set_state("0123456789ab", state, "ada", "")


def test_decision_about_an_unknown_signature_is_not_found(store: Store) -> None:
    """A mistyped id changes nothing."""
    with pytest.raises(NotFound, match="signature 0123456789ab"):
        store.set_state("0123456789ab", "known", "ada", "")


def test_audit_tells_what_was_before_and_after(store: Store, sighting: Callable[..., Sighting], clock: Any) -> None:
    """Every change has its line, newest first, with both values."""
    id_ = sighting().signature.id
    held = {"route": "feeds", "cap_millipercent": 5_000, "who": "ada", "reason": "errors", "since": 100.0}
    undecided = {"state": "new", "who": "", "reason": "", "owner": "", "ticket": "", "until": None}
    store.write(Batch("one", 0.0, sightings=[sighting()]))
    store.put_hold(HOLD)
    store.delete_hold("feeds", "bob", "repaired")
    store.set_state(id_, "noise", "ada", "clock")
    decided = undecided | {"state": "noise", "who": "ada", "reason": "clock"}
    expected = [
        AuditRow(3, clock.now, "ada", "diff.state", id_, undecided, decided, "clock"),
        AuditRow(2, clock.now, "bob", "hold.release", "feeds", held, None, "repaired"),
        AuditRow(1, 100.0, "ada", "hold.put", "feeds", None, held, "errors"),
    ]
    assert expected == store.audit()


def test_audit_is_read_page_by_page(store: Store) -> None:
    """Each page goes on where the one before ended."""
    for number in range(5):
        store.add_audit("ada", "rollout.set", "feeds", number, number + 1, at=float(number))
    first = store.audit(limit=2)
    second = store.audit(limit=2, before_id=first[-1].id)
    assert [(4, 5, 4.0), (3, 4, 3.0), (2, 3, 2.0), (1, 2, 1.0)] == [
        (line.before, line.after, line.at) for line in first + second
    ]


def test_audit_of_one_subject(store: Store) -> None:
    """Only its lines, page by page as well."""
    for number, subject in enumerate(("feeds", "search", "feeds")):
        store.add_audit("ada", "rollout.set", subject, at=float(number))
    assert [3, 1] == [line.id for line in store.audit(subject="feeds")]
    assert [1] == [line.id for line in store.audit(before_id=3, subject="feeds")]


@pytest.mark.parametrize("statement", ["UPDATE audit SET who = 'eve'", "DELETE FROM audit"])
def test_audit_can_only_be_appended_to(store: Store, statement: str) -> None:
    """The database itself refuses to change or remove a line."""
    store.add_audit("ada", "rollout.set", "feeds")
    with pytest.raises(StoreError, match="the audit is append-only"), store._database.writing() as connection:
        connection.exec_driver_sql(statement)
    assert ["ada"] == [line.who for line in store.audit()]


def test_of_two_holds_at_once_that_saw_none_one_is_set(url: str, open_store: Callable[..., Store]) -> None:
    """Two nodes look, see no hold and set one at the same moment: the second is refused, whichever it is."""

    def agree(present: Hold | None) -> None:
        if present is not None:
            raise Conflict("somebody was quicker")

    def put(number: int) -> str:
        store = stores[number % 2]
        try:
            store.put_hold(Hold(f"route-{number // 2}", 0, f"node-{number % 2}", "", 100.0), agree)
        except Conflict:
            return "refused"
        return "set"

    stores = [open_store(url), open_store(url)]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(put, range(20)))
    assert [["refused", "set"]] * 10 == [sorted(answers[each : each + 2]) for each in range(0, 20, 2)]
    assert 10 == len(stores[0].holds()) == len(stores[0].audit())


def test_decision_that_was_not_seen_is_not_overwritten(store: Store, sighting: Callable[..., Sighting]) -> None:
    """A revision is another one after each decision and rule; a refused one leaves no line in the audit."""
    store.write(Batch("one", 0.0, sightings=[sighting()]))
    id_ = sighting().signature.id

    def revision() -> str:
        return store.signature(id_).row.revision

    first = revision()
    store.set_state(id_, "known", "ada", "meant to be", seen=first)
    second = revision()
    with pytest.raises(Conflict, match="ada has decided about it meanwhile"):
        store.set_state(id_, "noise", "bo", "flickers", seen=first)
    assert ("known", 1) == (store.signature(id_).row.state, len(store.audit()))
    store.set_rule(id_, "$.a", {"who": "ada", "reason": "r", "owner": "", "ticket": ""})
    third = revision()
    store.write(Batch("one", 0.0, sightings=[sighting()]))
    assert (3, third) == (len({first, second, third}), revision())
