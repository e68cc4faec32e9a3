"""One signature as lines of text: what it is, what was decided, and each example as before and after.

Takes what `GET /api/v1/diffs/{id}` answers. The lines still hold foreign characters; who prints them makes them
plain (`proxy.admin.plain`).
"""

from __future__ import annotations

import json
from difflib import unified_diff
from typing import TYPE_CHECKING, Any, Literal

from proxy.admin.body_text import body_lines, ignored_places
from proxy.admin.figures import NOTHING, count, moment
from proxy.admin.noise_text import noise_sentence
from proxy.admin.sparkline import trend_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from proxy.core.paths import Path

Json = dict[str, Any]
ABSENT = "(not there)"
MAX_VALUE_CHARACTERS = 300  # a value, in a terminal of 100 columns: three lines
MAX_OWN_DIFFERENCES = 3  # of one signature in one pair: they are alike, that is what a signature is
MAX_DIFF_LINES = 80  # of one example's bodies: two screens; `-o json` has all of it
_LABEL_WIDTH = 11
_CANDIDATES = {"candidate": "new", "noise": "legacy again"}  # by the kind of the pair


def signature_lines(detail: Json) -> list[str]:
    """What it is, what was decided about it, then its examples in the order of time."""
    lines, ignored = head_lines(detail), ignored_places(detail)
    for number, example in enumerate(detail["examples"], start=1):
        lines += ["", f"example {number} of {len(detail['examples'])}, {moment(example['at'])}"]
        lines += [f"  {line}" for line in example_lines(example, detail["id"], ignored)]
    return lines


def head_lines(detail: Json) -> list[str]:
    """What it is, and what was decided about it."""
    said = hint_sentence(detail)
    return [*_summary(detail), *_decision(detail), *([_labelled("hint", said)] if said else [])]


def example_lines(example: Json, signature_id: str, ignored: Sequence[Path] = ()) -> Iterator[str]:
    """`finding_lines`, then the bodies' unified diff without what is ignored."""
    yield from finding_lines(example, signature_id)
    yield from _bodies(example, ignored)


def finding_lines(example: Json, signature_id: str) -> Iterator[str]:
    """The masked request, the signature's differences in this pair, the others' places."""
    yield from _request(example["request"])
    own = [each for each in example["differences"] if each["signature"] == signature_id]
    for difference in own[:MAX_OWN_DIFFERENCES]:
        yield from _difference(difference)
    if len(own) > MAX_OWN_DIFFERENCES:
        yield f"and {len(own) - MAX_OWN_DIFFERENCES} more like these"
    others = {each["signature"]: each for each in reversed(example["differences"]) if each not in own}
    yield from (f"also {id_}: {_place(others[id_])}" for id_ in sorted(others))
    if left_out := example["differences_left_out"]:
        yield f"and {count(left_out)} more differences that were not kept"


def _summary(detail: Json) -> list[str]:
    return [
        _labelled("signature", detail["id"]),
        _labelled("route", detail["route"]),
        _labelled("where", _place(detail)),
        _labelled("change", detail["shape"]),
        _labelled("seen", f"{count(detail['count'])} times"),
        *([_labelled("trend", bars)] if (bars := trend_text(detail["trend"])) else []),
        _labelled("first", moment(detail["first_seen"])),
        _labelled("last", moment(detail["last_seen"])),
        _labelled("state", detail["state"]),
        *([_labelled("noise", said)] if (said := noise_sentence(detail)) else []),
        *([_labelled("versions", ", ".join(detail["versions"]))] if detail.get("versions") else []),
    ]


def hint_sentence(detail: Json) -> str:
    """The rule that the example's lists call for; "" where there is none."""
    hint = detail.get("hint")
    if not hint:
        return ""
    if not hint["member"]:
        return f"if the order of {hint['place']} means nothing: {hint['rule']} in {detail['route']}'s compare"
    return (
        f"items of {hint['place']} stand at other positions, and are compared by position; "
        f"to pair them by {hint['member']}: {hint['rule']} in {detail['route']}'s compare"
    )


def _decision(detail: Json) -> list[str]:
    """What people said about it; nothing where nobody did."""
    texts = [(name, detail.get(name)) for name in ("who", "reason", "owner", "ticket", "rule")]
    if detail.get("until") is not None:
        texts.append(("until", moment(detail["until"])))
    return [_labelled(name, text) for name, text in texts if text]


def _request(request: Json) -> Iterator[str]:
    yield f"{request['method']} {request['target']}  ({request['id']})"
    for name, value in request["headers"]:
        yield f"  {name}: {shortened(value)}"


def _difference(difference: Json) -> Iterator[str]:
    yield f"{_place(difference)}: {difference['shape']}"
    yield f"  - {side_text(difference, 'before')}"
    yield f"  + {side_text(difference, 'after')}"


def _place(of: Json) -> str:
    """Kind and path, which is empty for a status."""
    return f"{of['kind']} {of['path']}".strip()


def _bodies(example: Json, ignored: Sequence[Path]) -> Iterator[str]:
    before, after = (body_lines(example[side], ignored) for side in ("control", "candidate"))
    lines = list(unified_diff(before, after, *titles(example), lineterm=""))
    yield from (shortened(line) for line in lines[:MAX_DIFF_LINES])
    if len(lines) > MAX_DIFF_LINES:
        yield f"… {len(lines) - MAX_DIFF_LINES} more lines: see -o json"


def titles(example: Json) -> tuple[str, str]:
    """What each side is, with status and length."""
    return _title("legacy", example["control"]), _title(_CANDIDATES[example["kind"]], example["candidate"])


def _title(name: str, answer: Json) -> str:
    return f"{name} {answer['status']}, {count(answer['length'])} bytes"


def value_text(value: Any) -> str:
    """A value as JSON, so that "1" and 1 differ; cut to MAX_VALUE_CHARACTERS."""
    return shortened(json.dumps(value, ensure_ascii=False))


def side_text(difference: Json, end: Literal["before", "after"]) -> str:
    """The value on one side. Null and "not there" both travel as null: the shape tells them apart."""
    gone = {"before": "extra", "after": "missing"}[end]
    if str(difference["shape"]).removeprefix("line ") == gone and difference[end] is None:
        return ABSENT
    return value_text(difference[end])


def shortened(text: str) -> str:
    return text if len(text) <= MAX_VALUE_CHARACTERS else f"{text[:MAX_VALUE_CHARACTERS]}… ({len(text):,} characters)"


def _labelled(label: str, text: Any) -> str:
    return f"{label:<{_LABEL_WIDTH}}{text or NOTHING}"
