"""Answers as JSON: a frozen dataclass in, plain values out, with the version of the shape they have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, get_args, get_type_hints, is_typeddict

import msgspec

from ..exporting.version import SCHEMA_VERSION
from .comments import comments_of

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
VERSION: Final = {"const": SCHEMA_VERSION, "description": "version of this shape"}


def to_json(answer: Any) -> dict[str, Any]:
    """Return an answer as JSON can hold it, its `schema_version` first.

    Every field is there, unknown ones as null; money in US dollars, times in ISO 8601.
    """
    return versioned(plain(answer))


def versioned(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is given as JSON with the version of its shape first.

    A list has no place for it: give it a name in an object.
    """
    # The version first, and last too: a run's state file may have a key of this name.
    return {"schema_version": SCHEMA_VERSION} | {**given, "schema_version": SCHEMA_VERSION}


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
    """Return the JSON Schema of an answer, its `schema_version` included; comments are descriptions."""
    _, components = msgspec.json.schema_components([answer], ref_template="#/$defs/{name}")
    classes = {found.__name__: found for found in _classes_in(answer)}
    parts = {name: _described(part, classes[name]) for name, part in components.items()}
    whole = parts[answer.__name__]
    if not _holds_itself(answer):
        del parts[answer.__name__]
    return {
        "$schema": DIALECT,
        **whole,
        "properties": {"schema_version": VERSION, **whole["properties"]},
        "required": ["schema_version", *whole["required"]],
        "$defs": parts,
    }


def _holds_itself(record: type) -> bool:
    return any(record in _classes_in(hint) for hint in get_type_hints(record).values())


def _classes_in(hint: Any) -> set[type]:
    """Return the classes with fields that a type is made of; a class may hold itself."""
    found: set[type] = set()
    waiting = [hint]
    while waiting:
        one = waiting.pop()
        if (is_dataclass(one) or is_typeddict(one)) and one not in found:
            found.add(one)
            waiting += get_type_hints(one).values()
        waiting += get_args(one)
    return found


def _described(schema: dict[str, Any], record: type) -> dict[str, Any]:
    """Return a class's schema with the meaning of its fields; what is always given is required.

    A field without a comment is called as its name says.
    """
    said, parts = comments_of(record), schema["properties"]
    properties = {
        name: {**parts[name], "description": said.get(name, name.replace("_", " "))}
        for name in get_type_hints(record)
    }
    required = getattr(record, "__required_keys__", properties)
    return {**schema, "properties": properties, "required": [name for name in properties if name in required]}
