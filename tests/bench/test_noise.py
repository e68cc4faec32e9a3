"""The measurement of noise: the same seed gives the same looks, and a plain fault is found."""

from __future__ import annotations

import random

from bench.noise import LOOK_EVERY, Case, looks


def test_looks_are_those_of_their_seed():
    """The table in the docs can be made again by anybody."""
    case = Case(noise=0.03, fault=0.01, has_own_shape=True, runs_share=0.5)
    first, again = (list(looks(case, random.Random(7), 1_000)) for _ in range(2))
    assert first == again
    assert [LOOK_EVERY * number for number in range(1, 11)] == [number for number, _ in first]


def test_looks_find_a_fault_in_every_pair_at_once():
    """What legacy never does is a mismatch at the first look."""
    case = Case(noise=0.0, fault=1.0, has_own_shape=False, runs_share=0.5)
    assert {"mismatch"} == {verdict for _, verdict in looks(case, random.Random(7), 500)}
