"""Know of which runs others count all the spending: packed figures say so, and sums call none unknown."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_ALL_BLOCKS = "DELETE FROM column_blocks"
"""Packed figures have one column more, and their sums leave copies out of the runs of unknown cost."""


def upgrade() -> None:
    """Drop the packed figures; the next sync packs them anew."""
    op.execute(_ALL_BLOCKS)


def downgrade() -> None:
    """Drop them, too: an older program packs other columns."""
    op.execute(_ALL_BLOCKS)
