"""Know which messages each run has, so that each of them counts once in the whole history."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables; runs get their claims when they are read the next time."""
    op.create_table(
        "claims",
        sa.Column("workflow_key", _KEY, nullable=False, comment="the run, workflows.key"),
        sa.Column("path", _TEXT, nullable=False, comment="the stream, relative to the run's folder"),
        sa.Column("identity", _TEXT, nullable=False, comment="hash of the stream's first line; empty: none"),
        sa.Column(
            "data", sa.LargeBinary(), nullable=False, comment="what the attempt spent by itself, packed"
        ),
        sa.ForeignKeyConstraint(
            ["workflow_key"], ["workflows.key"], name="fk_claims_workflow_key", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("workflow_key", "path", "identity", name="pk_claims"),
        comment="one row per attempt: "
        "the share of a run is computed from it if others have the same messages",
    )
    op.create_table(
        "claim_units",
        sa.Column("unit", sa.BigInteger(), nullable=False, comment="hash of a message's or a result's id"),
        sa.Column(
            "workflow_key", sa.BigInteger(), nullable=False, comment="the run that has it, workflows.key"
        ),
        sa.PrimaryKeyConstraint("unit", "workflow_key", name="pk_claim_units"),
        sqlite_with_rowid=False,
        comment="which runs have which messages and results: each counts once in the whole history",
    )


def downgrade() -> None:
    """Drop what `upgrade` made."""
    op.drop_table("claim_units")
    op.drop_table("claims")
