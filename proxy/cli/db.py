"""`changeover db upgrade`: brings the store's schema to this version's."""

from __future__ import annotations

from typing import Any

import click

from proxy.cli.output import print_lines
from proxy.cli.settings import settings_options
from proxy.settings import load_settings


@click.group
def db() -> None:
    """Look after the store of evidence."""


@db.command
@settings_options("state_dir", "store_url")
def upgrade(**given: Any) -> None:
    """Upgrade the store's schema. Safe to repeat, and with several nodes at once."""
    settings = load_settings(**given)
    from proxy.store import Store  # noqa: PLC0415 - SQLAlchemy and Alembic are slow to import

    store = Store(settings.effective_store_url)
    try:
        store.upgrade()
    finally:
        store.close()
    print_lines(f"{store.name}: the schema is this version's")
