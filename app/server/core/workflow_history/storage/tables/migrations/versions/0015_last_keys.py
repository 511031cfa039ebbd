"""Note which numbers of runs and patterns were given: none is given twice."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the table; of numbers that were given before, those of rows that are there are known."""
    op.create_table(
        "last_keys",
        sa.Column("name", _TEXT, nullable=False, comment="the table: workflows or patterns"),
        sa.Column(
            "key", sa.BigInteger(), nullable=False, comment="the highest number that a row of it ever had"
        ),
        sa.PrimaryKeyConstraint("name", name="pk_last_keys"),
        comment="which numbers were given: none stands for two rows, though the first is taken out",
    )
    for name in ("workflows", "patterns"):
        op.execute(
            f"INSERT INTO last_keys (name, key) SELECT '{name}', max(key) FROM {name} HAVING count(*) > 0"  # noqa: S608 - names
        )


def downgrade() -> None:
    """Drop what `upgrade` made."""
    op.drop_table("last_keys")
