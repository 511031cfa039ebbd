"""Answers as JSON: a frozen dataclass in, plain values out, with the version of the shape they have."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

SCHEMA_VERSION: Final = 1
"""Rises when a key goes or changes its meaning; a new key alone does not raise it."""


def to_json(answer: Any) -> dict[str, Any]:
    """Return an answer as JSON can hold it, its `schema_version` first.

    Every field is there, unknown ones as null; money in US dollars, times in ISO 8601.
    """
    values: dict[str, Any] = plain(answer)
    return {"schema_version": SCHEMA_VERSION, **values}


def plain(value: Any) -> Any:
    """Return dataclasses, tuples, times and decimals as JSON can hold them."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value


def json_schema(answer: type) -> dict[str, Any]:
    """Return the JSON Schema of an answer, its `schema_version` included."""
    (reference,), components = msgspec.json.schema_components([answer], ref_template="#/$defs/{name}")
    whole = components[reference["$ref"].rsplit("/", 1)[-1]]
    version = {"const": SCHEMA_VERSION, "description": "version of this shape"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **whole,
        "properties": {"schema_version": version, **whole["properties"]},
        "required": ["schema_version", *whole["properties"]],
        "$defs": {name: part for name, part in components.items() if part is not whole},
    }
