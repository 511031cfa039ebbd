"""What Alembic runs: takes the open connection that `migrate` hands over, commits nothing itself."""

from alembic import context

options = context.config.attributes
context.configure(
    connection=options["connection"],
    target_metadata=options["metadata"],
    version_table=options["version_table"],
    compare_type=True,
)
context.run_migrations()
