"""Queries for the export of whole tables, in batches of columns and a fixed order.

Values are as stored in the tables: money in nanodollars, times as text, objects as JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    FromClause,
    Select,
    Table,
    Text,
    and_,
    case,
    cast,
    literal_column,
    select,
)

from ...common.models import PatternKind
from ...exporting.fields import ColumnBatch, Field
from ..connection.engine import fetch_raw_rows
from ..rows.column_types import TIMES_OF_A_RUN
from ..rows.row_codec import AGENT_RUN, MODEL_USAGE, WORKFLOW, Codec
from ..rows.time_zones import ZONE_KNOWN, in_run_zone
from ..tables.schema import (
    MONEY_UNIT,
    TIME_UNIT,
    agent_runs,
    model_usage,
    occurrences,
    patterns,
    problems,
    workflows,
)
from ..writing.bulk_insert import batched
from ..writing.pattern_totals import AGGREGATES
from .cost_sql import agent_cost_columns, split_costs
from .current_status import current_column

BATCH_SIZE: Final = 100  # runs, with their agent runs; more takes memory, and is no faster

Conditions = Sequence[ColumnElement[bool]]

Batches = Callable[[Connection, Conditions, Sequence[ColumnElement[Any]]], Iterator[ColumnBatch]]


class ExportSource(NamedTuple):
    """One table that can be exported."""

    fields: tuple[Field, ...]
    default_columns: tuple[str, ...]  # names of the fields that are exported by default
    columns: Mapping[str, ColumnElement[Any]]  # by field name
    batches: Batches


def describe_fields(codec: Codec, table: Table) -> tuple[Field, ...]:
    """Return the visible keys of a table's dicts, each with its kind and meaning."""
    fields = []
    for key, field in codec.fields.items():
        if key not in codec.hidden:
            kind: Any = field.kind
            comment = str(table.c[field.column].comment)
            fields.append(Field(key, kind, comment.replace(MONEY_UNIT, "").replace(TIME_UNIT, "")))
    return tuple(fields)


def run_batches(
    connection: Connection, conditions: Conditions, columns: Sequence[ColumnElement[Any]]
) -> Iterator[ColumnBatch]:
    """Yield batches of runs, oldest first."""
    for keys in _key_batches(connection, conditions):
        query = select(workflows.c.key, *columns).where(workflows.c.key.in_(keys))
        rows = {key: row for key, *row in fetch_raw_rows(connection, query)}
        yield list(zip(*[rows[key] for key in keys], strict=True))


def _batches_of_rows(
    source: FromClause,
    run_key: ColumnElement[Any],
    *order: ColumnElement[Any],
    condition: ColumnElement[bool] | None = None,
) -> Batches:
    """Return a function that yields batches of the rows of runs in another table, oldest run first."""

    def batches(
        connection: Connection, conditions: Conditions, columns: Sequence[ColumnElement[Any]]
    ) -> Iterator[ColumnBatch]:
        for keys in _key_batches(connection, conditions):
            query = select(run_key, *columns).select_from(source.join(workflows, workflows.c.key == run_key))
            query = query if condition is None else query.where(condition)
            rows: dict[int, list[Any]] = {key: [] for key in keys}
            for key, *row in fetch_raw_rows(connection, query.where(run_key.in_(keys)).order_by(*order)):
                rows[key].append(row)
            yield list(zip(*chain.from_iterable(rows.values()), strict=True)) or [[] for _ in columns]

    return batches


def problem_batches(
    connection: Connection, conditions: Conditions, columns: Sequence[ColumnElement[Any]]
) -> Iterator[ColumnBatch]:
    """Yield batches of problems, errors first; with conditions, only those of matching runs."""
    problem = problems.c
    source = problems.outerjoin(workflows, workflows.c.key == problem.workflow_key)
    order = (problem.severity, problem.agents_dir, problem.path, problem.line, problem.key)
    return _column_batches(
        connection, select(*columns).select_from(source).where(*conditions).order_by(*order)
    )


def pattern_batches(
    connection: Connection, conditions: Conditions, columns: Sequence[ColumnElement[Any]]
) -> Iterator[ColumnBatch]:
    """Yield batches of patterns in two or more of the selected runs, ordered by kind and signature."""
    if conditions:
        keys = select(workflows.c.key).where(*conditions)
        totals = [_TOTALS_IN_RUNS.get(column, column) for column in columns]
        query = select(*totals).join(occurrences, occurrences.c.pattern_key == patterns.c.key)
        query = query.where(occurrences.c.workflow_key.in_(keys))
        query = query.group_by(patterns.c.key).having(AGGREGATES["runs"] > 1)
    else:  # a literal, as in the partial index
        query = select(*columns).where(patterns.c.runs > literal_column("1"))
    return _column_batches(connection, query.order_by(patterns.c.kind, patterns.c.signature))


def _column_batches(connection: Connection, query: Select[Any]) -> Iterator[ColumnBatch]:
    """Yield the rows of a query in batches of columns."""
    cursor: Any = connection.execute(query).cursor
    while rows := cursor.fetchmany(BATCH_SIZE):
        yield list(zip(*rows, strict=True))


def _key_batches(connection: Connection, conditions: Conditions) -> Iterator[Sequence[int]]:
    """Yield the keys of the selected runs in batches, ordered by creation, id and project."""
    run = workflows.c
    query = (
        select(run.key).where(*conditions).order_by(run.created_at.asc().nulls_last(), run.id, run.project)
    )
    return batched([key for (key,) in fetch_raw_rows(connection, query)], BATCH_SIZE)


def _as_text(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a JSON column as text, since a driver may parse it otherwise."""
    return cast(column, Text) if isinstance(column.type, JSON) else column


_RUN_KEYS = {
    "project": "project",
    "run_id": "id",
    "run_created_at": "created_at",
    "workflow_template": "workflow_template",
    "run_status": "status",
}
"""Fields of an agent run about its run, with the run's keys for them."""

ZONE_FIELD: Final = Field(
    "time_zone_known",
    "flag",
    "whether the time zone of the run is known; false: times without a zone; null: unknown",
)
_RUN_ZONE_FIELD: Final = ZONE_FIELD._replace(name="run_time_zone_known")


def _run_column(key: str) -> ColumnElement[Any]:
    """Return the column of a run that is shown under a key."""
    column = current_column(WORKFLOW.fields[key].column)
    return in_run_zone(column) if key in TIMES_OF_A_RUN else column


_RUN_FIELDS: Final = {
    field.name: field._replace(kind="clock") if field.name in TIMES_OF_A_RUN else field
    for field in describe_fields(WORKFLOW, workflows)
}
_RUN_COLUMNS: Final[dict[str, ColumnElement[Any]]] = {
    **{name: _run_column(key) for name, key in _RUN_KEYS.items()},
    _RUN_ZONE_FIELD.name: ZONE_KNOWN,
}


def _run_source() -> ExportSource:
    fields = (
        *_RUN_FIELDS.values(),
        Field("extra", "dict", "keys of the state file without a column; null: none"),
        ZONE_FIELD,
    )
    columns: dict[str, ColumnElement[Any]] = {"extra": _as_text(workflows.c.extra)}
    columns |= {key: _as_text(_run_column(key)) for key in WORKFLOW.fields}
    columns[ZONE_FIELD.name] = ZONE_KNOWN
    return ExportSource(fields, _DEFAULT_RUN_COLUMNS, columns, run_batches)


_DEFAULT_RUN_COLUMNS = (
    "project", "id", "status", "created_at", "completed_at", "duration_seconds", "workflow_template",
    "issue_class", "issue_number", "model_used", "nl_input", "branch_name", "total_cost", "cost_basis",
    "lower_bound_cost", "retry_count", "retry_cost", "input_tokens", "output_tokens", "cache_read_tokens",
    "cache_creation_tokens", "total_tokens", "nl_clarity_score", "cost_efficiency_score",
    "performance_score", "quality_score", "error_message", "source_state", "copy_of", "time_zone_known",
)  # fmt: skip
_DEFAULT_AGENT_RUN_COLUMNS = (
    "project", "run_id", "run_created_at", "workflow_template", "run_status", "ordinal", "phase", "agent",
    "model", "outcome", "cost", "cost_basis", "lower_bound_cost", "input_tokens", "output_tokens",
    "cache_read_tokens", "cache_creation_tokens", "timestamp", "duration_seconds", "turns", "tool_calls",
    "tool_errors", "is_retry", "superseded", "duplicate_of", "path", "line", "run_time_zone_known",
)  # fmt: skip


def _fields_of_run(*names: str) -> tuple[Field, ...]:
    """Return the fields of a row about its run: those in `names`, or all without names."""
    return tuple(
        _RUN_FIELDS[key]._replace(name=name)
        for name, key in _RUN_KEYS.items()
        if name in (names or _RUN_KEYS)
    )


def _agent_run_source() -> ExportSource:
    fields = (
        *_fields_of_run(),
        Field("ordinal", "whole", "position in the run, from 0"),
        *describe_fields(AGENT_RUN, agent_runs),
        Field("extra", "dict", "keys without a column; null: none"),
        _RUN_ZONE_FIELD,
    )
    columns: dict[str, ColumnElement[Any]] = {
        **_RUN_COLUMNS,
        "ordinal": agent_runs.c.ordinal,
        "extra": _as_text(agent_runs.c.extra),
        **{key: _as_text(agent_runs.c[field.column]) for key, field in AGENT_RUN.fields.items()},
        **agent_cost_columns(),
    }
    batches = _batches_of_rows(agent_runs, agent_runs.c.workflow_key, agent_runs.c.ordinal)
    return ExportSource(fields, _DEFAULT_AGENT_RUN_COLUMNS, columns, batches)


def _model_usage_source() -> ExportSource:
    """Return the usage of each agent run by model; if the split is unknown, all of it is of its own model."""
    usage, agent_run = model_usage.c, agent_runs.c
    usage_fields = describe_fields(MODEL_USAGE, model_usage)
    fields = (
        *_fields_of_run(),
        Field("ordinal", "whole", "position of the agent run in the run, from 0"),
        *(field for field in describe_fields(AGENT_RUN, agent_runs) if field.name in _AGENT_RUN_KEYS),
        *usage_fields,
        _RUN_ZONE_FIELD,
    )
    is_split_unknown = usage.workflow_key.is_(None)
    shares = {
        field.name: case(
            (is_split_unknown, agent_run[AGENT_RUN.fields[field.name].column]),
            else_=usage[MODEL_USAGE.fields[field.name].column],
        )
        for field in usage_fields
    }
    cost, lower_bound = shares["cost"], shares["lower_bound_cost"]
    columns: dict[str, ColumnElement[Any]] = {
        **_RUN_COLUMNS,
        "ordinal": agent_run.ordinal,
        **{key: agent_run[AGENT_RUN.fields[key].column] for key in _AGENT_RUN_KEYS},
        **shares,
        **split_costs(cost, lower_bound, shares["cost_basis"]),
    }
    source = agent_runs.outerjoin(
        model_usage,
        and_(usage.workflow_key == agent_run.workflow_key, usage.agent_ordinal == agent_run.ordinal),
    )
    batches = _batches_of_rows(source, agent_run.workflow_key, agent_run.ordinal, usage.ordinal)
    default_columns = tuple(field.name for field in fields)
    return ExportSource(fields, default_columns, columns, batches)


_AGENT_RUN_KEYS: Final = ("phase", "agent", "superseded", "duplicate_of")
"""Fields about the agent run that used a model."""


def _occurrence_source(*, only_calls: bool = False) -> ExportSource:
    """Return the patterns of each run; with `only_calls`, only operations, each with its counts."""
    occurrence, pattern = occurrences.c, patterns.c
    columns_by_field: dict[Field, ColumnElement[Any]] = {
        Field("pattern_id", "text", "id of the pattern, the same in every history"): pattern.id,
        Field("kind", "text", "operation, sequence or phases"): pattern.kind,
        Field("signature", "text", "normalized operations of the pattern"): pattern.signature,
        Field("count", "whole", "number of occurrences in the run; null: unknown"): occurrence.count,
        Field("successes", "whole", "number of successful occurrences; null: unknown"): occurrence.successes,
        Field("failures", "whole", "number of failed occurrences; null: unknown"): occurrence.failures,
        Field("cost", "money", "estimated cost in the run; null: unknown"): occurrence.cost_nanodollars,
        Field("duration_seconds", "real", "duration in the run; null: unknown"): occurrence.seconds,
        Field("agents", "list", "names of its agents in the run; null: unknown"): _as_text(occurrence.agents),
        Field(
            "path", "text", "transcript with an example, relative to the run's directory; null: none"
        ): occurrence.example_path,
        Field("line", "whole", "line of the example, from 1; null: none"): occurrence.example_line,
    }
    if only_calls:
        columns_by_field = {
            field: column for field, column in columns_by_field.items() if field.name != "kind"
        }
    source = occurrences.join(patterns, pattern.key == occurrence.pattern_key)
    columns = {**_RUN_COLUMNS, **{field.name: column for field, column in columns_by_field.items()}}
    fields = (*_fields_of_run(), *columns_by_field, _RUN_ZONE_FIELD)
    condition = pattern.kind == PatternKind.OPERATION if only_calls else None
    batches = _batches_of_rows(
        source, occurrence.workflow_key, pattern.kind, pattern.signature, condition=condition
    )
    return ExportSource(fields, tuple([field.name for field in fields]), columns, batches)


def _problem_source() -> ExportSource:
    problem = problems.c
    columns_by_field: dict[Field, ColumnElement[Any]] = {
        field: _RUN_COLUMNS[field.name] for field in _fields_of_run("project", "run_id")
    }
    columns_by_field |= {
        Field(name, "whole" if name == "line" else "text", str(problem[name].comment)): problem[name]
        for name in ("severity", "agents_dir", "path", "line", "reason")
    }
    columns = {field.name: column for field, column in columns_by_field.items()}
    return ExportSource(tuple(columns_by_field), tuple(columns), columns, problem_batches)


def _pattern_source() -> ExportSource:
    pattern = patterns.c
    columns_by_field: dict[Field, ColumnElement[Any]] = {
        Field("id", "text", "id of the pattern, the same in every history"): pattern.id,
        Field("kind", "text", "operation, sequence or phases"): pattern.kind,
        Field("signature", "text", "normalized operations of the pattern"): pattern.signature,
        Field("status", "text", "decision: detected, accepted or dismissed"): pattern.status,
        Field("first_seen_at", "time", "first write of the pattern to this history"): pattern.first_seen_at,
        Field("runs", "whole", "number of runs with the pattern"): _STORED_TOTALS["runs"],
        Field("count", "whole", "number of occurrences"): _STORED_TOTALS["count"],
        Field("successes", "whole", "number of successful occurrences"): _STORED_TOTALS["successes"],
        Field("failures", "whole", "number of failed occurrences"): _STORED_TOTALS["failures"],
        Field("cost", "money", "known cost of the occurrences; null: unknown for all"): _STORED_TOTALS[
            "cost"
        ],
        Field(
            "duration_seconds", "real", "known duration of the occurrences; null: unknown for all"
        ): _STORED_TOTALS["duration_seconds"],
    }
    columns = {field.name: column for field, column in columns_by_field.items()}
    return ExportSource(tuple(columns_by_field), tuple(columns), columns, pattern_batches)


def _exported_totals(totals: Mapping[str, ColumnElement[Any]]) -> dict[str, ColumnElement[Any]]:
    """Return the exported totals of a pattern; cost and duration are null if unknown for all runs."""
    has_cost, has_duration = (totals["runs"] > totals[name] for name in ("unpriced_runs", "untimed_runs"))
    return {
        **{name: totals[name] for name in ("runs", "count", "successes", "failures")},
        "cost": case((has_cost, totals["cost_nanodollars"])),
        "duration_seconds": case((has_duration, totals["milliseconds"] / 1000.0)),
    }


_STORED_TOTALS: Final = _exported_totals(dict(patterns.c))
_TOTALS_IN_RUNS: Final = dict(
    zip(_STORED_TOTALS.values(), _exported_totals(AGGREGATES).values(), strict=True)
)
"""Map from each stored total over all runs to the same total over the selected runs."""


EXPORT_SOURCES: Final[Mapping[str, ExportSource]] = {
    "runs": _run_source(),
    "agent-runs": _agent_run_source(),
    "model-usage": _model_usage_source(),
    "tool-calls": _occurrence_source(only_calls=True),
    "patterns": _pattern_source(),
    "occurrences": _occurrence_source(),
    "problems": _problem_source(),
}
"""Exportable tables by name."""
