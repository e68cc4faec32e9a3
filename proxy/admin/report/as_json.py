"""A report as JSON: the API's own values, unrounded, with what the report adds to them. See report.schema.json."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proxy.admin.noise_text import noise_sentence
from proxy.admin.report.content import TARGET, interval_of, pairs_until_proven
from proxy.admin.report.sentence import sentence_text
from proxy.core.proportion import CONFIDENCE

if TYPE_CHECKING:
    from proxy.admin.report.content import Finding, Report
    from proxy.admin.report.thresholds import Outcome

Json = dict[str, Any]
SCHEMA_FILE = Path(__file__).with_name("report.schema.json")
SCHEMA_VERSION = 1  # grows when a field goes or changes its meaning; new fields leave it as it is


def as_json(report: Report) -> str:
    """ASCII: controls and lone surrogates are escapes."""
    return json.dumps(report_document(report), indent=2) + "\n"


def report_document(report: Report) -> Json:
    return {
        "schema_version": SCHEMA_VERSION,
        "version": report.version,
        "config_digest": report.config_digest,
        "made_at": report.scope.made_at,
        "since": report.scope.since,
        "route": report.scope.route,
        "confidence": CONFIDENCE,
        "target": TARGET,
        "thresholds": [_outcome(outcome) for outcome in report.outcomes],
        "routes": [_route(route) for route in report.routes],
        "signatures": [_signature(finding) for finding in report.findings],
    }


def _outcome(outcome: Outcome) -> Json:
    return {
        "expression": outcome.threshold.expression,
        "verdict": outcome.verdict,
        "failures": [asdict(failure) for failure in outcome.failures],
    }


def _route(route: Json) -> Json:
    interval = interval_of(route)
    return {
        **route,
        "match_rate_interval": None if interval is None else asdict(interval),
        "pairs_until_proven": pairs_until_proven(route),
    }


def _signature(finding: Finding) -> Json:
    return {
        **finding.row,
        "sentence": sentence_text(finding.sentence),
        "noise_sentence": noise_sentence(finding.row),
        "share": finding.share,
        "example": None if finding.example is None else asdict(finding.example),
    }
