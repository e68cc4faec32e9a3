"""deploy/prometheus/alerts.yml asks for what a scrape has, and docs/monitoring.md says what to do about each alert."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from tests.deploy.promql import OF_SCRAPE, asked_by, complaints

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "prometheus"
PAGE = (ROOT / "docs" / "monitoring.md").read_text()
FILE: dict[str, Any] = YAML(typ="safe").load(FOLDER / "alerts.yml")
RULES: list[dict[str, Any]] = [rule for group in FILE["groups"] for rule in group["rules"]]
ALERTS = [rule for rule in RULES if "alert" in rule]
RECORDED = {rule["record"]: asked_by(rule["expr"]).grouped | OF_SCRAPE for rule in RULES if "record" in rule}
# One that is made of other recorded ones has their labels.
RECORDED = {
    rule["record"]: set().union(
        RECORDED[rule["record"]], *(RECORDED.get(name, ()) for name in asked_by(rule["expr"]).series)
    )
    for rule in RULES
    if "record" in rule
}
# prometheus.io/docs/prometheus/latest/configuration/recording_rules
_DURATION = {"type": "string", "pattern": "^([0-9]+(ms|[smhdwy]))+$"}
_TEXTS = {"type": "object", "additionalProperties": {"type": "string", "minLength": 1}}
SCHEMA = {
    "type": "object",
    "required": ["groups"],
    "additionalProperties": False,
    "properties": {
        "groups": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "rules"],
                "additionalProperties": False,
                "properties": {
                    "name": {"type": "string"},
                    "interval": _DURATION,
                    "rules": {
                        "type": "array",
                        "items": {
                            "oneOf": [
                                {
                                    "required": ["record", "expr"],
                                    "additionalProperties": False,
                                    "properties": {
                                        "record": {"type": "string", "pattern": "^[a-z_]+:[a-z_]+:[a-z0-9_]+$"},
                                        "expr": {"type": "string"},
                                    },
                                },
                                {
                                    "required": ["alert", "expr", "labels", "annotations"],
                                    "additionalProperties": False,
                                    "properties": {
                                        "alert": {"type": "string", "pattern": "^Changeover[A-Za-z]+$"},
                                        "expr": {"type": "string"},
                                        "for": _DURATION,
                                        "labels": {
                                            "type": "object",
                                            "required": ["severity"],
                                            "properties": {"severity": {"enum": ["critical", "warning", "info"]}},
                                        },
                                        "annotations": {**_TEXTS, "required": ["summary", "description"]},
                                    },
                                },
                            ]
                        },
                    },
                },
            },
        }
    },
}


def test_file_has_the_shape_that_prometheus_reads():
    """Groups of recording and alerting rules, with durations and texts where they belong."""
    jsonschema.validate(FILE, SCHEMA)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert", rule.get("record")))
def test_rule_asks_for_what_a_scrape_has(rule: dict[str, Any]):
    """Every metric and label of every expression is described, or recorded by a rule of the file."""
    assert [] == complaints(rule["expr"], RECORDED)


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_annotation_names_labels_that_the_alert_has(rule: dict[str, Any]):
    """A text never says "on  of": each label in it belongs to the series that alert."""
    named = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
    asked = asked_by(rule["expr"])
    from proxy.admin.families import FAMILIES

    own = {each.scraped_name: set(each.labels) | OF_SCRAPE for each in FAMILIES} | RECORDED | {"up": set(OF_SCRAPE)}
    has = asked.grouped or set.intersection(*(own[name] for name in asked.series))
    assert set() == named - has


def test_page_explains_each_alert_and_no_other():
    """docs/monitoring.md has a row for every alert."""
    assert {rule["alert"] for rule in ALERTS} == set(re.findall(r"^\| `(Changeover\w+)` \|", PAGE, re.MULTILINE))


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_finds_that_alerts_fire_when_they_should():
    """Prometheus' own checks, and alerts_test.yml: series of known shape and the alerts they raise."""
    for command in (["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]):
        done = subprocess.run(["promtool", *command], cwd=FOLDER, capture_output=True, text=True, check=False)
        assert 0 == done.returncode, done.stdout + done.stderr
