"""Paths into JSON documents: what can be written, what it matches, and what is refused with which words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.paths import EACH, Path, parse, write

concrete_paths = st.lists(st.one_of(st.integers(0, 3), st.sampled_from(["a", "b", "x y", 'q"'])), max_size=5)


@pytest.mark.parametrize(
    ("text", "concrete"),
    [
        ("$", ()),
        ("$.a.b", ("a", "b")),
        ("$.items[*].id", ("items", 7, "id")),
        ("$.items[3]", ("items", 3)),
        ('$["x y"]', ("x y",)),
        ("$['it\\'s \"so\"']", ('it\'s "so"',)),
        ("$.users.*.name", ("users", "42", "name")),
        ("$..name", ("name",)),
        ("$..name", ("a", 0, "b", "name")),
        ("$.a..b", ("a", "x", 1, "b")),
        ("$..a..b", ("z", "a", "a", "b")),
        ("$..[*]", ("a",)),
        ("$..[0]", ("a", 0)),
        ("$.x-runtime", ("x-runtime",)),
        ("$.größe", ("größe",)),
    ],
)
def test_path_matches_the_place_that_it_writes(text: str, concrete: tuple[str | int, ...]):
    """A path matches exactly the places of RFC 9535's meaning."""
    assert parse(text).matches(concrete) is True


@pytest.mark.parametrize(
    ("text", "concrete"),
    [
        ("$.a", ("a", "b")),
        ("$.a.b", ("a",)),
        ("$.items[*].id", ("items", "id")),
        ("$.items[3]", ("items", "3")),
        ('$["3"]', (3,)),
        ("$..name", ("name", "x")),
        ("$.a..b", ("b",)),
        ("$", ("a",)),
    ],
)
def test_path_matches_no_place_beside_above_or_below(text: str, concrete: tuple[str | int, ...]):
    """A path names one depth, and a name is never an index."""
    assert parse(text).matches(concrete) is False


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.b", "a path begins with '$', as in '$.items[*].id'; this one is 'a.b'"),
        ("", "a path begins with '$', as in '$.items[*].id'; this one is ''"),
        ("$.", "expected a name; write other names as [\"any name\"] at character 3 of '$.', found its end"),
        ("$.a b", "expected '.' or '[' at character 4 of '$.a b', found ' b'"),
        (
            "$.a[-1]",
            (
                'expected [*], [3] or ["any name"]; filters, slices and unions are not supported '
                "at character 5 of '$.a[-1]', found '-1]'"
            ),
        ),
        (
            "$[1:2]",
            (
                'expected [*], [3] or ["any name"]; filters, slices and unions are not supported '
                "at character 3 of '$[1:2]', found '1:2]'"
            ),
        ),
        (
            "$[007]",
            (
                'expected [*], [3] or ["any name"]; filters, slices and unions are not supported '
                "at character 3 of '$[007]', found '007]'"
            ),
        ),
        (
            '$["\\q"]',
            (
                'a backslash begins an escape as in JSON: \\\\ \\" \\n \\u00e9 '
                "at character 3 of '$[\"\\\\q\"]', found '\"\\\\q\"]'"
            ),
        ),
    ],
)
def test_path_is_refused_with_the_place_of_the_fault(text: str, message: str):
    """What can't be read is told with its character, and what can be written instead."""
    with pytest.raises(ValueError, match=r"path|character") as caught:
        parse(text)
    assert str(caught.value) == message


@given(concrete_paths)
def test_written_path_reads_back_as_itself(steps: list[str | int]):
    """Any concrete path survives being written and parsed, and matches itself."""
    concrete = tuple(steps)
    path = parse(write(concrete))
    assert (path.steps, path.matches(concrete)) == (concrete, True)


@pytest.mark.parametrize("text", ["$..a[*]", "$.a..b", '$..["x y"]', "$..[*]", "$[*][3].c"])
def test_path_reads_back_as_itself(text: str):
    """A path is shown as it was written, in its normal form."""
    assert str(parse(text)) == text


def test_paths_are_equal_however_they_were_written():
    """`.name` and `["name"]`, `.*` and `[*]` are the same steps, so that rules can be found twice."""
    assert parse("$['a'].*") == parse("$.a[*]") == Path(("a", EACH))


@pytest.mark.parametrize(
    ("text", "name"), [("$..password", "password"), ("$.a.b[*]", "b"), ("$.a[*].c", "c"), ("$[*]", None), ("$", None)]
)
def test_path_knows_its_last_member_name(text: str, name: str | None):
    """Masking works by that name."""
    assert parse(text).last_name == name
