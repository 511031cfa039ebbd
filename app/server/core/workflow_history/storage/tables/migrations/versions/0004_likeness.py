"""Keep what runs are compared by in a narrow table of its own, beside what their lists need."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table of what is stored, and take the two columns out of the wide one."""
    op.create_table(
        "likeness",
        sa.Column("workflow_key", _KEY, comment="the run, workflows.key", nullable=False),
        sa.Column(
            "text_vector",
            sa.LargeBinary(),
            comment="the request, a signed byte per dimension; null: no words",
        ),
        sa.Column("status", _TEXT, comment="status as compared; null: unknown"),
        sa.Column(
            "cost_nanodollars",
            sa.BigInteger(),
            comment="cost as compared, nanodollars (1e-9 USD); null: unknown",
        ),
        sa.Column("duration_seconds", sa.Double(), comment="duration as compared, seconds; null: unknown"),
        sa.Column(
            "least", sa.Double(), comment="score of a full list's last place, 0 to 1; null: it has room"
        ),
        sa.Column("text_model", _TEXT, comment="what made it; null: the run was written since"),
        sa.PrimaryKeyConstraint("workflow_key", name=op.f("pk_likeness")),
        sa.ForeignKeyConstraint(
            ["workflow_key"], ["workflows.key"], name=op.f("fk_likeness_workflow_key"), ondelete="CASCADE"
        ),
        comment="what each run's list of similar runs was made with",
    )
    op.create_index("ix_likeness_text_model", "likeness", ["text_model"])
    op.execute(_COPY)
    op.drop_column("workflows", "text_vector")
    op.drop_column("workflows", "text_model")


def downgrade() -> None:
    """Put the two columns back; what else the table holds, the runs and their lists say too."""
    op.add_column(
        "workflows", sa.Column("text_model", _TEXT, comment="version of the weights behind text_vector")
    )
    op.add_column(
        "workflows",
        sa.Column("text_vector", sa.LargeBinary(), comment="the request as a sparse vector, packed"),
    )
    op.execute(_COPY_BACK)
    op.drop_table("likeness")


# Words that no upper case or space makes equal to others: the rest is left to the next sync to look at.
_COPY = """
    INSERT INTO likeness
        (workflow_key, text_vector, status, cost_nanodollars, duration_seconds, least, text_model)
    SELECT w.key, w.text_vector, CASE WHEN w.status <> 'unknown' THEN w.status END,
           w.total_cost_nanodollars, CASE WHEN w.duration_seconds >= 0 THEN w.duration_seconds END,
           p.score,
           CASE WHEN w.status IS NULL OR w.status IN
                     ('completed', 'failed', 'running', 'incomplete', 'unknown')
                THEN COALESCE(w.text_model, CASE WHEN w.nl_input IS NULL THEN 'words-1' END) END
    FROM workflows AS w
    LEFT JOIN similar_pairs AS p ON p.workflow_key = w.key AND p.rank = 5
"""

_COPY_BACK = """
    UPDATE workflows
    SET text_vector = (SELECT l.text_vector FROM likeness AS l WHERE l.workflow_key = workflows.key),
        text_model = (SELECT l.text_model FROM likeness AS l WHERE l.workflow_key = workflows.key)
    WHERE nl_input IS NOT NULL
"""
