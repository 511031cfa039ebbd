"""Know which machine found a run and which synced, and which runs were taken out on purpose."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_OLD_OF_A_SYNC = [
    "project", "id", "agents_dir", "fingerprint", "source_state", "file_times", "first_written_ns",
    "last_written_ns", "total_cost_nanodollars", "lower_bound_cost_nanodollars", "cost_basis",
]  # fmt: skip
_OF_A_SYNC = [*_OLD_OF_A_SYNC, "found_on"]


def upgrade() -> None:
    """Add the columns and the table; of what is stored already, no machine is known."""
    found_on = "machine whose sync found it there; null: not known"
    op.add_column("workflows", sa.Column("found_on", _TEXT, comment=found_on))
    host = "machine that synced; null: not known"
    op.add_column("sync_runs", sa.Column("host", _TEXT, comment=host))
    op.drop_index("ix_workflows_of_a_sync", "workflows")
    op.create_index("ix_workflows_of_a_sync", "workflows", _OF_A_SYNC)
    op.create_table(
        "pruned_runs",
        sa.Column("project", _TEXT, comment="project of the run"),
        sa.Column("id", _TEXT, comment="name of the run's folder"),
        sa.Column("pruned_at", _TEXT, nullable=False, comment="when, ISO 8601 UTC with microseconds"),
        sa.Column("created_at", _TEXT, comment="when the run was made, ISO 8601 UTC with microseconds"),
        sa.Column(
            "spent_nanodollars",
            sa.BigInteger(),
            comment="what it had spent at least, nanodollars (1e-9 USD); null: unknown",
        ),
        sa.PrimaryKeyConstraint("project", "id", name="pk_pruned_runs"),
        comment="runs that were taken out of the history on purpose: no sync brings them back by itself",
    )


def downgrade() -> None:
    """Drop what `upgrade` made."""
    op.drop_table("pruned_runs")
    op.drop_index("ix_workflows_of_a_sync", "workflows")
    op.create_index("ix_workflows_of_a_sync", "workflows", _OLD_OF_A_SYNC)
    op.drop_column("sync_runs", "host")
    op.drop_column("workflows", "found_on")
