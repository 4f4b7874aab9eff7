"""What Alembic runs to run the steps: on the connection it was given, in the transaction that is under way there."""

from __future__ import annotations

from alembic import context

from orchestrator.records.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,  # for the names of constraints
    render_as_batch=True,  # SQLite changes a column by making its table anew
)
with context.begin_transaction():
    context.run_migrations()
