"""How many users another percentage moves, by the very decision of the data plane."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy.core.bucket import bucket_of
from proxy.core.moves import Moves, count_moves

HASHES = st.sets(st.integers(0, 2**64 - 1), max_size=50)
PERCENT = st.integers(0, 100_000)


@given(HASHES, PERCENT, PERCENT)
def test_moves_are_users_whose_side_changes(hashes: set[int], before: int, after: int):
    """A user is on new when the bucket is below the percentage (law 2): counted by deciding before and after."""
    sides = [(bucket_of(hashed) < before, bucket_of(hashed) < after) for hashed in hashes]
    assert Moves(len(hashes), sides.count((False, True)), sides.count((True, False))) == count_moves(
        hashes, before, after
    )


@given(HASHES, PERCENT, PERCENT)
def test_moves_go_one_way(hashes: set[int], before: int, after: int):
    """Raising moves users only forward, lowering only back."""
    moves = count_moves(hashes, before, after)
    assert 0 == (moves.back if after >= before else moves.forward)


def test_moves_are_weighted():
    """Each hash of a thinned sample stands for several users."""
    assert Moves(8, 4, 0) == count_moves({0, 2**64 - 1}, 0, 50_000, weight=4)
