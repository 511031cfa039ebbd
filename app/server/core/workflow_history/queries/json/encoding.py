"""Answers as JSON: a frozen dataclass in, plain values out, with the version of the shape they have."""

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
    """Return the comment of each field that has one, those of its bases too.

    Nothing where the source is not at hand, as in a program that was frozen into one file.
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
    """Return the classes that a class names as its bases; a TypedDict does not know them any more."""
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
    """Return an answer as JSON can hold it, its `schema_version` first.

    Every field is there, unknown ones as null; money in US dollars, times in ISO 8601.
    """
    return with_schema_version(to_builtins(answer))


def with_schema_version(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is given as JSON with the version of its shape first.

    A list has no place for it: give it a name in an object.
    """
    # The version first, and last too: a run's state file may have a key of this name.
    return {"schema_version": SCHEMA_VERSION} | {**given, "schema_version": SCHEMA_VERSION}


def to_builtins(value: Any) -> Any:
    """Return dataclasses, tuples, times and decimals as JSON can hold them."""
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
    """Return the JSON Schema of an answer, its `schema_version` included; comments are descriptions."""
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
    said, parts = field_descriptions(record), schema["properties"]
    properties = {
        name: {**parts[name], "description": said.get(name, name.replace("_", " "))}
        for name in get_type_hints(record)
    }
    required = getattr(record, "__required_keys__", properties)
    return {**schema, "properties": properties, "required": [name for name in properties if name in required]}
