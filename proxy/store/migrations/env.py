"""Alembic runs this for each command, on the connection that `proxy.store.schema` (or a test) hands over."""

from alembic import context

from proxy.store.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,  # SQLite can't alter a column in place
    transactional_ddl=True,  # both databases can, and our connection's transaction covers the whole upgrade
)
with context.begin_transaction():
    context.run_migrations()
