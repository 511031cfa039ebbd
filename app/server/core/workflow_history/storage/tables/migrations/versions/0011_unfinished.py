"""Know which steps a stopped command left undone, so that the next one does them."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "unfinished",
        sa.Column("step", _TEXT, comment="what is left to do: erase"),
        sa.PrimaryKeyConstraint("step", name="pk_unfinished"),
        comment="steps that a stopped command left undone: the next command that writes does them",
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("unfinished")
