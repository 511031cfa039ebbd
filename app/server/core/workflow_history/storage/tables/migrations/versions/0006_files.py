"""Know of each run when its files were written, and of each stream that may grow how far it was read."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_OF_A_SYNC = [
    "project", "id", "agents_dir", "fingerprint", "source_state", "file_times", "first_written_ns",
    "last_written_ns", "total_cost_nanodollars", "lower_bound_cost_nanodollars", "cost_basis",
]  # fmt: skip


def upgrade() -> None:
    """Add the columns, the index that a sync looks through, and the table of marks."""
    times = "own; contradicted by how long its agents worked; copied: written within such a span"
    op.add_column("workflows", sa.Column("file_times", _TEXT, comment=times))
    for name, which in (("first_written_ns", "first"), ("last_written_ns", "last")):
        comment = f"when the {which} of its files was written, nanoseconds since 1970"
        op.add_column("workflows", sa.Column(name, sa.BigInteger(), comment=comment))
    op.create_index("ix_workflows_of_a_sync", "workflows", _OF_A_SYNC)
    _stream_marks()


def downgrade() -> None:
    """Drop what `upgrade` made."""
    op.drop_table("stream_marks")
    op.drop_index("ix_workflows_of_a_sync", "workflows")
    for name in ("file_times", "first_written_ns", "last_written_ns"):
        op.drop_column("workflows", name)


def _stream_marks() -> None:
    op.create_table(
        "stream_marks",
        sa.Column("workflow_key", _KEY, nullable=False, comment="the run, workflows.key"),
        sa.Column("path", _TEXT, nullable=False, comment="the stream, relative to the run's folder"),
        sa.Column(
            "mark", sa.LargeBinary(), nullable=False, comment="how far it was read and what it said, packed"
        ),
        sa.Column(
            "written_ns",
            sa.BigInteger(),
            nullable=False,
            comment="when the run was last written to, ns since 1970",
        ),
        sa.ForeignKeyConstraint(
            ["workflow_key"],
            ["workflows.key"],
            name=op.f("fk_stream_marks_workflow_key"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workflow_key", "path", name=op.f("pk_stream_marks")),
        comment="streams that may still grow: a sync reads on from here",
    )
    op.create_index("ix_stream_marks_written_ns", "stream_marks", ["written_ns"])
