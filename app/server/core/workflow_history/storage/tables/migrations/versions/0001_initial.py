"""Create all tables, indexes and views.

Nothing is released yet, so this revision is the schema as it stands. The first change after a release writes
out here what the schema was, and adds a revision.
"""

from alembic import context, op

revision = "initial"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create what the schema describes."""
    context.config.attributes["create_tables"](op.get_bind())


def downgrade() -> None:
    """Refuse: before the first revision there is no history."""
    raise NotImplementedError("there is nothing before the first revision; delete the database instead")
