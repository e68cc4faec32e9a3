"""deploy/grafana/changeover.json shows only what a scrape has, and everything it should."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.promql import asked_by, complaints

ROOT = Path(__file__).parents[2]
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "changeover.json").read_text())
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
TARGETS = [(panel["title"], target["expr"], target["legendFormat"]) for panel in PANELS for target in panel["targets"]]
QUERIES = [each["definition"] for each in DASHBOARD["templating"]["list"] if each["type"] == "query"]


@pytest.mark.parametrize(("title", "expression", "legend"), TARGETS)
def test_panel_asks_for_what_a_scrape_has(title: str, expression: str, legend: str):
    """Every metric and label of every expression is described; the legend names labels that the result keeps."""
    assert [] == complaints(expression), title
    named = set(re.findall(r"\{\{(\w+)\}\}", legend))
    assert set() == named - asked_by(expression).grouped, title


@pytest.mark.parametrize("query", QUERIES)
def test_variable_asks_for_what_a_scrape_has(query: str):
    """`label_values(metric, label)`: the metric is described and has the label."""
    metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", query).groups()  # type: ignore[union-attr]
    assert [] == complaints(f"sum by ({label}) ({metric})")


def test_annotation_asks_for_what_a_scrape_has():
    """Changes of the rollout are marked in every panel."""
    assert [[]] == [complaints(each["expr"]) for each in DASHBOARD["annotations"]["list"]]


def test_dashboard_shows_what_operators_ask_for():
    """Percentages, requests, matches, coverage, gaps, errors, latency, drops and holds each have their panel."""
    shown = set().union(*(asked_by(expression).series for _, expression, _ in TARGETS))
    wanted = {
        "changeover_rollout_percentage",
        "changeover_rollout_effective_percentage",
        "changeover_rollout_held",
        "changeover_requests_total",
        "changeover_pairs_compared_total",
        "changeover_pairs_expected_total",
        "changeover_pairs_skipped_total",
        "changeover_responses_total",
        "changeover_latency_seconds_bucket",
        "changeover_records_dropped_total",
    }
    assert set() == wanted - shown
    quantiles = {each for _, expression, _ in TARGETS for each in re.findall(r"quantile\(([\d.]+)", expression)}
    assert {"0.5", "0.95", "0.99"} == quantiles


def test_panels_fit_beside_each_other():
    """No two panels lie on the same place, and none is outside the 24 columns."""
    places: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        own = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert set() == own & places, panel["title"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        places |= own
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_reads_every_expression(tmp_path: Path):
    """Prometheus' own parser takes them, with Grafana's variables replaced."""
    rules = [
        {"record": f"panel:{number}", "expr": re.sub(r"\$\w+", "5m", expression)}
        for number, (_, expression, _) in enumerate(TARGETS)
    ]
    file = tmp_path / "panels.yml"
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))  # JSON is YAML
    done = subprocess.run(["promtool", "check", "rules", file], capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stdout + done.stderr
