"""Operations of the REST API, read from the app's OpenAPI description."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final, NamedTuple

from fastapi import FastAPI, Request
from fastapi.exceptions import HTTPException
from fastapi.openapi.utils import get_openapi

_MAX_NAME_CHARS = 60  # characters of an unknown parameter in an error message


class Operation(NamedTuple):
    """One operation of the OpenAPI description."""

    name: str
    method: str  # in upper case
    path: str  # with parameters in braces
    spec: Mapping[str, Any]  # its OpenAPI operation object
    single: frozenset[str]  # query parameters with a single value
    repeatable: frozenset[str]  # query parameters that may be repeated
    deprecated: frozenset[str]  # query parameters with a former name, which errors don't suggest


METHODS: Final = ("get", "post", "put", "patch", "delete")


def operations_of(app: FastAPI) -> Mapping[str, Operation]:
    """Return all operations of an app by name. They are cached in `app.state`."""
    operations: Mapping[str, Operation] | None = getattr(app.state, "operations", None)
    if operations is None:
        # Not app.openapi(): with the published schemas, the first request would take half a second.
        description = get_openapi(title=app.title, version=app.version, routes=app.routes)
        listed = [
            _operation(path, method, methods[method])
            for path, methods in description["paths"].items()
            for method in METHODS
            if method in methods
        ]
        operations = {operation.name: operation for operation in listed}
        app.state.operations = operations
    return operations


def current_operation(request: Request) -> Operation | None:
    """Return the operation that a request was routed to, or None if it isn't in the description."""
    return operations_of(request.app).get(getattr(request.scope.get("route"), "name", ""))


async def reject_unknown_parameters(request: Request) -> None:
    """Reject unknown parameters, and repeated ones that take a single value, with status 422.

    An ignored typo in a filter would return all runs.
    """
    operation = current_operation(request)
    if operation is None:
        return
    names = [name for name, _ in request.query_params.multi_items()]
    for name in names:
        if name not in operation.single and name not in operation.repeatable:
            known = sorted((operation.single | operation.repeatable) - operation.deprecated)
            near = get_close_matches(name, known, 1)
            guess = f"Did you mean {near[0]}? " if near else ""
            raise HTTPException(
                422,
                f'Unknown parameter "{name[:_MAX_NAME_CHARS]}". {guess}'
                f"Use one of: {', '.join(known) or 'none'}.",
            )
        if name in operation.single and names.count(name) > 1:
            raise HTTPException(422, f"Repeated parameter {name}: use it once.")


def _operation(path: str, method: str, spec: Mapping[str, Any]) -> Operation:
    parameters = [item for item in spec.get("parameters", ()) if item["in"] == "query"]
    schemas = {item["name"]: item["schema"] for item in parameters}
    repeatable = frozenset(
        name
        for name, schema in schemas.items()
        if any(part.get("type") == "array" for part in (schema, *schema.get("anyOf", ())))
    )
    deprecated = frozenset(item["name"] for item in parameters if item.get("deprecated"))
    return Operation(
        spec["operationId"],
        method.upper(),
        path,
        spec,
        frozenset(schemas) - repeatable,
        repeatable,
        deprecated,
    )
