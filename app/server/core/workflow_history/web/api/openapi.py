"""Build the OpenAPI description of the REST API, with the published JSON Schemas and examples."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from ...queries.json.schemas import SCHEMAS
from ..error_responses import PROBLEM_MEDIA_TYPE, PROBLEM_SCHEMA
from ..json_response import JSON
from .examples import examples

_PROBLEM_DESCRIPTIONS: Final = {
    400: "Malformed request.",
    401: "Missing or wrong token.",
    403: "Missing header X-Workflow-History, or a request from another site.",
    404: "Not found.",
    405: "Method not allowed. The Allow header lists the allowed methods.",
    409: "Ambiguous ID, or a conflict with the state of the server.",
    413: "Request body too long.",
    414: "URL too long.",
    421: "Unknown host name in the Host header.",
    422: "Invalid parameter. The detail names it and the allowed values.",
    429: "Too many wrong tokens from this address. The Retry-After header has the seconds to wait.",
    503: "The database cannot be read or written.",
}


def schema_responses(name: str) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses of an operation: a schema of SCHEMAS by name, 304 or a problem."""
    return _responses("Response in the format of `--json`.", schema_ref(name))


def object_responses(description: str) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses of an operation that returns an object without a schema."""
    return _responses(description, {"type": "object"})


def _responses(description: str, schema: Mapping[str, Any]) -> dict[int | str, dict[str, Any]]:
    tag = {"ETag": {"description": "version of the data, for If-None-Match", "schema": {"type": "string"}}}
    return {
        200: {"description": description, "headers": tag, "content": {JSON: {"schema": schema}}},
        304: {"description": "Not modified: the client's version is current.", "headers": tag},
        **problem_responses(),
    }


def problem_responses() -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI error responses, which all operations share."""
    content = {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/problem"}}}
    return {
        status: {"description": description, "content": content}
        for status, description in _PROBLEM_DESCRIPTIONS.items()
    }


def schema_ref(name: str) -> dict[str, str]:
    """Return a reference to a published schema in the description."""
    return {"$ref": f"#/components/schemas/{name}"}


_SECURITY_SCHEMES: Final = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "Token that `serve` printed.",
    }
}


def build_openapi(app: FastAPI) -> dict[str, Any]:
    """Build the OpenAPI description, with the published schemas and example responses."""
    description = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    reusable = description.setdefault("components", {})
    reusable.setdefault("schemas", {}).update(components())
    for name in ("HTTPValidationError", "ValidationError"):  # our validation errors are problems
        reusable["schemas"].pop(name, None)
    reusable["securitySchemes"] = _SECURITY_SCHEMES
    description["security"] = [{"bearer": []}, {}]
    for methods in description["paths"].values():
        for operation in methods.values():
            _add_example(operation)
    return description


_EXAMPLE_OF: Final = {"start_sync": "show_current_sync"}
"""Operations that use the example of another one, because running them for an example would change data."""


def _add_example(operation: dict[str, Any]) -> None:
    """Add the example to an operation's success response, if there is one."""
    name = operation["operationId"]
    example = examples().get(_EXAMPLE_OF.get(name, name))
    if example is not None:
        success = next(
            response for status, response in operation["responses"].items() if status.startswith("2")
        )
        next(iter(success["content"].values()))["example"] = example["answer"]


@cache
def components() -> dict[str, Any]:
    """Return all published schemas. Inner definitions are prefixed by their schema's name to be unique."""
    schemas: dict[str, Any] = {"problem": PROBLEM_SCHEMA}
    for name, build in SCHEMAS.items():
        schema = dict(build())
        definitions = schema.pop("$defs", {})
        schema.pop("$schema", None)
        schemas[name] = _with_prefixed_refs(schema, name)
        schemas.update(
            {
                f"{name}.{definition_name}": _with_prefixed_refs(definition, name)
                for definition_name, definition in definitions.items()
            }
        )
    return schemas


def _with_prefixed_refs(value: Any, name: str) -> Any:
    """Return a schema with its references rewritten to the prefixed definitions."""
    if isinstance(value, dict):
        return {key: _with_prefixed_refs(item, name) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_prefixed_refs(item, name) for item in value]
    if isinstance(value, str) and value.startswith("#/$defs/"):
        return f"#/components/schemas/{name}.{value.removeprefix('#/$defs/')}"
    return value
