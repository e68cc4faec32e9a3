"""Delta: what a worker sends is taken as it is, and anything else not at all."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.control.delta import MAX_COUNTERS, Delta, read_delta
from proxy.core.model import LEGACY, NEW
from proxy.traffic.tally import Tally


def tally_frame(**fields: Any) -> dict[str, Any]:
    return {"seq": 1, "at": 2.5, "routes": {}, "users": {}, "gauges": {}, **fields}


def test_delta_of_a_worker_is_read_whole():
    """Counters, latency buckets and users of a real tally arrive under their names."""
    tally = Tally()
    tally.route("feeds").count("pairs", 3)
    tally.route("feeds").answered(LEGACY, 0.000_009)
    tally.route("feeds").seen(NEW, 2**64 - 1)
    expected = Delta(
        seq=7,
        at=2.5,
        counts={"feeds": {"pairs": 3, "latency.legacy.9": 1}},
        users={("feeds", LEGACY): frozenset(), ("feeds", NEW): frozenset({2**64 - 1})},
        gauges={"in_flight": 1.0},
    )
    assert expected == read_delta(tally_frame(seq=7, gauges={"in_flight": 1}, **tally.take()))


@pytest.mark.parametrize(
    "fields",
    [
        {"seq": -1},
        {"seq": "1"},
        {"at": "noon"},
        {"routes": {"feeds": {"pairs": -1}}},
        {"routes": {"feeds": {"pairs": 1.5}}},
        {"routes": {"feeds": {"pairs": True}}},
        {"routes": {"": {"pairs": 1}}},
        {"routes": {"f" * 101: {"pairs": 1}}},
        {"routes": {"feeds": dict.fromkeys(map(str, range(MAX_COUNTERS + 1)), 1)}},
        {"users": {"feeds": {"new": [2**64]}}},
        {"users": {"feeds": {"new": ["ada"]}}},
        {"gauges": {"in_flight": "many"}},
    ],
)
def test_delta_that_no_worker_sends_is_refused(fields):
    """Negative or fractional counts, endless names and wrong hashes raise instead of spoiling the evidence."""
    with pytest.raises(ValueError, match=r"."):
        read_delta(tally_frame(**fields))


def test_delta_without_its_parts_is_refused():
    """A frame that lacks a part is no delta."""
    with pytest.raises(KeyError):
        read_delta({"seq": 1, "at": 1.0, "routes": {}})
