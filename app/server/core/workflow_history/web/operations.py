"""What may be asked of the REST part: an app's own description in, its operations by name out."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final, NamedTuple

from fastapi import FastAPI, Request
from fastapi.exceptions import HTTPException
from fastapi.openapi.utils import get_openapi

_MOST_SAID = 60  # characters of a wrong parameter


class Operation(NamedTuple):
    """One operation as the description has it."""

    name: str
    method: str  # in capitals
    path: str  # with its parameters in braces
    told: Mapping[str, Any]  # as OpenAPI has it
    once: frozenset[str]  # parameters of the query that have one value
    many: frozenset[str]  # those that may be repeated


METHODS: Final = ("get", "post", "put", "patch", "delete")


def operations_of(app: FastAPI) -> Mapping[str, Operation]:
    """Return all operations by their names."""
    found: Mapping[str, Operation] | None = getattr(app.state, "operations", None)
    if found is None:
        # Not app.openapi(): with the published schemas that takes a first visitor half a second.
        plain = get_openapi(title=app.title, version=app.version, routes=app.routes)
        found = {one.name: one for one in _read(plain)}
        app.state.operations = found
    return found


def current_operation(request: Request) -> Operation | None:
    """Return the operation that a request found; None: it is not one of the description."""
    return operations_of(request.app).get(getattr(request.scope.get("route"), "name", ""))


async def reject_unknown_parameters(request: Request) -> None:
    """Refuse a query with a parameter that the operation does not have: a slip would ask for everything."""
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
