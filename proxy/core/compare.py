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

from proxy.core.bodies.html import DOCTYPE, rendering_of
from proxy.core.bodies.read import read_bodies, read_body
from proxy.core.bodies.siblings import unequal_parts
from proxy.core.bodies.tree import TreeWalk
from proxy.core.bodies.xml import STYLE_SHEET, parse_page, parse_xml, said_before_root
from proxy.core.canonical import canonical
from proxy.core.charset import CHARSET, charset_of, said_charset
from proxy.core.compared_headers import NOWHERE, header_differences
from proxy.core.content_type import parse_content_type
from proxy.core.difference import Comparison, Difference, Limits
from proxy.core.document import Unreadable, parse_document
from proxy.core.evidence import NOT_INSTALLED, Verdict
from proxy.core.intraline import common_beginning
from proxy.core.lists import Alignment, align_by_position
from proxy.core.picture import picture_differences
from proxy.core.prepare import prepare
from proxy.core.shape import EXTRA, MISSING, REORDERED, VALUE
from proxy.core.text_lines import common_ends, text_differences
from proxy.core.walk import Truncated, Walk

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.core.bodies.body import Body, Kind
    from proxy.core.bodies.element import Element
    from proxy.core.bodies.html import Page
    from proxy.core.compared_headers import Reached
    from proxy.core.content_type import ContentType
    from proxy.core.evidence import Answer
    from proxy.core.model import CompareRules
    from proxy.core.paths import Concrete

__all__ = ["Comparison", "Difference", "Limits", "align_plain_values", "compare"]

_DEFAULT_LIMITS = Limits()
# What can't say of itself what it is written in, as XML does, or has only one way to be read, as events.
_HAVE_CHARSETS = frozenset({"json", "ndjson", "form", "html", "text"})
Found = tuple[list[Difference], str]
"""The differences between two bodies, and what could not be compared ("" where all was)."""


def compare(
    control: Answer,
    candidate: Answer,
    rules: CompareRules,
    limits: Limits = _DEFAULT_LIMITS,
    reached: Reached = NOWHERE,
    first_difference: int | None = None,
) -> Comparison:
    """What differs between the answers, by the route's rules. Bodies come decoded and masked.

    `reached` says what a URL of the application itself looks like in them. `first_difference` is the pair's
    (`evidence.Pair`).
    MATCH only when status, headers and body were all compared and found equal.
    """
    if control.status != candidate.status:
        change = f"{control.status}→{candidate.status}"
        difference = Difference("status", (), change, control.status, candidate.status)
        return Comparison(Verdict.MISMATCH, "", (difference,))
    headers = header_differences(control.headers, candidate.headers, rules, reached)
    headers += _length_differences(control, candidate, rules)
    body, reason = _body_differences(control, candidate, rules, limits, first_difference)
    if _is_other_kind(body) or any(difference.change.startswith("format ") for difference in body):
        # The media type follows from it: one fault, one difference.
        headers = [difference for difference in headers if difference.path[0] != "content-type"]
    differences = (*headers, *body)
    if differences:
        return Comparison(Verdict.MISMATCH, reason, differences)
    return Comparison(_without_difference(reason), reason, ())


def _length_differences(control: Answer, candidate: Answer, rules: CompareRules) -> list[Difference]:
    """Of answers without a body: what HEAD asked for has another length, and its kind is compared byte by byte."""
    before, after = (_header(answer, "content-length") for answer in (control, candidate))
    if control.length or candidate.length or "" in {before, after} or before == after:
        return []
    if "content-length" in rules.ignore_headers or parse_content_type(control.content_type).is_text:
        return []
    if _header(control, "content-encoding") != _header(candidate, "content-encoding"):
        return []
    return [Difference("header", ("content-length",), VALUE, before, after)]


def _without_difference(reason: str) -> Verdict:
    if reason in NOT_INSTALLED:
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
        return _kept_differences(control, control.body, candidate, candidate.body, rules, limits)
    except Unreadable as unreadable:
        return [], unreadable.reason
    except RecursionError:
        return [], "depth"


def _kept_differences(
    control: Answer, one: bytes, candidate: Answer, other: bytes, rules: CompareRules, limits: Limits
) -> Found:
    if max(len(one), len(other)) > limits.max_bytes:
        return [], "size"
    before, after, shared = read_bodies(control.content_type, one, candidate.content_type, other)
    found, reason = _read_differences(before, after, rules, limits, shared)
    if before.kind == after.kind and before.kind in _HAVE_CHARSETS:
        types = parse_content_type(control.content_type), parse_content_type(candidate.content_type)
        found = _charset_differences((types[0], one), (types[1], other), rules) + found
    return found, reason


def _charset_differences(
    control: tuple[ContentType, bytes], candidate: tuple[ContentType, bytes], rules: CompareRules
) -> list[Difference]:
    """That characters are written in other bytes, unless headers or pages say so: then that is the difference."""
    (old_name, was_marked), (new_name, is_marked) = charset_of(*control), charset_of(*candidate)
    if was_marked == is_marked and (old_name == new_name or not old_name or not new_name):
        return []
    is_said = control[0].charset != candidate[0].charset and not control[0].is_json
    if is_said or said_charset(*control) != said_charset(*candidate) or rules.ignores((CHARSET,)):
        return []
    before, after = _charset(old_name, is_marked=was_marked), _charset(new_name, is_marked=is_marked)
    return [Difference("body", (CHARSET,), f"charset {before}→{after}", before, after)]


def _charset(name: str, *, is_marked: bool) -> str:
    return f"{name or 'utf-8'}{' with a mark' if is_marked else ''}"


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
    return [_other_bytes(before, after, first_difference)], "charset" if kinds[0] == "broken text" else ""


def _unkept_kind(answer: Answer, rules: CompareRules, limits: Limits) -> str:
    """What kind of body it is, as far as can be told. Raises Unreadable where it would have to be read."""
    if answer.body is not None:
        return read_body(answer.content_type, answer.body).kind
    if rules.images is not None and answer.picture is not None:
        return "broken image" if answer.picture.fault == "broken" else "image"
    if answer.unkept == "charset":
        return "broken text"
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


def _html_differences(before: Page, after: Page, rules: CompareRules, limits: Limits) -> Found:
    old, new = parse_page(before), parse_page(after)
    if old is None or new is None:
        return _text_differences(before.text, after.text, rules, limits)
    found, reason = _tree_differences(old, new, rules, limits)
    return _head_differences(_head_of(before), _head_of(after), rules, "doctype") + found, reason


def _head_of(page: Page) -> dict[str, str]:
    return {**said_before_root(page.text), DOCTYPE: "standards"} if page.is_xml else {DOCTYPE: rendering_of(page.text)}


def _head_differences(
    before: dict[str, str], after: dict[str, str], rules: CompareRules, doctype: str
) -> list[Difference]:
    """What stands before the root: document type, in the shape `doctype`, and style sheets."""
    shapes = {DOCTYPE: doctype, STYLE_SHEET: "style sheet"}
    return [
        Difference("body", (place,), shape, before.get(place), after.get(place))
        for place, shape in shapes.items()
        if before.get(place) != after.get(place) and not rules.ignores((place,))
    ]


def _xml_differences(before: str, after: str, rules: CompareRules, limits: Limits) -> Found:
    old, new = parse_xml(before), parse_xml(after)
    if old is None or new is None:  # not well-formed: a text like any other
        return _text_differences(before, after, rules, limits)
    found, reason = _tree_differences(old, new, rules, limits)
    return _head_differences(said_before_root(before), said_before_root(after), rules, "document type") + found, reason


def _tree_differences(before: Element, after: Element, rules: CompareRules, limits: Limits) -> Found:
    walk = TreeWalk(rules, limits, lambda old, new, path: _embedded_differences(old, new, path, rules, limits))
    try:
        walk.compare(before, after)
    except Truncated:
        return walk.differences, "truncated"
    except Unreadable as fault:
        return walk.differences, fault.reason
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


def _broken_differences(before: bytes, after: bytes, rules: CompareRules, limits: Limits) -> Found:
    """Nobody can say what is in them, only that they aren't the same."""
    found, _ = _bytes_differences(before, after, rules, limits)
    return found, "charset" if found else ""


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
    "broken text": _broken_differences,
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
