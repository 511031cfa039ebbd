"""Lay rows out as they are written, and give each usual query an index that answers it alone."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

_FIGURES = [
    "total_cost_nanodollars", "id", "project", "status", "model_used", "workflow_template", "cost_basis",
    "lower_bound_cost_nanodollars", "duration_seconds", "total_tokens", "input_tokens", "output_tokens",
    "cache_read_tokens", "cache_creation_tokens", "created_at", "started_at",
]  # fmt: skip


def upgrade() -> None:
    """Lay the occurrences out by run; make the indexes."""
    _rebuild(("workflow_key", "pattern_key"), "pattern_key", sqlite_with_rowid=False)
    op.drop_index("ix_workflows_id", "workflows")
    op.create_index("ix_workflows_id_project", "workflows", ["id", "project"])
    op.create_index("ix_workflows_figures", "workflows", _FIGURES)


def downgrade() -> None:
    """Drop the indexes; lay the occurrences out by pattern again."""
    for name in ("figures", "id_project"):
        op.drop_index(f"ix_workflows_{name}", "workflows")
    op.create_index("ix_workflows_id", "workflows", ["id"])
    _rebuild(("pattern_key", "workflow_key"), "workflow_key")


def _rebuild(keys: tuple[str, str], indexed: str, **options: Any) -> None:
    """Make the table anew, its rows kept. Without a rename: that would turn the views that read it.

    PostgreSQL does not lay rows out by a key, nor drop a table that a view reads: another key is enough.
    """
    if op.get_bind().dialect.name == "postgresql":
        op.drop_index(f"ix_occurrences_{keys[0]}", "occurrences")
        op.drop_constraint("pk_occurrences", "occurrences")
        op.create_primary_key("pk_occurrences", "occurrences", [*keys])
        op.create_index(f"ix_occurrences_{indexed}", "occurrences", [indexed])
        return
    op.execute("CREATE TABLE occurrences_kept AS SELECT * FROM occurrences")
    op.drop_table("occurrences")
    columns = _columns(keys)
    op.create_table(
        "occurrences",
        *columns,
        sa.PrimaryKeyConstraint(*keys, name=op.f("pk_occurrences")),
        *(_foreign(name) for name in keys),
        comment="one row per pattern and run, however often the run is read",
        **options,
    )
    names = ", ".join(f'"{column.name}"' for column in columns)
    order = ", ".join(keys)
    op.execute(f"INSERT INTO occurrences ({names}) SELECT {names} FROM occurrences_kept ORDER BY {order}")  # noqa: S608
    op.drop_table("occurrences_kept")
    op.create_index(f"ix_occurrences_{indexed}", "occurrences", [indexed])


def _foreign(name: str) -> sa.ForeignKeyConstraint:
    parent = {"pattern_key": "patterns.key", "workflow_key": "workflows.key"}[name]
    return sa.ForeignKeyConstraint([name], [parent], name=op.f(f"fk_occurrences_{name}"), ondelete="CASCADE")


def _columns(keys: tuple[str, str]) -> list[sa.Column[Any]]:
    meanings = {"pattern_key": "the pattern, patterns.key", "workflow_key": "the run, workflows.key"}
    return [
        *(sa.Column(name, _KEY, nullable=False, comment=meanings[name]) for name in keys),
        _whole("count", "times seen in this run, count"),
        _whole("successes", "times it went well, count"),
        _whole("failures", "times it failed, count"),
        _whole("cost_nanodollars", "spent on it in this run, nanodollars (1e-9 USD); null: unknown"),
        sa.Column("seconds", sa.Double(), comment="time spent on it in this run, seconds"),
        sa.Column("agents", sa.JSON(none_as_null=True), comment="agents that did it"),
        _text("example_path", "stream with an example, relative to the run's folder"),
        _whole("example_line", "line of the example, from 1"),
        _text("detector", "builtin, or host: the hook beside the package"),
    ]


def _whole(name: str, comment: str) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), comment=comment)


def _text(name: str, comment: str) -> sa.Column[Any]:
    return sa.Column(name, _TEXT, comment=comment)
