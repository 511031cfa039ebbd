"""Load workflows by key as dicts, in a few queries, and other stored data of runs; writes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
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

from ...common.models import Workflow
from ...common.plausible_dates import EARLIEST
from ...costs.accounting.money import sum_known, to_decimal, to_usd_float
from ..rows.column_types import sanitize_text, to_dollars, to_timestamp, without_unknown_zone
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
    stream_marks,
    sync_runs,
    workflows,
)
from ..writing.bulk_insert import batched
from .cost_sql import repeats_another
from .standing import shown

SUMMARY_FIELDS: Final = (
    "project", "id", "status", "status_reason", "created_at", "started_at", "completed_at", "times_basis",
    "utc_offset_minutes", "duration_seconds", "duration_basis", "issue_number", "issue_class",
    "workflow_template", "model_used", "branch_name", "current_phase", "total_cost", "cost_basis",
    "lower_bound_cost", "retry_count", "total_tokens", "nl_clarity_score", "cost_efficiency_score",
    "performance_score", "quality_score", "source_state", "agents_dir", "copy_of",
)  # fmt: skip
"""Keys of a run that are in a list."""

TRUNCATED_FIELDS: Final = {"nl_input": 400, "error_message": 400}
"""Keys that a list shortens to this many characters, since a request can be very long."""

_FIELDS: Final = WORKFLOW.subset(SUMMARY_FIELDS).fields


def _query() -> Select[Any]:
    """Return the query for a list; built once, as building it takes SQLAlchemy as long as SQLite's answer."""
    own = workflows.c
    columns = [shown(field.column) for field in _FIELDS.values()]
    texts = [func.substr(own[name], 1, most).label(name) for name, most in TRUNCATED_FIELDS.items()]
    more = (ZONE_KNOWN.label("time_zone_known"), *texts)
    query = select(own.key, *columns, *more)
    return query.where(own.key.in_(bindparam("wanted", expanding=True)))


_QUERY: Final = _query()
_NAMES: Final = (*_FIELDS, "time_zone_known", *TRUNCATED_FIELDS)
_DECODED: Final = (
    *((place, field.decode) for place, field in enumerate(_FIELDS.values()) if field.decode is not None),
    (len(_FIELDS), bool),
)
"""Indexes and decoders of the values that are not shown as stored."""


def read_summaries(connection: Connection, keys: Sequence[int]) -> list[dict[str, Any]]:
    """Return list entries of these runs in the order of `keys`; unknown keys are skipped."""
    found: dict[int, dict[str, Any]] = {}
    for some in batched(keys):
        cursor: Any = connection.execute(_QUERY, {"wanted": list(some)}).cursor
        for key, *values in cursor.fetchall():  # the driver's own rows, as a list has many
            for place, decode in _DECODED:
                if values[place] is not None:
                    values[place] = decode(values[place])
            run = without_unknown_zone(dict(zip(_NAMES, values, strict=True)))
            found[key] = costs_from_columns(run)
    return [found[key] for key in keys if key in found]


_SHOWN = [workflows.c.key, workflows.c.extra] + [
    shown(field.column) for key, field in WORKFLOW.fields.items() if key not in WORKFLOW.hidden
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
    found_on: str | None


class Home(NamedTuple):
    """Agents directory in which runs were found."""

    project: str
    agents_dir: str
    found_on: str | None  # host; None: unknown


class WhereStored(NamedTuple):
    """Location in which a run was found."""

    key: int
    project: str
    id: str
    agents_dir: str | None
    found_on: str | None
    files_folder: str | None  # start of its files' paths in agents_dir; None: the run's own directory


class RunsFound(NamedTuple):
    """Counts of the runs with one status in an agents directory."""

    status: str | None
    runs: int
    copies: int  # number of runs whose whole cost is counted by other runs
    repeating: int  # number of runs with messages that another run counts
    requests: int  # number of runs with a known request
    dated: int  # number of runs with a known date
    first: str | None  # earliest known date of a run, as stored
    last: str | None  # latest known date of a run, as stored


class FolderCostTotals(NamedTuple):
    """Total cost of some runs."""

    enriched: int  # number of runs with a known cost
    total_cost: float | None  # recorded cost, USD
    lower_bound_cost: float | None  # lower bound of the cost beyond the recorded cost, USD
    partial: int  # number of runs whose full cost is unknown
    unknown: int  # number of runs without any known cost


def read_runs(connection: Connection, keys: Sequence[int]) -> dict[int, Workflow]:
    """Return whole workflow dicts by key, in the order of `keys`; unknown keys are skipped."""
    found: dict[int, Workflow] = {}
    for some in batched(keys):
        agents = agent_rows_by_run(connection, some)
        similar = _similar(connection, some)
        counts = _pattern_counts(connection, some)
        for row in _dicts(connection, select(*_SHOWN).where(workflows.c.key.in_(some))):
            key = row["key"]
            found[key] = from_rows(row, agents.get(key, ()), similar.get(key, ()), counts.get(key, 0))
    return {key: found[key] for key in keys if key in found}


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
        for some in batched(keys)
        for key, agents in agent_rows_by_run(connection, some).items()
    }


def phase_segments(connection: Connection, keys: Sequence[int]) -> dict[int, list[Mapping[str, Any]]]:
    """Return phase, cost, duration and outcome of agent runs in their order, by workflow and as stored."""
    columns = agent_runs.c
    query = select(columns.workflow_key, *(columns[name] for name in _OF_A_STAGE))
    query = query.order_by(columns.workflow_key, columns.ordinal)
    found: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for some in batched(keys):
        for row in _dicts(connection, query.where(columns.workflow_key.in_(some))):
            found[row["workflow_key"]].append(row)
    return found


_OF_A_STAGE = (
    "phase", "cost_nanodollars", "cost_basis", "lower_bound_cost_nanodollars", "duration_seconds",
    "outcome", "duplicate_of",
)  # fmt: skip


def _similar(connection: Connection, keys: Sequence[int]) -> dict[int, list[SimilarPair]]:
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
    found: dict[int, list[SimilarPair]] = defaultdict(list)
    for key, project, run_id, score in connection.execute(query):
        found[key].append((project, run_id, score))
    return found


def _pattern_counts(connection: Connection, keys: Sequence[int]) -> dict[int, int]:
    column = occurrences.c.workflow_key
    query = select(column, func.count()).where(column.in_(keys)).group_by(column)
    return {key: count for key, count in connection.execute(query)}  # noqa: C416 - rows, not pairs


def stored_runs(connection: Connection, project: str) -> dict[str, StoredRunState]:
    """Return the stored runs of a project by id, read from an index alone."""
    query = select(*(workflows.c[name] for name in StoredRunState._fields)).where(
        workflows.c.project == sanitize_text(project)
    )
    cursor = connection.execute(query).cursor
    # The driver's own rows, as these columns need no decoding.
    rows = [] if cursor is None else cursor.fetchall()
    return {row[1]: StoredRunState._make(row) for row in rows}


def read_checkpoints(connection: Connection, keys: Sequence[int]) -> dict[int, dict[str, bytes]]:
    """Return the stream marks (read positions) by run key and path."""
    found: dict[int, dict[str, bytes]] = defaultdict(dict)
    for some in batched(keys):
        query = select(stream_marks.c.workflow_key, stream_marks.c.path, stream_marks.c.mark)
        for key, path, mark in connection.execute(query.where(stream_marks.c.workflow_key.in_(some))):
            found[key][path] = mark
    return found


def cost_totals(
    connection: Connection, project: str, agents_dir: str, keys: Sequence[int] | None = None
) -> FolderCostTotals:
    """Add up the costs of a project's present runs in an agents directory; `keys` limits the runs."""
    here = _present(project, agents_dir)
    if keys is None:
        return costs_of(connection, here)
    parts = [costs_of(connection, [*here, workflows.c.key.in_(some)]) for some in batched(keys)]
    return FolderCostTotals(
        sum(part.enriched for part in parts),
        to_usd_float(sum_known(to_decimal(part.total_cost) for part in parts)),
        to_usd_float(sum_known(to_decimal(part.lower_bound_cost) for part in parts)),
        sum(part.partial for part in parts),
        sum(part.unknown for part in parts),
    )


def _present(project: str, agents_dir: str) -> list[ColumnElement[bool]]:
    own = workflows.c
    return [
        own.project == sanitize_text(project),
        own.agents_dir == sanitize_text(agents_dir),
        own.source_state == "present",
    ]


def runs_found(
    connection: Connection, project: str, agents_dir: str, until: str, keys: Sequence[int] | None = None
) -> list[RunsFound]:
    """Count a project's present runs in an agents directory by status; `keys` limits the runs.

    `until` is the latest valid date of a run. Runs dated later or before 2000 count as undated.
    """
    own = workflows.c
    here = _present(project, agents_dir)
    some = [[]] if keys is None else [[own.key.in_(part)] for part in batched(keys)]
    return [row for clauses in some for row in _found(connection, [*here, *clauses], until)]


def _found(connection: Connection, clauses: Sequence[ColumnElement[bool]], until: str) -> list[RunsFound]:
    own = workflows.c
    in_time = (own.created_at >= to_timestamp(EARLIEST)) & (
        own.created_at <= until
    )  # no BETWEEN: collated bounds
    dated = case((in_time, own.created_at))
    asked = case((or_(own.nl_input != "", own.nl_input_source != ""), 1))
    copied = case((own.copy_of.is_not(None), 1)).label("copied")
    of_others = copied, case((repeats_another(), 1)).label("repeats")
    columns = shown("status"), dated.label("made"), asked.label("asked"), *of_others
    runs = select(*columns).where(*clauses).subquery()
    made = runs.c.made
    sums = (
        func.count(),
        func.count(runs.c.copied),
        func.count(runs.c.repeats),
        func.count(runs.c.asked),
        func.count(made),
        func.min(made),
        func.max(made),
    )
    return [
        RunsFound(*row) for row in connection.execute(select(runs.c.status, *sums).group_by(runs.c.status))
    ]


def costs_of(connection: Connection, clauses: Sequence[ColumnElement[bool]]) -> FolderCostTotals:
    """Add up the costs of the runs that meet all of these conditions."""
    own = workflows.c
    recorded, beyond = own.recorded_cost_nanodollars, own.lower_bound_cost_nanodollars
    copied = own.copy_of.is_not(None)
    whole = or_(own.cost_basis.in_(("reported", "computed")), copied)
    # Not `spent_nanodollars`: in a sync, an index covers all of these columns.
    known_cost = func.coalesce(recorded, beyond)
    query = select(
        func.count(known_cost),
        func.count(case((func.coalesce(whole, false()), null()), else_=1)),
        func.count(case((and_(known_cost.is_(None), ~copied), 1))),
        func.sum(recorded),
        func.sum(beyond),
    )
    known, weak, unknown, *sums = connection.execute(query.where(*clauses)).one()
    total, least = (None if value is None else to_dollars(int(value)) for value in sums)
    return FolderCostTotals(known, total, least, weak, unknown)


def homes(connection: Connection) -> list[Home]:
    """Return the agents directories in which runs of the history were found."""
    names = [workflows.c[name] for name in Home._fields]
    query = select(*names).where(workflows.c.agents_dir.is_not(None)).distinct().order_by(*names)
    return [Home(*row) for row in connection.execute(query)]


def ids_at(connection: Connection, home: Home) -> list[str]:
    """Return the ids of the runs that were found in an agents directory."""
    return list(connection.scalars(select(workflows.c.id).where(*_at(home)).order_by(workflows.c.id)))


def stream_identities(connection: Connection, home: Home, ids: Sequence[str]) -> dict[str, set[str]]:
    """Return the identities of streams (hashes of their first lines) by run id."""
    found: dict[str, set[str]] = defaultdict(set)
    query = select(workflows.c.id, agent_runs.c.identity).join(
        agent_runs, agent_runs.c.workflow_key == workflows.c.key
    )
    for some in batched(ids):
        chosen = query.where(*_at(home), workflows.c.id.in_(some), agent_runs.c.identity.is_not(None))
        for run_id, identity in connection.execute(chosen):
            found[run_id].add(identity)
    return found


def where_stored(connection: Connection, keys: Sequence[int]) -> list[WhereStored]:
    """Return the locations in which runs were found, ordered by key."""
    own = workflows.c
    folder = own.extra["files_folder"].as_string()
    query = select(own.key, own.project, own.id, own.agents_dir, own.found_on, folder).order_by(own.key)
    return [
        WhereStored(*row)
        for some in batched(keys)
        for row in connection.execute(query.where(workflows.c.key.in_(some)))
    ]


def _at(home: Home) -> list[ColumnElement[bool]]:
    return [
        workflows.c.project == home.project,
        workflows.c.agents_dir == home.agents_dir,
        workflows.c.found_on.is_not_distinct_from(home.found_on),
    ]


def problems_of(connection: Connection, agents_dir: str, key: int | None = None) -> list[dict[str, Any]]:
    """Return the problems of the last sync of an agents directory, or of one of its runs."""
    names = ("path", "workflow_key", "line", "reason", "severity")
    query = select(*(problems.c[name] for name in names)).where(
        problems.c.agents_dir == sanitize_text(agents_dir)
    )
    if key is not None:
        query = query.where(problems.c.workflow_key == key)
    return [dict(row) for row in connection.execute(query.order_by(problems.c.key)).mappings()]


def patterns_of(connection: Connection, key: int) -> list[dict[str, Any]]:
    """Return the recurring patterns of one run, sequences first, each with the number of its runs."""
    names, spread = occurrences.c, patterns.c.runs
    query = (
        select(
            patterns.c.kind,
            patterns.c.signature,
            patterns.c.status,
            names.count,
            names.failures,
            names.cost_nanodollars,
            spread.label("workflows"),
            names.example_path,
            names.example_line,
        )
        .join(patterns, patterns.c.key == names.pattern_key)
        .where(names.workflow_key == key, spread > 1)
        .order_by(
            case({"sequence": 0, "operation": 1}, value=patterns.c.kind, else_=2),
            names.cost_nanodollars.desc().nulls_last(),
            spread.desc(),
            patterns.c.signature,
        )
    )
    rows = [dict(row) for row in connection.execute(query).mappings()]
    for row in rows:
        nanos = row.pop("cost_nanodollars")
        row["cost"] = None if nanos is None else to_dollars(int(nanos))
    return rows


def read_syncs(connection: Connection, limit: int, before: int) -> tuple[list[dict[str, Any]], int]:
    """Return recorded syncs with numbers below `before`, the latest first, and the number of all syncs."""
    total = connection.scalar(select(func.count()).select_from(sync_runs)) or 0
    own = sync_runs.c
    query = select(sync_runs).where(own.key < before).order_by(own.key.desc()).limit(limit)
    rows = connection.execute(query).mappings()
    return [{"number": row["key"], **SYNC_RUN.decode(dict(row))} for row in rows], total


def read_fields(connection: Connection, keys: Sequence[str]) -> list[Workflow]:
    """Return some keys of every stored workflow, without its agent runs and similar runs."""
    costs = () if {"total_cost", "lower_bound_cost"}.isdisjoint(keys) else _COSTS
    codec = WORKFLOW.subset(list(dict.fromkeys((*keys, *costs))))
    columns = [shown(field.column) for field in codec.fields.values()]
    rows = _dicts(connection, select(*columns).order_by(workflows.c.key))
    runs = (costs_from_columns(codec.decode(row)) if costs else codec.decode(row) for row in rows)
    return [{key: run[key] for key in keys} for run in runs]


_COSTS: Final = ("total_cost", "cost_basis", "lower_bound_cost")
"""Keys of a run that are computed from the same columns."""
