"""wrk straight to the serving origin: what the load side can do at most."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from bench.contenders.contender import Contender, Place, Target
from bench.nginx import nginx_version

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def _start(place: Place) -> Iterator[Target]:
    yield Target(place.origins.serving_tls_port or place.origins.serving_port, None)


DIRECT = Contender(
    name="direct",
    family="direct",
    title="direct, no proxy",
    work="direct",
    find_missing=lambda: None,  # without nginx there are no origins, and no run at all
    read_version=nginx_version,
    start=_start,
)
