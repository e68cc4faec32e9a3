"""Noise: what a noise run shows is silenced at once and kept in a real store, below any person's decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proxy.control.noise import MAX_UNSAVED, Silenced, read_silenced, save_noise
from proxy.core.signature import Signature
from proxy.store import Batch, Sighting
from tests.control.nodes import make_settings, open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from proxy.store import Store

IDS = ("aaaaaaaaaaaa", "bbbbbbbbbbbb")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(make_settings(tmp_path)) as store:
        sightings = [Sighting(Signature(id_, "feeds", "body", f"$.{id_}", "value"), 1.0) for id_ in IDS]
        store.write(Batch("node-a", 1.0, sightings=sightings))
        yield store


def test_noise_counts_before_the_store_has_it(store: Store):
    """A signature that a noise run showed is silent at once; saving it makes it the store's."""
    silenced = Silenced()
    silenced.note_noise(IDS[:1])
    assert (True, False) == (IDS[0] in silenced, IDS[1] in silenced)
    silenced.saved(*save_noise(store, silenced.unsaved))
    assert (True, ()) == (IDS[0] in silenced, silenced.unsaved)
    assert frozenset(IDS[:1]) == read_silenced(store)


@pytest.mark.parametrize("state", ["known", "new"])
def test_noise_does_not_overrule_a_person(store: Store, state: str):
    """What somebody decided stays, however often a noise run shows the difference."""
    store.set_state(IDS[0], state, "ada", "this one is real")
    silenced = Silenced()
    silenced.note_noise(IDS[:1])
    silenced.saved(*save_noise(store, silenced.unsaved))
    silenced.note_noise(IDS[:1])
    assert (False, (), state) == (IDS[0] in silenced, silenced.unsaved, store.signature(IDS[0]).row.state)


def test_noise_waits_for_its_sighting(store: Store):
    """A signature that isn't in the store yet stays silent, and is saved later."""
    silenced = Silenced()
    silenced.note_noise(["cccccccccccc"])
    silenced.saved(*save_noise(store, silenced.unsaved))
    assert ("cccccccccccc",) == silenced.unsaved


def test_ignored_signatures_are_silenced_too(store: Store):
    """`ignored` no longer counts against the match, `known` does."""
    store.set_state(IDS[0], "ignored", "ada", "on purpose")
    store.set_state(IDS[1], "known", "ada", "being mended")
    assert frozenset(IDS[:1]) == read_silenced(store)


def test_silence_ends_when_the_store_says_so():
    """A decision that was taken back is taken back here, at the next reading."""
    silenced = Silenced()
    silenced.replace(frozenset(IDS))
    silenced.replace(frozenset(IDS[1:]))
    assert (False, True) == (IDS[0] in silenced, IDS[1] in silenced)


def test_unsaved_noise_is_bounded():
    """While the store is away no endless list of noise grows."""
    silenced = Silenced()
    silenced.note_noise(str(number) for number in range(MAX_UNSAVED + 10))
    assert MAX_UNSAVED == len(silenced.unsaved)
