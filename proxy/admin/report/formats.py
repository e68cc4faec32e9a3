"""The formats of a report by the names that `--format` takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.admin.report.as_html import as_html
from proxy.admin.report.as_json import as_json
from proxy.admin.report.as_junit import as_junit
from proxy.admin.report.as_markdown import as_markdown
from proxy.admin.report.as_text import as_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.admin.report.content import Report

FORMATS: dict[str, Callable[[Report], str]] = {
    "text": as_text,
    "markdown": as_markdown,
    "json": as_json,
    "junit": as_junit,
    "html": as_html,
}
