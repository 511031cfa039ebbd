"""Convert results to JSON: a frozen dataclass in, plain values with the schema version out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, get_args, get_type_hints, is_typeddict

import msgspec

from ...exporting.schema_version import SCHEMA_VERSION

JSON_SCHEMA_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
SCHEMA_VERSION_SCHEMA: Final = {
    "const": SCHEMA_VERSION,
    "description": "version of the keys and of their meaning",
}


def to_json(answer: Any) -> dict[str, Any]:
    """Convert a result to values that JSON supports, with `schema_version` first.

    Every field is present, unknown ones as null. Money is in US dollars, times are in ISO 8601. A mapping has
    such values already and is only copied. A list cannot have a version: put it into an object under a name.
    """
    document = answer if isinstance(answer, Mapping) else to_builtins(answer)
    # Set twice: first for its position, then to overrule a key of this name from a run's state file.
    return {"schema_version": SCHEMA_VERSION} | {**document, "schema_version": SCHEMA_VERSION}


def to_builtins(value: Any) -> Any:
    """Convert dataclasses, tuples, times and decimals to values that JSON supports."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_builtins(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {str(key): to_builtins(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_builtins(item) for item in value]
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value


def json_schema(answer: type) -> dict[str, Any]:
    """Build the JSON Schema of a result with `schema_version`; descriptions are part of the fields' types."""
    _, schemas = msgspec.json.schema_components([answer], ref_template="#/$defs/{name}")
    for record in _records_in(answer):
        properties = {name: schemas[record.__name__]["properties"][name] for name in get_type_hints(record)}
        present = getattr(record, "__required_keys__", properties)  # in JSON, defaults are present, too
        required = [name for name in properties if name in present]
        schemas[record.__name__] |= {"properties": properties, "required": required}
    schema, name = schemas[answer.__name__], answer.__name__
    if f'"#/$defs/{name}"' not in json.dumps(schemas):
        del schemas[name]
    return {
        "$schema": JSON_SCHEMA_DIALECT,
        **schema,
        "properties": {"schema_version": SCHEMA_VERSION_SCHEMA, **schema["properties"]},
        "required": ["schema_version", *schema["required"]],
        "$defs": schemas,
    }


def _records_in(hint: Any) -> set[type]:
    """Return all dataclasses and TypedDicts in a type, at any depth; a class may contain itself."""
    records: set[type] = set()
    hints = [hint]
    while hints:
        member = hints.pop()
        if (is_dataclass(member) or is_typeddict(member)) and member not in records:
            records.add(member)
            hints += get_type_hints(member).values()
        hints += get_args(member)
    return records
