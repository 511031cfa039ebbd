"""JSON Schemas of the output of all commands with --json: a name in, a schema out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final

from ...analysis.comparison import Comparison
from ...analysis.explanation import Explanation
from ...common.errors import InvalidQueryError
from ...costs.accounting.money import RUN_TOTAL_FIELDS
from ...exporting.fields import Field
from ...storage.reading.export_source import describe_fields
from ...storage.rows.row_codec import AGENT_RUN, MODEL_USAGE, WORKFLOW
from ...storage.tables.schema import agent_runs, model_usage, workflows
from ..anomalies import Anomalies
from ..budgets import BudgetReport
from ..export import TABLES, ExportResult
from ..forecast.backtest import CalibrationReport
from ..forecast.records import Forecast, RunForecast
from ..pattern_records import PatternDecision, PatternDetail, PatternReport
from ..running_runs import RunningRuns, RunProgress
from ..similar import SimilarRuns
from ..statistics import Overview, RunStatistics, Trend, Waste
from ..sync_status import SyncStatus
from . import types
from .encoding import JSON_SCHEMA_DIALECT, SCHEMA_VERSION_SCHEMA, json_schema

Schema = dict[str, Any]

_TYPES: Final[Mapping[str, Schema]] = {
    "text": {"type": ["string", "null"]},
    "whole": {"type": ["integer", "null"]},
    "real": {"type": ["number", "null"]},
    "money": {"type": ["number", "null"]},
    "time": {"type": ["string", "null"], "format": "date-time"},
    "clock": {"type": ["string", "null"]},
    "flag": {"type": ["boolean", "null"]},
    "dict": {"type": ["object", "null"]},
    "list": {"type": ["array", "null"]},
}


def get_schema(name: str) -> Schema:
    """Return the JSON Schema with this name, or raise InvalidQueryError, which lists all names."""
    if name not in SCHEMAS:
        raise InvalidQueryError(f"no schema {name!r}; use one of: {', '.join(SCHEMAS)}")
    return {"$schema": JSON_SCHEMA_DIALECT, **SCHEMAS[name](), "title": name}


def _answer(answer: type) -> Callable[[], Schema]:
    """Return a function that builds the schema of a typed result."""
    return partial(_with_runs, answer)


def _with_runs(answer: type) -> Schema:
    """Build a result's schema, with the fields of runs and agent runs from the tables."""
    schema = json_schema(answer)
    parts = schema["$defs"]
    if types.Run.__name__ in parts:
        parts[types.Run.__name__] = _run_object()
        parts |= _parts_of_a_run()
    if types.AgentRun.__name__ in parts:
        of_a_run = _parts_of_a_run()
        parts[types.AgentRun.__name__] = of_a_run["agent_run"]
        parts["model"] = of_a_run["model"]
    return schema


def _run() -> Schema:
    return {**_run_object(), "$defs": _parts_of_a_run()}


def _shown_run() -> Schema:
    run, beside = _run(), json_schema(types.RunDetails)
    return {
        **run,
        "description": "One run, with what recurs in it and what could not be read.",
        "properties": {"schema_version": SCHEMA_VERSION_SCHEMA, **run["properties"], **beside["properties"]},
        "required": ["schema_version", *run["required"], *types.RunDetails.__annotations__],
        "$defs": {**run["$defs"], **beside["$defs"]},
    }


def _run_object() -> Schema:
    run = _object(
        "One run. Other keys of its state file are kept beside these.", describe_fields(WORKFLOW, workflows)
    )
    links: Schema = {
        "phase_costs": _list_of("agent_run", "each agent's work, former attempts too"),
        "cost_data": {
            "anyOf": [{"$ref": "#/$defs/cost_data"}, {"type": "null"}],
            "description": "all that is known of what the run spent",
        },
        "similar_workflows": _list_of("similar_run", "the runs most like it, best first"),
        "pattern_count": {"type": "integer", "description": "patterns that it shows"},
    }
    for name in ("project", "id"):
        run["properties"][name] = {**run["properties"][name], "type": "string"}
    return {**run, "properties": run["properties"] | links, "required": [*run["required"], *links]}


def _parts_of_a_run() -> Schema:
    agent = _object("One agent's work in one phase.", describe_fields(AGENT_RUN, agent_runs))
    agent["properties"]["models"] = _list_of("model", "what each model took of it")
    agent["required"].append("models")
    of_runs = {field.name: field for field in describe_fields(WORKFLOW, workflows)}
    money = _object("All that is known of what a run spent.", [of_runs[key] for key in RUN_TOTAL_FIELDS])
    money["properties"] |= {
        "models": {"type": "array", "items": {"type": "object"}, "description": "sums of each model"},
        "phase_costs": _list_of("agent_run", "as in the run"),
    }
    money["required"] += ["models", "phase_costs"]
    return {
        "agent_run": agent,
        "model": _object("What one model took of an agent run.", describe_fields(MODEL_USAGE, model_usage)),
        "cost_data": money,
        "similar_run": _part(types.SimilarRun),
    }


def _part(record: type) -> Schema:
    """Build a class's schema for embedding in another schema, without the schema version."""
    whole = json_schema(record)
    return {
        "description": whole["description"],
        "type": "object",
        "properties": {name: part for name, part in whole["properties"].items() if name != "schema_version"},
        "required": [name for name in whole["required"] if name != "schema_version"],
    }


def _line(what: str) -> Schema:
    """Build the schema of one line of JSON Lines; columns are optional, since users select them."""
    schema = _object(f"One line of export {what} as JSON Lines.", TABLES[what].fields)
    properties = {"schema_version": SCHEMA_VERSION_SCHEMA, **schema["properties"]}
    return {**schema, "properties": properties, "required": ["schema_version"]}


def _object(description: str, fields: Iterable[Field]) -> Schema:
    properties = {field.name: {**_TYPES[field.kind], **_meaning(field)} for field in fields}
    return {
        "description": description,
        "type": "object",
        "properties": properties,
        "required": list(properties),
    }


def _meaning(field: Field) -> Schema:
    unit = field.unit if field.unit and field.unit not in field.meaning else None
    said = ", ".join(part for part in (field.meaning, unit) if part)
    return {"description": said} if said else {}


def _list_of(part: str, description: str) -> Schema:
    return {"type": "array", "items": {"$ref": f"#/$defs/{part}"}, "description": description}


SCHEMAS: Final[Mapping[str, Callable[[], Schema]]] = {
    "sync": _answer(types.SyncResult),
    "list": _answer(types.RunPage),
    "runs": _answer(types.RunSummaryPage),
    "show": _shown_run,
    "run": _run,
    "agent-runs": _answer(types.AgentRuns),
    "explain": _answer(Explanation),
    "compare": _answer(Comparison),
    "similar": _answer(SimilarRuns),
    "stats": _answer(RunStatistics),
    "stats-overview": _answer(Overview),
    "stats-waste": _answer(Waste),
    "stats-trend": _answer(Trend),
    "forecast": _answer(Forecast),
    "forecast-run": _answer(RunForecast),
    "forecast-calibration": _answer(CalibrationReport),
    "anomalies": _answer(Anomalies),
    "patterns": _answer(PatternReport),
    "patterns-show": _answer(PatternDetail),
    "patterns-decide": _answer(PatternDecision),
    "check": _answer(BudgetReport),
    "check-init": _answer(types.ConfigCreated),
    "cost": _answer(types.FolderCosts),
    "syncs": _answer(types.SyncRecords),
    "health": _answer(types.Health),
    "schemas": _answer(types.SchemaNames),
    "export": _answer(ExportResult),
    **{f"export-{what}": partial(_line, what) for what in TABLES},
    "resync": _answer(types.ResyncBatchResult),
    "resync-one": _answer(types.ResyncResult),
    "demo": _answer(types.DemoResult),
    "serve": _answer(types.ServerInfo),
    "sync-now": _answer(SyncStatus),
    "running": _answer(RunningRuns),
    "progress": _answer(RunProgress),
    "db-path": _answer(types.DatabasePath),
    "db-version": _answer(types.DatabaseVersion),
    "db-check": _answer(types.DatabaseCheck),
    "db-backup": _answer(types.BackupResult),
    "db-vacuum": _answer(types.VacuumResult),
    "db-prune": _answer(types.PruneResult),
    "merge": _answer(types.MergeResult),
    "db-scrub": _answer(types.RedactionResult),
    "completion": _answer(types.CompletionScript),
}
"""Functions that build the schemas, by name: the command, with its variant if it has several."""
