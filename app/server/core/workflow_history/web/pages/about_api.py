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
from ..rendering import render_page

router = APIRouter()

_HEADERS: Final = {"token": "Authorization: Bearer TOKEN", "changing": "X-Workflow-History: 1"}


@router.get("/api")
def list_operations(request: Request, context: ContextDep) -> Response:
    """Return the page with all operations, grouped by their first tag."""
    base = f"{request.url.scheme}://{request.headers['host']}"
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for operation in operations_of(request.app).values():
        entry = _describe(operation, base, requires_token=context.settings.token is not None)
        groups.setdefault(operation.spec["tags"][0], []).append(entry)
    return render_page(request, "api.html", groups=groups)


def _describe(operation: Operation, base: str, *, requires_token: bool) -> Mapping[str, Any]:
    spec = operation.spec
    return {
        "name": operation.name,
        "method": operation.method,
        "path": operation.path,
        "summary": spec["summary"],
        "description": spec["description"],
        "parameters": [
            parameter
            for parameter in spec.get("parameters", ())
            if parameter["in"] == "query" and not parameter.get("deprecated")
        ],
        "curl": _curl_command(operation, base, requires_token=requires_token),
    }


def _curl_command(operation: Operation, base: str, *, requires_token: bool) -> str:
    example = examples().get(operation.name, {})
    arguments = ["curl", "-s"]
    if requires_token:
        arguments += ["-H", _HEADERS["token"]]
    if operation.method != "GET":
        arguments += ["-X", operation.method, "-H", _HEADERS["changing"]]
    if "body" in example:
        arguments += ["--json", example["body"]]
    return shlex.join([*arguments, base + str(example.get("path", operation.path))])
