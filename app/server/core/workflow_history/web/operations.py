"""Operations of the REST API, read from the app's OpenAPI description."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final, NamedTuple

from fastapi import FastAPI, Request
from fastapi.exceptions import HTTPException
from fastapi.openapi.utils import get_openapi

_MOST_SAID = 60  # characters of an unknown parameter in an error message


class Operation(NamedTuple):
    """One operation of the OpenAPI description."""

    name: str
    method: str  # in upper case
    path: str  # with parameters in braces
    told: Mapping[str, Any]  # its OpenAPI operation object
    once: frozenset[str]  # query parameters with a single value
    many: frozenset[str]  # query parameters that may be repeated


METHODS: Final = ("get", "post", "put", "patch", "delete")


def operations_of(app: FastAPI) -> Mapping[str, Operation]:
    """Return all operations of an app by name. They are cached in `app.state`."""
    found: Mapping[str, Operation] | None = getattr(app.state, "operations", None)
    if found is None:
        # Not app.openapi(): with the published schemas, the first request would take half a second.
        plain = get_openapi(title=app.title, version=app.version, routes=app.routes)
        found = {one.name: one for one in _read(plain)}
        app.state.operations = found
    return found


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
    given = [name for name, _ in request.query_params.multi_items()]
    for name in given:
        if name not in operation.once and name not in operation.many:
            raise HTTPException(422, _unknown(name, sorted(operation.once | operation.many)))
        if name in operation.once and given.count(name) > 1:
            raise HTTPException(422, f"{name} is given more than once; it has one value")


def _unknown(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, 1)
    guess = f"did you mean {near[0]}? " if near else ""
    return f"no parameter {name[:_MOST_SAID]!r}; {guess}known: {', '.join(known) or 'none'}"


def _read(description: Mapping[str, Any]) -> list[Operation]:
    return [
        _operation(path, method, methods)
        for path, methods in description["paths"].items()
        for method in METHODS
        if method in methods
    ]


def _operation(path: str, method: str, methods: Mapping[str, Any]) -> Operation:
    told = methods[method]
    query = [one for one in told.get("parameters", ()) if one["in"] == "query"]
    many = frozenset(one["name"] for one in query if _is_list(one["schema"]))
    once = frozenset(one["name"] for one in query) - many
    return Operation(told["operationId"], method.upper(), path, told, once, many)


def _is_list(schema: Mapping[str, Any]) -> bool:
    return any(part.get("type") == "array" for part in (schema, *schema.get("anyOf", ())))
