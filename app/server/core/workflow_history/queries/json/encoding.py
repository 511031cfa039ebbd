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
    (class_node,) = ast.parse(source).body
    descriptions: dict[str, str] = {}
    for base in _base_classes(class_node, record):
        descriptions |= field_descriptions(base)
    return descriptions | _own_field_descriptions(class_node, source)


def _base_classes(class_node: ast.stmt, record: type) -> list[type]:
    """Return the bases in a class statement; a TypedDict does not keep them at run time."""
    module_names = vars(sys.modules[record.__module__])
    base_nodes = class_node.bases if isinstance(class_node, ast.ClassDef) else []
    bases = [module_names.get(base.id) for base in base_nodes if isinstance(base, ast.Name)]
    return [base for base in bases if isinstance(base, type)]


def _own_field_descriptions(class_node: ast.stmt, source: str) -> dict[str, str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comment_by_line = {
        token.start[0]: token.string.lstrip("# ").strip()
        for token in tokens
        if token.type == tokenize.COMMENT
    }
    descriptions = {}
    for node in ast.walk(class_node):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
            comments = [comment_by_line[line] for line in lines if line in comment_by_line]
            if comments:
                descriptions[node.target.id] = " ".join(comments)
    return descriptions


JSON_SCHEMA_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
SCHEMA_VERSION_SCHEMA: Final = {"const": SCHEMA_VERSION, "description": "version of this shape"}


def to_json(answer: Any) -> dict[str, Any]:
    """Convert a result to values that JSON supports, with `schema_version` first.

    Every field is present, unknown ones as null. Money is in US dollars, times are in ISO 8601.
    """
    return with_schema_version(to_builtins(answer))


def with_schema_version(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JSON object with its schema version as first key.

    A list cannot have a version: put it into an object under a name.
    """
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
    """Build the JSON Schema of a result with `schema_version`; comments of fields become descriptions."""
    _, components = msgspec.json.schema_components([answer], ref_template="#/$defs/{name}")
    classes = {record.__name__: record for record in _classes_in(answer)}
    schemas = {name: _with_descriptions(component, classes[name]) for name, component in components.items()}
    schema = schemas[answer.__name__]
    if not _is_recursive(answer):
        del schemas[answer.__name__]
    return {
        "$schema": JSON_SCHEMA_DIALECT,
        **schema,
        "properties": {"schema_version": SCHEMA_VERSION_SCHEMA, **schema["properties"]},
        "required": ["schema_version", *schema["required"]],
        "$defs": schemas,
    }


def _is_recursive(record: type) -> bool:
    return any(record in _classes_in(hint) for hint in get_type_hints(record).values())


def _classes_in(hint: Any) -> set[type]:
    """Return all dataclasses and TypedDicts in a type, at any depth; a class may contain itself."""
    classes: set[type] = set()
    hints = [hint]
    while hints:
        member = hints.pop()
        if (is_dataclass(member) or is_typeddict(member)) and member not in classes:
            classes.add(member)
            hints += get_type_hints(member).values()
        hints += get_args(member)
    return classes


def _with_descriptions(schema: dict[str, Any], record: type) -> dict[str, Any]:
    """Return a class's schema with descriptions; fields that are always present are required.

    The description of a field without a comment is its name.
    """
    descriptions, described_properties = field_descriptions(record), schema["properties"]
    properties = {
        name: {**described_properties[name], "description": descriptions.get(name, name.replace("_", " "))}
        for name in get_type_hints(record)
    }
    required = getattr(record, "__required_keys__", properties)
    return {**schema, "properties": properties, "required": [name for name in properties if name in required]}
