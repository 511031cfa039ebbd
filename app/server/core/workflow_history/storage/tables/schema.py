"""Current database schema: tables, columns and indexes, with a comment and unit for each column.

In `info`, a column has its dict key and the kind by which `row_codec` converts its values.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_KEY_TYPE = BigInteger().with_variant(Integer(), "sqlite")  # SQLite autonumbers only an INTEGER key
_TEXT = Text().with_variant(Text(collation="C"), "postgresql")  # sorts by bytes everywhere, as in SQLite


MONEY_UNIT = ", nanodollars (1e-9 USD)"
TIME_UNIT = ", ISO 8601 UTC with microseconds"
"""Units in column comments; the export leaves them out, as its fields have their own units."""


def _text(key: str, comment: str, **options: Any) -> Column[Any]:
    return Column(key, _TEXT, comment=comment, info={"key": key, "kind": "text"}, **options)


def _name(key: str, comment: str, **options: Any) -> Column[Any]:
    """Return a column for text that is used in lookups, and therefore stored without redaction."""
    return Column(key, _TEXT, comment=comment, info={"key": key, "kind": "text", "named": True}, **options)


def _integer(key: str, comment: str) -> Column[Any]:
    return Column(key, BigInteger, comment=comment, info={"key": key, "kind": "whole"})


def _counter(name: str, comment: str) -> Column[Any]:
    return Column(name, BigInteger, nullable=False, server_default="0", comment=comment)


def _float(key: str, comment: str) -> Column[Any]:
    return Column(key, Double, comment=comment, info={"key": key, "kind": "real"})


def _bool(key: str, comment: str) -> Column[Any]:
    return Column(key, Boolean, comment=comment, info={"key": key, "kind": "flag"})


def _json(key: str, comment: str, kind: str) -> Column[Any]:
    return Column(key, JSON(none_as_null=True), comment=comment, info={"key": key, "kind": kind})


def _money(key: str, comment: str, column: str | None = None) -> Column[Any]:
    info = {"key": key, "kind": "money"}
    comment = f"{comment}{MONEY_UNIT}; null: unknown"
    return Column(f"{column or key}_nanodollars", BigInteger, comment=comment, info=info)


def _time(key: str, comment: str, column: str | None = None, null: str = "unknown") -> Column[Any]:
    info = {"key": key, "kind": "time"}
    return Column(column or key, _TEXT, comment=f"{comment}{TIME_UNIT}; null: {null}", info=info)


def _extra(comment: str) -> Column[Any]:
    return Column("extra", JSON(none_as_null=True), comment=comment)


def _tokens() -> list[Column[Any]]:
    return [
        _integer("input_tokens", "uncached input tokens; null: unknown"),
        _integer("output_tokens", "output tokens; null: unknown"),
        _integer("cache_read_tokens", "cache read tokens; null: unknown"),
        _integer("cache_creation_tokens", "cache write tokens, sum of the next two; null: unknown"),
        _integer("cache_creation_5m_tokens", "5-minute cache write tokens; null: unknown"),
        _integer("cache_creation_1h_tokens", "1-hour cache write tokens; null: unknown"),
        _integer("web_searches", "number of web search requests; null: unknown"),
    ]


def _foreign_key(
    name: str, target: str, comment: str, null: str | None = None, **options: Any
) -> Column[Any]:
    comment = f"{comment}, {target}" if null is None else f"{comment}, {target}; null: {null}"
    return Column(name, _KEY_TYPE, ForeignKey(target, ondelete="CASCADE"), comment=comment, **options)


SYNC_INDEX = (
    "project", "id", "agents_dir", "fingerprint", "source_state", "file_times", "first_written_ns",
    "last_written_ns", "recorded_cost_nanodollars", "lower_bound_cost_nanodollars", "cost_basis", "host",
    "copy_of",
)  # fmt: skip
"""Columns that a sync reads for every stored run. An index covers them, so the wide rows are not read."""

FILTER_INDEX = (
    "created_at", "id", "project", "status", "workflow_template", "issue_class", "model_used",
    "total_tokens", "duration_seconds", "nl_clarity_score", "cost_efficiency_score", "performance_score",
    "quality_score", "source_state", "spent_nanodollars",
)  # fmt: skip
"""Columns that runs are filtered by, after those of the default sort order; also covered by an index."""

SORT_INDEXES = (
    "duration_seconds", "total_tokens", "model_used", "workflow_template", "nl_clarity_score",
    "cost_efficiency_score", "performance_score", "quality_score", "status", "spent_nanodollars",
)  # fmt: skip
"""Other columns that lists are sorted by; one index each, so that any page is found without a sort."""

NAME_INDEXES = ("branch_name", "issue_number", "pull_request")
"""Names that few runs share; an index each, so that a filter reads only these runs."""

workflows = Table(
    "workflows",
    metadata,
    Column("key", _KEY_TYPE, primary_key=True, comment="key of the run in this database"),
    _name("project", "project of the run; empty: no project is named", nullable=False, server_default=""),
    _name("id", "id of the run, the name of its directory; unique in its project", nullable=False),
    _text("adw_id", "id of the run in its state file; null: none"),
    _text(
        "status",
        "completed, failed, stopped, running, incomplete, unknown, or another word of the state file; "
        "null: unknown",
    ),
    _text("status_reason", "source of the status; null: unknown"),
    _text("nl_input", "request, in the user's words; null: unknown"),
    _text("nl_input_source", "source of the request; null: unknown"),
    _time("created_at", "creation time of the run"),
    _time("started_at", "start time of the run"),
    _time("completed_at", "end time of the run"),
    _name("times_basis", "reported: from times in the files; derived: from ids or file times; null: unknown"),
    _integer("utc_offset_minutes", "local time of the run minus UTC, minutes; null: unknown"),
    _float("duration_seconds", "duration of the run, seconds; null: unknown"),
    _name("duration_basis", "reported, derived, or lower_bound: agent runs may be missing; null: unknown"),
    _text("issue_number", "number of the issue, or a word in its place; null: unknown"),
    _text("issue_class", "issue class, such as /feature; null: unknown"),
    _text("workflow_template", "name of the workflow; null: unknown"),
    _text("model_used", "most expensive model; null: unknown"),
    _text("branch_name", "branch of the run; null: unknown"),
    _text(
        "pull_request",
        "last pull request of the run: owner/name#12, or 12 without a repository; null: none",
    ),
    _text("pull_request_url", "address of the last pull request; null: unknown"),
    _text("plan_file", "path of the plan in the state file; null: unknown"),
    _text("current_phase", "current phase in the state file; null: unknown"),
    _text("error_message", "error message of the run; null: none"),
    _money("total_cost", "recorded cost of all attempts", column="recorded_cost"),
    _name(
        "cost_basis", "weakest basis of its parts: reported, computed, lower_bound or unpriced; null: none"
    ),
    _money("lower_bound_cost", "lower bound of the cost beyond the recorded cost"),
    _money("computed_cost", "computed cost: tokens times the price on the date of use"),
    _name("copy_of", "run that counts the whole cost of this copy, as project/id; null: not a copy"),
    _bool("cost_disputed", "whether the costs of a transcript differ by more than 1%; null: unknown"),
    _float("cost_difference_percent", "computed minus reported cost, percent; null: not comparable"),
    _integer("unpriced_tokens", "tokens of models without a known price; null: unknown"),
    *_tokens(),
    _integer("total_tokens", "tokens of all four kinds; null: unknown"),
    _integer("retry_count", "number of attempts after the first; null: unknown"),
    _money("retry_cost", "cost of the attempts after the first"),
    _float("nl_clarity_score", "clarity score of the request, 0 to 100 points; null: no evidence"),
    _float("cost_efficiency_score", "cost efficiency score, 0 to 100 points; null: no evidence"),
    _float("performance_score", "performance score, 0 to 100 points; null: no evidence"),
    _float("quality_score", "quality score, 0 to 100 points; null: no evidence"),
    _json("score_parts", "components of each score; null: unknown", "dict"),
    _json("phase_durations", "duration of each phase, seconds; null: unknown", "dict"),
    _text("bottleneck_phase", "phase with the longest duration; null: unknown"),
    _float("idle_time_seconds", "time in which no agent ran, seconds; null: unknown"),
    _name(
        "price_version",
        "version of the price table and own prices for computed_cost; null: unknown",
    ),
    _name("agents_dir", "agents directory of the run; null: unknown"),
    _name("host", "host whose sync found the run; null: unknown"),
    _name("source_state", "present, or missing: the files of the run are missing; null: unknown"),
    _time("missing_since", "time at which the files were first missing", null="present"),
    _name("fingerprint", "hash of the sizes and times of the files; null: the next sync reads them again"),
    _name(
        "file_times",
        "own, live or kept: the run's; copied, contradicted or checked out: a copy's; null: unknown",
    ),
    _integer("first_written_ns", "first write to a file of the run, nanoseconds since 1970; null: unknown"),
    _integer("last_written_ns", "last write to a file of the run, nanoseconds since 1970; null: unknown"),
    _time("first_seen_at", "first write of the run to this history"),
    _time("last_changed_at", "last write of the run to this history"),
    _extra("keys of the state file without a column; unreadable_values: unstorable values; null: none"),
    # Not a generated column: to filter by one, SQLite reads each wide row even if an index covers it.
    Column(
        "spent_nanodollars",
        BigInteger,
        comment=f"recorded cost plus lower bound{MONEY_UNIT}; null: unknown",
    ),
    UniqueConstraint("project", "id"),
    Index("ix_workflows_id_project", "id", "project"),
    Index("ix_workflows_status_created_at_id_project", "status", "created_at", "id", "project"),
    Index("ix_workflows_of_a_sync", *SYNC_INDEX),
    Index("ix_workflows_figures", *FILTER_INDEX),
    *(Index(f"ix_workflows_{name}_id_project", name, "id", "project") for name in SORT_INDEXES),
    *(Index(f"ix_workflows_{name}", name) for name in NAME_INDEXES),
    Index(
        "ix_workflows_with_error",
        "key",
        sqlite_where=text("error_message <> ''"),
        postgresql_where=text("error_message <> ''"),
    ),
    comment="one row per run",
)

agent_runs = Table(
    "agent_runs",
    metadata,
    _foreign_key("workflow_key", "workflows.key", "run", primary_key=True),
    Column("ordinal", Integer, primary_key=True, comment="position in the run, from 0"),
    _name(
        "phase", "plan, build, test, review, document ..., or other: none in the agent's name; null: unknown"
    ),
    _name("agent", "name of the agent; null: unknown"),
    _text("model", "most expensive model; null: unknown"),
    _money("cost", "cost of this attempt"),
    _name("cost_basis", "reported, computed, lower_bound or unpriced; null: none"),
    _money("computed_cost", "computed cost: tokens times the price on the date of use"),
    _bool("cost_disputed", "whether computed and reported cost differ by more than 1%; null: unknown"),
    _float("cost_difference_percent", "computed minus reported cost, percent; null: not comparable"),
    _money("lower_bound_cost", "lower bound of the cost beyond `cost`"),
    *_tokens(),
    _integer("unpriced_tokens", "tokens of models without a known price; null: unknown"),
    _float("duration_seconds", "duration, seconds; null: unknown"),
    _float("duration_api_seconds", "waiting time for the model, seconds; null: unknown"),
    _integer("turns", "number of turns; null: unknown"),
    _integer("tool_calls", "number of tool calls; null: unknown"),
    _integer("tool_errors", "number of failed tool calls; null: unknown"),
    _time("timestamp", "start time", column="started_at"),
    _time("ended_at", "end time"),
    _name("time_basis", "basis of the times: reported or derived; null: no times"),
    _bool("is_error", "whether the agent reported an error; null: unknown"),
    _text("error", "error message; null: none"),
    _name("outcome", "outcome: success, error, false_success, stopped, incomplete or empty; null: unknown"),
    _bool("is_retry", "whether it repeats earlier work; null: unknown"),
    _integer("retries", "number of retries in this transcript; null: unknown"),
    _money("retry_cost", "cost of the retries"),
    _integer("restarts", "number of processes that wrote to the file after the first; null: unknown"),
    _money("restart_cost", "cost of the restarts"),
    _money("failed_process_cost", "cost of the processes that failed before the last one in the file"),
    _integer(
        "attempt", "number of the attempt, from 1; higher after the file was overwritten; null: unknown"
    ),
    _bool("superseded", "whether a later attempt overwrote the file; null: unknown"),
    _name("duplicate_of", "transcript that already counts the same cost; null: none"),
    _name("path", "path of the transcript, relative to the run's directory; null: unknown"),
    _integer("line", "line of the cost in the transcript, from 1; null: none"),
    _name("identity", "hash of the first line of the transcript, which distinguishes attempts; null: none"),
    _text("session_id", "session id in the transcript; null: unknown"),
    _name("format", "format of the transcript: claude, gemini, codex ...; null: unknown"),
    _extra("keys without a column; unreadable_values: unstorable values; null: none"),
    *(
        Index(f"ix_agent_runs_{name}_workflow_key", name, "workflow_key")
        for name in ("phase", "agent", "model", "session_id")
    ),
    comment="one row per transcript and attempt of an agent in a run",
)

model_usage = Table(
    "model_usage",
    metadata,
    Column("workflow_key", _KEY_TYPE, primary_key=True, comment="run, workflows.key"),
    Column("agent_ordinal", Integer, primary_key=True, comment="agent run, agent_runs.ordinal"),
    Column("ordinal", Integer, primary_key=True, comment="position in the list of the agent run, from 0"),
    _text("model", "name of the model; null: unknown"),
    _money("cost", "cost of the model"),
    _name("cost_basis", "reported, computed, lower_bound or unpriced; null: none"),
    _money("computed_cost", "computed cost: tokens times the price on the date of use"),
    _money("lower_bound_cost", "lower bound of the cost beyond `cost`"),
    *_tokens(),
    _integer("unpriced_tokens", "tokens without a known price; null: unknown"),
    _extra("keys without a column; unreadable_values: unstorable values; null: none"),
    ForeignKeyConstraint(
        ["workflow_key", "agent_ordinal"],
        ["agent_runs.workflow_key", "agent_runs.ordinal"],
        ondelete="CASCADE",
    ),
    Index("ix_model_usage_model_workflow_key", "model", "workflow_key"),
    comment="one row per agent run and model",
)

silent_agents = Table(
    "silent_agents",
    metadata,
    _foreign_key("workflow_key", "workflows.key", "run", primary_key=True),
    Column("agent", _TEXT, primary_key=True, comment="name of the agent, or of its phase in the state file"),
    Column("phase", _TEXT, nullable=False, comment="phase: plan, build, test, review, document ... or other"),
    Column("started_at", _TEXT, comment=f"start time in the state file{TIME_UNIT}; null: unknown"),
    Column("duration_seconds", Double, comment="duration in the state file, seconds; null: unknown"),
    *(Index(f"ix_silent_agents_{name}", name) for name in ("phase", "agent")),
    sqlite_with_rowid=False,
    comment="one row per agent of a run without a transcript, whose cost is unknown",
)

similar_pairs = Table(
    "similar_pairs",
    metadata,
    _foreign_key("workflow_key", "workflows.key", "run", primary_key=True),
    Column("rank", Integer, primary_key=True, comment="position in the list of the run, from 1"),
    _foreign_key("similar_key", "workflows.key", "similar run", null="not stored"),
    Column("similar_id", _TEXT, comment="id of a similar run that is not stored; null: it is stored"),
    Column("score", Double, nullable=False, comment="similarity, 0 to 1"),
    Index("ix_similar_pairs_similar_key", "similar_key"),
    comment="list of the most similar runs of each run, best first",
)

similarity_features = Table(
    "similarity_features",
    metadata,
    _foreign_key("workflow_key", "workflows.key", "run", primary_key=True),
    Column(
        "text_vector", LargeBinary, comment="request vector, one signed byte per dimension; null: no words"
    ),
    _text("status", "compared status; null: unknown"),
    _money("cost", "compared cost"),
    _float("duration_seconds", "compared duration, seconds; null: unknown"),
    Column("least", Double, comment="score of the last run of a full list, 0 to 1; null: not full"),
    Column("text_model", _TEXT, comment="model of the vector; null: the run has changed since"),
    Index("ix_similarity_features_text_model", "text_model"),
    comment="features by which each run was compared for its list of similar runs",
)

patterns = Table(
    "patterns",
    metadata,
    Column("key", _KEY_TYPE, primary_key=True, comment="key of the pattern in this database"),
    Column("kind", _TEXT, nullable=False, comment="kind of the pattern: operation, sequence or phases"),
    Column("signature", _TEXT, nullable=False, comment="normalized operations of the pattern"),
    _text("status", "decision: detected, accepted or dismissed", nullable=False, server_default="detected"),
    _time("first_seen_at", "first write of the pattern to this history"),
    _name("id", "16 hexadecimal digits, computed from kind and signature; the same in every history"),
    _text("note", "reason for the decision; null: none"),
    _time("decided_at", "time of the decision", null="none"),
    _counter("runs", "number of runs with the pattern"),
    _counter("count", "number of occurrences in all runs"),
    _counter("successes", "number of successful occurrences"),
    _counter("failures", "number of failed occurrences"),
    _counter("cost_nanodollars", f"known cost of the occurrences{MONEY_UNIT}"),
    _counter("unpriced_runs", "number of runs without a known cost; if equal to `runs`, the cost is unknown"),
    # An integer, unlike the seconds of a run: float sums drift when parts are subtracted and re-added.
    _counter("milliseconds", "known duration of the occurrences, rounded for each run, milliseconds"),
    _counter(
        "untimed_runs", "number of runs without a known duration; if equal to `runs`, the duration is unknown"
    ),
    UniqueConstraint("kind", "signature"),
    Index("ix_patterns_id", "id", unique=True),
    Index("ix_patterns_recurring", "key", sqlite_where=text("runs > 1"), postgresql_where=text("runs > 1")),
    comment="one row per pattern of operations, with its totals over all runs",
)

occurrences = Table(
    "occurrences",
    metadata,
    _foreign_key("workflow_key", "workflows.key", "run", primary_key=True),
    _foreign_key("pattern_key", "patterns.key", "pattern", primary_key=True),
    _integer("count", "number of occurrences in the run; null: unknown"),
    _integer("successes", "number of successful occurrences in the run; null: unknown"),
    _integer("failures", "number of failed occurrences in the run; null: unknown"),
    _money("cost", "cost of the pattern in the run"),
    _float("seconds", "duration of the pattern in the run, seconds; null: unknown"),
    _json("agents", "names of the agents with the pattern; null: unknown", "list"),
    _name(
        "example_path", "path of a transcript with an example, relative to the run's directory; null: none"
    ),
    _integer("example_line", "line of the example in the transcript, from 1; null: none"),
    _name("detector", "builtin, or host: the hook next to the package; null: builtin"),
    Index("ix_occurrences_pattern_key", "pattern_key"),
    sqlite_with_rowid=False,  # a third of the writes, and a run's rows are adjacent
    comment="one row per pattern and run",
)

problems = Table(
    "problems",
    metadata,
    Column("key", _KEY_TYPE, primary_key=True, comment="key of the problem"),
    Column("agents_dir", _TEXT, nullable=False, comment="agents directory"),
    Column("path", _TEXT, nullable=False, comment="path of the file, relative to the agents directory"),
    _foreign_key("workflow_key", "workflows.key", "run", null="no stored run"),
    Column("line", BigInteger, comment="line number, from 1; null: the whole file"),
    Column("reason", _TEXT, nullable=False, comment="description of the problem"),
    Column("severity", _TEXT, nullable=False, comment="error: data is missing; warning: data is doubtful"),
    Index("ix_problems_agents_dir", "agents_dir"),
    Index("ix_problems_workflow_key", "workflow_key"),
    comment="problems of reading at the last sync of each agents directory",
)

stream_checkpoints = Table(
    "stream_checkpoints",
    metadata,
    _foreign_key("workflow_key", "workflows.key", "run", primary_key=True),
    Column(
        "path", _TEXT, primary_key=True, comment="path of the transcript, relative to the run's directory"
    ),
    Column(
        "checkpoint",
        LargeBinary,
        nullable=False,
        comment="read position in the transcript, and the facts before it, packed",
    ),
    Column(
        "written_ns",
        BigInteger,
        nullable=False,
        comment="last write to a file of the run, nanoseconds since 1970",
    ),
    Index("ix_stream_checkpoints_written_ns", "written_ns"),
    comment="read positions of transcripts that may still grow, from which the next sync continues",
)

other_locations = Table(
    "other_locations",
    metadata,
    Column("agents_dir", _TEXT, primary_key=True, comment="agents directory with a copy of the run"),
    _foreign_key("workflow_key", "workflows.key", "run", primary_key=True),
    Column("fingerprint", _TEXT, nullable=False, comment="hash of the sizes and times of its files"),
    Index("ix_other_locations_workflow_key", "workflow_key"),
    comment="copies of runs in other agents directories, which their syncs skip while unchanged",
)

claims = Table(
    "claims",
    metadata,
    _foreign_key("workflow_key", "workflows.key", "run", primary_key=True),
    Column(
        "path", _TEXT, primary_key=True, comment="path of the transcript, relative to the run's directory"
    ),
    Column(
        "identity", _TEXT, primary_key=True, comment="hash of the first line of the transcript; empty: none"
    ),
    Column("data", LargeBinary, nullable=False, comment="cost of the attempt by itself, packed"),
    comment="one row per attempt, with its cost before messages that several runs have are counted once",
)

claim_units = Table(
    "claim_units",
    metadata,
    Column("unit", BigInteger, primary_key=True, comment="hash of the id of a message or result"),
    Column(
        "workflow_key", BigInteger, primary_key=True, comment="run with the message or result, workflows.key"
    ),
    sqlite_with_rowid=False,
    comment="messages and results of each run; each counts once in the whole history",
)

column_blocks = Table(
    "column_blocks",
    metadata,
    Column(
        "family",
        _TEXT,
        primary_key=True,
        comment="family of columns: runs, agent_runs, models, costs of runs by part, or aggregates",
    ),
    Column("name", _TEXT, primary_key=True, comment="name of the column or aggregate"),
    Column("block", Integer, primary_key=True, comment="number of the block: keys of its runs // 512"),
    Column("data", LargeBinary, nullable=False, comment="values of the runs of the block, packed"),
    Index("ix_column_blocks_block", "block"),
    comment="cache of columns and aggregates over many runs, computed from the other tables; may be emptied",
)

sync_runs = Table(
    "sync_runs",
    metadata,
    Column("key", _KEY_TYPE, primary_key=True, comment="key of the sync"),
    _time("started_at", "start time of the sync"),
    _float("duration_seconds", "duration of the sync, seconds; null: unknown"),
    _name("agents_dir", "agents directory of the sync; null: unknown"),
    _name("project", "project of the stored runs; null: unknown"),
    _name("host", "host of the sync; null: unknown"),
    _integer("scanned", "number of runs found; null: unknown"),
    _integer("enriched", "number of runs with a known cost; null: unknown"),
    _integer("inserted", "number of new runs; null: unknown"),
    _integer("updated", "number of stored runs that are up to date now, changed or not; null: unknown"),
    _integer("unchanged", "number of stored runs that needed no write; null: unknown"),
    _integer("failed", "number of runs with a failure; null: unknown"),
    _json("errors", "errors, one text each; null: unknown", "list"),
    comment="one row per recorded sync",
)

unfinished = Table(
    "unfinished",
    metadata,
    Column("step", _TEXT, primary_key=True, comment="name of the step: erase"),
    comment="pending steps of an interrupted command, which the next writing command completes",
)

pruned_runs = Table(
    "pruned_runs",
    metadata,
    Column("project", _TEXT, primary_key=True, comment="project of the run"),
    Column("id", _TEXT, primary_key=True, comment="name of the run's directory"),
    Column("pruned_at", _TEXT, nullable=False, comment=f"deletion time{TIME_UNIT}"),
    Column("created_at", _TEXT, comment=f"creation time of the run{TIME_UNIT}; null: unknown"),
    Column(
        "spent_nanodollars",
        BigInteger,
        comment=f"recorded cost plus lower bound{MONEY_UNIT}; null: unknown",
    ),
    comment="runs deleted from the history by db prune, which syncs do not store again by themselves",
)

last_keys = Table(
    "last_keys",
    metadata,
    Column("name", _TEXT, primary_key=True, comment="name of the table: workflows or patterns"),
    Column("key", BigInteger, nullable=False, comment="highest key that a row of the table ever had"),
    comment="highest used key of each table, so that no key is used for a second row after a deletion",
)
