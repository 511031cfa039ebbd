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


def _text(key: str, comment: str, column: str | None = None, **options: Any) -> Column[Any]:
    return Column(column or key, _TEXT, comment=comment, info={"key": key, "kind": "text"}, **options)


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
    unit = "nanodollars (1e-9 USD); null: unknown"
    info = {"key": key, "kind": "money"}
    return Column(f"{column or key}_nanodollars", BigInteger, comment=f"{comment}, {unit}", info=info)


def _time(key: str, comment: str, column: str | None = None) -> Column[Any]:
    info = {"key": key, "kind": "time"}
    return Column(column or key, _TEXT, comment=f"{comment}, ISO 8601 UTC with microseconds", info=info)


def _extra(comment: str) -> Column[Any]:
    return Column("extra", JSON(none_as_null=True), comment=comment)


def _tokens() -> list[Column[Any]]:
    return [
        _integer("input_tokens", "tokens read uncached"),
        _integer("output_tokens", "tokens written by the model"),
        _integer("cache_read_tokens", "tokens read from the cache"),
        _integer("cache_creation_tokens", "tokens written to a cache, the sum of the next two"),
        _integer("cache_creation_5m_tokens", "tokens written to the 5-minute cache"),
        _integer("cache_creation_1h_tokens", "tokens written to the 1-hour cache"),
        _integer("web_searches", "web searches, requests"),
    ]


def _foreign_key(name: str, target: str, comment: str, **options: Any) -> Column[Any]:
    foreign = ForeignKey(target, ondelete="CASCADE")
    return Column(name, _KEY_TYPE, foreign, comment=f"{comment}, {target}", **options)


SYNC_INDEX = (
    "project", "id", "agents_dir", "fingerprint", "source_state", "file_times", "first_written_ns",
    "last_written_ns", "recorded_cost_nanodollars", "lower_bound_cost_nanodollars", "cost_basis", "found_on",
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

workflows = Table(
    "workflows",
    metadata,
    Column("key", _KEY_TYPE, primary_key=True, comment="number of the run in this database"),
    _name("project", "project the run belongs to; empty: none named", nullable=False, server_default=""),
    _name("id", "name of the run's folder; unique in its project", nullable=False),
    _text("adw_id", "the id that the run's state file gives"),
    _text("status", "completed, failed, stopped, running, incomplete, unknown, or the state's own word"),
    _text("status_reason", "what the status was read from"),
    _text("nl_input", "the request in the user's words"),
    _text("nl_input_source", "where the request was found"),
    _time("created_at", "when the run was made"),
    _time("started_at", "when work began"),
    _time("completed_at", "when work ended"),
    _name("times_basis", "reported: times stand in the files; derived: from ids or file stamps"),
    _integer("utc_offset_minutes", "the run's local time less UTC, minutes; null: unknown"),
    _float("duration_seconds", "length of the run, seconds"),
    _name("duration_basis", "what the duration was read from"),
    _text("issue_number", "issue worked on; text, since some tools write a word"),
    _text("issue_class", "class of the issue, such as /feature"),
    _text("workflow_template", "workflow that was run"),
    _text("model_used", "the costliest model"),
    _text("branch_name", "branch worked on"),
    _text("plan_file", "path of the plan, as the state gives it"),
    _text("current_phase", "phase that the state names"),
    _text("error_message", "what went wrong"),
    _money("total_cost", "spent by all attempts, on record", column="recorded_cost"),
    _name("cost_basis", "reported, computed, lower_bound or unpriced: the weakest of the parts"),
    _money("lower_bound_cost", "spent at least, beyond what is on record"),
    _money("computed_cost", "tokens x dated price, to hold against the record"),
    _name("copy_of", "the run that counts all that this one spent, as project/id; null: it is no copy"),
    _bool("cost_disputed", "some stream's computed cost is more than 1% off the record"),
    _float("cost_difference_percent", "computed less recorded cost, percent of the record"),
    _integer("unpriced_tokens", "tokens of models without a known price"),
    *_tokens(),
    _integer("total_tokens", "all tokens, cached or not"),
    _integer("retry_count", "attempts after the first, count"),
    _money("retry_cost", "spent on attempts after the first"),
    _float("nl_clarity_score", "clarity of the request, 0 to 100; null: no evidence"),
    _float("cost_efficiency_score", "spending, and the cache's share, 0 to 100; null: no evidence"),
    _float("performance_score", "pace, idle time and retries, 0 to 100; null: no evidence"),
    _float("quality_score", "quality of the outcome, 0 to 100; null: no evidence"),
    _json("score_parts", "what each score was made of", "dict"),
    _json("phase_durations", "seconds by phase", "dict"),
    _text("bottleneck_phase", "phase that took most of the time"),
    _float("idle_time_seconds", "time between agents, seconds"),
    _name("price_version", "price table that computed_cost was made with"),
    _name("agents_dir", "agents folder where the run was found"),
    _name("found_on", "machine whose sync found it there; null: not known"),
    _name("source_state", "present: the files are there; gone: only this history knows the run"),
    _time("gone_at", "when the files were first missed"),
    _name("fingerprint", "hash of the files' sizes and stamps"),
    _name("file_times", "own, live or kept: the run's; copied, contradicted or checked out: a copy's"),
    _integer("first_written_ns", "when the first of its files was written, nanoseconds since 1970"),
    _integer("last_written_ns", "when the last of its files was written, nanoseconds since 1970"),
    _time("first_seen_at", "when this history first stored the run"),
    _time("last_changed_at", "when this history last wrote the run"),
    _extra("state keys without a column; unreadable_values: what no column could hold"),
    # Not a generated column: to filter by one, SQLite reads each wide row even if an index covers it.
    Column(
        "spent_nanodollars",
        BigInteger,
        comment="spent at least, on record and beyond it, nanodollars (1e-9 USD); null: unknown",
    ),
    UniqueConstraint("project", "id"),
    Index("ix_workflows_id_project", "id", "project"),
    Index("ix_workflows_status_created_at_id_project", "status", "created_at", "id", "project"),
    Index("ix_workflows_of_a_sync", *SYNC_INDEX),
    Index("ix_workflows_figures", *FILTER_INDEX),
    *(Index(f"ix_workflows_{name}_id_project", name, "id", "project") for name in SORT_INDEXES),
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
    _foreign_key("workflow_key", "workflows.key", "the run", primary_key=True),
    Column("ordinal", Integer, primary_key=True, comment="place in the run, from 0"),
    _name("phase", "plan, build, test, review, document ...; other: the name tells nothing"),
    _name("agent", "name of the agent"),
    _text("model", "the costliest model"),
    _money("cost", "spent by this attempt"),
    _name("cost_basis", "reported, computed, lower_bound or unpriced"),
    _money("computed_cost", "tokens x dated price, to hold against the record"),
    _bool("cost_disputed", "computed cost more than 1% off the record"),
    _float("cost_difference_percent", "computed less recorded cost, percent of the record"),
    _money("lower_bound_cost", "spent at least, beyond the cost on record"),
    *_tokens(),
    _integer("unpriced_tokens", "tokens of models without a known price"),
    _float("duration_seconds", "length, seconds"),
    _float("duration_api_seconds", "time spent waiting for the model, seconds"),
    _integer("turns", "turns, count"),
    _integer("tool_calls", "tool calls, count"),
    _integer("tool_errors", "failed tool calls, count"),
    _time("timestamp", "start", column="started_at"),
    _time("ended_at", "end"),
    _name("time_basis", "reported or derived"),
    _bool("is_error", "the agent's own word on failure"),
    _text("error", "what went wrong"),
    _name("outcome", "success, error, false_success, stopped, incomplete or empty"),
    _bool("is_retry", "another go at work that was tried before"),
    _integer("retries", "times this stream repeats earlier work, count"),
    _money("retry_cost", "spent on those"),
    _integer("restarts", "processes that wrote into the file after the first, count"),
    _money("restart_cost", "spent by those"),
    _integer("attempt", "1 for the first content of the file, 2 after it was overwritten"),
    _bool("superseded", "a later attempt overwrote the file"),
    _name("duplicate_of", "the stream in which the same spending is counted"),
    _name("path", "the stream, relative to the run's folder"),
    _integer("line", "line where the cost stands, from 1"),
    _name("identity", "hash of the stream's first line: tells attempts apart"),
    _text("session_id", "session that the stream names"),
    _name("format", "kind of stream: claude, gemini, codex ..."),
    _extra("keys without a column; unreadable_values: what no column could hold"),
    *(
        Index(f"ix_agent_runs_{name}_workflow_key", name, "workflow_key")
        for name in ("phase", "agent", "model", "session_id")
    ),
    comment="one row per stream and attempt: an agent's work in one phase of a run",
)

model_usage = Table(
    "model_usage",
    metadata,
    Column("workflow_key", _KEY_TYPE, primary_key=True, comment="the run, workflows.key"),
    Column("agent_ordinal", Integer, primary_key=True, comment="agent_runs.ordinal"),
    Column("ordinal", Integer, primary_key=True, comment="place in the agent's list, from 0"),
    _text("model", "name of the model"),
    _money("cost", "spent on this model"),
    _name("cost_basis", "reported, computed, lower_bound or unpriced"),
    _money("computed_cost", "tokens x dated price, to hold against the record"),
    _money("lower_bound_cost", "spent at least, beyond the cost on record"),
    *_tokens(),
    _integer("unpriced_tokens", "tokens without a known price"),
    _extra("keys without a column; unreadable_values: what no column could hold"),
    ForeignKeyConstraint(
        ["workflow_key", "agent_ordinal"],
        ["agent_runs.workflow_key", "agent_runs.ordinal"],
        ondelete="CASCADE",
    ),
    comment="one row per agent run and model",
)

silent_agents = Table(
    "silent_agents",
    metadata,
    _foreign_key("workflow_key", "workflows.key", "the run", primary_key=True),
    Column("agent", _TEXT, primary_key=True, comment="its name, or that of the phase that the state names"),
    Column("phase", _TEXT, nullable=False, comment="plan, build, test, review, document ...; other"),
    Column("started_at", _TEXT, comment="start, as the state gives it, ISO 8601 UTC with microseconds"),
    Column("duration_seconds", Double, comment="length, as the state gives it, seconds; null: unknown"),
    *(Index(f"ix_silent_agents_{name}", name) for name in ("phase", "agent")),
    sqlite_with_rowid=False,
    comment="agents that worked in a run and left no stream: what they spent is unknown",
)

similar_pairs = Table(
    "similar_pairs",
    metadata,
    _foreign_key("workflow_key", "workflows.key", "the run", primary_key=True),
    Column("rank", Integer, primary_key=True, comment="place in the run's list, from 1"),
    _foreign_key("similar_key", "workflows.key", "the similar run"),
    Column("similar_id", _TEXT, comment="id as the caller gave it, where no stored run has it"),
    Column("score", Double, nullable=False, comment="similarity, 0 to 1"),
    Index("ix_similar_pairs_similar_key", "similar_key"),
    comment="the runs most similar to each run, best first",
)

likeness = Table(
    "likeness",
    metadata,
    _foreign_key("workflow_key", "workflows.key", "the run", primary_key=True),
    Column("text_vector", LargeBinary, comment="the request, a signed byte per dimension; null: no words"),
    _text("status", "status as compared; null: unknown"),
    _money("cost", "cost as compared"),
    _float("duration_seconds", "duration as compared, seconds; null: unknown"),
    Column("least", Double, comment="score of a full list's last place, 0 to 1; null: it has room"),
    Column("text_model", _TEXT, comment="what made it; null: the run was written since"),
    Index("ix_likeness_text_model", "text_model"),
    comment="what each run's list of similar runs was made with",
)

patterns = Table(
    "patterns",
    metadata,
    Column("key", _KEY_TYPE, primary_key=True, comment="number of the pattern in this database"),
    Column("kind", _TEXT, nullable=False, comment="what sort of pattern it is"),
    Column("signature", _TEXT, nullable=False, comment="what recurs, in normal form"),
    _text("status", "detected, accepted or dismissed", nullable=False, server_default="detected"),
    _time("first_seen_at", "when it was first stored"),
    _name("id", "16 hexadecimal digits of kind and signature, the same in every history"),
    _text("note", "why it was accepted or dismissed; null: nobody said"),
    _time("decided_at", "when it was accepted or dismissed; null: it was not"),
    _counter("runs", "runs that show it, count"),
    _counter("count", "times seen in all of them, count"),
    _counter("successes", "times it went well, count"),
    _counter("failures", "times it failed, count"),
    _counter("cost_nanodollars", "spent on it in the runs whose part is known, nanodollars (1e-9 USD)"),
    _counter("unpriced_runs", "runs whose cost of it is unknown, count; in all of them: the cost is unknown"),
    # An integer, unlike the seconds of a run: float sums drift when parts are subtracted and re-added.
    _counter("milliseconds", "time spent on it where that is known, each run's part rounded, milliseconds"),
    _counter("untimed_runs", "runs whose time of it is unknown, count; in all of them: the time is unknown"),
    UniqueConstraint("kind", "signature"),
    Index("ix_patterns_id", "id", unique=True),
    Index("ix_patterns_recurring", "key", sqlite_where=text("runs > 1"), postgresql_where=text("runs > 1")),
    comment="work that recurs, each with its sums over all runs",
)

occurrences = Table(
    "occurrences",
    metadata,
    _foreign_key("workflow_key", "workflows.key", "the run", primary_key=True),
    _foreign_key("pattern_key", "patterns.key", "the pattern", primary_key=True),
    _integer("count", "times seen in this run, count"),
    _integer("successes", "times it went well, count"),
    _integer("failures", "times it failed, count"),
    _money("cost", "spent on it in this run"),
    _float("seconds", "time spent on it in this run, seconds"),
    _json("agents", "agents that did it", "list"),
    _name("example_path", "stream with an example, relative to the run's folder"),
    _integer("example_line", "line of the example, from 1"),
    _name("detector", "builtin, or host: the hook beside the package"),
    Index("ix_occurrences_pattern_key", "pattern_key"),
    sqlite_with_rowid=False,  # a third of the writes, and a run's rows are adjacent
    comment="one row per pattern and run, however often the run is read",
)

problems = Table(
    "problems",
    metadata,
    Column("key", _KEY_TYPE, primary_key=True, comment="number of the problem"),
    Column("agents_dir", _TEXT, nullable=False, comment="agents folder that was read"),
    Column("path", _TEXT, nullable=False, comment="file, relative to the agents folder"),
    _foreign_key("workflow_key", "workflows.key", "the run"),
    Column("line", BigInteger, comment="line, from 1; null: the whole file"),
    Column("reason", _TEXT, nullable=False, comment="what is wrong"),
    Column("severity", _TEXT, nullable=False, comment="error: data is missing; warning: data is doubtful"),
    Index("ix_problems_agents_dir", "agents_dir"),
    Index("ix_problems_workflow_key", "workflow_key"),
    comment="what could not be read at the last sync of each agents folder",
)

stream_marks = Table(
    "stream_marks",
    metadata,
    _foreign_key("workflow_key", "workflows.key", "the run", primary_key=True),
    Column("path", _TEXT, primary_key=True, comment="the stream, relative to the run's folder"),
    Column("mark", LargeBinary, nullable=False, comment="how far it was read and what it said, packed"),
    Column(
        "written_ns", BigInteger, nullable=False, comment="when the run was last written to, ns since 1970"
    ),
    Index("ix_stream_marks_written_ns", "written_ns"),
    comment="streams that may still grow: a sync reads on from here",
)

other_places = Table(
    "other_places",
    metadata,
    Column("agents_dir", _TEXT, primary_key=True, comment="agents folder that holds the run, too"),
    _foreign_key("workflow_key", "workflows.key", "the run", primary_key=True),
    Column("fingerprint", _TEXT, nullable=False, comment="hash of its files' sizes and stamps there"),
    Index("ix_other_places_workflow_key", "workflow_key"),
    comment="copies of a run that are read already: a sync of their folder leaves them unread",
)

claims = Table(
    "claims",
    metadata,
    _foreign_key("workflow_key", "workflows.key", "the run", primary_key=True),
    Column("path", _TEXT, primary_key=True, comment="the stream, relative to the run's folder"),
    Column("identity", _TEXT, primary_key=True, comment="hash of the stream's first line; empty: none"),
    Column("data", LargeBinary, nullable=False, comment="what the attempt spent by itself, packed"),
    comment="one row per attempt: the share of a run is computed from it if others have the same messages",
)

claim_units = Table(
    "claim_units",
    metadata,
    Column("unit", BigInteger, primary_key=True, comment="hash of a message's or a result's id"),
    Column("workflow_key", BigInteger, primary_key=True, comment="the run that has it, workflows.key"),
    sqlite_with_rowid=False,
    comment="which runs have which messages and results: each counts once in the whole history",
)

column_blocks = Table(
    "column_blocks",
    metadata,
    Column(
        "family",
        _TEXT,
        primary_key=True,
        comment="runs, agent_runs, models, what runs spent in their parts, or sums",
    ),
    Column("name", _TEXT, primary_key=True, comment="the column, or what is summed up"),
    Column("block", Integer, primary_key=True, comment="runs with these keys, divided by 512"),
    Column("data", LargeBinary, nullable=False, comment="the values of these runs, packed"),
    Index("ix_column_blocks_block", "block"),
    comment="figures packed by column, for sums over many runs; made of the other tables, may be emptied",
)

sync_runs = Table(
    "sync_runs",
    metadata,
    Column("key", _KEY_TYPE, primary_key=True, comment="number of the sync"),
    _time("started_at", "when the sync began"),
    _float("duration_seconds", "length of the sync, seconds"),
    _name("agents_dir", "agents folder that was read"),
    _name("project", "project that the runs were stored under"),
    _name("host", "machine that synced; null: not known"),
    _integer("scanned", "runs found, count"),
    _integer("enriched", "runs with a known cost, count"),
    _integer("inserted", "runs that are new, count"),
    _integer("updated", "runs known and brought up to date, count"),
    _integer("unchanged", "runs known and in need of no write, count"),
    _integer("failed", "runs in trouble, count"),
    _json("errors", "the troubles, one text each", "list"),
    comment="one row per sync that was recorded",
)

unfinished = Table(
    "unfinished",
    metadata,
    Column("step", _TEXT, primary_key=True, comment="what is left to do: erase"),
    comment="steps that a stopped command left undone: the next command that writes does them",
)

pruned_runs = Table(
    "pruned_runs",
    metadata,
    Column("project", _TEXT, primary_key=True, comment="project of the run"),
    Column("id", _TEXT, primary_key=True, comment="name of the run's folder"),
    Column("pruned_at", _TEXT, nullable=False, comment="when, ISO 8601 UTC with microseconds"),
    Column("created_at", _TEXT, comment="when the run was made, ISO 8601 UTC with microseconds"),
    Column(
        "spent_nanodollars",
        BigInteger,
        comment="what it had spent at least, nanodollars (1e-9 USD); null: unknown",
    ),
    comment="runs that were taken out of the history on purpose: no sync brings them back by itself",
)

last_keys = Table(
    "last_keys",
    metadata,
    Column("name", _TEXT, primary_key=True, comment="the table: workflows or patterns"),
    Column("key", BigInteger, nullable=False, comment="the highest number that a row of it ever had"),
    comment="which numbers were given: none stands for two rows, though the first is taken out",
)
