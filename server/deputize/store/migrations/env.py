"""Run by Alembic: hands it the connection that `upgrade` has begun a transaction on."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
