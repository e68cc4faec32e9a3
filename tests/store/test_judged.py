"""The digest of the rules under which a route's examples were judged last."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proxy.store import Store


def test_digest_is_kept_by_route(store: Store) -> None:
    """The last one; a route that was never judged has none."""
    assert {} == store.judged_rules()
    for route, digest in (("feeds", "one"), ("items", "two"), ("feeds", "three")):
        store.set_judged_rules(route, digest)
    assert {"feeds": "three", "items": "two"} == store.judged_rules()
