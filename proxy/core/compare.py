"""The verdict on two answers to one request: equal, different and in what, or not comparable and why.

From the outside in: a different status is one difference and ends the matter; then headers, then bodies. A body is
narrowed to what differs by a typed walk first; DeepDiff, which takes 290 ms for 125 kB of JSON, only sees lists of
plain values that differ. What was not compared is never called equal (law 10). Signatures are made in `signature`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from hashlib import sha256
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from deepdiff import DeepDiff

from proxy.core.bodies.html import DOCTYPE, parse_html, rendering_of
from proxy.core.bodies.read import read_bodies, read_body
from proxy.core.bodies.tree import TreeWalk, unequal_parts
from proxy.core.bodies.xml import parse_xml
from proxy.core.canonical import canonical
from proxy.core.compared_headers import header_differences
from proxy.core.content_type import parse_content_type
from proxy.core.difference import Comparison, Difference, Limits
from proxy.core.document import Unreadable, parse_document
from proxy.core.evidence import Verdict
from proxy.core.intraline import common_beginning
from proxy.core.lists import Alignment, align_by_position
from proxy.core.picture import picture_differences
from proxy.core.prepare import prepare
from proxy.core.shape import EXTRA, MISSING, REORDERED
from proxy.core.text_lines import common_ends, text_differences
from proxy.core.walk import Truncated, Walk

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from proxy.core.bodies.body import Body, Kind
    from proxy.core.bodies.tree import Element
    from proxy.core.evidence import Answer
    from proxy.core.model import CompareRules
    from proxy.core.paths import Concrete

__all__ = ["Comparison", "Difference", "Limits", "align_plain_values", "compare"]

_DEFAULT_LIMITS = Limits()
_NOT_INSTALLED = frozenset({"no_html", "no_xml", "no_images"})
Found = tuple[list[Difference], str]
"""The differences between two bodies, and what could not be compared ("" where all was)."""


def compare(
    control: Answer,
    candidate: Answer,
    rules: CompareRules,
    limits: Limits = _DEFAULT_LIMITS,
    own_hosts: Collection[str] = (),
    first_difference: int | None = None,
) -> Comparison:
    """What differs between the answers, by the route's rules. Bodies come decoded and masked.

    `own_hosts` (`host` or `host:port`, in lower case) are those under which the application itself is reached: in a
    Location they mean the same. `first_difference` is the pair's (`evidence.Pair`).
    MATCH only when status, headers and body were all compared and found equal.
    """
    if control.status != candidate.status:
        change = f"{control.status}→{candidate.status}"
        difference = Difference("status", (), change, control.status, candidate.status)
        return Comparison(Verdict.MISMATCH, "", (difference,))
    headers = header_differences(control.headers, candidate.headers, rules, own_hosts)
    body, reason = _body_differences(control, candidate, rules, limits, first_difference)
    if _is_other_kind(body) or any(difference.change.startswith("format ") for difference in body):
        # The media type follows from it: one fault, one difference.
        headers = [difference for difference in headers if difference.path[0] != "content-type"]
    differences = (*headers, *body)
    if differences:
        return Comparison(Verdict.MISMATCH, reason, differences)
    return Comparison(_without_difference(reason), reason, ())


def _without_difference(reason: str) -> Verdict:
    if reason in _NOT_INSTALLED:
        return Verdict.SKIPPED
    return Verdict.GAVE_UP if reason else Verdict.MATCH


def _is_other_kind(body: list[Difference]) -> bool:
    return len(body) == 1 and body[0].change.startswith("body ")


def _body_differences(
    control: Answer, candidate: Answer, rules: CompareRules, limits: Limits, first_difference: int | None
) -> Found:
    if _is_same_on_the_wire(control, candidate) or any(not path.steps for path in rules.ignore):
        return [], ""
    try:
        if control.body is None or candidate.body is None:
            return _unkept_differences(control, candidate, rules, limits, first_difference)
        if control.body == candidate.body:
            return [], ""
        if max(len(control.body), len(candidate.body)) > limits.max_bytes:
            return [], "size"
        before, after, shared = read_bodies(control.content_type, control.body, candidate.content_type, candidate.body)
        return _read_differences(before, after, rules, limits, shared)
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


def _unkept_differences(
    control: Answer, candidate: Answer, rules: CompareRules, limits: Limits, first_difference: int | None
) -> Found:
    """Bodies of which at least one isn't here: known only by length and digest, which settles it for plain bytes.

    Of pictures the fingerprints are known as well, where the rules ask for them.
    """
    kinds = [_unkept_kind(answer, rules, limits) for answer in (control, candidate)]
    if kinds[0] != kinds[1]:
        return [_other_kind(kinds[0], kinds[1])], ""
    before, after = _identity(control), _identity(candidate)
    if before == after:
        return [], ""
    if kinds[0] == "image" and control.picture is not None and candidate.picture is not None:
        faults = {control.picture.fault, candidate.picture.fault} - {""}
        return picture_differences(control.picture, candidate.picture, rules), max(faults, default="")
    return [_other_bytes(before, after, first_difference)], ""


def _unkept_kind(answer: Answer, rules: CompareRules, limits: Limits) -> str:
    """What kind of body it is, as far as can be told. Raises Unreadable where it would have to be read."""
    if answer.body is not None:
        return read_body(answer.content_type, answer.body).kind
    if rules.images is not None and answer.picture is not None:
        return "broken image" if answer.picture.fault == "broken" else "image"
    declared = parse_content_type(answer.content_type)
    is_read = declared.is_text or declared.is_multipart or (rules.images is not None and declared.is_image)
    if answer.unkept != "bytes" and is_read:
        raise Unreadable(answer.unkept or ("size" if answer.length > limits.max_bytes else "unread"))
    return "bytes"


def _identity(answer: Answer) -> dict[str, Any]:
    """Length and digest of the content. Raises Unreadable where they aren't known."""
    if answer.content_digest:
        return {"length": answer.content_length, "sha256": answer.content_digest}
    if not answer.digest:
        raise Unreadable("unread")
    if _header(answer, "content-encoding").strip().lower() not in {"", "identity"}:
        raise Unreadable("size" if answer.unkept == "size" else "encoding")  # equal content has many codings
    return {"length": answer.length, "sha256": answer.digest}


def _other_bytes(before: dict[str, Any], after: dict[str, Any], first_difference: int | None) -> Difference:
    place = {} if first_difference is None else {"first_difference": first_difference}
    return Difference("body", (), "bytes", before | place, after | place)


def _other_kind(before: str, after: str) -> Difference:
    return Difference("body", (), f"body {before}→{after}", before, after)


def _read_differences(before: Body, after: Body, rules: CompareRules, limits: Limits, shared: frozenset[int]) -> Found:
    if before.kind != after.kind:
        return [_other_kind(before.kind, after.kind)], ""
    if shared:
        return _document_differences(before.value, after.value, rules, limits, shared)
    return FIND[before.kind](before.value, after.value, rules, limits)


def _document_differences(
    before: Any, after: Any, rules: CompareRules, limits: Limits, shared: frozenset[int] = frozenset()
) -> Found:
    walk = Walk(rules, limits, lambda old, new: align_plain_values(old, new, limits))
    try:
        walk.compare(prepare(before, rules), prepare(after, rules, shared))
    except Truncated:
        return walk.differences, "truncated"
    except (Unreadable, RecursionError) as fault:
        reason = fault.reason if isinstance(fault, Unreadable) else "depth"
        return walk.differences, reason
    return walk.differences, ""


def _html_differences(before: str, after: str, rules: CompareRules, limits: Limits) -> Found:
    found, reason = _tree_differences(parse_html(before), parse_html(after), rules, limits)
    modes = rendering_of(before), rendering_of(after)
    if modes[0] == modes[1] or rules.ignores((DOCTYPE,)):
        return found, reason
    return [Difference("body", (DOCTYPE,), "doctype", *modes), *found], reason


def _xml_differences(before: str, after: str, rules: CompareRules, limits: Limits) -> Found:
    old, new = parse_xml(before), parse_xml(after)
    if old is None or new is None:  # not well-formed: a text like any other
        return _text_differences(before, after, rules, limits)
    return _tree_differences(old, new, rules, limits)


def _tree_differences(before: Element, after: Element, rules: CompareRules, limits: Limits) -> Found:
    walk = TreeWalk(rules, limits, lambda old, new, path: _embedded_differences(old, new, path, rules, limits))
    try:
        walk.compare(before, after)
    except Truncated:
        return walk.differences, "truncated"
    return walk.differences, ""


def _embedded_differences(
    before: str, after: str, path: Concrete, rules: CompareRules, limits: Limits
) -> list[Difference] | None:
    """What differs between two JSON texts within a page; None where one isn't JSON."""
    try:
        old, new = parse_document(before), parse_document(after)
    except ValueError:
        return None
    walk = Walk(rules, limits, lambda left, right: align_plain_values(left, right, limits))
    walk.compare(old, new, path)
    return [found for found in walk.differences if not rules.ignores_within(found.path)]


def _part_differences(before: list[Answer], after: list[Answer], rules: CompareRules, limits: Limits) -> Found:
    """Of bodies of several parts, by their order. A place begins with the part's index, in control where it has one."""
    if Counter(before) == Counter(after) and before != after:
        return [Difference("body", (), REORDERED, len(before), len(after))], ""
    found: list[Difference] = []
    reasons: list[str] = []
    for old, new in unequal_parts(before, after):
        for offset, (one, other) in enumerate(zip_longest(before[old], after[new])):
            place = (new if one is None else old).start + offset
            differences, reason = _one_part(one, other, rules.within(place), limits)
            found += (replace(each, kind="body", path=(place, *each.path)) for each in differences)
            reasons += [reason] if reason else []
    found = [each for each in found if not rules.ignores_within(each.path)]
    if len(found) > limits.max_differences:
        return found[: limits.max_differences], "truncated"
    return found, next(iter(reasons), "")


def _one_part(before: Answer | None, after: Answer | None, rules: CompareRules, limits: Limits) -> Found:
    if before is None or after is None:
        part, change = (after, EXTRA) if before is None else (before, MISSING)
        shown = None if part is None else {"headers": [list(field) for field in part.headers], "length": part.length}
        return [Difference("body", (), change, *((None, shown) if before is None else (shown, None)))], ""
    headers = header_differences(before.headers, after.headers, rules)
    body, reason = _body_differences(before, after, rules, limits, None)
    if _is_other_kind(body):
        headers = [difference for difference in headers if difference.path[0] != "content-type"]
    return [*(replace(each, path=(f"@{each.path[0]}", *each.path[1:])) for each in headers), *body], reason


def _text_differences(before: str, after: str, _rules: CompareRules, _limits: Limits) -> Found:
    return text_differences(before, after) if before != after else [], ""


def _bytes_differences(before: bytes, after: bytes, _rules: CompareRules, _limits: Limits) -> Found:
    if before == after:
        return [], ""
    old, new = ({"length": len(body), "sha256": sha256(body).hexdigest()} for body in (before, after))
    return [_other_bytes(old, new, common_beginning(before, after))], ""


def _no_differences(_before: None, _after: None, _rules: CompareRules, _limits: Limits) -> Found:
    return [], ""


# How two bodies of one kind are compared: the one place that says so.
FIND: dict[Kind, Callable[[Any, Any, CompareRules, Limits], Found]] = {
    "empty": _no_differences,
    "json": _document_differences,
    "ndjson": _document_differences,
    "events": _document_differences,
    "form": _document_differences,
    "html": _html_differences,
    "xml": _xml_differences,
    "multipart": _part_differences,
    "text": _text_differences,
    "bytes": _bytes_differences,
}


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
