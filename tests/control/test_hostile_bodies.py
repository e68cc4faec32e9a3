"""Bodies that mean harm, each through a real worker and a real comparer process: a verdict, bounded cost, next pair.

A new row is all that another one needs. Bodies of legacy and new differ, so that none is settled in the worker.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import random
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import uvloop
from PIL import Image

from proxy.control.comparers import Comparers
from proxy.core.evidence import Verdict, encode_pair
from proxy.core.model import CompareRules, ImageRule, ShadowRule
from proxy.settings import Settings
from tests.control.pairs import encoded_pair, make_document
from tests.core.photos import encoded, make_photo
from tests.traffic.stage import ALL, staged
from tests.traffic.wire import ok

if TYPE_CHECKING:
    from proxy.control.outcome import Outcome

MEMORY_BYTES = 512 * 1024 * 1024
SHIPPED_TIMEOUT_S: float = Settings.model_fields["compare_timeout_s"].default
LONG_TIMEOUT_S = 60.0  # far above what any row needs, so that "time" means a hole and not a busy machine
PATIENCE_S = 90.0
# Of any row, beside an honest pair: up to 4 times its work was measured ("300 lists to be aligned").
MAX_WORK = 8.0
MAX_MEMORY_BYTES = 192 * 1024 * 1024  # beyond what a process has at rest, of the 512 MiB that it is given
JSON = "application/json"
INNOCENT = encoded_pair({"a": 1}, {"a": 2})
_MIB = 1 << 20


@dataclass(frozen=True)
class Hostile:
    """What both sides answer, and what must come of it: a verdict and its reason, or "skipped" in the worker."""

    legacy: bytes
    new: bytes
    expected: tuple[str, str]
    shapes: frozenset[str] = frozenset()
    content_type: str = JSON
    coding: str = ""
    compare: dict[str, Any] = field(default_factory=dict)


def dump(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def shuffled(items: list[Any], *, one_more_change: Any = None) -> list[Any]:
    """In another order, the first item another one where that is given."""
    found = random.Random(1).sample(items, len(items))
    return [one_more_change, *found[1:]] if one_more_change is not None else found


def laughs(word: str) -> bytes:
    """A billion laughs: an entity of ten entities of ten, nine times over."""
    entities = [f'<!ENTITY l{level} "{f"&l{level - 1};" * 10}">' for level in range(1, 10)]
    return "\n".join(
        ['<?xml version="1.0"?>', f'<!DOCTYPE l [<!ENTITY l0 "{word}">', *entities, "]>", "<l>&l9;</l>"]
    ).encode()


def deep(levels: int, value: int) -> bytes:
    return b'{"a":' * levels + str(value).encode() + b"}" * levels


def codings(body: bytes, number: int) -> bytes:
    for _ in range(number):
        body = zlib.compress(body)
    return body


def png(width: int, height: int, level: int = 0) -> bytes:
    return encoded(Image.new("L", (width, height), level), "PNG")


DASHES = f"multipart/mixed; boundary={'-' * 70}"
FRAMES = encoded(Image.new("P", (1, 1)), "GIF")
PHOTO = encoded(make_photo(), "PNG")
NUMBERS = list(range(10_000))
OBJECTS = [{"v": number} for number in NUMBERS]
NAMES = [{f"{letter}{chr(97 + number % 26)}x{number}": 1 for number in range(60_000)} for letter in "pq"]
BOMB = gzip.compress(bytes(10 * _MIB))
MISMATCH, GAVE_UP = str(Verdict.MISMATCH), str(Verdict.GAVE_UP)
TIME = GAVE_UP, "time"
VALUE = frozenset({"value"})

RECORDS = [
    {"id": number, "title": f"a title of record {number}", "tags": ["a", "b"], "n": 1} for number in range(13_000)
]
HONEST = Hostile(dump(RECORDS), dump([{**each, "n": 2} for each in RECORDS]), (MISMATCH, "truncated"), VALUE)

HOSTILE = {
    "gzip bomb of ten megabytes": Hostile(BOMB, BOMB + gzip.compress(b"1"), (GAVE_UP, "size"), coding="gzip"),
    "gzip bomb of a gigabyte": Hostile(b"", BOMB * 100, (GAVE_UP, "size"), coding="gzip"),
    "gzip in gzip": Hostile(
        gzip.compress(gzip.compress(b"{}")),
        gzip.compress(gzip.compress(b"[]")),
        (MISMATCH, ""),
        frozenset({"bytes"}),
        coding="gzip",
    ),
    "a coding a hundred times": Hostile(
        codings(b"{}", 100), codings(b"[]", 100), (GAVE_UP, "encoding"), coding=", ".join(["deflate"] * 100)
    ),
    "gzip that breaks off": Hostile(
        gzip.compress(b"{}" * 999)[:-9], gzip.compress(b"[]" * 999)[:-9], (GAVE_UP, "encoding"), coding="gzip"
    ),
    "gzip in fifty thousand members": Hostile(
        gzip.compress(b"") * 50_000,
        gzip.compress(b"") * 49_000 + gzip.compress(b"{}"),
        (MISMATCH, ""),
        frozenset({"body empty→json"}),
        coding="gzip",
    ),
    "JSON of 100,000 levels": Hostile(deep(100_000, 1), deep(100_000, 2), (GAVE_UP, "depth")),
    "JSON of 900 levels": Hostile(deep(900, 1), deep(900, 2), (GAVE_UP, "depth")),
    "XML of a billion laughs": Hostile(
        laughs("ha"), laughs("ho"), (GAVE_UP, "entities"), content_type="application/xml"
    ),
    "a string of 50 MB": Hostile(b'"a"', b'"' + b"a" * (50 * _MIB) + b'"', ("skipped", "too_large")),
    "10,000 numbers in another order": Hostile(
        dump(NUMBERS), dump(shuffled(NUMBERS)), (MISMATCH, ""), frozenset({"reordered"})
    ),
    "10,000 other numbers in another order": Hostile(
        dump(NUMBERS), dump(shuffled(NUMBERS, one_more_change=-1)), (MISMATCH, ""), VALUE
    ),
    "10,000 objects in another order": Hostile(
        dump(OBJECTS), dump(shuffled(OBJECTS)), (MISMATCH, ""), frozenset({"reordered"})
    ),
    "10,000 other objects in another order": Hostile(
        dump(OBJECTS), dump(shuffled(OBJECTS, one_more_change={"v": -1})), (MISMATCH, ""), VALUE
    ),
    "10,000 other objects without order": Hostile(
        dump(OBJECTS),
        dump(shuffled(OBJECTS, one_more_change={"v": -1})),
        (MISMATCH, ""),
        VALUE,
        compare={"unordered": ["$"]},
    ),
    "300 lists to be aligned": Hostile(
        dump([NUMBERS[:400]] * 300),
        dump([shuffled(NUMBERS[:400], one_more_change=-1)] * 300),
        (MISMATCH, "truncated"),
        VALUE,
    ),
    "broken UTF-8": Hostile(b'{"a": "\xc3\x28"}', b'{"a": "\xff"}', (MISMATCH, "charset"), frozenset({"bytes"})),
    "a page that calls itself JSON": Hostile(b"<p>1</p>", b"<p>2</p>", (MISMATCH, ""), frozenset({"line numbers"})),
    "JSON that calls itself an image": Hostile(b"{}", b"[]", (MISMATCH, ""), frozenset({"bytes"}), "image/png"),
    "an image that calls itself JSON": Hostile(b"\x89PNG\0\1", b"\x89PNG\0\2", (MISMATCH, ""), frozenset({"bytes"})),
    "100,000 parts": Hostile(
        b"--x\r\n\r\n" * 99_000 + b"--x--",
        b"--x\r\n\r\n" * 99_001 + b"--x--",
        (MISMATCH, ""),
        frozenset({"bytes"}),
        "multipart/mixed; boundary=x",
    ),
    "a megabyte of dashes between two parts": Hostile(
        b"--" + b"-" * 999_999 + b"\r\n\r\na", b"--" + b"-" * 999_998, (MISMATCH, ""), frozenset({"bytes"}), DASHES
    ),
    "a picture of a thousand megapixels": Hostile(
        PHOTO,
        PHOTO[:16] + b"\x7f\xff\xff\xff" * 2 + PHOTO[24:],
        (MISMATCH, ""),
        frozenset({"body image→broken image"}),
        "image/png",
        compare={"images": {}},
    ),
    "pictures of ten megapixels": Hostile(
        png(3400, 3000), png(3400, 3000, 1), (GAVE_UP, "size"), content_type="image/png", compare={"images": {}}
    ),
    "a picture that breaks off": Hostile(
        PHOTO,
        PHOTO[:-99],
        (MISMATCH, ""),
        frozenset({"body image→broken image"}),
        "image/png",
        compare={"images": {}},
    ),
    "a picture that calls itself a page": Hostile(
        PHOTO,
        encoded(make_photo(hue=99), "PNG"),
        (MISMATCH, ""),
        frozenset({"looks different"}),
        "text/html",
        compare={"images": {}},
    ),
    "an animation of 40,000 frames": Hostile(
        FRAMES[:-1] + FRAMES[FRAMES.index(b",", 13) : -1] * 40_000 + b";",
        FRAMES[:-1] + FRAMES[FRAMES.index(b",", 13) : -1] * 40_001 + b";",
        (GAVE_UP, "size"),
        content_type="image/gif",
        compare={"images": {}},
    ),
    "a path of many depths on a deep document": Hostile(
        deep(150, 1), deep(150, 2), (MISMATCH, ""), VALUE, compare={"ignore": ["$" + "..a" * 8 + "..z"]}
    ),
    "120,000 names of members": Hostile(
        dump(NAMES[0]), dump(NAMES[1]), (MISMATCH, "truncated"), frozenset({"missing"})
    ),
    "a megabyte of blanks in a line": Hostile(
        b"a" + b" " * 900_000 + b"b",
        b"a" + b" " * 900_000 + b"c",
        (MISMATCH, ""),
        frozenset({"line value"}),
        "text/plain",
    ),
    "a name like an address without end": Hostile(
        dump({"a@" + "." * 900_000 + " ": 1}), dump({"a@" + "." * 900_000 + " ": 2}), (MISMATCH, ""), VALUE
    ),
    "numbers of 4,000 digits": Hostile(dump([10**4_000] * 200), dump([10**4_000] * 199 + [1]), (MISMATCH, ""), VALUE),
    "a number with an exponent of millions": Hostile(
        b'{"a": 1e9999999}', b'{"a": 2e9999999}', (MISMATCH, ""), VALUE, compare={"tolerance": {"$.a": 0.1}}
    ),
}


def test_hostile_bodies_end_in_their_verdict_and_harm_no_other_pair(subtests: pytest.Subtests) -> None:
    """All in one process, with the shipped deadline: the verdict, bounded memory, and the next pair is judged rightly.

    On a busy machine the deadline may pass, which is a pair's other rightful end (`time`); it is then asked again with
    a long one. How much work a pair is doesn't depend on that: it is held against an honest pair of the largest size.
    """

    async def scenario() -> None:
        async with (
            asyncio.timeout(PATIENCE_S * 2),
            Comparers(1, SHIPPED_TIMEOUT_S, memory_bytes=MEMORY_BYTES, gives_way=False) as comparers,
            Comparers(1, LONG_TIMEOUT_S, memory_bytes=MEMORY_BYTES, gives_way=False) as patient,
        ):
            patient.set_rules(make_document())
            assert Verdict.MISMATCH == (await judged(patient, INNOCENT)).verdict
            at_rest = peak_bytes(patient.pids[0])
            found, honest_s, _ = await weighed(HONEST, patient)
            assert (HONEST.expected, HONEST.shapes) == found
            for name, hostile in HOSTILE.items():
                with subtests.test(name):
                    found, cpu_s, peak = await weighed(hostile, comparers)
                    if found[0] == TIME:
                        found, cpu_s, peak = await weighed(hostile, patient)
                    assert (hostile.expected, hostile.shapes) == found
                    assert cpu_s <= honest_s * MAX_WORK
                    assert peak <= at_rest + MAX_MEMORY_BYTES

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario())


async def weighed(hostile: Hostile, comparers: Comparers) -> tuple[tuple[tuple[str, str], frozenset[str]], float, int]:
    """What came of a pair, seconds of a processor that it took, and the most memory that its process ever had.

    The pair after it is judged by the same process, unless the deadline has passed.
    """
    comparers.set_rules(make_document(**hostile.compare))
    assert Verdict.MISMATCH == (await judged(comparers, INNOCENT)).verdict
    [pid], restarts, began = comparers.pids, comparers.restarts, processor_s(comparers.pids[0])
    found = await outcome_of(hostile, comparers)
    if found[0] == TIME:
        return found, 0.0, 0
    took_s, peak = processor_s(pid) - began, peak_bytes(pid)
    assert Verdict.MISMATCH == (await judged(comparers, INNOCENT)).verdict
    assert ([pid], restarts) == (comparers.pids, comparers.restarts)
    return found, took_s, peak


@pytest.mark.parametrize(("pattern", "timeout_s"), [("(a+)+b", SHIPPED_TIMEOUT_S), ("(a|aa)+b", 0.5)])
def test_regex_of_death_in_a_rule_ends_in_time(pattern: str, timeout_s: float) -> None:
    """Nothing inside a process ends such a match: its process is killed at the deadline, and another takes over."""

    async def scenario() -> None:
        async with (
            asyncio.timeout(PATIENCE_S),
            Comparers(1, timeout_s, memory_bytes=MEMORY_BYTES, gives_way=False) as comparers,
        ):
            comparers.set_rules(make_document(pattern={"$.a": pattern}))
            lethal = await judged(comparers, encoded_pair({"a": "a" * 5_000}, {"a": "a" * 5_001}))
            assert (Verdict.GAVE_UP, "time") == (lethal.verdict, lethal.reason)
            innocent = await judged(comparers, INNOCENT)
            assert (Verdict.MISMATCH, 1) == (innocent.verdict, comparers.restarts)

    asyncio.run(scenario())


async def outcome_of(hostile: Hostile, comparers: Comparers) -> tuple[tuple[str, str], frozenset[str]]:
    """What a worker between two such backends, and the comparers after it, make of the answers."""
    fields = [f"content-type: {hostile.content_type}"]
    fields += [f"content-encoding: {hostile.coding}"] if hostile.coding else []
    answers = ok(hostile.legacy, *fields), ok(hostile.new, *fields)
    rules = CompareRules(images=ImageRule()) if "images" in hostile.compare else CompareRules()
    shadow = ShadowRule(ALL, timeout_s=LONG_TIMEOUT_S)
    async with staged(*answers, is_linked=True, shadow=shadow, compare=rules) as stage:
        assert hostile.legacy == (await stage.ask()).body
        counts = await stage.check_nothing_lost()
        skipped = [reason.removeprefix("skipped.") for reason in counts if reason.startswith("skipped.")]
        if skipped:
            return ("skipped", skipped[0]), frozenset()
        [pair] = await stage.control.wait_pairs()
    outcome = await judged(comparers, encode_pair(pair))
    return (str(outcome.verdict), outcome.reason), frozenset(each.shape for each in outcome.signatures)


async def judged(comparers: Comparers, encoded: bytes) -> Outcome:
    outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    assert comparers.submit(encoded, outcome.set_result)
    return await outcome


def processor_s(pid: int) -> float:
    """The seconds that the process has been on a processor (Documentation/scheduler/sched-stats.rst: nanoseconds)."""
    return int(Path(f"/proc/{pid}/schedstat").read_text("ascii").split()[0]) / 1e9


def peak_bytes(pid: int) -> int:
    """The most memory that the process ever had (proc(5): VmHWM, in kB)."""
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024
