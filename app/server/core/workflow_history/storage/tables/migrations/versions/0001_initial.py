"""Create all tables, indexes and views.

Nothing is released yet, so this revision creates the current schema. The first schema change after a release
must write out the released schema here and add a revision.
"""

from alembic import context, op

revision = "initial"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the current schema."""
    context.config.attributes["create_tables"](op.get_bind())


def downgrade() -> None:
    """Raise NotImplementedError: there is no earlier revision."""
    raise NotImplementedError("there is nothing before the first revision; delete the database instead")
