"""JSON Schemas of the output of all commands with --json: a name in, a schema out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final

from ...analysis.comparison import Comparison
from ...analysis.explanation import Explanation
from ...common.errors import InvalidValueError
from ...costs.accounting.money import RUN_TOTAL_FIELDS
from ...exporting.fields import Field
from ...maintenance.records import BackupResult, MergeResult, PruneResult, RestoreResult, VacuumResult
from ...storage.reading.export_source import ZONE_FIELD, describe_fields
from ...storage.reading.runs import SUMMARY_FIELDS, TRUNCATED_FIELDS
from ...storage.rows.row_codec import AGENT_RUN, MODEL_USAGE, WORKFLOW
from ...storage.tables.schema import agent_runs, model_usage, workflows
from ..anomalies import Anomalies
from ..budgets import BudgetReport
from ..database_info import DatabaseInfo
from ..export import TABLES, ExportResult
from ..forecast.backtest import CalibrationReport
from ..forecast.records import Forecast, RunForecast
from ..list_runs import RunPage
from ..pattern_records import PatternDecision, PatternDetail, PatternReport
from ..running_runs import RunningRuns, RunProgress
from ..similar import SimilarRuns
from ..sources import SourceReport
from ..statistics import Overview, RunStatistics, Trend, Waste
from ..sync_status import SyncPage, SyncStatus
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
        raise InvalidValueError("schema", name, f"Use one of: {', '.join(SCHEMAS)}.")
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


def _rows_schema(page: type, key: str, definitions: Callable[[], Schema]) -> Schema:
    """Build the schema of a record whose list `key` contains objects of the first of these definitions."""
    schema, row_definitions = json_schema(page), definitions()
    schema["properties"][key]["items"] = {"$ref": f"#/$defs/{next(iter(row_definitions))}"}
    return {**schema, "$defs": schema["$defs"] | row_definitions}


def _row_definitions(record: type) -> Schema:
    return {record.__name__: _embedded_schema(record), **json_schema(record)["$defs"]}


def _run_row_definitions() -> Schema:
    return {"Run": _run_object_schema(), **_run_definitions()}


def _run_summary_definitions() -> Schema:
    fields = _run_fields()
    texts = (
        fields[name]._replace(
            meaning=fields[name].meaning.replace("; null", f", first {length} characters; null")
        )
        for name, length in TRUNCATED_FIELDS.items()
    )
    listed_fields = [*(fields[name] for name in SUMMARY_FIELDS), ZONE_FIELD, *texts]
    summary = _identified_object_schema("One run as shown in a list.", listed_fields)
    summary["properties"]["title"] = {"type": "string", "description": "title of a session; absent: none"}
    return {"RunSummary": summary}


def _agent_run_definitions() -> Schema:
    definitions = _run_definitions()
    return {name: definitions[name] for name in ("agent_run", "model")}


def _run_schema() -> Schema:
    return {**_run_object_schema(), "$defs": _run_definitions()}


def _run_details_schema() -> Schema:
    run, details = _run_schema(), json_schema(types.RunDetails)
    return {
        **run,
        "description": "One run, with its patterns and read errors.",
        "properties": {"schema_version": SCHEMA_VERSION_SCHEMA, **run["properties"], **details["properties"]},
        "required": ["schema_version", *run["required"], *types.RunDetails.__annotations__],
        "$defs": {**run["$defs"], **details["$defs"]},
    }


def _run_object_schema() -> Schema:
    run = _identified_object_schema(
        "One run. Other keys of its state file are kept beside these.", _run_fields().values()
    )
    links: Schema = {
        "phase_costs": _array_schema("agent_run", "agent runs, superseded attempts included"),
        "cost_data": {
            "anyOf": [{"$ref": "#/$defs/cost_data"}, {"type": "null"}],
            "description": "total cost and tokens; null: unknown",
        },
        "similar_workflows": _array_schema("similar_run", "most similar runs, best first"),
        "pattern_count": {"type": "integer", "description": "number of patterns that occur in the run"},
    }
    return {**run, "properties": run["properties"] | links, "required": [*run["required"], *links]}


def _run_fields() -> dict[str, Field]:
    """Return the fields of a run by name; in a run dict, the lower bound replaces an unknown cost."""
    fields = {field.name: field for field in describe_fields(WORKFLOW, workflows)}
    meaning = "recorded cost of all attempts, else the lower bound; null: unknown"
    return fields | {"total_cost": fields["total_cost"]._replace(meaning=meaning)}


def _run_definitions() -> Schema:
    agent_run = _object_schema(
        "One agent run: an attempt of an agent in a phase.", describe_fields(AGENT_RUN, agent_runs)
    )
    agent_run["properties"]["models"] = _array_schema("model", "cost and tokens by model")
    agent_run["required"].append("models")
    run_fields = _run_fields()
    cost_data = _object_schema(
        "Total cost and tokens of a run.", [run_fields[key] for key in RUN_TOTAL_FIELDS]
    )
    cost_data["properties"] |= {
        "models": {
            "type": "array",
            "items": {"type": "object"},
            "description": "total cost and tokens by model",
        },
        "phase_costs": _array_schema("agent_run", "agent runs, as in the run"),
    }
    cost_data["required"] += ["models", "phase_costs"]
    return {
        "agent_run": agent_run,
        "model": _object_schema(
            "Cost and tokens of one model in an agent run.", describe_fields(MODEL_USAGE, model_usage)
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


def _identified_object_schema(description: str, fields: Iterable[Field]) -> Schema:
    schema = _object_schema(description, fields)
    for name in ("project", "id"):  # never null
        schema["properties"][name]["type"] = "string"
    return schema


def _object_schema(description: str, fields: Iterable[Field]) -> Schema:
    properties = {field.name: {**_KIND_SCHEMAS[field.kind], **_field_description(field)} for field in fields}
    return {
        "description": description,
        "type": "object",
        "properties": properties,
        "required": list(properties),
    }


def _field_description(field: Field) -> Schema:
    meaning, *null_meaning = field.meaning.split("; null")
    unit = [field.unit] if field.unit and field.unit not in meaning else []
    return {"description": "; null".join([", ".join([meaning, *unit]), *null_meaning])}


def _array_schema(definition: str, description: str) -> Schema:
    return {"type": "array", "items": {"$ref": f"#/$defs/{definition}"}, "description": description}


SCHEMAS: Final[Mapping[str, Callable[[], Schema]]] = {
    "sync": partial(json_schema, types.SyncResult),
    "list": partial(_rows_schema, RunPage, "workflows", _run_row_definitions),
    "runs": partial(_rows_schema, RunPage, "workflows", _run_summary_definitions),
    "show": _run_details_schema,
    "run": _run_schema,
    "agent-runs": partial(_rows_schema, types.AgentRuns, "phase_costs", _agent_run_definitions),
    "explain": partial(json_schema, Explanation),
    "compare": partial(json_schema, Comparison),
    "similar": partial(json_schema, SimilarRuns),
    "stats": partial(json_schema, RunStatistics),
    "stats-overview": partial(json_schema, Overview),
    "stats-waste": partial(json_schema, Waste),
    "stats-trend": partial(json_schema, Trend),
    "forecast": partial(json_schema, Forecast),
    "forecast-run": partial(json_schema, RunForecast),
    "forecast-calibration": partial(json_schema, CalibrationReport),
    "anomalies": partial(json_schema, Anomalies),
    "patterns": partial(json_schema, PatternReport),
    "patterns-show": partial(json_schema, PatternDetail),
    "patterns-decide": partial(json_schema, PatternDecision),
    "budget-check": partial(json_schema, BudgetReport),
    "budget-init": partial(json_schema, types.ConfigCreated),
    "cost": partial(json_schema, types.FolderCosts),
    "sources": partial(json_schema, SourceReport),
    "syncs": partial(_rows_schema, SyncPage, "syncs", partial(_row_definitions, types.LoggedSync)),
    "health": partial(json_schema, types.Health),
    "schemas": partial(json_schema, types.SchemaNames),
    "export": partial(json_schema, ExportResult),
    **{f"export-{what}": partial(_export_line_schema, what) for what in TABLES},
    "reprice": partial(json_schema, types.ResyncBatchResult),
    "reprice-one": partial(json_schema, types.ResyncResult),
    "demo": partial(json_schema, types.DemoResult),
    "serve": partial(json_schema, types.ServerInfo),
    "sync-now": partial(json_schema, SyncStatus),
    "running": partial(json_schema, RunningRuns),
    "progress": partial(json_schema, RunProgress),
    "config-show": partial(json_schema, types.ConfigShown),
    "db-info": partial(json_schema, DatabaseInfo),
    "db-path": partial(json_schema, types.DatabasePath),
    "db-version": partial(json_schema, types.DatabaseVersion),
    "db-verify": partial(json_schema, types.DatabaseCheck),
    "db-backup": partial(json_schema, BackupResult),
    "db-restore": partial(json_schema, RestoreResult),
    "db-vacuum": partial(json_schema, VacuumResult),
    "db-prune": partial(json_schema, PruneResult),
    "merge": partial(json_schema, MergeResult),
    "db-redact": partial(json_schema, types.RedactionResult),
    "completion": partial(json_schema, types.CompletionScript),
}
"""Functions that build the schemas, by name: the command, with its variant if it has several."""
