"""Templates of this package, filled in: everything that isn't a template's own text is escaped.

Two guards on every value that a template shows, whatever it forgets: Jinja's autoescape, and `plain`, which makes
control characters visible (a bidi override must not turn a line around, and XML allows none of them).

Links in the control room's templates are written from its root; the listener's URL prefix is put before each of them.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.ext import Extension

from proxy.admin.plain import plain

TEMPLATES = Path(__file__).with_name("templates")
_LINK = re.compile(r'\b(href|src|action)="(?=/|\{\{)')
STATIC = Path(__file__).with_name("static")  # the report carries a style of it within itself


def render(template: str, **values: Any) -> str:
    """The text of a template of ours with these values."""
    return environment().get_template(template).render(values)


@cache
def environment() -> Environment:
    return Environment(
        loader=FileSystemLoader([TEMPLATES, STATIC]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
        extensions=[_Prefixed],
    )


class _Prefixed(Extension):
    """`href="/diffs"` is read as `href="{{ prefix }}/diffs"`, so that no template can forget it."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:  # noqa: ARG002
        return _LINK.sub(r'\1="{{ prefix }}', source) if name and name.startswith("room/") else source


def _shown(value: Any) -> Any:
    """What is markup already (it has `__html__`) comes from a template of ours."""
    return plain(value) if type(value) is str or (isinstance(value, str) and not hasattr(value, "__html__")) else value
