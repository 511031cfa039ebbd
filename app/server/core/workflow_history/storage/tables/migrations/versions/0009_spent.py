"""Know what each run spent in all, on record and beyond it: lists filter and sort by what they show."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_OLD_FIGURES = [
    "created_at", "id", "project", "status", "workflow_template", "issue_class", "model_used",
    "total_cost_nanodollars", "total_tokens", "duration_seconds", "nl_clarity_score",
    "cost_efficiency_score", "performance_score", "quality_score", "source_state",
]  # fmt: skip
_FIGURES = [*_OLD_FIGURES, "spent_nanodollars"]
_SPENT = (
    "COALESCE(total_cost_nanodollars + lower_bound_cost_nanodollars,"
    " total_cost_nanodollars, lower_bound_cost_nanodollars)"
)
_NEW_BLOCKS = "DELETE FROM column_blocks WHERE family = 'runs' OR family LIKE 'digests%'"
"""Packed figures of runs hold one column more, and their sums keep lower bounds apart."""


def upgrade() -> None:
    """Add the column, fill it and index it; the next sync packs figures anew."""
    comment = "spent at least, on record and beyond it, nanodollars (1e-9 USD); null: unknown"
    op.add_column("workflows", sa.Column("spent_nanodollars", sa.BigInteger(), comment=comment))
    op.execute(f"UPDATE workflows SET spent_nanodollars = {_SPENT}")  # noqa: S608 - names, no values
    op.drop_index("ix_workflows_figures", "workflows")
    op.create_index("ix_workflows_figures", "workflows", _FIGURES)
    op.create_index(
        "ix_workflows_spent_nanodollars_id_project", "workflows", ["spent_nanodollars", "id", "project"]
    )
    op.execute(_NEW_BLOCKS)


def downgrade() -> None:
    """Drop what `upgrade` made, and make again what it dropped."""
    op.drop_index("ix_workflows_spent_nanodollars_id_project", "workflows")
    op.drop_index("ix_workflows_figures", "workflows")
    op.create_index("ix_workflows_figures", "workflows", _OLD_FIGURES)
    op.drop_column("workflows", "spent_nanodollars")
    op.execute(_NEW_BLOCKS)
