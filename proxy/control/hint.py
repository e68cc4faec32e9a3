"""The rule that the lists of a signature call for: looked for in its latest whole example, by the rules in force."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from proxy.control.example import decode_example
from proxy.core.bodies.read import read_body
from proxy.core.document import Unreadable
from proxy.core.list_hint import list_hint
from proxy.core.paths import parse
from proxy.core.shape import REORDERED

if TYPE_CHECKING:
    from proxy.core.evidence import Answer
    from proxy.core.model import CompareRules
    from proxy.core.paths import Concrete
    from proxy.store import SignatureDetail

_DOCUMENTS = frozenset({"json", "ndjson"})


def hint_of(detail: SignatureDetail, rules: CompareRules | None) -> dict[str, Any] | None:
    """The hint as the API answers it; None where there is none, or no example is kept whole."""
    row = detail.row
    if rules is None or row.kind != "body":
        return None
    is_reordered = row.shape == REORDERED
    if "[*]" not in row.path and not is_reordered:
        return None
    for example in reversed(detail.examples):
        pair = decode_example(example.payload, row.route)
        documents = None if pair is None else (_document(pair.control), _document(pair.candidate))
        if documents is None or None in documents:
            continue
        found = list_hint(*documents, _places(example.payload, row.id), rules, is_reordered=is_reordered)
        return None if found is None else {"place": found.place, "member": found.member, "rule": found.rule}
    return None


def _document(answer: Answer) -> Any:
    """None where the body is none, or an empty one."""
    try:
        body = read_body(answer.content_type, answer.body or b"")
    except Unreadable:
        return None
    return body.value if body.kind in _DOCUMENTS else None


def _places(payload: bytes, signature_id: str) -> list[Concrete]:
    """Where the example shows the signature."""
    own = (each for each in json.loads(payload)["differences"] if each["signature"] == signature_id)
    return [tuple(step for step in parse(each["path"]).steps if isinstance(step, (str, int))) for each in own]
