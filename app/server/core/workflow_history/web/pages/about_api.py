"""Page that documents the operations of the REST API, each with a curl command."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from ..api.examples import examples
from ..context import ContextDep
from ..operations import Operation, operations_of
from ..rendering import page

router = APIRouter()

_HEADERS: Final = {"token": "Authorization: Bearer TOKEN", "changing": "X-Workflow-History: 1"}


@router.get("/api")
def list_operations(request: Request, here: ContextDep) -> Response:
    """Return the page with all operations, grouped by their first tag."""
    base = f"{request.url.scheme}://{request.headers['host']}"
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for operation in operations_of(request.app).values():
        shown = _shown(operation, base, asks=here.settings.token is not None)
        groups.setdefault(operation.told["tags"][0], []).append(shown)
    return page(request, "api.html", groups=groups)


def _shown(operation: Operation, base: str, *, asks: bool) -> Mapping[str, Any]:
    told = operation.told
    return {
        "name": operation.name,
        "method": operation.method,
        "path": operation.path,
        "summary": told["summary"],
        "description": told["description"],
        "parameters": [one for one in told.get("parameters", ()) if one["in"] == "query"],
        "curl": _curl(operation, base, asks=asks),
    }


def _curl(operation: Operation, base: str, *, asks: bool) -> str:
    example = examples().get(operation.name, {})
    words = ["curl", "-s"]
    if asks:
        words += ["-H", _HEADERS["token"]]
    if operation.method != "GET":
        words += ["-X", operation.method, "-H", _HEADERS["changing"]]
    if "body" in example:
        words += ["--json", example["body"]]
    return shlex.join([*words, base + str(example.get("path", operation.path))])
