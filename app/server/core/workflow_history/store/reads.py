"""Read workflows back: keys go in, dicts come out, in a handful of queries; writes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, case, func, select

from ..models import Workflow
from .bulk import chunks
from .codec import WORKFLOW
from .records import Pair, agent_record, put_together
from .schema import agent_runs, model_usage, occurrences, patterns, problems, similar_pairs, workflows
from .values import to_dollars
from .writes import stored

_SHOWN = [workflows.c.key, workflows.c.extra] + [
    workflows.c[field.column] for key, field in WORKFLOW.fields.items() if key not in WORKFLOW.hidden
]


class StoredRun(NamedTuple):
    """The little of a stored run that tells whether its files need to be read again."""

    key: int
    id: str
    agents_dir: str | None
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
    return {key: count for key, count in connection.execute(query)}  # noqa: C416 - rows, not pairs


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


def outdated_texts(connection: Connection, model: str) -> dict[tuple[str, str], str]:
    """Return the requests whose vector another text model made, or nobody, by project and id."""
    columns = workflows.c
    outdated = func.coalesce(columns.text_model, "") != model
    query = select(columns.project, columns.id, columns.nl_input)
    rows = connection.execute(query.where(outdated, columns.nl_input.is_not(None)))
    return {(project, run_id): text for project, run_id, text in rows}


def keys_of(connection: Connection, names: Sequence[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Return the keys of the workflows with these projects and ids."""
    return {name: found.key for name, found in stored(connection, names).items()}


def problems_of(connection: Connection, agents_dir: str) -> list[dict[str, Any]]:
    """Return what could not be read at the last sync of an agents folder."""
    names = ("path", "workflow_key", "line", "reason", "severity")
    query = select(*(problems.c[name] for name in names)).where(problems.c.agents_dir == agents_dir)
    return [dict(row) for row in connection.execute(query.order_by(problems.c.key)).mappings()]


def patterns_of(connection: Connection, key: int) -> list[dict[str, Any]]:
    """Return one run's patterns that recur, sequences first, each with how many workflows show it."""
    names = occurrences.c
    spread = (
        select(names.pattern_key, func.count().label("workflows"))
        .group_by(names.pattern_key)
        .having(func.count() > 1)
        .subquery()
    )
    query = (
        select(
            patterns.c.kind,
            patterns.c.signature,
            patterns.c.status,
            names.count,
            names.failures,
            names.cost_nanodollars,
            spread.c.workflows,
            names.example_path,
            names.example_line,
        )
        .join(patterns, patterns.c.key == names.pattern_key)
        .join(spread, spread.c.pattern_key == names.pattern_key)
        .where(names.workflow_key == key)
        .order_by(
            case({"sequence": 0, "operation": 1}, value=patterns.c.kind, else_=2),
            names.cost_nanodollars.desc().nulls_last(),
            spread.c.workflows.desc(),
            patterns.c.signature,
        )
    )
    rows = [dict(row) for row in connection.execute(query).mappings()]
    for row in rows:
        nanos = row.pop("cost_nanodollars")
        row["cost"] = None if nanos is None else to_dollars(int(nanos))
    return rows


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
