"""The measurement of the control room: its store is one that the program reads, its config one that it takes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bench.evidence import EXAMPLES_PER_SIGNATURE, USERS_PER_ROUTE, fill
from bench.room import SIGNATURE, Times, render_config
from proxy import config
from proxy.store import Store

if TYPE_CHECKING:
    from pathlib import Path


def test_filled_store_is_read_as_any_other(tmp_path: Path):
    """Totals, minutes of the last hour, users, signatures with examples, and what was decided."""
    url = f"sqlite:///{tmp_path / 'filled.sqlite'}"
    filled = fill(url, routes=3, signatures=8, days=2)
    store = Store(url)
    try:
        assert ["r000", "r001", "r002"] == list(store.totals())
        assert 20 == len(store.recent_minutes(int(time.time() // 60) - 59)["r002"])
        assert {"legacy": USERS_PER_ROUTE * 9 // 10, "new": USERS_PER_ROUTE // 10} == store.user_counts()["r001"]
        assert 8 == len(store.signatures()) == filled["signatures"]
        assert EXAMPLES_PER_SIGNATURE == len(store.signature(SIGNATURE).examples)
        assert filled["audit"] == len(store.audit(10_000))
        assert 2 * 1_440 + 1 == len(store.served(0, 1))
    finally:
        store.close()


def test_config_has_each_route_and_is_taken(tmp_path: Path):
    """Groups of ten, and what matches no other."""
    file = tmp_path / "migration.yaml"
    file.write_text(render_config(8001, 20))
    routes = config.load(file, {}).migration.routes
    assert (21, 3) == (len(routes), len({route.group for route in routes}))


def test_times_say_whether_the_goal_is_reached():
    """At the 95th percentile."""
    assert ["/", "9", "100", "100", "400", "yes"] == Times("/", [0.1] * 20 + [0.4], 9).cells()
    assert "no" == Times("/", [0.1] * 10 + [0.4], 9).cells()[-1]
