"""Make the first tables: runs, their agents, models and links, patterns, problems, syncs."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make all tables."""
    _workflows()
    _agent_runs()
    _model_usage()
    _similar_pairs()
    _patterns()
    _occurrences()
    _problems()
    _sync_runs()


def downgrade() -> None:
    """Drop all tables, those that others lean on last."""
    for table in (
        "sync_runs",
        "problems",
        "occurrences",
        "patterns",
        "similar_pairs",
        "model_usage",
        "agent_runs",
        "workflows",
    ):
        op.drop_table(table)


def _text(name: str, comment: str, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), comment=comment, **options)


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
        _text("created_at", "when the run was made, ISO 8601 UTC with microseconds"),
        _text("started_at", "when work began, ISO 8601 UTC with microseconds"),
        _text("completed_at", "when work ended, ISO 8601 UTC with microseconds"),
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
        _whole(
            "total_cost_nanodollars", "spent on record, all attempts, nanodollars (1e-9 USD); null: unknown"
        ),
        _text("cost_basis", "reported, computed, lower_bound or unpriced: the weakest of the parts"),
        _whole(
            "lower_bound_cost_nanodollars",
            "spent at least in streams without a result, nanodollars (1e-9 USD); null: unknown",
        ),
        _whole(
            "computed_cost_nanodollars",
            "tokens x dated price, to hold against the record, nanodollars (1e-9 USD); null: unknown",
        ),
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
        _whole(
            "retry_cost_nanodollars",
            "spent on attempts after the first, nanodollars (1e-9 USD); null: unknown",
        ),
        _real("nl_clarity_score", "clarity of the request, 0 to 100; null: no evidence"),
        _real("cost_efficiency_score", "cost against similar runs, 0 to 100; null: no evidence"),
        _real("performance_score", "speed against similar runs, 0 to 100; null: no evidence"),
        _real("quality_score", "quality of the outcome, 0 to 100; null: no evidence"),
        _json("score_parts", "what each score was made of"),
        _json("phase_durations", "seconds by phase"),
        _text("bottleneck_phase", "phase that took most of the time"),
        _real("idle_time_seconds", "time between agents, seconds"),
        _text("price_version", "price table that computed_cost was made with"),
        _text("agents_dir", "agents folder where the run was found"),
        _text("source_state", "present: the files are there; gone: only this history knows the run"),
        _text("gone_at", "when the files were first missed, ISO 8601 UTC with microseconds"),
        _text("fingerprint", "hash of the files' sizes and stamps"),
        _text("first_seen_at", "when this history first stored the run, ISO 8601 UTC with microseconds"),
        _text("last_changed_at", "when this history last wrote the run, ISO 8601 UTC with microseconds"),
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


def _agent_runs() -> None:
    op.create_table(
        "agent_runs",
        _key("workflow_key", "the run, workflows.key", nullable=False),
        _count("ordinal", "place in the run, from 0", nullable=False),
        _text("phase", "plan, build, test, review, document ...; other: the name tells nothing"),
        _text("agent", "name of the agent"),
        _text("model", "the costliest model"),
        _whole("cost_nanodollars", "spent by this attempt, nanodollars (1e-9 USD); null: unknown"),
        _text("cost_basis", "reported, computed, lower_bound or unpriced"),
        _whole(
            "computed_cost_nanodollars",
            "tokens x dated price, to hold against the record, nanodollars (1e-9 USD); null: unknown",
        ),
        _whole(
            "lower_bound_cost_nanodollars",
            "spent at least, beyond the cost on record, nanodollars (1e-9 USD); null: unknown",
        ),
        _whole("input_tokens", "tokens read uncached"),
        _whole("output_tokens", "tokens written by the model"),
        _whole("cache_read_tokens", "tokens read from the cache"),
        _whole("cache_creation_tokens", "tokens written to a cache, the sum of the next two"),
        _whole("cache_creation_5m_tokens", "tokens written to the 5-minute cache"),
        _whole("cache_creation_1h_tokens", "tokens written to the 1-hour cache"),
        _whole("web_searches", "web searches, requests"),
        _whole("unpriced_tokens", "tokens of models without a known price"),
        _real("duration_seconds", "length, seconds"),
        _real("duration_api_seconds", "time spent waiting for the model, seconds"),
        _whole("turns", "turns, count"),
        _whole("tool_calls", "tool calls, count"),
        _whole("tool_errors", "failed tool calls, count"),
        _text("started_at", "start, ISO 8601 UTC with microseconds"),
        _text("ended_at", "end, ISO 8601 UTC with microseconds"),
        _text("time_basis", "reported or derived"),
        _flag("is_error", "the agent's own word on failure"),
        _text("error", "what went wrong"),
        _text("outcome", "success, error, false_success, incomplete or empty"),
        _flag("is_retry", "another go at work that was tried before"),
        _whole("attempt", "1 for the first content of the file, 2 after it was overwritten"),
        _flag("superseded", "a later attempt overwrote the file"),
        _text("path", "the stream, relative to the run's folder"),
        _whole("line", "line where the cost stands, from 1"),
        _text("identity", "hash of the stream's first line: tells attempts apart"),
        _text("session_id", "session that the stream names"),
        _text("format", "kind of stream: claude, gemini, codex ..."),
        _json("extra", "keys without a column; unreadable_values: what no column could hold"),
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
        _whole("cost_nanodollars", "spent on this model, nanodollars (1e-9 USD); null: unknown"),
        _text("cost_basis", "reported, computed, lower_bound or unpriced"),
        _whole(
            "computed_cost_nanodollars",
            "tokens x dated price, to hold against the record, nanodollars (1e-9 USD); null: unknown",
        ),
        _whole("input_tokens", "tokens read uncached"),
        _whole("output_tokens", "tokens written by the model"),
        _whole("cache_read_tokens", "tokens read from the cache"),
        _whole("cache_creation_tokens", "tokens written to a cache, the sum of the next two"),
        _whole("cache_creation_5m_tokens", "tokens written to the 5-minute cache"),
        _whole("cache_creation_1h_tokens", "tokens written to the 1-hour cache"),
        _whole("web_searches", "web searches, requests"),
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


def _patterns() -> None:
    op.create_table(
        "patterns",
        _key("key", "number of the pattern in this database", nullable=False),
        _text("kind", "what sort of pattern it is", nullable=False),
        _text("signature", "what recurs, in normal form", nullable=False),
        _text(
            "status",
            "detected, accepted or dismissed: the user's word",
            nullable=False,
            server_default="detected",
        ),
        _text("first_seen_at", "when it was first stored, ISO 8601 UTC with microseconds"),
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
        _whole("cost_nanodollars", "spent on it in this run, nanodollars (1e-9 USD); null: unknown"),
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
        _text("started_at", "when the sync began, ISO 8601 UTC with microseconds"),
        _real("duration_seconds", "length of the sync, seconds"),
        _text("agents_dir", "agents folder that was read"),
        _text("project", "project that the runs were stored under"),
        _whole("scanned", "runs found, count"),
        _whole("enriched", "runs with a known cost, count"),
        _whole("inserted", "runs new, count"),
        _whole("updated", "runs known and brought up to date, count"),
        _whole("unchanged", "runs known and in need of no write, count"),
        _whole("failed", "runs in trouble, count"),
        _json("errors", "the troubles, by run"),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_sync_runs")),
        comment="one row per sync that was recorded",
    )
