"""The JSON report and its schema agree."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from proxy.admin.report.as_json import SCHEMA_FILE, as_json
from tests.admin.hostile import HOSTILE
from tests.admin.reports import detailed, full_report, report_of
from tests.fakes import route_row, signature_row

SCHEMA = json.loads(SCHEMA_FILE.read_text())
VALIDATOR = Draft202012Validator(SCHEMA)
_GONE = object()


def faults(document: Any) -> list[str]:
    return [f"{fault.json_path}: {fault.message}" for fault in VALIDATOR.iter_errors(document)]


def test_schema_is_one():
    """It follows its own metaschema."""
    Draft202012Validator.check_schema(SCHEMA)


def test_report_follows_its_schema():
    """With something in every place, and with nothing."""
    assert ([], []) == (faults(json.loads(as_json(full_report()))), faults(json.loads(as_json(report_of()))))


def test_json_has_the_values_of_the_api():
    """Nothing is rounded or left out for machines, fields of later versions included."""
    route, row = route_row(later=1), signature_row(later=[2])
    document = json.loads(as_json(report_of([route], [row], details=detailed(row))))
    assert (route.items() <= document["routes"][0].items(), row.items() <= document["signatures"][0].items()) == (
        True,
        True,
    )


def test_json_adds_what_the_report_found_out():
    """The interval, the pairs that are missing, a sentence, a share, an example."""
    row = signature_row(count=9)
    document = json.loads(as_json(report_of([route_row()], [row], details=detailed(row))))
    route, signature = document["routes"][0], document["signatures"][0]
    assert (0.99193, 0.99939, 6_389) == (
        round(route["match_rate_interval"]["low"], 5),
        round(route["match_rate_interval"]["high"], 5),
        route["pairs_until_proven"],
    )
    assert (0.01, "1", '"1"') == (
        signature["share"],
        signature["example"]["control"]["value"],
        signature["example"]["candidate"]["value"],
    )


@pytest.mark.parametrize(
    "path",
    [
        ("schema_version",),
        ("thresholds", 0, "verdict"),
        ("routes", 0, "match_rate_interval"),
        ("routes", 0, "coverage", "skipped"),
        ("signatures", 0, "sentence"),
        ("signatures", 0, "state"),
        ("signatures", 1, "example", "control", "value"),
        ("signatures", 1, "example", "diff", 0, "kind"),
    ],
)
def test_schema_notices_what_is_wrong(path: tuple[str | int, ...]):
    """A field that is missing, and one that is something else."""
    for wrong in (_GONE, -1):
        document: Any = json.loads(as_json(full_report()))
        parent = document
        for key in path[:-1]:
            parent = parent[key]
        assert path[-1] in parent
        parent[path[-1]] = wrong
        if wrong is _GONE:
            del parent[path[-1]]
        assert [] != faults(document)


@pytest.mark.parametrize("text", HOSTILE)
def test_json_is_ascii_whatever_it_holds(text: str):
    """Controls and lone surrogates are escapes, and come back as they were."""
    document = as_json(report_of([route_row(text)], [signature_row(path=text)]))
    assert document.isascii()
    assert text == json.loads(document)["routes"][0]["name"] == json.loads(document)["signatures"][0]["path"]
