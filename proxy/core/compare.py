"""The verdict on two answers to one request: equal, different and in what, or not comparable and why.

From the outside in: a different status is one difference and ends the matter; then headers, then bodies. A body is
narrowed to what differs by a typed walk first; DeepDiff, which takes 290 ms for 125 kB of JSON, only sees lists of
plain values that differ. What was not compared is never called equal (law 10). Signatures are made in `signature`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deepdiff import DeepDiff

from proxy.core.canonical import canonical
from proxy.core.compared_headers import header_differences
from proxy.core.content_type import parse_content_type
from proxy.core.difference import Comparison, Difference, Limits
from proxy.core.document import Unreadable
from proxy.core.evidence import Verdict
from proxy.core.lists import Alignment, align_by_position
from proxy.core.normalise import Body, read_body
from proxy.core.prepare import prepare
from proxy.core.text_lines import common_ends, text_differences
from proxy.core.walk import Truncated, Walk

if TYPE_CHECKING:
    from collections.abc import Collection

    from proxy.core.evidence import Answer
    from proxy.core.model import CompareRules

__all__ = ["Comparison", "Difference", "Limits", "align_plain_values", "compare"]

_DEFAULT_LIMITS = Limits()


def compare(
    control: Answer,
    candidate: Answer,
    rules: CompareRules,
    limits: Limits = _DEFAULT_LIMITS,
    own_hosts: Collection[str] = (),
) -> Comparison:
    """What differs between the answers, by the route's rules. Bodies come decoded and masked.

    `own_hosts` (`host` or `host:port`, in lower case) are those under which the application itself is reached: in a
    Location they mean the same.
    MATCH only when status, headers and body were all compared and found equal.
    """
    if control.status != candidate.status:
        change = f"{control.status}→{candidate.status}"
        difference = Difference("status", (), change, control.status, candidate.status)
        return Comparison(Verdict.MISMATCH, "", (difference,))
    headers = header_differences(control.headers, candidate.headers, rules, own_hosts)
    body, reason = _body_differences(control, candidate, rules, limits)
    if _is_other_kind(body):
        # The media type follows from it: one fault, one difference.
        headers = [difference for difference in headers if difference.path[0] != "content-type"]
    differences = (*headers, *body)
    if differences:
        return Comparison(Verdict.MISMATCH, reason, differences)
    return Comparison(Verdict.GAVE_UP if reason else Verdict.MATCH, reason, ())


def _is_other_kind(body: list[Difference]) -> bool:
    return len(body) == 1 and body[0].change.startswith("body ")


def _body_differences(
    control: Answer, candidate: Answer, rules: CompareRules, limits: Limits
) -> tuple[list[Difference], str]:
    """The differences between the bodies, and what could not be compared ("" where all was)."""
    if _is_same_on_the_wire(control, candidate) or any(not path.steps for path in rules.ignore):
        return [], ""
    try:
        if control.body is None or candidate.body is None:
            return _unkept_differences(control, candidate, limits), ""
        if control.body == candidate.body:
            return [], ""
        if max(len(control.body), len(candidate.body)) > limits.max_bytes:
            return [], "size"
        before = read_body(_header(control, "content-type"), control.body)
        after = read_body(_header(candidate, "content-type"), candidate.body)
        return _read_differences(before, after, rules, limits)
    except Unreadable as unreadable:
        return [], unreadable.reason
    except RecursionError:
        return [], "depth"


def _is_same_on_the_wire(control: Answer, candidate: Answer) -> bool:
    return (
        control.digest != ""
        and control.digest == candidate.digest
        and _header(control, "content-encoding") == _header(candidate, "content-encoding")
    )


def _header(answer: Answer, name: str) -> str:
    return ", ".join(value for key, value in answer.headers if key == name)


def _unkept_differences(control: Answer, candidate: Answer, limits: Limits) -> list[Difference]:
    """Bodies of which at least one isn't here: known only by length and digest, which settles it for plain bytes."""
    kinds = [_unkept_kind(answer, limits) for answer in (control, candidate)]
    if kinds[0] != kinds[1]:
        return [_other_kind(kinds[0], kinds[1])]
    if not control.digest or not candidate.digest:
        raise Unreadable("unread")
    if _header(control, "content-encoding") or _header(candidate, "content-encoding"):
        raise Unreadable("encoding")  # equal content may be compressed to other bytes
    if control.digest == candidate.digest:
        return []
    return [Difference("body", (), "bytes", _identity(control), _identity(candidate))]


def _unkept_kind(answer: Answer, limits: Limits) -> str:
    """What kind of body it is, as far as can be told. Raises Unreadable where it would have to be read."""
    content_type = _header(answer, "content-type")
    if answer.body is not None:
        return read_body(content_type, answer.body).kind
    if parse_content_type(content_type).is_text:
        raise Unreadable("size" if answer.length > limits.max_bytes else "unread")
    return "bytes"


def _identity(answer: Answer) -> dict[str, Any]:
    return {"length": answer.length, "sha256": answer.digest}


def _other_kind(before: str, after: str) -> Difference:
    return Difference("body", (), f"body {before}→{after}", before, after)


def _read_differences(before: Body, after: Body, rules: CompareRules, limits: Limits) -> tuple[list[Difference], str]:
    if before.kind != after.kind:
        return [_other_kind(before.kind, after.kind)], ""
    if before.kind == "json":
        return _document_differences(before.value, after.value, rules, limits)
    if before.kind == "text":
        return text_differences(before.value, after.value) if before.value != after.value else [], ""
    sizes = [{"length": len(body.value)} for body in (before, after)]
    return [Difference("body", (), "bytes", *sizes)], ""


def _document_differences(before: Any, after: Any, rules: CompareRules, limits: Limits) -> tuple[list[Difference], str]:
    walk = Walk(rules, limits, lambda old, new: align_plain_values(old, new, limits))
    try:
        walk.compare(prepare(before, rules), prepare(after, rules))
    except Truncated:
        return walk.differences, "truncated"
    except (Unreadable, RecursionError) as fault:
        reason = fault.reason if isinstance(fault, Unreadable) else "depth"
        return walk.differences, reason
    return walk.differences, ""


def align_plain_values(before: list[Any], after: list[Any], limits: Limits = _DEFAULT_LIMITS) -> Alignment:
    """Two differing lists of plain values, aligned as DeepDiff does: inserted and removed items are recognised.

    Only the differing middle of long lists is aligned; a middle over `max_list_items` by position. Raises
    Unreadable("max_diffs") when DeepDiff gave up, which it tells only in its statistics.
    """
    # As typed texts, because DeepDiff matches list items by `==`, for which 1, 1.0 and True are one.
    old, new = [canonical(item) for item in before], [canonical(item) for item in after]
    start, old_end, new_end = 0, len(old), len(new)
    if max(old_end, new_end) > limits.max_list_items:
        start, old_end, new_end = common_ends(old, new)
    if max(old_end, new_end) - start > limits.max_list_items:
        return align_by_position(before, after)
    return _shifted(_align_by_deepdiff(old[start:old_end], new[start:new_end], limits), start)


def _align_by_deepdiff(before: list[str], after: list[str], limits: Limits) -> Alignment:
    diff = DeepDiff(
        before,
        after,
        view="tree",
        ignore_order=False,
        threshold_to_diff_deeper=0,
        max_diffs=limits.max_diff_passes,
        max_passes=limits.max_diff_passes,
    )
    stats: dict[str, Any] = diff.get_stats()  # type: ignore[no-untyped-call]
    if stats["MAX DIFF LIMIT REACHED"] or stats["MAX PASS LIMIT REACHED"] or not diff:
        raise Unreadable("max_diffs")
    changed = diff.get("values_changed", ())
    pairs = sorted((_index(level, use_t2=False), _index(level, use_t2=True)) for level in changed)
    missing = sorted(_index(level, use_t2=False) for level in diff.get("iterable_item_removed", ()))
    extra = sorted(_index(level, use_t2=True) for level in diff.get("iterable_item_added", ()))
    return Alignment(tuple(pairs), tuple(missing), tuple(extra))


def _index(level: Any, *, use_t2: bool) -> int:
    path = level.path(output_format="list", use_t2=use_t2)
    return int(path[-1])


def _shifted(alignment: Alignment, by: int) -> Alignment:
    return Alignment(
        tuple((old + by, new + by) for old, new in alignment.pairs),
        tuple(old + by for old in alignment.missing),
        tuple(new + by for new in alignment.extra),
    )
