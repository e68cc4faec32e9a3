"""The schema's history, run by Alembic; see docs/store.md for how to add a revision."""
