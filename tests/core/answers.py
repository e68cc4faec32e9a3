"""Answers for comparisons, from documents or bytes, and documents from Hypothesis."""

from __future__ import annotations

import json
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from proxy.core.compare import Limits, compare
from proxy.core.evidence import Answer
from proxy.core.model import CompareRules
from proxy.core.paths import parse, write
from proxy.core.value_rules import Tolerance

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from proxy.core.model import ImageRule
    from proxy.core.paths import Path
    from proxy.core.value_rules import ValueRule

Headers = tuple[tuple[str, str], ...]


def make_answer(
    body: Any = b"{}",
    content_type: str = "application/json",
    status: int = 200,
    headers: Headers = (),
) -> Answer:
    """An answer as a worker sends it; a body that isn't bytes is written as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = (("content-type", content_type), *headers)
    return Answer(status, lines, content, len(content), sha256(content).hexdigest())


def make_rules(
    ignore: tuple[str, ...] = (),
    unordered: tuple[str, ...] = (),
    keys: dict[str, str] | None = None,
    tolerance: dict[str, float] | None = None,
    ignore_headers: tuple[str, ...] = (),
    values: Iterable[tuple[str, ValueRule]] = (),
    images: ImageRule | None = None,
) -> CompareRules:
    return CompareRules(
        ignore=tuple(map(parse, ignore)),
        unordered=tuple(map(parse, unordered)),
        keys=tuple((parse(path), member) for path, member in (keys or {}).items()),
        values=(*((parse(path), rule) for path, rule in values), *_tolerances(tolerance or {})),
        ignore_headers=frozenset(ignore_headers),
        images=images,
    )


def _tolerances(tolerance: Mapping[str, float]) -> Iterator[tuple[Path, ValueRule]]:
    for path, within in tolerance.items():
        yield parse(path), Tolerance(Decimal(str(within)))


def changes(
    before: Any, after: Any, rules: CompareRules | None = None, limits: Limits | None = None
) -> list[tuple[str, str]]:
    """(path, shape) of each difference between two JSON bodies, in the order found."""
    found = compare(make_answer(before), make_answer(after), rules or CompareRules(), limits or Limits())
    assert found.reason == ""
    return [(write(difference.path), difference.change) for difference in found.differences]


names = st.sampled_from(["a", "b", "id", "name", "tags", "x y", "", "é"])
plain_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "0", "1", "true", "null", "2026-01-02T03:04:05Z", "<b>", "&lt;b&gt;"]),
    st.text(max_size=5),
)
documents = st.recursive(
    plain_values,
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(names, inner, max_size=5)),
    max_leaves=25,
)
