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

from ...exporting.fields import ColumnBatch, Field
from ..rows.column_types import TIMES_OF_A_RUN
from ..rows.row_codec import AGENT_RUN, MODEL_USAGE, WORKFLOW, Codec
from ..rows.time_zones import ZONE_KNOWN, as_told
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
from .cost_sql import agent_cost_columns, costs_apart
from .standing import shown

BATCH_SIZE: Final = 100  # runs, with their agent runs; more takes memory, and is no faster

WhereClauses = Sequence[ColumnElement[bool]]

Batches = Callable[[Connection, WhereClauses, Sequence[ColumnElement[Any]]], Iterator[ColumnBatch]]


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
    connection: Connection, wanted: WhereClauses, columns: Sequence[ColumnElement[Any]]
) -> Iterator[ColumnBatch]:
    """Yield batches of runs, oldest first."""
    for keys in _keys(connection, wanted):
        query = select(workflows.c.key, *columns).where(workflows.c.key.in_(keys))
        rows = {key: row for key, *row in _rows(connection, query)}
        yield list(zip(*[rows[key] for key in keys], strict=True))


def _batches_below(
    below: FromClause,
    run_key: ColumnElement[Any],
    *order: ColumnElement[Any],
    only: ColumnElement[bool] | None = None,
) -> Batches:
    """Return a function that yields batches of the rows of runs in another table, oldest run first."""

    def batches(
        connection: Connection, wanted: WhereClauses, columns: Sequence[ColumnElement[Any]]
    ) -> Iterator[ColumnBatch]:
        for keys in _keys(connection, wanted):
            query = select(run_key, *columns).select_from(below.join(workflows, workflows.c.key == run_key))
            query = query if only is None else query.where(only)
            rows: dict[int, list[Any]] = {key: [] for key in keys}
            for key, *row in _rows(connection, query.where(run_key.in_(keys)).order_by(*order)):
                rows[key].append(row)
            yield list(zip(*chain.from_iterable(rows.values()), strict=True)) or [[] for _ in columns]

    return batches


def batches_of_problems(
    connection: Connection, wanted: WhereClauses, columns: Sequence[ColumnElement[Any]]
) -> Iterator[ColumnBatch]:
    """Yield batches of problems, errors first; with conditions, only those of matching runs."""
    own = problems.c
    query = select(*columns).select_from(problems.outerjoin(workflows, workflows.c.key == own.workflow_key))
    query = query.where(*wanted).order_by(own.severity, own.agents_dir, own.path, own.line, own.key)
    cursor: Any = connection.execute(query).cursor
    while rows := cursor.fetchmany(BATCH_SIZE):
        yield list(zip(*rows, strict=True))


def pattern_batches(
    connection: Connection, wanted: WhereClauses, columns: Sequence[ColumnElement[Any]]
) -> Iterator[ColumnBatch]:
    """Yield batches of patterns in two or more of the selected runs, ordered by kind and signature."""
    if wanted:
        keys = select(workflows.c.key).where(*wanted)
        anew = [_ANEW_FOR.get(column, column) for column in columns]
        query = select(*anew).join(occurrences, occurrences.c.pattern_key == patterns.c.key)
        query = query.where(occurrences.c.workflow_key.in_(keys))
        query = query.group_by(patterns.c.key).having(AGGREGATES["runs"] > 1)
    else:
        query = select(*columns).where(
            patterns.c.runs > literal_column("1")
        )  # a literal, as in the partial index
    cursor: Any = connection.execute(query.order_by(patterns.c.kind, patterns.c.signature)).cursor
    while rows := cursor.fetchmany(BATCH_SIZE):
        yield list(zip(*rows, strict=True))


def _keys(connection: Connection, wanted: WhereClauses) -> Iterator[Sequence[int]]:
    """Yield the keys of the selected runs in batches, ordered by creation, id and project."""
    own = workflows.c
    query = select(own.key).where(*wanted).order_by(own.created_at.asc().nulls_last(), own.id, own.project)
    return batched([key for (key,) in _rows(connection, query)], BATCH_SIZE)


def _rows(connection: Connection, query: Select[Any]) -> list[Any]:
    """Return the driver's own tuples, as an export needs neither row objects nor parsed JSON."""
    cursor: Any = connection.execute(query).cursor
    rows: list[Any] = cursor.fetchall()
    return rows


def _as_text(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a JSON column as text, since a driver may parse it otherwise."""
    return cast(column, Text) if isinstance(column.type, JSON) else column


_OF_ITS_RUN = {
    "project": "project",
    "run_id": "id",
    "run_created_at": "created_at",
    "workflow_template": "workflow_template",
    "run_status": "status",
}
"""Fields of an agent run about its run, with the run's keys for them."""

_ZONE: Final = Field(
    "time_zone_known",
    "flag",
    "whether the time zone of the run is known; false: times without a zone; null: unknown",
)
_RUN_ZONE: Final = _ZONE._replace(name="run_time_zone_known")


def _shown(key: str) -> ColumnElement[Any]:
    """Return the column of a run that is shown under a key."""
    column = shown(WORKFLOW.fields[key].column)
    return as_told(column) if key in TIMES_OF_A_RUN else column


_RUN_FIELDS: Final = {
    field.name: field._replace(kind="clock") if field.name in TIMES_OF_A_RUN else field
    for field in describe_fields(WORKFLOW, workflows)
}
_RUN_COLUMNS: Final[dict[str, ColumnElement[Any]]] = {
    **{name: _shown(key) for name, key in _OF_ITS_RUN.items()},
    _RUN_ZONE.name: ZONE_KNOWN,
}


def _of_runs() -> ExportSource:
    fields = (
        *_RUN_FIELDS.values(),
        Field("extra", "dict", "keys of the state file without a column; null: none"),
        _ZONE,
    )
    columns: dict[str, ColumnElement[Any]] = {"extra": _as_text(workflows.c.extra)}
    columns |= {key: _as_text(_shown(key)) for key in WORKFLOW.fields}
    columns[_ZONE.name] = ZONE_KNOWN
    return ExportSource(fields, _USUAL_OF_RUNS, columns, run_batches)


_USUAL_OF_RUNS = (
    "project", "id", "status", "created_at", "completed_at", "duration_seconds", "workflow_template",
    "issue_class", "issue_number", "model_used", "nl_input", "branch_name", "total_cost", "cost_basis",
    "lower_bound_cost", "retry_count", "retry_cost", "input_tokens", "output_tokens", "cache_read_tokens",
    "cache_creation_tokens", "total_tokens", "nl_clarity_score", "cost_efficiency_score",
    "performance_score", "quality_score", "error_message", "source_state", "time_zone_known",
)  # fmt: skip
_USUAL_OF_AGENT_RUNS = (
    "project", "run_id", "run_created_at", "workflow_template", "run_status", "ordinal", "phase", "agent",
    "model", "outcome", "cost", "cost_basis", "lower_bound_cost", "input_tokens", "output_tokens",
    "cache_read_tokens", "cache_creation_tokens", "timestamp", "duration_seconds", "turns", "tool_calls",
    "tool_errors", "is_retry", "superseded", "duplicate_of", "path", "line", "run_time_zone_known",
)  # fmt: skip


def _its_run(*names: str) -> tuple[Field, ...]:
    """Return the fields of a row about its run: those in `names`, or all without names."""
    return tuple(
        _RUN_FIELDS[key]._replace(name=name)
        for name, key in _OF_ITS_RUN.items()
        if name in (names or _OF_ITS_RUN)
    )


def _of_agent_runs() -> ExportSource:
    fields = (
        *_its_run(),
        Field("ordinal", "whole", "position in the run, from 0"),
        *describe_fields(AGENT_RUN, agent_runs),
        Field("extra", "dict", "keys without a column; null: none"),
        _RUN_ZONE,
    )
    columns: dict[str, ColumnElement[Any]] = {
        **_RUN_COLUMNS,
        "ordinal": agent_runs.c.ordinal,
        "extra": _as_text(agent_runs.c.extra),
        **{key: _as_text(agent_runs.c[field.column]) for key, field in AGENT_RUN.fields.items()},
        **agent_cost_columns(),
    }
    batches = _batches_below(agent_runs, agent_runs.c.workflow_key, agent_runs.c.ordinal)
    return ExportSource(fields, _USUAL_OF_AGENT_RUNS, columns, batches)


def _of_model_usage() -> ExportSource:
    """Return the usage of each agent run by model; if the split is unknown, all of it is of its own model."""
    own, agent = model_usage.c, agent_runs.c
    used = describe_fields(MODEL_USAGE, model_usage)
    fields = (
        *_its_run(),
        Field("ordinal", "whole", "position of the agent run in the run, from 0"),
        *(field for field in describe_fields(AGENT_RUN, agent_runs) if field.name in _OF_ITS_AGENT),
        *used,
        _RUN_ZONE,
    )
    unknown = own.workflow_key.is_(None)
    shares = {
        field.name: case(
            (unknown, agent[AGENT_RUN.fields[field.name].column]),
            else_=own[MODEL_USAGE.fields[field.name].column],
        )
        for field in used
    }
    cost, beyond = shares["cost"], shares["lower_bound_cost"]
    columns: dict[str, ColumnElement[Any]] = {
        **_RUN_COLUMNS,
        "ordinal": agent.ordinal,
        **{key: agent[AGENT_RUN.fields[key].column] for key in _OF_ITS_AGENT},
        **shares,
        **costs_apart(cost, beyond, shares["cost_basis"]),
    }
    below = agent_runs.outerjoin(
        model_usage, and_(own.workflow_key == agent.workflow_key, own.agent_ordinal == agent.ordinal)
    )
    batches = _batches_below(below, agent.workflow_key, agent.ordinal, own.ordinal)
    usual = tuple(field.name for field in fields)
    return ExportSource(fields, usual, columns, batches)


_OF_ITS_AGENT: Final = ("phase", "agent", "superseded", "duplicate_of")
"""Fields about the agent run that used a model."""


def _of_occurrences(*, calls_alone: bool = False) -> ExportSource:
    """Return the patterns of each run; with `calls_alone`, only operations, each with its counts."""
    own, pattern = occurrences.c, patterns.c
    found: dict[Field, ColumnElement[Any]] = {
        Field("pattern_id", "text", "id of the pattern, the same in every history"): pattern.id,
        Field("kind", "text", "operation, sequence or phases"): pattern.kind,
        Field("signature", "text", "normalized operations of the pattern"): pattern.signature,
        Field("count", "whole", "number of occurrences in the run; null: unknown"): own.count,
        Field("successes", "whole", "number of successful occurrences; null: unknown"): own.successes,
        Field("failures", "whole", "number of failed occurrences; null: unknown"): own.failures,
        Field(
            "cost", "money", "estimated cost of the pattern in the run; null: unknown"
        ): own.cost_nanodollars,
        Field("duration_seconds", "real", "duration of the pattern in the run; null: unknown"): own.seconds,
        Field("agents", "list", "names of the agents with the pattern; null: unknown"): _as_text(own.agents),
        Field(
            "path", "text", "stream with an example, relative to the run's folder; null: none"
        ): own.example_path,
        Field("line", "whole", "line of the example, from 1; null: none"): own.example_line,
    }
    if calls_alone:
        found = {field: column for field, column in found.items() if field.name != "kind"}
    below = occurrences.join(patterns, pattern.key == own.pattern_key)
    columns = {**_RUN_COLUMNS, **{field.name: column for field, column in found.items()}}
    fields = (*_its_run(), *found, _RUN_ZONE)
    only = pattern.kind == "operation" if calls_alone else None
    batches = _batches_below(below, own.workflow_key, pattern.kind, pattern.signature, only=only)
    return ExportSource(fields, tuple([field.name for field in fields]), columns, batches)


def _of_problems() -> ExportSource:
    own = problems.c
    found: dict[Field, ColumnElement[Any]] = {
        field: _RUN_COLUMNS[field.name] for field in _its_run("project", "run_id")
    }
    found |= {
        Field(name, "whole" if name == "line" else "text", str(own[name].comment)): own[name]
        for name in ("severity", "agents_dir", "path", "line", "reason")
    }
    columns = {field.name: column for field, column in found.items()}
    return ExportSource(tuple(found), tuple(columns), columns, batches_of_problems)


def _of_patterns() -> ExportSource:
    own = patterns.c
    found: dict[Field, ColumnElement[Any]] = {
        Field("id", "text", "id of the pattern, the same in every history"): own.id,
        Field("kind", "text", "operation, sequence or phases"): own.kind,
        Field("signature", "text", "normalized operations of the pattern"): own.signature,
        Field("status", "text", "decision: detected, accepted or dismissed"): own.status,
        Field("first_seen_at", "time", "first write of the pattern to this history"): own.first_seen_at,
        Field("runs", "whole", "number of runs with the pattern"): _STORED["runs"],
        Field("count", "whole", "number of occurrences"): _STORED["count"],
        Field("successes", "whole", "number of successful occurrences"): _STORED["successes"],
        Field("failures", "whole", "number of failed occurrences"): _STORED["failures"],
        Field("cost", "money", "cost of the occurrences where it is known; null: unknown for all"): _STORED[
            "cost"
        ],
        Field("duration_seconds", "real", "duration where it is known; null: unknown for all"): _STORED[
            "duration_seconds"
        ],
    }
    columns = {field.name: column for field, column in found.items()}
    return ExportSource(tuple(found), tuple(columns), columns, pattern_batches)


def _shown_sums(sums: Mapping[str, ColumnElement[Any]]) -> dict[str, ColumnElement[Any]]:
    """Return the exported totals of a pattern; cost and duration are null if unknown for all runs."""
    priced, timed = (sums["runs"] > sums[name] for name in ("unpriced_runs", "untimed_runs"))
    return {
        **{name: sums[name] for name in ("runs", "count", "successes", "failures")},
        "cost": case((priced, sums["cost_nanodollars"])),
        "duration_seconds": case((timed, sums["milliseconds"] / 1000.0)),
    }


_STORED: Final = _shown_sums(dict(patterns.c))
_ANEW_FOR: Final = dict(zip(_STORED.values(), _shown_sums(AGGREGATES).values(), strict=True))
"""Map from each stored total over all runs to the same total over the selected runs."""


EXPORT_SOURCES: Final[Mapping[str, ExportSource]] = {
    "runs": _of_runs(),
    "agent-runs": _of_agent_runs(),
    "model-usage": _of_model_usage(),
    "tool-calls": _of_occurrences(calls_alone=True),
    "patterns": _of_patterns(),
    "occurrences": _of_occurrences(),
    "problems": _of_problems(),
}
"""Exportable tables by name."""
