"""Read workflows back: keys go in, dicts come out, in a handful of queries; writes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, func, select

from ..models import Workflow
from .bulk import chunks
from .codec import WORKFLOW
from .records import Pair, agent_record, put_together
from .schema import agent_runs, model_usage, occurrences, similar_pairs, workflows
from .values import to_dollars

_SHOWN = [workflows.c.key, workflows.c.extra] + [
    workflows.c[field.column] for key, field in WORKFLOW.fields.items() if key not in WORKFLOW.hidden
]


class StoredRun(NamedTuple):
    """The little of a stored run that tells whether its files need to be read again."""

    key: int
    id: str
    fingerprint: str | None
    status: str | None
    source_state: str | None
    price_version: str | None
    text_model: str | None


class SimilarityRow(NamedTuple):
    """What similarity needs of a stored run."""

    key: int
    project: str
    id: str
    text_model: str | None
    text_vector: bytes | None
    status: str | None
    total_cost: float | None  # USD
    duration_seconds: float | None


def workflow_records(connection: Connection, keys: Sequence[int]) -> dict[int, Workflow]:
    """Return whole workflow dicts by key, in the order of `keys`; unknown keys are left out."""
    found: dict[int, Workflow] = {}
    for some in chunks(keys):
        agents = agents_by_workflow(connection, some)
        similar = _similar(connection, some)
        counts = _pattern_counts(connection, some)
        for row in _dicts(connection, select(*_SHOWN).where(workflows.c.key.in_(some))):
            key = row["key"]
            found[key] = put_together(row, agents.get(key, ()), similar.get(key, ()), counts.get(key, 0))
    return {key: found[key] for key in keys if key in found}


def agents_by_workflow(
    connection: Connection, keys: Sequence[int]
) -> dict[int, list[tuple[Mapping[str, Any], list[Mapping[str, Any]]]]]:
    """Return the agent runs of each workflow, each with its models, as rows."""
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
    """Return the phase_costs entries of each workflow that has some."""
    return {
        key: [agent_record(agent, models) for agent, models in agents]
        for some in chunks(keys)
        for key, agents in agents_by_workflow(connection, some).items()
    }


def _similar(connection: Connection, keys: Sequence[int]) -> dict[int, list[Pair]]:
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
    found: dict[int, list[Pair]] = defaultdict(list)
    for key, project, run_id, score in connection.execute(query):
        found[key].append((project, run_id, score))
    return found


def _pattern_counts(connection: Connection, keys: Sequence[int]) -> dict[int, int]:
    column = occurrences.c.workflow_key
    query = select(column, func.count()).where(column.in_(keys)).group_by(column)
    return dict(connection.execute(query).tuples().all())


def stored_runs(connection: Connection, project: str | None, agents_dir: str | None) -> dict[str, StoredRun]:
    """Return the stored runs of a project or an agents folder, by id."""
    names = StoredRun._fields
    query = select(*(workflows.c[name] for name in names))
    if project is not None:
        query = query.where(workflows.c.project == project)
    if agents_dir is not None:
        query = query.where(workflows.c.agents_dir == agents_dir)
    return {row[1]: StoredRun._make(row) for row in connection.execute(query)}


def similarity_rows(connection: Connection) -> list[SimilarityRow]:
    """Return what similarity needs of every stored run, in the order of their keys."""
    columns = workflows.c
    query = select(
        columns.key,
        columns.project,
        columns.id,
        columns.text_model,
        columns.text_vector,
        columns.status,
        columns.total_cost_nanodollars,
        columns.duration_seconds,
    ).order_by(columns.key)
    rows = [SimilarityRow(*row) for row in connection.execute(query)]
    return [
        row if row.total_cost is None else row._replace(total_cost=to_dollars(int(row.total_cost)))
        for row in rows
    ]


def similar_lists(connection: Connection) -> dict[int, list[tuple[int, float]]]:
    """Return each run's list of similar stored runs, best first."""
    pairs = similar_pairs.c
    query = select(pairs.workflow_key, pairs.similar_key, pairs.score).where(pairs.similar_key.is_not(None))
    found: dict[int, list[tuple[int, float]]] = defaultdict(list)
    for key, other, score in connection.execute(query.order_by(pairs.workflow_key, pairs.rank)):
        found[key].append((other, score))
    return dict(found)


def figures(connection: Connection, keys: Sequence[str]) -> list[Workflow]:
    """Return some keys of every stored workflow, without its agent runs and links."""
    codec = WORKFLOW.only(keys)
    columns = [workflows.c[field.column] for field in codec.fields.values()]
    return [codec.decode(row) for row in _dicts(connection, select(*columns))]
