"""Each named difference, compared by the demo's own config, is exactly one signature of the expected shape."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from new_backend.bugs import Bug
from proxy import config
from proxy.core.compare import compare
from proxy.core.compared_headers import Reached
from proxy.core.evidence import Answer, Verdict
from proxy.core.routes import RouteTable
from proxy.core.signature import sign
from tests.backends.named_signatures import SIGNATURES, UNSEEN

CONFIG = Path(__file__).parents[2] / "config" / "migration.yaml"


@pytest.fixture(scope="module")
def routes() -> RouteTable:
    return RouteTable(config.load(CONFIG, {}).migration.routes)


def signatures(routes: RouteTable, script: Any, legacy: str, new: str) -> set[tuple[str, str, str, str]]:
    """Of all answers to the script; nothing may be given up."""
    found: set[tuple[str, str, str, str]] = set()
    for step, control, candidate in zip(script.steps, script.run(legacy), script.run(new), strict=True):
        route = routes.find(step.method, step.path.partition("?")[0], None)
        if route is None or not route.shadow.millipercent:
            continue
        compared = compare(
            answer(control), answer(candidate), route.compare, reached=Reached(control=legacy[7:], candidate=new[7:])
        )
        assert compared.verdict in {Verdict.MATCH, Verdict.MISMATCH}
        signed = (sign(route.name, difference) for difference in compared.differences)
        found |= {(each.route, each.kind, each.path, each.shape) for each in signed}
    return found


def answer(response: Any) -> Answer:
    """As a worker sends it, but for the masks."""
    lines = tuple((name.lower(), value) for name, value in response.headers.multi_items())
    content = response.content
    return Answer(response.status_code, lines, content, len(content), sha256(content).hexdigest())


@pytest.mark.parametrize("bug", Bug)
def test_named_difference_is_one_signature(backends, script, routes, bug):
    """Its route, kind, path and shape, and no other one beside it."""
    expected = {SIGNATURES[bug]} if bug not in UNSEEN else set()
    assert expected == signatures(routes, script, backends.start_legacy(), backends.start_new(bug))


def test_named_differences_together_are_one_signature_each(backends, script, routes):
    """They neither hide nor multiply each other."""
    assert set(SIGNATURES.values()) == signatures(routes, script, backends.start_legacy(), backends.start_new("all"))


def test_every_named_difference_has_its_signature():
    """The table is complete, and no two have the same one."""
    assert set(Bug) == set(SIGNATURES) | UNSEEN
    assert len(SIGNATURES) == len(set(SIGNATURES.values()))
