"""Know copies: runs of which others count all the spending, and where else the files of a run lie."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_ALL_BLOCKS = "DELETE FROM column_blocks"
"""Packed figures have one column more, and their sums leave copies out of the runs of unknown cost."""


def upgrade() -> None:
    """Drop the packed figures, which the next sync packs anew, and add the table."""
    op.execute(_ALL_BLOCKS)
    op.create_table(
        "other_places",
        sa.Column("agents_dir", _TEXT, nullable=False, comment="agents folder that holds the run, too"),
        sa.Column("workflow_key", _KEY, nullable=False, comment="the run, workflows.key"),
        sa.Column("fingerprint", _TEXT, nullable=False, comment="hash of its files' sizes and stamps there"),
        sa.ForeignKeyConstraint(
            ["workflow_key"], ["workflows.key"], name="fk_other_places_workflow_key", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("agents_dir", "workflow_key", name="pk_other_places"),
        comment="copies of a run that are read already: a sync of their folder leaves them unread",
    )
    op.create_index("ix_other_places_workflow_key", "other_places", ["workflow_key"])


def downgrade() -> None:
    """Drop what `upgrade` made, and the packed figures: an older program packs other columns."""
    op.drop_index("ix_other_places_workflow_key", "other_places")
    op.drop_table("other_places")
    op.execute(_ALL_BLOCKS)
