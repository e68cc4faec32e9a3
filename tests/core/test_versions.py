"""Which version of new is in force on a route, and when it became another."""

from __future__ import annotations

import pytest

from proxy.core.versions import MAX_MET, MAX_TURNS, SETTLING_S, Versions, as_rows, from_rows

HOUR = SETTLING_S


def met(*answers: tuple[float, str]) -> tuple[Versions, list[str]]:
    """What is known after answers at these times, and what each of them meant."""
    versions, meant = Versions(), list[str]()
    for now, version in answers:
        versions, meeting = versions.meet(version, now)
        meant.append(meeting)
    return versions, meant


@pytest.mark.parametrize(
    ("answers", "current", "meant"),
    [
        ([(0, "v6"), (1, "v6"), (9 * HOUR, "v6")], "v6", ["first", "same", "same"]),
        ([(0, "v6"), (10, "v7")], "v7", ["first", "turned"]),
        # A rolling deployment: both answer for a while.
        (
            [(0, "v6"), (10, "v7"), (11, "v6"), (12, "v7"), (13, "v7")],
            "v7",
            ["first", "turned", "mixed", "same", "same"],
        ),
        # Back within the deployment, as soon as the new one is silent.
        ([(0, "v6"), (10, "v7"), (80, "v6"), (81, "v6")], "v6", ["first", "turned", "turned", "same"]),
        # Back days later.
        (
            [(0, "v6"), (10, "v7"), (48 * HOUR - 1, "v7"), (48 * HOUR, "v6")],
            "v6",
            ["first", "turned", "same", "turned"],
        ),
        # A canary that stays: both go on answering for longer than a deployment lasts.
        (
            [(0, "v6"), (10, "v7"), *((at, version) for at in range(30, 3_720, 30) for version in ("v6", "v7"))],
            "v7",
            ["first", "turned", *["mixed", "same"] * 120, *["same"] * 6],
        ),
    ],
)
def test_version_in_force_follows_from_the_answers(answers: list[tuple[float, str]], current: str, meant: list[str]):
    """Rules 1 to 3 of the module."""
    versions, found = met(*answers)
    assert (current, meant) == (versions.current, found)


def test_what_changes_with_each_answer_is_no_version():
    """Rule 4: and nothing grows with it."""
    versions, meant = met(*((float(number), f"request-{number}") for number in range(500)))
    assert (MAX_TURNS, 500 - 1 - MAX_TURNS) == (meant.count("turned"), meant.count("same"))
    assert len(versions.met) <= MAX_MET
    later = versions.meet("v8", 3 * HOUR)
    assert ("v8", "turned") == (later[0].current, later[1])


def test_versions_go_through_the_store():
    """The one in force last."""
    versions, _ = met((0, "v6"), (10, "v7"))
    assert [["v6", 0, 0], ["v7", 10, 10]] == as_rows(versions)
    assert versions.met == from_rows(as_rows(versions)).met
