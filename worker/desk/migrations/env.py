"""Alembic's entry: the connection comes from `worker.desk.casestore`, within its transaction."""

from alembic import context

from worker.desk.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
