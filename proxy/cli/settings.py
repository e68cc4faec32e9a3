"""The process settings as flags: each flag is a field of `Settings`, described there, and wins over its variable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from proxy.environment import variable
from proxy.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

# What one decides when starting a node. The other fields are limits, and variables only.
FLAGS = (
    "config", "listen", "tls_certificate", "tls_key", "trusted_proxies", "admin_listen", "workers", "state_dir",
    "store_url", "log_format", "log_level", "request_log",
)  # fmt: skip


def settings_options(*fields: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator that gives a verb the flags of these fields, or of all in FLAGS; each is None unless given."""

    def add_flags(command: Callable[..., Any]) -> Callable[..., Any]:
        for field in reversed(fields or FLAGS):
            command = _flag(field)(command)
        return command

    return add_flags


def _flag(field: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Read as text and checked by Settings, which knows the rules; the variable is left to it as well."""
    about = Settings.model_fields[field]
    default = "" if about.default in {None, ""} else f" [default: {about.default}]"
    help_text = f"{about.description}{default} [env var: {variable(field)}]"
    return click.option(f"--{field.replace('_', '-')}", field, default=None, help=help_text)
