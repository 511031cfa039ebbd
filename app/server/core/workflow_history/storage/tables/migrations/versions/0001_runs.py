"""Make the tables of runs: workflows, their agent runs, models and links."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

_COUNTING = (
    "CREATE TABLE workflow_history_changes (number bigint NOT NULL)",
    "INSERT INTO workflow_history_changes (number) VALUES (0)",
    "COMMENT ON TABLE workflow_history_changes IS 'how many transactions have written to this history'",
)


def upgrade() -> None:
    """Make the tables."""
    _workflows()
    _agent_runs()
    _model_usage()
    _similar_pairs()
    if op.get_bind().dialect.name == "postgresql":
        for statement in _COUNTING:
            op.execute(statement)


def downgrade() -> None:
    """Drop the tables, those that others lean on last."""
    if op.get_bind().dialect.name == "postgresql":
        op.drop_table("workflow_history_changes")
    for table in ("similar_pairs", "model_usage", "agent_runs", "workflows"):
        op.drop_table(table)


def _text(name: str, comment: str, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, _TEXT, comment=comment, **options)


def _whole(name: str, comment: str, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), comment=comment, **options)


def _real(name: str, comment: str, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.Double(), comment=comment, **options)


def _flag(name: str, comment: str, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.Boolean(), comment=comment, **options)


def _json(name: str, comment: str, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.JSON(none_as_null=True), comment=comment, **options)


def _count(name: str, comment: str, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer(), comment=comment, **options)


def _key(name: str, comment: str, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, _KEY, comment=comment, **options)


def _bytes(name: str, comment: str, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.LargeBinary(), comment=comment, **options)


def _money(name: str, comment: str) -> sa.Column[Any]:
    unit = "nanodollars (1e-9 USD); null: unknown"
    return _whole(f"{name}_nanodollars", f"{comment}, {unit}")


def _time(name: str, comment: str) -> sa.Column[Any]:
    return _text(name, f"{comment}, ISO 8601 UTC with microseconds")


def _workflows_facts() -> list[sa.Column[Any]]:
    return [
        _key("key", "number of the run in this database", nullable=False),
        _text("project", "project the run belongs to; empty: none named", nullable=False, server_default=""),
        _text("id", "name of the run's folder; unique in its project", nullable=False),
        _text("adw_id", "the id that the run's state file gives"),
        _text("status", "completed, failed, running, incomplete, unknown, or the state's own word"),
        _text("status_reason", "what the status was read from"),
        _text("nl_input", "the request in the user's words"),
        _text("nl_input_source", "where the request was found"),
        _time("created_at", "when the run was made"),
        _time("started_at", "when work began"),
        _time("completed_at", "when work ended"),
        _text("times_basis", "reported: times stand in the files; derived: from ids or file stamps"),
        _whole("utc_offset_minutes", "the run's local time less UTC, minutes; null: unknown"),
        _real("duration_seconds", "length of the run, seconds"),
        _text("duration_basis", "what the duration was read from"),
        _text("issue_number", "issue worked on; text, since some tools write a word"),
        _text("issue_class", "class of the issue, such as /feature"),
        _text("workflow_template", "workflow that was run"),
        _text("model_used", "the costliest model"),
        _text("branch_name", "branch worked on"),
        _text("plan_file", "path of the plan, as the state gives it"),
        _text("current_phase", "phase that the state names"),
        _text("error_message", "what went wrong"),
    ]


def _workflows_figures() -> list[sa.Column[Any]]:
    return [
        _money("total_cost", "spent on record, all attempts"),
        _text("cost_basis", "reported, computed, lower_bound or unpriced: the weakest of the parts"),
        _money("lower_bound_cost", "spent at least in streams without a result"),
        _money("computed_cost", "tokens x dated price, to hold against the record"),
        _flag("cost_disputed", "some stream's computed cost is more than 1% off the record"),
        _real("cost_difference_percent", "computed less recorded cost, percent of the record"),
        _whole("unpriced_tokens", "tokens of models without a known price"),
        _whole("input_tokens", "tokens read uncached"),
        _whole("output_tokens", "tokens written by the model"),
        _whole("cache_read_tokens", "tokens read from the cache"),
        _whole("cache_creation_tokens", "tokens written to a cache, the sum of the next two"),
        _whole("cache_creation_5m_tokens", "tokens written to the 5-minute cache"),
        _whole("cache_creation_1h_tokens", "tokens written to the 1-hour cache"),
        _whole("web_searches", "web searches, requests"),
        _whole("total_tokens", "all tokens, cached or not"),
        _whole("retry_count", "attempts after the first, count"),
        _money("retry_cost", "spent on attempts after the first"),
        _real("nl_clarity_score", "clarity of the request, 0 to 100; null: no evidence"),
        _real("cost_efficiency_score", "spending, and the cache's share, 0 to 100; null: no evidence"),
        _real("performance_score", "pace, idle time and retries, 0 to 100; null: no evidence"),
        _real("quality_score", "quality of the outcome, 0 to 100; null: no evidence"),
        _json("score_parts", "what each score was made of"),
        _json("phase_durations", "seconds by phase"),
        _text("bottleneck_phase", "phase that took most of the time"),
        _real("idle_time_seconds", "time between agents, seconds"),
        _text("price_version", "price table that computed_cost was made with"),
        _text("agents_dir", "agents folder where the run was found"),
        _text("source_state", "present: the files are there; gone: only this history knows the run"),
        _time("gone_at", "when the files were first missed"),
        _text("fingerprint", "hash of the files' sizes and stamps"),
        _time("first_seen_at", "when this history first stored the run"),
        _time("last_changed_at", "when this history last wrote the run"),
        _json("extra", "state keys without a column; unreadable_values: what no column could hold"),
        _text("text_model", "version of the weights behind text_vector"),
        _bytes("text_vector", "the request as a sparse vector, packed"),
    ]


def _workflows() -> None:
    op.create_table(
        "workflows",
        *_workflows_facts(),
        *_workflows_figures(),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_workflows")),
        sa.UniqueConstraint("project", "id", name=op.f("uq_workflows_project_id")),
        comment="one row per run",
    )
    op.create_index("ix_workflows_created_at_id_project", "workflows", ["created_at", "id", "project"])
    op.create_index("ix_workflows_id", "workflows", ["id"])
    op.create_index(
        "ix_workflows_status_created_at_id_project", "workflows", ["status", "created_at", "id", "project"]
    )


def _agent_runs_facts() -> list[sa.Column[Any]]:
    return [
        _key("workflow_key", "the run, workflows.key", nullable=False),
        _count("ordinal", "place in the run, from 0", nullable=False),
        _text("phase", "plan, build, test, review, document ...; other: the name tells nothing"),
        _text("agent", "name of the agent"),
        _text("model", "the costliest model"),
        _money("cost", "spent by this attempt"),
        _text("cost_basis", "reported, computed, lower_bound or unpriced"),
        _money("computed_cost", "tokens x dated price, to hold against the record"),
        _flag("cost_disputed", "computed cost more than 1% off the record"),
        _real("cost_difference_percent", "computed less recorded cost, percent of the record"),
        _money("lower_bound_cost", "spent at least, beyond the cost on record"),
        _whole("input_tokens", "tokens read uncached"),
        _whole("output_tokens", "tokens written by the model"),
        _whole("cache_read_tokens", "tokens read from the cache"),
        _whole("cache_creation_tokens", "tokens written to a cache, the sum of the next two"),
        _whole("cache_creation_5m_tokens", "tokens written to the 5-minute cache"),
        _whole("cache_creation_1h_tokens", "tokens written to the 1-hour cache"),
        _whole("web_searches", "web searches, requests"),
        _whole("unpriced_tokens", "tokens of models without a known price"),
    ]


def _agent_runs_figures() -> list[sa.Column[Any]]:
    return [
        _real("duration_seconds", "length, seconds"),
        _real("duration_api_seconds", "time spent waiting for the model, seconds"),
        _whole("turns", "turns, count"),
        _whole("tool_calls", "tool calls, count"),
        _whole("tool_errors", "failed tool calls, count"),
        _time("started_at", "start"),
        _time("ended_at", "end"),
        _text("time_basis", "reported or derived"),
        _flag("is_error", "the agent's own word on failure"),
        _text("error", "what went wrong"),
        _text("outcome", "success, error, false_success, incomplete or empty"),
        _flag("is_retry", "another go at work that was tried before"),
        _whole("retries", "times this stream repeats earlier work, count"),
        _money("retry_cost", "spent on those"),
        _whole("restarts", "processes that wrote into the file after the first, count"),
        _money("restart_cost", "spent by those"),
        _whole("attempt", "1 for the first content of the file, 2 after it was overwritten"),
        _flag("superseded", "a later attempt overwrote the file"),
        _text("duplicate_of", "the stream in which the same spending is counted"),
        _text("path", "the stream, relative to the run's folder"),
        _whole("line", "line where the cost stands, from 1"),
        _text("identity", "hash of the stream's first line: tells attempts apart"),
        _text("session_id", "session that the stream names"),
        _text("format", "kind of stream: claude, gemini, codex ..."),
        _json("extra", "keys without a column; unreadable_values: what no column could hold"),
    ]


def _agent_runs() -> None:
    op.create_table(
        "agent_runs",
        *_agent_runs_facts(),
        *_agent_runs_figures(),
        sa.PrimaryKeyConstraint("workflow_key", "ordinal", name=op.f("pk_agent_runs")),
        sa.ForeignKeyConstraint(
            ["workflow_key"], ["workflows.key"], name=op.f("fk_agent_runs_workflow_key"), ondelete="CASCADE"
        ),
        comment="one row per stream and attempt: an agent's work in one phase of a run",
    )
    op.create_index("ix_agent_runs_phase", "agent_runs", ["phase"])


def _model_usage() -> None:
    op.create_table(
        "model_usage",
        _key("workflow_key", "the run, workflows.key", nullable=False),
        _count("agent_ordinal", "agent_runs.ordinal", nullable=False),
        _count("ordinal", "place in the agent's list, from 0", nullable=False),
        _text("model", "name of the model"),
        _money("cost", "spent on this model"),
        _text("cost_basis", "reported, computed, lower_bound or unpriced"),
        _money("computed_cost", "tokens x dated price, to hold against the record"),
        _money("lower_bound_cost", "spent at least, beyond the cost on record"),
        _whole("input_tokens", "tokens read uncached"),
        _whole("output_tokens", "tokens written by the model"),
        _whole("cache_read_tokens", "tokens read from the cache"),
        _whole("cache_creation_tokens", "tokens written to a cache, the sum of the next two"),
        _whole("cache_creation_5m_tokens", "tokens written to the 5-minute cache"),
        _whole("cache_creation_1h_tokens", "tokens written to the 1-hour cache"),
        _whole("web_searches", "web searches, requests"),
        _whole("unpriced_tokens", "tokens without a known price"),
        _json("extra", "keys without a column; unreadable_values: what no column could hold"),
        sa.PrimaryKeyConstraint("workflow_key", "agent_ordinal", "ordinal", name=op.f("pk_model_usage")),
        sa.ForeignKeyConstraint(
            ["workflow_key", "agent_ordinal"],
            ["agent_runs.workflow_key", "agent_runs.ordinal"],
            name=op.f("fk_model_usage_workflow_key_agent_ordinal"),
            ondelete="CASCADE",
        ),
        comment="one row per agent run and model",
    )


def _similar_pairs() -> None:
    op.create_table(
        "similar_pairs",
        _key("workflow_key", "the run, workflows.key", nullable=False),
        _count("rank", "place in the run's list, from 1", nullable=False),
        _key("similar_key", "the similar run, workflows.key"),
        _text("similar_id", "id as the caller gave it, where no stored run has it"),
        _real("score", "similarity, 0 to 1", nullable=False),
        sa.PrimaryKeyConstraint("workflow_key", "rank", name=op.f("pk_similar_pairs")),
        sa.ForeignKeyConstraint(
            ["similar_key"], ["workflows.key"], name=op.f("fk_similar_pairs_similar_key"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["workflow_key"],
            ["workflows.key"],
            name=op.f("fk_similar_pairs_workflow_key"),
            ondelete="CASCADE",
        ),
        comment="the runs most similar to each run, best first",
    )
    op.create_index("ix_similar_pairs_similar_key", "similar_pairs", ["similar_key"])
