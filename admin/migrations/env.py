"""Run by Alembic: migrate over the connection that the caller holds, inside its transaction."""

from __future__ import annotations

from alembic import context

from admin.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
