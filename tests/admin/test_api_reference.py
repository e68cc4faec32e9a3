"""docs/admin-api.md and the API say the same."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

import proxy.errors
from proxy.admin.api import ENDPOINTS
from proxy.admin.families import FAMILIES, families_table
from proxy.admin.metrics import render_metrics
from proxy.core.triage import ALL_STATES
from tests.fakes import FakeControl

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "admin-api.md").read_text()


def test_reference_has_each_endpoint_and_no_other():
    """The table lists method and address of every endpoint."""
    documented = set(re.findall(r"^\| `([A-Z]+) (/[^`]*)` \|", TEXT, re.MULTILINE))
    assert {(method, path) for path, methods in ENDPOINTS.items() for method in methods} == documented


def test_monitoring_has_the_table_of_all_metrics():
    """docs/monitoring.md has each family with its type, labels, unit and meaning, as the code describes it."""
    assert families_table() in (DOCS / "monitoring.md").read_text()


def test_scrape_has_each_described_metric_with_its_labels_and_no_other():
    """What is described is what is made, name, type and labels."""
    content = asyncio.run(FakeControl().metrics_snapshot())
    content["routes"]["feeds"] |= {"dropped.users": 1, "partly.size": 1, "self_skipped.shed": 1}
    scraped = {
        (family.name, family.type, frozenset(label for sample in family.samples for label in sample.labels) - {"le"})
        for family in text_string_to_metric_families(render_metrics(content).decode())
    }
    described = {(each.scraped_name.removesuffix("_total"), each.type, frozenset(each.labels)) for each in FAMILIES}
    assert described == scraped


def test_reference_has_each_error_code_that_can_be_answered():
    """Codes of our errors that reach this API, and those of the API itself."""
    documented = set(re.findall(r"^\| `([a-z_]+)` \| \d", TEXT, re.MULTILINE))
    ours = {
        error.code
        for error in (
            proxy.errors.Refused,
            proxy.errors.RequestRefused,
            proxy.errors.NotFound,
            proxy.errors.Conflict,
            proxy.errors.Stale,
            proxy.errors.ConfigError,
            proxy.errors.StoreError,
        )
    }
    own = {"unauthorized", "cross_site", "method_not_allowed", "misdirected", "internal"}
    assert ours | own == documented


def test_reference_names_each_state():
    """The states that may be asked for stand in the text."""
    assert set() == {state for state in ALL_STATES if f"`{state}`" not in TEXT}
