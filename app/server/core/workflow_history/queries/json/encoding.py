"""Convert results to JSON: a frozen dataclass in, plain values with the schema version out."""

from __future__ import annotations

import ast
import inspect
import io
import sys
import textwrap
import tokenize
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, get_args, get_type_hints, is_typeddict

import msgspec

from ...exporting.schema_version import SCHEMA_VERSION


def field_descriptions(record: type) -> dict[str, str]:
    """Return the comments of the fields of a class and its bases, by field name.

    Without source code, as in a program frozen into one file, the result is empty.
    """
    try:
        source = textwrap.dedent(inspect.getsource(record))
    except (OSError, TypeError):
        return {}
    (defined,) = ast.parse(source).body
    found: dict[str, str] = {}
    for base in _bases(defined, record):
        found |= field_descriptions(base)
    return found | _of_fields(defined, source)


def _bases(defined: ast.stmt, record: type) -> list[type]:
    """Return the bases in a class statement; a TypedDict does not keep them at run time."""
    around = vars(sys.modules[record.__module__])
    named = defined.bases if isinstance(defined, ast.ClassDef) else []
    found = [around.get(base.id) for base in named if isinstance(base, ast.Name)]
    return [base for base in found if isinstance(base, type)]


def _of_fields(defined: ast.stmt, source: str) -> dict[str, str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    by_line = {t.start[0]: t.string.lstrip("# ").strip() for t in tokens if t.type == tokenize.COMMENT}
    found = {}
    for node in ast.walk(defined):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
            said = [by_line[line] for line in lines if line in by_line]
            if said:
                found[node.target.id] = " ".join(said)
    return found


JSON_SCHEMA_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
SCHEMA_VERSION_SCHEMA: Final = {"const": SCHEMA_VERSION, "description": "version of this shape"}


def to_json(answer: Any) -> dict[str, Any]:
    """Convert a result to values that JSON supports, with `schema_version` first.

    Every field is present, unknown ones as null. Money is in US dollars, times are in ISO 8601.
    """
    return with_schema_version(to_builtins(answer))


def with_schema_version(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JSON object with its schema version as first key.

    A list cannot have a version: put it into an object under a name.
    """
    # Set twice: first for its position, then to overrule a key of this name from a run's state file.
    return {"schema_version": SCHEMA_VERSION} | {**given, "schema_version": SCHEMA_VERSION}


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
    """Build the JSON Schema of a result with `schema_version`; comments of fields become descriptions."""
    _, components = msgspec.json.schema_components([answer], ref_template="#/$defs/{name}")
    classes = {found.__name__: found for found in _classes_in(answer)}
    parts = {name: _described(part, classes[name]) for name, part in components.items()}
    whole = parts[answer.__name__]
    if not _holds_itself(answer):
        del parts[answer.__name__]
    return {
        "$schema": JSON_SCHEMA_DIALECT,
        **whole,
        "properties": {"schema_version": SCHEMA_VERSION_SCHEMA, **whole["properties"]},
        "required": ["schema_version", *whole["required"]],
        "$defs": parts,
    }


def _holds_itself(record: type) -> bool:
    return any(record in _classes_in(hint) for hint in get_type_hints(record).values())


def _classes_in(hint: Any) -> set[type]:
    """Return all dataclasses and TypedDicts in a type, at any depth; a class may contain itself."""
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
    """Return a class's schema with descriptions; fields that are always present are required.

    The description of a field without a comment is its name.
    """
    said, parts = field_descriptions(record), schema["properties"]
    properties = {
        name: {**parts[name], "description": said.get(name, name.replace("_", " "))}
        for name in get_type_hints(record)
    }
    required = getattr(record, "__required_keys__", properties)
    return {**schema, "properties": properties, "required": [name for name in properties if name in required]}
