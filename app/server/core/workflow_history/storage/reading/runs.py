"""Load workflows by key as dicts, in a few queries, and other stored data of runs; writes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    case,
    false,
    func,
    null,
    or_,
    select,
)

from ...common.models import RECORDED_BASES, PatternKind, SourceState, Workflow
from ...common.plausible_dates import EARLIEST
from ...common.spending import NO_COST, Cost, to_usd
from ..connection.engine import fetch_raw_rows
from ..rows.column_types import sanitize_text, to_timestamp, without_unknown_zone
from ..rows.row_codec import SYNC_RUN, WORKFLOW
from ..rows.run_rows import SimilarPair, agent_run_from_row, costs_from_columns, from_rows
from ..rows.time_zones import ZONE_KNOWN
from ..tables.schema import (
    agent_runs,
    model_usage,
    occurrences,
    patterns,
    problems,
    similar_pairs,
    stream_checkpoints,
    sync_runs,
    workflows,
)
from ..writing.bulk_insert import batched
from .cost_sql import repeats_other_run
from .current_status import current_column

SUMMARY_FIELDS: Final = (
    "project", "id", "status", "status_reason", "created_at", "started_at", "completed_at", "times_basis",
    "utc_offset_minutes", "duration_seconds", "duration_basis", "issue_number", "issue_class",
    "workflow_template", "model_used", "branch_name", "pull_request", "current_phase", "total_cost",
    "cost_basis", "lower_bound_cost", "retry_count", "total_tokens", "nl_clarity_score",
    "cost_efficiency_score", "performance_score", "quality_score", "source_state", "agents_dir", "copy_of",
)  # fmt: skip
"""Keys of a run that are in a list."""

TRUNCATED_FIELDS: Final = {"nl_input": 400, "error_message": 400}
"""Keys that a list shortens to this many characters, since a request can be very long."""

_SUMMARY_FIELDS: Final = WORKFLOW.subset(SUMMARY_FIELDS).fields


def _summary_query() -> Select[Any]:
    """Return the query for a list; built once, as building it takes SQLAlchemy as long as SQLite's answer."""
    run = workflows.c
    columns = [current_column(field.column) for field in _SUMMARY_FIELDS.values()]
    texts = [func.substr(run[name], 1, length).label(name) for name, length in TRUNCATED_FIELDS.items()]
    title = run.extra["title"].as_string().label("title")
    extra_columns = (ZONE_KNOWN.label("time_zone_known"), title, *texts)
    query = select(run.key, *columns, *extra_columns)
    return query.where(run.key.in_(bindparam("keys", expanding=True)))


_SUMMARY_QUERY: Final = _summary_query()
_SUMMARY_NAMES: Final = (*_SUMMARY_FIELDS, "time_zone_known", "title", *TRUNCATED_FIELDS)
_SUMMARY_DECODERS: Final = (
    *((index, field.decode) for index, field in enumerate(_SUMMARY_FIELDS.values()) if field.decode),
    (len(_SUMMARY_FIELDS), bool),
)
"""Indexes and decoders of the values that are not shown as stored."""


def read_summaries(connection: Connection, keys: Sequence[int]) -> list[dict[str, Any]]:
    """Return list entries of these runs in the order of `keys`; unknown keys are skipped."""
    summaries: dict[int, dict[str, Any]] = {}
    for batch in batched(keys):
        for key, *values in fetch_raw_rows(connection, _SUMMARY_QUERY, {"keys": list(batch)}):
            for index, decode in _SUMMARY_DECODERS:
                if values[index] is not None:
                    values[index] = decode(values[index])
            run = without_unknown_zone(dict(zip(_SUMMARY_NAMES, values, strict=True)))
            if run["title"] is None:
                del run["title"]
            summaries[key] = costs_from_columns(run)
    return [summaries[key] for key in keys if key in summaries]


_RUN_COLUMNS = [workflows.c.key, workflows.c.extra] + [
    current_column(field.column) for key, field in WORKFLOW.fields.items() if key not in WORKFLOW.hidden
]


class StoredRunState(NamedTuple):
    """Columns of a stored run that decide whether its files must be read again."""

    key: int
    id: str
    agents_dir: str | None
    fingerprint: str | None
    source_state: str | None
    file_times: str | None
    first_written_ns: int | None
    last_written_ns: int | None
    host: str | None
    project: str


class AgentsDirectory(NamedTuple):
    """Agents directory in which runs were found."""

    project: str
    agents_dir: str
    host: str | None  # host; None: unknown


class RunLocation(NamedTuple):
    """Location in which a run was found."""

    key: int
    project: str
    id: str
    agents_dir: str | None
    host: str | None
    files_folder: str | None  # start of its files' paths in agents_dir; None: the run's own directory


class StatusCounts(NamedTuple):
    """Counts of the runs with one status in an agents directory."""

    status: str | None
    runs: int
    copies: int  # number of runs whose whole cost is counted by other runs
    repeating: int  # number of runs with messages that another run counts
    requests: int  # number of runs with a known request
    dated: int  # number of runs with a known date
    first: str | None  # earliest known date of a run, as stored
    last: str | None  # latest known date of a run, as stored


@dataclass(frozen=True, slots=True)
class FolderCostTotals:
    """Total cost of some runs."""

    cost: Cost
    enriched: int  # number of runs with a known cost
    partial: int  # number of runs whose full cost is unknown

    def __add__(self, other: FolderCostTotals) -> FolderCostTotals:
        return FolderCostTotals(
            self.cost + other.cost, self.enriched + other.enriched, self.partial + other.partial
        )


NO_COSTS: Final = FolderCostTotals(NO_COST, 0, 0)
"""Total of no runs."""


def read_runs(connection: Connection, keys: Sequence[int]) -> dict[int, Workflow]:
    """Return whole workflow dicts by key, in the order of `keys`; unknown keys are skipped."""
    runs: dict[int, Workflow] = {}
    for batch in batched(keys):
        agents = agent_rows_by_run(connection, batch)
        similar = _similar_runs(connection, batch)
        column = occurrences.c.workflow_key
        count_query = select(column, func.count()).where(column.in_(batch)).group_by(column)
        counts: dict[int, int] = dict(fetch_raw_rows(connection, count_query))
        for row in _dicts(connection, select(*_RUN_COLUMNS).where(workflows.c.key.in_(batch))):
            key = row["key"]
            runs[key] = from_rows(row, agents.get(key, ()), similar.get(key, ()), counts.get(key, 0))
    return {key: runs[key] for key in keys if key in runs}


def agent_rows_by_run(
    connection: Connection, keys: Sequence[int]
) -> dict[int, list[tuple[Mapping[str, Any], list[Mapping[str, Any]]]]]:
    """Return the rows of the agent runs of each workflow, each with the rows of its models."""
    models: dict[tuple[int, int], list[Mapping[str, Any]]] = defaultdict(list)
    usage = model_usage.c
    query = select(model_usage).where(usage.workflow_key.in_(keys))
    query = query.order_by(usage.workflow_key, usage.agent_ordinal, usage.ordinal)
    for row in _dicts(connection, query):
        models[row["workflow_key"], row["agent_ordinal"]].append(row)
    agents: dict[int, list[tuple[Mapping[str, Any], list[Mapping[str, Any]]]]] = defaultdict(list)
    query = select(agent_runs).where(agent_runs.c.workflow_key.in_(keys))
    for row in _dicts(connection, query.order_by(agent_runs.c.workflow_key, agent_runs.c.ordinal)):
        key = row["workflow_key"]
        agents[key].append((row, models[key, row["ordinal"]]))
    return agents


def _dicts(connection: Connection, query: Select[Any]) -> Iterator[Mapping[str, Any]]:
    result = connection.execute(query)
    names = tuple(result.keys())
    return (dict(zip(names, row, strict=True)) for row in result)


def agent_records(connection: Connection, keys: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    """Return the `phase_costs` entries of each workflow that has some."""
    return {
        key: [agent_run_from_row(agent, models) for agent, models in agents]
        for batch in batched(keys)
        for key, agents in agent_rows_by_run(connection, batch).items()
    }


def phase_segments(connection: Connection, keys: Sequence[int]) -> dict[int, list[Mapping[str, Any]]]:
    """Return phase, cost, duration and outcome of agent runs in their order, by workflow and as stored."""
    columns = agent_runs.c
    query = select(columns.workflow_key, *(columns[name] for name in _SEGMENT_COLUMNS))
    query = query.order_by(columns.workflow_key, columns.ordinal)
    segments: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for batch in batched(keys):
        for row in _dicts(connection, query.where(columns.workflow_key.in_(batch))):
            segments[row["workflow_key"]].append(row)
    return segments


_SEGMENT_COLUMNS = (
    "phase", "cost_nanodollars", "cost_basis", "lower_bound_cost_nanodollars", "duration_seconds",
    "outcome", "duplicate_of",
)  # fmt: skip


def _similar_runs(connection: Connection, keys: Sequence[int]) -> dict[int, list[SimilarPair]]:
    pairs = similar_pairs.c
    query = (
        select(
            pairs.workflow_key,
            workflows.c.project,
            func.coalesce(workflows.c.id, pairs.similar_id),
            pairs.score,
        )
        .select_from(similar_pairs.outerjoin(workflows, workflows.c.key == pairs.similar_key))
        .where(pairs.workflow_key.in_(keys))
        .order_by(pairs.workflow_key, pairs.rank)
    )
    similar: dict[int, list[SimilarPair]] = defaultdict(list)
    for key, project, run_id, score in connection.execute(query):
        similar[key].append((project, run_id, score))
    return similar


def stored_runs(connection: Connection, project: str) -> dict[str, StoredRunState]:
    """Return the stored runs of a project by id, read from an index alone."""
    query = select(*(workflows.c[name] for name in StoredRunState._fields)).where(
        workflows.c.project == sanitize_text(project)
    )
    return {row[1]: StoredRunState._make(row) for row in fetch_raw_rows(connection, query)}


def read_checkpoints(connection: Connection, keys: Sequence[int]) -> dict[int, dict[str, bytes]]:
    """Return the checkpoints (read positions of streams) by run key and path."""
    checkpoints: dict[int, dict[str, bytes]] = defaultdict(dict)
    for batch in batched(keys):
        columns = stream_checkpoints.c
        query = select(columns.workflow_key, columns.path, columns.checkpoint)
        for key, path, packed in connection.execute(query.where(columns.workflow_key.in_(batch))):
            checkpoints[key][path] = packed
    return checkpoints


def cost_totals(
    connection: Connection, project: str, agents_dir: str, keys: Sequence[int] | None = None
) -> FolderCostTotals:
    """Add up the costs of a project's present runs in an agents directory; `keys` limits the runs."""
    conditions = _present_conditions(project, agents_dir)
    if keys is None:
        return costs_of(connection, conditions)
    parts = [costs_of(connection, [*conditions, workflows.c.key.in_(batch)]) for batch in batched(keys)]
    return sum(parts, NO_COSTS)


def _present_conditions(project: str, agents_dir: str) -> list[ColumnElement[bool]]:
    run = workflows.c
    return [
        run.project == sanitize_text(project),
        run.agents_dir == sanitize_text(agents_dir),
        run.source_state == SourceState.PRESENT,
    ]


def count_by_status(
    connection: Connection, project: str, agents_dir: str, latest: str, keys: Sequence[int] | None = None
) -> list[StatusCounts]:
    """Count a project's present runs in an agents directory by status; `keys` limits the runs.

    `latest` is the latest valid date of a run. Runs dated later or before 2000 count as undated.
    """
    conditions = _present_conditions(project, agents_dir)
    if keys is None:
        return _count_by_status(connection, conditions, latest)
    counts: list[StatusCounts] = []
    for batch in batched(keys):
        counts += _count_by_status(connection, [*conditions, workflows.c.key.in_(batch)], latest)
    return counts


def _count_by_status(
    connection: Connection, clauses: Sequence[ColumnElement[bool]], latest: str
) -> list[StatusCounts]:
    run = workflows.c
    # No BETWEEN: collated bounds.
    is_valid = (run.created_at >= to_timestamp(EARLIEST)) & (run.created_at <= latest)
    valid_date = case((is_valid, run.created_at))
    has_request = case((or_(run.nl_input != "", run.nl_input_source != ""), 1))
    columns = (
        current_column("status"),
        valid_date.label("valid_date"),
        has_request.label("has_request"),
        case((run.copy_of.is_not(None), 1)).label("is_copy"),
        case((repeats_other_run(), 1)).label("repeats"),
    )
    runs = select(*columns).where(*clauses).subquery()
    sums = (
        func.count(),
        func.count(runs.c.is_copy),
        func.count(runs.c.repeats),
        func.count(runs.c.has_request),
        func.count(runs.c.valid_date),
        func.min(runs.c.valid_date),
        func.max(runs.c.valid_date),
    )
    return [
        StatusCounts(*row) for row in connection.execute(select(runs.c.status, *sums).group_by(runs.c.status))
    ]


def costs_of(connection: Connection, clauses: Sequence[ColumnElement[bool]]) -> FolderCostTotals:
    """Add up the costs of the runs that meet all of these conditions."""
    run = workflows.c
    recorded, lower_bound = run.recorded_cost_nanodollars, run.lower_bound_cost_nanodollars
    is_copy = run.copy_of.is_not(None)
    is_complete = or_(run.cost_basis.in_(RECORDED_BASES), is_copy)
    # Not `spent_nanodollars`: in a sync, an index covers all of these columns.
    known_cost = func.coalesce(recorded, lower_bound)
    query = select(
        func.count(known_cost),
        func.count(case((func.coalesce(is_complete, false()), null()), else_=1)),
        func.count(case((and_(known_cost.is_(None), ~is_copy), 1))),
        func.sum(recorded),
        func.sum(lower_bound),
    )
    known, incomplete, unknown, *sums = connection.execute(query.where(*clauses)).one()
    total, extra = (None if value is None else int(value) for value in sums)
    return FolderCostTotals(Cost(total, extra, not incomplete, unknown), known, incomplete)


def agents_directories(connection: Connection) -> list[AgentsDirectory]:
    """Return the agents directories in which runs of the history were found."""
    names = [workflows.c[name] for name in AgentsDirectory._fields]
    query = select(*names).where(workflows.c.agents_dir.is_not(None)).distinct().order_by(*names)
    return [AgentsDirectory(*row) for row in connection.execute(query)]


def run_ids_in(connection: Connection, directory: AgentsDirectory) -> dict[str, str | None]:
    """Return the ids of the runs that were found in an agents directory, each with its `files_folder`."""
    run = workflows.c
    query = select(run.id, run.extra["files_folder"].as_string().label("files_folder")).order_by(run.id)
    rows = connection.execute(query.where(*_directory_conditions(directory)))
    return {row.id: row.files_folder for row in rows}


def stream_identities(
    connection: Connection, directory: AgentsDirectory, ids: Sequence[str]
) -> dict[str, set[str]]:
    """Return the identities of streams (hashes of their first lines) by run id."""
    identities: dict[str, set[str]] = defaultdict(set)
    query = select(workflows.c.id, agent_runs.c.identity).join(
        agent_runs, agent_runs.c.workflow_key == workflows.c.key
    )
    for batch in batched(ids):
        batch_query = query.where(
            *_directory_conditions(directory), workflows.c.id.in_(batch), agent_runs.c.identity.is_not(None)
        )
        for run_id, identity in connection.execute(batch_query):
            identities[run_id].add(identity)
    return identities


def run_locations(connection: Connection, keys: Sequence[int]) -> list[RunLocation]:
    """Return the locations in which runs were found, ordered by key."""
    run = workflows.c
    folder = run.extra["files_folder"].as_string()
    query = select(run.key, run.project, run.id, run.agents_dir, run.host, folder).order_by(run.key)
    return [
        RunLocation(*row)
        for batch in batched(keys)
        for row in connection.execute(query.where(workflows.c.key.in_(batch)))
    ]


def _directory_conditions(directory: AgentsDirectory) -> list[ColumnElement[bool]]:
    return [
        workflows.c.project == directory.project,
        workflows.c.agents_dir == directory.agents_dir,
        workflows.c.host.is_not_distinct_from(directory.host),
    ]


def read_problems(connection: Connection, agents_dir: str, key: int | None = None) -> list[dict[str, Any]]:
    """Return the problems of the last sync of an agents directory, or of one of its runs."""
    names = ("path", "workflow_key", "line", "reason", "severity")
    query = select(*(problems.c[name] for name in names)).where(
        problems.c.agents_dir == sanitize_text(agents_dir)
    )
    if key is not None:
        query = query.where(problems.c.workflow_key == key)
    return [dict(row) for row in connection.execute(query.order_by(problems.c.key)).mappings()]


def read_patterns(connection: Connection, key: int) -> list[dict[str, Any]]:
    """Return the recurring patterns of one run, sequences first, each with the number of its runs."""
    occurrence, run_count = occurrences.c, patterns.c.runs
    query = (
        select(
            patterns.c.kind,
            patterns.c.signature,
            patterns.c.status,
            occurrence.count,
            occurrence.failures,
            occurrence.cost_nanodollars,
            run_count.label("workflows"),
            occurrence.example_path,
            occurrence.example_line,
        )
        .join(patterns, patterns.c.key == occurrence.pattern_key)
        .where(occurrence.workflow_key == key, run_count > 1)
        .order_by(
            case({PatternKind.SEQUENCE: 0, PatternKind.OPERATION: 1}, value=patterns.c.kind, else_=2),
            occurrence.cost_nanodollars.desc().nulls_last(),
            run_count.desc(),
            patterns.c.signature,
        )
    )
    rows = [dict(row) for row in connection.execute(query).mappings()]
    for row in rows:
        nanodollars = row.pop("cost_nanodollars")
        row["cost"] = to_usd(nanodollars)
    return rows


def read_syncs(connection: Connection, limit: int, before: int) -> tuple[list[dict[str, Any]], int]:
    """Return recorded syncs with numbers below `before`, the latest first, and the number of all syncs."""
    total = connection.scalar(select(func.count()).select_from(sync_runs)) or 0
    sync = sync_runs.c
    query = select(sync_runs).where(sync.key < before).order_by(sync.key.desc()).limit(limit)
    rows = connection.execute(query).mappings()
    return [{"number": row["key"], **SYNC_RUN.decode(dict(row))} for row in rows], total


def read_fields(connection: Connection, keys: Sequence[str]) -> list[Workflow]:
    """Return some keys of every stored workflow, without its agent runs and similar runs."""
    costs = () if {"total_cost", "lower_bound_cost"}.isdisjoint(keys) else _COST_KEYS
    codec = WORKFLOW.subset(list(dict.fromkeys((*keys, *costs))))
    columns = [current_column(field.column) for field in codec.fields.values()]
    rows = _dicts(connection, select(*columns).order_by(workflows.c.key))
    runs = (costs_from_columns(codec.decode(row)) if costs else codec.decode(row) for row in rows)
    return [{key: run[key] for key in keys} for run in runs]


_COST_KEYS: Final = ("total_cost", "cost_basis", "lower_bound_cost")
"""Keys of a run that are computed from the same columns."""
