"""Make the tables beside the runs: patterns, problems, syncs."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    _patterns()
    _occurrences()
    _problems()
    _sync_runs()


def downgrade() -> None:
    """Drop the tables, those that others lean on last."""
    for table in ("sync_runs", "problems", "occurrences", "patterns"):
        op.drop_table(table)


def _text(name: str, comment: str, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, _TEXT, comment=comment, **options)


def _whole(name: str, comment: str, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), comment=comment, **options)


def _real(name: str, comment: str, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.Double(), comment=comment, **options)


def _json(name: str, comment: str, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.JSON(none_as_null=True), comment=comment, **options)


def _key(name: str, comment: str, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, _KEY, comment=comment, **options)


def _money(name: str, comment: str) -> sa.Column[Any]:
    unit = "nanodollars (1e-9 USD); null: unknown"
    return _whole(f"{name}_nanodollars", f"{comment}, {unit}")


def _time(name: str, comment: str) -> sa.Column[Any]:
    return _text(name, f"{comment}, ISO 8601 UTC with microseconds")


def _patterns() -> None:
    op.create_table(
        "patterns",
        _key("key", "number of the pattern in this database", nullable=False),
        _text("kind", "what sort of pattern it is", nullable=False),
        _text("signature", "what recurs, in normal form", nullable=False),
        _text("status", "detected, accepted or dismissed", nullable=False, server_default="detected"),
        _time("first_seen_at", "when it was first stored"),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_patterns")),
        sa.UniqueConstraint("kind", "signature", name=op.f("uq_patterns_kind_signature")),
        comment="work that recurs",
    )


def _occurrences() -> None:
    op.create_table(
        "occurrences",
        _key("pattern_key", "the pattern, patterns.key", nullable=False),
        _key("workflow_key", "the run, workflows.key", nullable=False),
        _whole("count", "times seen in this run, count"),
        _whole("successes", "times it went well, count"),
        _whole("failures", "times it failed, count"),
        _money("cost", "spent on it in this run"),
        _real("seconds", "time spent on it in this run, seconds"),
        _json("agents", "agents that did it"),
        _text("example_path", "stream with an example, relative to the run's folder"),
        _whole("example_line", "line of the example, from 1"),
        _text("detector", "builtin, or host: the hook beside the package"),
        sa.PrimaryKeyConstraint("pattern_key", "workflow_key", name=op.f("pk_occurrences")),
        sa.ForeignKeyConstraint(
            ["pattern_key"], ["patterns.key"], name=op.f("fk_occurrences_pattern_key"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["workflow_key"], ["workflows.key"], name=op.f("fk_occurrences_workflow_key"), ondelete="CASCADE"
        ),
        comment="one row per pattern and run, however often the run is read",
    )
    op.create_index("ix_occurrences_workflow_key", "occurrences", ["workflow_key"])


def _problems() -> None:
    op.create_table(
        "problems",
        _key("key", "number of the problem", nullable=False),
        _text("agents_dir", "agents folder that was read", nullable=False),
        _text("path", "file, relative to the agents folder", nullable=False),
        _key("workflow_key", "the run, workflows.key"),
        _whole("line", "line, from 1; null: the whole file"),
        _text("reason", "what is wrong", nullable=False),
        _text("severity", "error: data is missing; warning: data is doubtful", nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_problems")),
        sa.ForeignKeyConstraint(
            ["workflow_key"], ["workflows.key"], name=op.f("fk_problems_workflow_key"), ondelete="CASCADE"
        ),
        comment="what could not be read at the last sync of each agents folder",
    )
    op.create_index("ix_problems_agents_dir", "problems", ["agents_dir"])
    op.create_index("ix_problems_workflow_key", "problems", ["workflow_key"])


def _sync_runs() -> None:
    op.create_table(
        "sync_runs",
        _key("key", "number of the sync", nullable=False),
        _time("started_at", "when the sync began"),
        _real("duration_seconds", "length of the sync, seconds"),
        _text("agents_dir", "agents folder that was read"),
        _text("project", "project that the runs were stored under"),
        _whole("scanned", "runs found, count"),
        _whole("enriched", "runs with a known cost, count"),
        _whole("inserted", "runs that are new, count"),
        _whole("updated", "runs known and brought up to date, count"),
        _whole("unchanged", "runs known and in need of no write, count"),
        _whole("failed", "runs in trouble, count"),
        _json("errors", "the troubles, one text each"),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_sync_runs")),
        comment="one row per sync that was recorded",
    )
