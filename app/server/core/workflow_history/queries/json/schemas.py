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
from ...maintenance.records import BackupResult, MergeResult, PruneResult, RestoreResult, VacuumResult
from ...storage.reading.export_source import describe_fields
from ...storage.rows.row_codec import AGENT_RUN, MODEL_USAGE, WORKFLOW
from ...storage.tables.schema import agent_runs, model_usage, workflows
from ..anomalies import Anomalies
from ..budgets import BudgetReport
from ..database_info import DatabaseInfo
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

_KIND_SCHEMAS: Final[Mapping[str, Schema]] = {
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
    name = FORMER_NAMES.get(name, name)
    if name not in SCHEMAS:
        raise InvalidQueryError(f"no schema {name!r}; use one of: {', '.join(SCHEMAS)}")
    return {"$schema": JSON_SCHEMA_DIALECT, **SCHEMAS[name](), "title": name}


FORMER_NAMES: Final[Mapping[str, str]] = {
    "check": "budget-check",
    "check-init": "budget-init",
    "db-check": "db-verify",
    "db-scrub": "db-redact",
    "resync": "reprice",
    "resync-one": "reprice-one",
}
"""Present names of schemas by the names that they had before the commands were renamed."""


def _result(answer: type) -> Callable[[], Schema]:
    """Return a function that builds the schema of a typed result."""
    return partial(_result_schema, answer)


def _result_schema(answer: type) -> Schema:
    """Build a result's schema, with the fields of runs and agent runs from the tables."""
    schema = json_schema(answer)
    definitions = schema["$defs"]
    if types.Run.__name__ in definitions:
        definitions[types.Run.__name__] = _run_object_schema()
        definitions |= _run_definitions()
    if types.AgentRun.__name__ in definitions:
        run_definitions = _run_definitions()
        definitions[types.AgentRun.__name__] = run_definitions["agent_run"]
        definitions["model"] = run_definitions["model"]
    return schema


def _run_schema() -> Schema:
    return {**_run_object_schema(), "$defs": _run_definitions()}


def _run_details_schema() -> Schema:
    run, details = _run_schema(), json_schema(types.RunDetails)
    return {
        **run,
        "description": "One run, with what recurs in it and what could not be read.",
        "properties": {"schema_version": SCHEMA_VERSION_SCHEMA, **run["properties"], **details["properties"]},
        "required": ["schema_version", *run["required"], *types.RunDetails.__annotations__],
        "$defs": {**run["$defs"], **details["$defs"]},
    }


def _run_object_schema() -> Schema:
    run = _object_schema(
        "One run. Other keys of its state file are kept beside these.", describe_fields(WORKFLOW, workflows)
    )
    links: Schema = {
        "phase_costs": _array_schema("agent_run", "each agent's work, former attempts too"),
        "cost_data": {
            "anyOf": [{"$ref": "#/$defs/cost_data"}, {"type": "null"}],
            "description": "all that is known of what the run spent",
        },
        "similar_workflows": _array_schema("similar_run", "the runs most like it, best first"),
        "pattern_count": {"type": "integer", "description": "patterns that it shows"},
    }
    for name in ("project", "id"):
        run["properties"][name] = {**run["properties"][name], "type": "string"}
    return {**run, "properties": run["properties"] | links, "required": [*run["required"], *links]}


def _run_definitions() -> Schema:
    agent_run = _object_schema("One agent's work in one phase.", describe_fields(AGENT_RUN, agent_runs))
    agent_run["properties"]["models"] = _array_schema("model", "what each model took of it")
    agent_run["required"].append("models")
    run_fields = {field.name: field for field in describe_fields(WORKFLOW, workflows)}
    cost_data = _object_schema(
        "All that is known of what a run spent.", [run_fields[key] for key in RUN_TOTAL_FIELDS]
    )
    cost_data["properties"] |= {
        "models": {"type": "array", "items": {"type": "object"}, "description": "sums of each model"},
        "phase_costs": _array_schema("agent_run", "as in the run"),
    }
    cost_data["required"] += ["models", "phase_costs"]
    return {
        "agent_run": agent_run,
        "model": _object_schema(
            "What one model took of an agent run.", describe_fields(MODEL_USAGE, model_usage)
        ),
        "cost_data": cost_data,
        "similar_run": _embedded_schema(types.SimilarRun),
    }


def _embedded_schema(record: type) -> Schema:
    """Build a class's schema for embedding in another schema, without the schema version."""
    schema = json_schema(record)
    return {
        "description": schema["description"],
        "type": "object",
        "properties": {
            name: subschema for name, subschema in schema["properties"].items() if name != "schema_version"
        },
        "required": [name for name in schema["required"] if name != "schema_version"],
    }


def _export_line_schema(what: str) -> Schema:
    """Build the schema of one line of JSON Lines; columns are optional, since users select them."""
    schema = _object_schema(f"One line of export {what} as JSON Lines.", TABLES[what].fields)
    properties = {"schema_version": SCHEMA_VERSION_SCHEMA, **schema["properties"]}
    return {**schema, "properties": properties, "required": ["schema_version"]}


def _object_schema(description: str, fields: Iterable[Field]) -> Schema:
    properties = {field.name: {**_KIND_SCHEMAS[field.kind], **_field_description(field)} for field in fields}
    return {
        "description": description,
        "type": "object",
        "properties": properties,
        "required": list(properties),
    }


def _field_description(field: Field) -> Schema:
    unit = field.unit if field.unit and field.unit not in field.meaning else None
    said = ", ".join(part for part in (field.meaning, unit) if part)
    return {"description": said} if said else {}


def _array_schema(definition: str, description: str) -> Schema:
    return {"type": "array", "items": {"$ref": f"#/$defs/{definition}"}, "description": description}


SCHEMAS: Final[Mapping[str, Callable[[], Schema]]] = {
    "sync": _result(types.SyncResult),
    "list": _result(types.RunPage),
    "runs": _result(types.RunSummaryPage),
    "show": _run_details_schema,
    "run": _run_schema,
    "agent-runs": _result(types.AgentRuns),
    "explain": _result(Explanation),
    "compare": _result(Comparison),
    "similar": _result(SimilarRuns),
    "stats": _result(RunStatistics),
    "stats-overview": _result(Overview),
    "stats-waste": _result(Waste),
    "stats-trend": _result(Trend),
    "forecast": _result(Forecast),
    "forecast-run": _result(RunForecast),
    "forecast-calibration": _result(CalibrationReport),
    "anomalies": _result(Anomalies),
    "patterns": _result(PatternReport),
    "patterns-show": _result(PatternDetail),
    "patterns-decide": _result(PatternDecision),
    "budget-check": _result(BudgetReport),
    "budget-init": _result(types.ConfigCreated),
    "cost": _result(types.FolderCosts),
    "syncs": _result(types.SyncRecords),
    "health": _result(types.Health),
    "schemas": _result(types.SchemaNames),
    "export": _result(ExportResult),
    **{f"export-{what}": partial(_export_line_schema, what) for what in TABLES},
    "reprice": _result(types.ResyncBatchResult),
    "reprice-one": _result(types.ResyncResult),
    "demo": _result(types.DemoResult),
    "serve": _result(types.ServerInfo),
    "sync-now": _result(SyncStatus),
    "running": _result(RunningRuns),
    "progress": _result(RunProgress),
    "config-show": _result(types.ConfigShown),
    "db-info": _result(DatabaseInfo),
    "db-path": _result(types.DatabasePath),
    "db-version": _result(types.DatabaseVersion),
    "db-verify": _result(types.DatabaseCheck),
    "db-backup": _result(BackupResult),
    "db-restore": _result(RestoreResult),
    "db-vacuum": _result(VacuumResult),
    "db-prune": _result(PruneResult),
    "merge": _result(MergeResult),
    "db-redact": _result(types.RedactionResult),
    "completion": _result(types.CompletionScript),
}
"""Functions that build the schemas, by name: the command, with its variant if it has several."""
