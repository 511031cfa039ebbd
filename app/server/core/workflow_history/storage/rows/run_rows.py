"""Convert workflow dicts and a run's pattern findings to table rows, and rows to workflow dicts; pure.

Raises ValueError if a workflow cannot be stored at all; a single invalid value is kept, see `row_codec`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from ...common.coercion import coerce_number, list_agent_runs, moment_in_utc
from ...common.models import CostBasis, Workflow
from ...common.redaction import count_redactions, strip_texts
from ...common.spending import has_recorded_cost, original_of
from ...costs.accounting import totals_by_model
from ...costs.accounting.missing_parts import silent_agents
from ...costs.accounting.money import RUN_TOTAL_FIELDS
from .column_types import (
    parse_utc_offset,
    redacted_text,
    storable_json,
    to_float,
    to_text,
    to_timestamp,
    without_unknown_zone,
)
from .row_codec import AGENT_RUN, MODEL_USAGE, OCCURRENCE, UNREADABLE_KEY, WORKFLOW, Row, merge_extra

Fields = dict[str, Any]
SimilarPair = tuple[str, str, float]  # project ("" if none was given), id, score


_MIN_REDACTION_LENGTH: Final = len("[secret: key]")
_PROJECT_INDEX, _ID_INDEX, _OFFSET_INDEX = (
    WORKFLOW.index_of(key) for key in ("project", "id", "utc_offset_minutes")
)


@dataclass(frozen=True, slots=True)
class RunRows:
    """Rows of one workflow, ready for the driver; can be pickled and sent between processes.

    A list that the caller did not give is None. The rows lack the run's key, which is not known yet.
    """

    project: str
    id: str
    row: Row  # columns from `project` on
    agents: list[Row] | None = None  # columns from `ordinal` on
    models: list[Row] | None = None  # columns from `agent_ordinal` on
    similar: list[SimilarPair] | None = None
    silent: list[Row] | None = None  # agents without a stream, columns from `agent` on


def to_rows(
    workflow: Mapping[str, Any],
    project: str | None = None,
    run_id: str | None = None,
    *,
    keeps_text: bool = True,
) -> RunRows:
    """Return the rows of a workflow; `project` and `run_id`, if given, override those of the dict."""
    workflow = workflow if keeps_text else strip_texts(workflow)
    if run_id is None:
        if workflow.get("id") in (None, ""):
            raise ValueError("a workflow needs an id to be stored")
        run_id = to_text(workflow["id"])
    project_name = project if project is not None else to_text(workflow.get("project") or "")
    flat, extra_fields = _with_cost_data(workflow)
    agent_runs = list_agent_runs(flat)
    if not has_recorded_cost({**flat, "phase_costs": agent_runs}):
        flat |= {"total_cost": None, "lower_bound_cost": flat.get("total_cost")}
    flat["copy_of"] = None if flat.get("cost_basis") else original_of(agent_runs)
    agents, models = _agent_rows(flat.get("phase_costs"), extra_fields)
    similar = _similar_pairs(flat.get("similar_workflows"), extra_fields)
    values, extra = WORKFLOW.encode(flat)
    values[_PROJECT_INDEX], values[_ID_INDEX] = project_name, run_id
    if values[_OFFSET_INDEX] is None:
        values[_OFFSET_INDEX] = parse_utc_offset(flat.get("created_at") or flat.get("started_at"))
    row = WORKFLOW.to_row(values, merge_extra(extra, extra_fields) if extra_fields else extra)
    return RunRows(project_name, run_id, row, agents, models, similar, _silent_rows(flat))


def count_redacted(run_rows: RunRows) -> Counter[str]:
    """Count the redacted secrets in the texts of a workflow, by kind."""
    rows = chain([run_rows.row], run_rows.agents or (), run_rows.models or ())
    counts: Counter[str] = Counter()
    for value in chain.from_iterable(rows):
        if isinstance(value, str) and len(value) > _MIN_REDACTION_LENGTH:
            counts += count_redactions(value)
    return counts


def _with_cost_data(workflow: Mapping[str, Any]) -> tuple[Fields, Fields]:
    """Return the workflow with gaps filled from `cost_data`, and the unknown keys of `cost_data`."""
    cost_data = workflow.get("cost_data")
    if cost_data is None:
        return dict(workflow), {}
    if not isinstance(cost_data, Mapping):
        return dict(workflow), {UNREADABLE_KEY: {"cost_data": storable_json(cost_data)}}
    flat = dict(workflow)
    for key in (*RUN_TOTAL_FIELDS, "phase_costs"):
        if flat.get(key) in (None, []) and cost_data.get(key) is not None:
            flat[key] = cost_data[key]
    known_keys = {*RUN_TOTAL_FIELDS, "phase_costs", "models"}
    remaining = {key: value for key, value in cost_data.items() if key not in known_keys}
    phase_costs = flat.get("phase_costs")
    entries = phase_costs if isinstance(phase_costs, list | tuple) else ()
    has_models = any(isinstance(entry, Mapping) and entry.get("models") for entry in entries)
    if cost_data.get("models") and not has_models:
        remaining["models"] = cost_data["models"]
    return flat, {"cost_data": storable_json(remaining)} if remaining else {}


def _agent_rows(value: Any, extra_fields: Fields) -> tuple[list[Row] | None, list[Row] | None]:
    """Return the rows of `phase_costs`; None for an empty list, which must not remove a stored cost."""
    if value is None or value in ([], ()):
        return None, None
    if not _is_list_of_dicts(value):
        _add_unreadable(extra_fields, "phase_costs", value)
        return None, None
    models: list[Row] = []
    agents = [_agent_row(ordinal, entry, models) for ordinal, entry in enumerate(value)]
    return agents, models


def _silent_rows(workflow: Mapping[str, Any]) -> list[Row] | None:
    """Return the rows of a run's agents without a stream, or None if the dict does not list them."""
    if workflow.get("agents_without_stream") is None:
        return None
    agents = {to_text(agent["agent"]): agent for agent in silent_agents(workflow)}
    rows: list[Row] = []
    for name, agent in agents.items():
        start = moment_in_utc(agent.get("timestamp"))
        started_at = None if start is None else to_timestamp(start)
        rows.append((name, agent["phase"], started_at, coerce_number(agent.get("duration_seconds"))))
    return rows


def costs_from_columns(run: Fields) -> Fields:
    """Restore the dict form of a stored run: without a recorded cost, `total_cost` is the lower bound."""
    is_lower_bound = run.get("cost_basis") == CostBasis.LOWER_BOUND and run.get("total_cost") is None
    if is_lower_bound and run.get("lower_bound_cost") is not None:
        run |= {"total_cost": run["lower_bound_cost"], "lower_bound_cost": None}
    return run


def _agent_row(ordinal: int, entry: Mapping[str, Any], model_rows: list[Row]) -> Row:
    """Return the row of one agent run, and append the rows of its models to `model_rows`."""
    values, extra = AGENT_RUN.encode(entry)
    models = entry.get("models")
    if models and not _is_list_of_dicts(models):
        extra = merge_extra(extra, {UNREADABLE_KEY: {"models": storable_json(models)}})
    elif models:
        model_rows += [
            (ordinal, index, *MODEL_USAGE.to_row(*MODEL_USAGE.encode(model)))
            for index, model in enumerate(models)
        ]
    return (ordinal, *AGENT_RUN.to_row(values, extra))


def _similar_pairs(value: Any, extra_fields: Fields) -> list[SimilarPair] | None:
    if value is None:
        return None
    try:
        if _is_list_of_dicts(value):
            return [
                (
                    to_text(entry.get("project") or ""),
                    to_text(entry["id"]),
                    to_float(entry["similarity_score"]),
                )
                for entry in value
            ]
    except (ValueError, KeyError):
        pass
    _add_unreadable(extra_fields, "similar_workflows", value)
    return None


def _is_list_of_dicts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(entry, Mapping) for entry in value)


def _add_unreadable(extra_fields: Fields, key: str, value: Any) -> None:
    extra_fields[UNREADABLE_KEY] = {**extra_fields.get(UNREADABLE_KEY, {}), key: storable_json(value)}


def to_pattern_rows(findings: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Return a detector's findings in one run as rows: kind, signature, and the columns from `count` on."""
    return [
        (
            redacted_text(str(finding["kind"])),
            redacted_text(str(finding["signature"])),
            # all but `detector`, which is the same for the whole batch
            *map(_plausible, OCCURRENCE.encode(finding)[0][:-1]),
        )
        for finding in findings
    ]


def _plausible(value: Any) -> Any:
    """Return a value, or None if no run can have that amount: sums over all runs must fit into 64 bits."""
    maximum = {int: _MAX_COUNT, float: _MAX_SECONDS}.get(type(value))
    return value if maximum is None or 0 <= value <= maximum else None


_MAX_COUNT: Final = 10**16  # maximum of a count, and of nanodollars (ten million USD)
_MAX_SECONDS: Final = 1e9


def from_rows(
    row: Mapping[str, Any],
    agents: Sequence[tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]]],
    similar: Sequence[SimilarPair],
    pattern_count: int,
) -> Workflow:
    """Build the workflow dict from its row, its agent runs (each with its models) and its similar runs."""
    workflow = costs_from_columns(without_unknown_zone(WORKFLOW.decode(row)))
    workflow["phase_costs"] = [agent_run_from_row(agent, models) for agent, models in agents]
    workflow["cost_data"] = _cost_data(workflow)
    workflow["similar_workflows"] = [
        {"id": run_id, "project": project, "similarity_score": score} for project, run_id, score in similar
    ]
    workflow["pattern_count"] = pattern_count
    return workflow


def agent_run_from_row(agent: Mapping[str, Any], models: Iterable[Mapping[str, Any]]) -> Fields:
    """Build one `phase_costs` entry."""
    record = AGENT_RUN.decode(agent)
    record["models"] = [MODEL_USAGE.decode(model) for model in models]
    return record


def _cost_data(workflow: Workflow) -> Fields | None:
    """Return all known costs and tokens of the run, or None if nothing is known."""
    remaining = workflow.get("cost_data")
    totals = {key: workflow[key] for key in RUN_TOTAL_FIELDS}
    if not remaining and not workflow["phase_costs"] and all(value is None for value in totals.values()):
        return None
    models = totals_by_model(workflow["phase_costs"])
    result = {"models": [], **(remaining or {}), **totals, "phase_costs": workflow["phase_costs"]}
    return result | {"models": models} if models else result
