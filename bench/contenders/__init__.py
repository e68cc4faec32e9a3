"""Everything that is measured, in the order of the table.

To add one: a module with its `Contender` values, named in `CONTENDERS`. A contender is started afresh for each
run, and no other one runs beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.contenders.changeover import PASS as CHANGEOVER_PASS
from bench.contenders.changeover import REORDER as CHANGEOVER_REORDER
from bench.contenders.changeover import SHADOW as CHANGEOVER_SHADOW
from bench.contenders.direct import DIRECT
from bench.contenders.envoy import MIRROR as ENVOY_MIRROR
from bench.contenders.envoy import PASS as ENVOY_PASS
from bench.contenders.nginx import MIRROR as NGINX_MIRROR
from bench.contenders.nginx import PASS as NGINX_PASS

if TYPE_CHECKING:
    from bench.contenders.contender import Contender

CONTENDERS: tuple[Contender, ...] = (
    DIRECT,
    CHANGEOVER_PASS,
    NGINX_PASS,
    ENVOY_PASS,
    CHANGEOVER_SHADOW,
    CHANGEOVER_REORDER,
    NGINX_MIRROR,
    ENVOY_MIRROR,
)


def select_contenders(names: tuple[str, ...], left_out: tuple[str, ...] = ()) -> tuple[Contender, ...]:
    """Those whose name or family is among `names`, in the table's order; without names all that aren't left out."""
    if not names:
        return tuple(each for each in CONTENDERS if each.name not in left_out)
    return tuple(each for each in CONTENDERS if each.name in names or each.family in names)


def selectable_names() -> tuple[str, ...]:
    """Families, then names: what `select_contenders` knows."""
    names = (*(each.family for each in CONTENDERS), *(each.name for each in CONTENDERS))
    return tuple(dict.fromkeys(names))
