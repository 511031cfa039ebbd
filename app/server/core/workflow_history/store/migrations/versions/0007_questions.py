"""Give each question an index: full text, filters and sorts of lists, and figures packed by column."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_OLD_FIGURES = [
    "total_cost_nanodollars", "id", "project", "status", "model_used", "workflow_template", "cost_basis",
    "lower_bound_cost_nanodollars", "duration_seconds", "total_tokens", "input_tokens", "output_tokens",
    "cache_read_tokens", "cache_creation_tokens", "created_at", "started_at",
]  # fmt: skip
_FIGURES = [
    "created_at", "id", "project", "status", "workflow_template", "issue_class", "model_used",
    "total_cost_nanodollars", "total_tokens", "duration_seconds", "nl_clarity_score",
    "cost_efficiency_score", "performance_score", "quality_score", "source_state",
]  # fmt: skip
_SORTED = (
    "total_cost_nanodollars", "duration_seconds", "total_tokens", "model_used", "workflow_template",
    "nl_clarity_score", "cost_efficiency_score", "performance_score", "quality_score", "status",
)  # fmt: skip
_OF_AGENTS = ("phase", "agent", "model")
_SEARCHED = ("nl_input", "error_message", "branch_name", "plan_file", "id", "adw_id", "issue_number")


def upgrade() -> None:
    """Make the indexes and the table of packed columns; the next sync fills it."""
    op.drop_index("ix_workflows_created_at_id_project", "workflows")
    op.drop_index("ix_workflows_figures", "workflows")
    op.create_index("ix_workflows_figures", "workflows", _FIGURES)
    for name in _SORTED:
        op.create_index(f"ix_workflows_{name}_id_project", "workflows", [name, "id", "project"])
    with_error = sa.text("error_message <> ''")
    op.create_index(
        "ix_workflows_with_error", "workflows", ["key"], sqlite_where=with_error, postgresql_where=with_error
    )
    op.drop_index("ix_agent_runs_phase", "agent_runs")
    for name in _OF_AGENTS:
        op.create_index(f"ix_agent_runs_{name}_workflow_key", "agent_runs", [name, "workflow_key"])
    _column_blocks()
    _search()


def downgrade() -> None:
    """Drop what `upgrade` made, and make again what it dropped."""
    for name in ("add", "drop", "change"):
        op.execute(f"DROP TRIGGER run_search_{name}")
    op.execute("DROP TABLE run_search")
    op.drop_table("column_blocks")
    for name in _OF_AGENTS:
        op.drop_index(f"ix_agent_runs_{name}_workflow_key", "agent_runs")
    op.create_index("ix_agent_runs_phase", "agent_runs", ["phase"])
    op.drop_index("ix_workflows_with_error", "workflows")
    for name in _SORTED:
        op.drop_index(f"ix_workflows_{name}_id_project", "workflows")
    op.drop_index("ix_workflows_figures", "workflows")
    op.create_index("ix_workflows_figures", "workflows", _OLD_FIGURES)
    op.create_index("ix_workflows_created_at_id_project", "workflows", ["created_at", "id", "project"])


def _column_blocks() -> None:
    op.create_table(
        "column_blocks",
        sa.Column("family", sa.Text(), nullable=False, comment="runs, agent_runs or models"),
        sa.Column("name", sa.Text(), nullable=False, comment="the column"),
        sa.Column("block", sa.Integer(), nullable=False, comment="runs with these keys, divided by 512"),
        sa.Column("data", sa.LargeBinary(), nullable=False, comment="the values of these runs, packed"),
        sa.PrimaryKeyConstraint("family", "name", "block", name=op.f("pk_column_blocks")),
        comment="figures packed by column, for sums over many runs; made of the other tables, may be emptied",
    )
    op.create_index("ix_column_blocks_block", "column_blocks", ["block"])


def _search() -> None:
    columns = ", ".join(_SEARCHED)
    new, old = (", ".join(f"{row}.{name}" for name in _SEARCHED) for row in ("new", "old"))
    changed = " OR ".join(f"old.{name} IS NOT new.{name}" for name in _SEARCHED)
    add = f"INSERT INTO run_search (rowid, {columns}) VALUES (new.key, {new});"  # noqa: S608 - names, no values
    drop = f"INSERT INTO run_search (run_search, rowid, {columns}) VALUES ('delete', old.key, {old});"  # noqa: S608
    op.execute(
        f"CREATE VIRTUAL TABLE run_search USING fts5({columns}, content='workflows', content_rowid='key',"
        " tokenize='unicode61 remove_diacritics 2')"
    )
    op.execute(f"CREATE TRIGGER run_search_add AFTER INSERT ON workflows BEGIN {add} END")
    op.execute(f"CREATE TRIGGER run_search_drop AFTER DELETE ON workflows BEGIN {drop} END")
    op.execute(
        f"CREATE TRIGGER run_search_change AFTER UPDATE OF {columns} ON workflows WHEN {changed}"
        f" BEGIN {drop} {add} END"
    )
    op.execute("INSERT INTO run_search (run_search) VALUES ('rebuild')")
