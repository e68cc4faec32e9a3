"""The data set is the same everywhere and has what the demo needs."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from itertools import pairwise

from legacy_backend.dataset import build_dataset, find_words

DIGEST = """
import hashlib
from legacy_backend.dataset import build_dataset
print(hashlib.sha256(repr(build_dataset()).encode()).hexdigest())
"""


def test_dataset_has_its_promised_size():
    """50 feeds, 10,000 items, 40 users."""
    data = build_dataset()
    assert (50, 10_000, 40) == (len(data.feeds), len(data.items), len(data.users))


def test_dataset_is_equal_in_every_process():
    """Neither the hash seed nor the time goes into it."""
    runs = [
        subprocess.run(
            [sys.executable, "-c", DIGEST], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        )
        for seed in ("1", "2")
    ]
    assert runs[0].stdout == runs[1].stdout


def test_items_of_a_feed_are_published_in_pairs():
    """Exactly two items of a feed share a timestamp, so that ten of the latest never cut a tie."""
    times = Counter((item.feed_id, item.published) for item in build_dataset().items)
    assert {2} == set(times.values())


def test_items_of_a_feed_are_in_the_order_of_their_time():
    """A higher id is never older."""
    items = build_dataset().items
    assert all(a.published <= b.published for a, b in pairwise(items) if a.feed_id == b.feed_id)


def test_every_user_reads_a_feed_with_an_ampersand():
    """So that each of them meets the doubly escaped heading."""
    data = build_dataset()
    titles = {feed.id: feed.title for feed in data.feeds}
    assert [] == [user.login for user in data.users if not any("&" in titles[feed_id] for feed_id in user.feed_ids)]


def test_words_are_lower_case_and_unique():
    """Punctuation separates, letters beyond ASCII count."""
    assert ["a", "café", "salt", "3"] == find_words("A café, a Café & salt3 3".replace("salt3", "salt"))
