"""Users per side: exact while few, estimated from a bounded sample when many."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select

from proxy.core.model import LEGACY, NEW, Side
from proxy.store import Batch, Limits, Store
from proxy.store.tables import ROUTES, USERS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from tests.store.conftest import Clock


def seen(side: Side, hashes: Collection[int], at: float = 0.0, route: str = "feeds") -> Batch:
    return Batch("one", at, users={(route, side): hashes})


def kept(store: Store) -> int:
    with store._database.reading() as connection:
        return connection.execute(select(func.count()).select_from(USERS)).scalar_one()


def test_users_are_exact_while_they_fit(store: Store) -> None:
    """Each user counts once on a side, however often seen, with hashes from all of 64 bits."""
    store.write(seen(LEGACY, [0, 1, 2**63, 2**64 - 1]))
    store.write(seen(LEGACY, [1, 2**63]))
    store.write(seen(NEW, [7]))
    store.write(seen(NEW, [7, 8], route="search"))
    assert {"feeds": {"legacy": 4, "new": 1}, "search": {"legacy": 0, "new": 2}} == store.user_counts()


def test_users_who_move_change_sides(store: Store) -> None:
    """A user is counted where they were last seen, forward and back."""
    store.write(seen(LEGACY, [1, 2, 3], at=1.0))
    store.write(seen(NEW, [1, 2], at=2.0))
    store.write(seen(LEGACY, [2], at=3.0))
    assert {"feeds": {"legacy": 2, "new": 1}} == store.user_counts()


def test_users_ignore_what_a_late_batch_says(store: Store) -> None:
    """A batch that was delayed doesn't move a user back who was seen elsewhere since."""
    store.write(seen(NEW, [1], at=2.0))
    store.write(seen(LEGACY, [1], at=1.0))
    assert {"feeds": {"legacy": 0, "new": 1}} == store.user_counts()


def test_users_on_both_sides_of_one_batch_count_once(store: Store) -> None:
    """Who moved within one batch is counted for new, and once."""
    store.write(Batch("one", 0.0, users={("feeds", LEGACY): [1, 2], ("feeds", NEW): [2]}))
    assert {"feeds": {"legacy": 1, "new": 1}} == store.user_counts()


def test_hashes_are_those_seen_since_on_any_of_the_routes(store: Store) -> None:
    """Who is on several routes of a group counts once; who was last seen before isn't there."""
    store.write(seen(LEGACY, [1, 2**64 - 1], at=10.0))
    store.write(seen(NEW, [1, 7], at=20.0, route="search"))
    store.write(seen(NEW, [9], at=20.0, route="other"))
    assert ({1, 7, 2**64 - 1}, 1) == store.user_hashes(["feeds", "search"], 10.0)
    assert ({1, 7}, 1) == store.user_hashes(["feeds", "search"], 15.0)
    assert (set(), 1) == store.user_hashes(["feeds"], 30.0)


def test_hashes_beyond_the_limit_stand_for_several_users(url: str, open_store: Callable[..., Store]) -> None:
    """Of a thinned route only some are kept, and each counts for all that went."""
    store = open_store(url, limits=Limits(users_per_route=100))
    store.write(seen(LEGACY, range(1_000), at=1.0))
    store.write(seen(LEGACY, range(50), at=1.0, route="search"))
    hashes, weight = store.user_hashes(["feeds", "search"], 0.0)
    assert (16, {*range(0, 1_000, 16)}) == (weight, hashes)


def test_users_beyond_the_limit_are_estimated_from_a_bounded_sample(url: str, open_store: Callable[..., Store]) -> None:
    """40,000 users in 2,000 rows at most: within four standard errors (1.2 / sqrt(1,000)) of the truth."""
    limit = 2_000
    store = open_store(url, limits=Limits(users_per_route=limit))
    source = random.Random(20_260)
    hashes = [source.getrandbits(64) for _ in range(40_000)]
    for start in range(0, 40_000, 10_000):
        store.write(seen(LEGACY, hashes[start : start + 7_500]))
        store.write(seen(NEW, hashes[start + 7_500 : start + 10_000]))
    counts = store.user_counts()["feeds"]
    error = 4 * 1.2 / (limit / 2) ** 0.5
    assert kept(store) <= limit
    assert abs(counts[LEGACY] + counts[NEW] - 40_000) < 40_000 * error
    assert abs(counts[NEW] / (counts[LEGACY] + counts[NEW]) - 0.25) < error


def test_numbers_beside_the_route_are_those_of_its_rows(url: str, open_store: Callable[..., Store]) -> None:
    """Whatever was written late, moved, thinned or swept: what is shown is what counting would find."""
    store = open_store(url, limits=Limits(users_per_route=300))
    source = random.Random(5)
    for step in range(60):
        hashes = [source.getrandbits(8) for _ in range(source.randrange(40))]
        hashes += [source.getrandbits(64) for _ in range(source.randrange(40))]
        route, side = source.choice(("feeds", "items")), source.choice((LEGACY, NEW))
        store.write(seen(side, hashes, at=float(step - source.choice((0, 0, 5))), route=route))
        if step % 10 == 9:
            store.sweep(float(step), 25.0, 10**12)
        assert counted(store) == store.user_counts()


def counted(store: Store) -> dict[str, dict[str, int]]:
    with store._database.reading() as connection:
        rows = connection.execute(
            select(USERS.c.route, USERS.c.side, func.count(), ROUTES.c.user_level)
            .join(ROUTES, ROUTES.c.route == USERS.c.route)
            .group_by(USERS.c.route, USERS.c.side, ROUTES.c.user_level)
        ).all()
    return {
        route: {side: sum(number << level for at, on, number, level in rows if (at, on) == (route, side))
                for side in ("legacy", "new")}
        for route in {row[0] for row in rows}
    }  # fmt: skip


def test_sweep_counts_anew_what_another_version_has_written(store: Store, clock: Clock) -> None:
    """Once an hour: a node that isn't updated yet writes users and leaves the numbers alone."""
    store.write(seen(LEGACY, [1, 2, 3], at=clock.now))
    with store._database.writing() as connection:
        connection.execute(delete(USERS).where(USERS.c.hash == 2))
    store.sweep(clock.now, 60.0, 10**12)
    assert {"feeds": {"legacy": 2, "new": 0}} == store.user_counts()
    with store._database.writing() as connection:
        connection.execute(delete(USERS).where(USERS.c.hash == 1))
    store.sweep(clock.now + 60.0, 600.0, 10**12)
    assert {"feeds": {"legacy": 2, "new": 0}} == store.user_counts()


def test_users_sample_is_the_same_in_any_order(url: str, open_store: Callable[..., Store]) -> None:
    """Which users are kept depends on the users alone: seeing all of them again changes no estimate."""
    store = open_store(url, limits=Limits(users_per_route=100))
    source = random.Random(7)
    hashes = [source.getrandbits(64) for _ in range(1_000)]
    store.write(seen(LEGACY, hashes))
    before = store.user_counts()
    store.write(seen(LEGACY, sorted(hashes)))
    assert before == store.user_counts()
