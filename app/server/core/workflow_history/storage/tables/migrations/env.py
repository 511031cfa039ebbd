"""Run the Alembic migrations on the open connection that `migrate` passes; commits nothing."""

from alembic import context

options = context.config.attributes
context.configure(
    connection=options["connection"],
    target_metadata=options["metadata"],
    version_table=options["version_table"],
    compare_type=True,
)
context.run_migrations()
