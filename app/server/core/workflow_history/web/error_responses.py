"""Convert exceptions to HTTP error responses: a problem (RFC 9457) for programs, a page for browsers."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any, Final

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match, Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..common.errors import (
    AmbiguousPatternError,
    AmbiguousWorkflowError,
    ConfigMissingError,
    InvalidQueryError,
    PatternNotFoundError,
    WorkflowHistoryError,
    WorkflowNotFoundError,
)
from ..common.formatting.text import single_line
from .operations import METHODS
from .path_redaction import redact_paths
from .paths import EVENTS_PATH
from .rendering import problem_page

logger = logging.getLogger("workflow_history")

MEDIA_TYPE: Final = "application/problem+json"
_STATUS: Final[tuple[tuple[type[WorkflowHistoryError], int], ...]] = (
    (WorkflowNotFoundError, 404),
    (PatternNotFoundError, 404),
    (ConfigMissingError, 404),
    (AmbiguousWorkflowError, 409),
    (AmbiguousPatternError, 409),
    (InvalidQueryError, 422),
    (WorkflowHistoryError, 503),  # the database cannot be read or written
)
"""HTTP status of each of our exceptions. The first matching class counts."""

PROBLEM_SCHEMA: Final[dict[str, Any]] = {
    "title": "Problem",
    "description": "What is wrong with a request, as RFC 9457 has it.",
    "type": "object",
    "properties": {
        "type": {"type": "string", "description": "always about:blank: the status says it all"},
        "title": {"type": "string", "description": "the status in words"},
        "status": {"type": "integer", "description": "the HTTP status code"},
        "detail": {"type": "string", "description": "what is wrong, and what to do about it"},
    },
    "required": ["type", "title", "status", "detail"],
}


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """Return an error response with a JSON problem (RFC 9457)."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return Response(msgspec.json.encode(body), status, headers, MEDIA_TYPE)


def install_error_handlers(app: FastAPI) -> None:
    """Register the handlers that answer an app's exceptions."""
    app.add_exception_handler(WorkflowHistoryError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


async def _ours(request: Request, error: Exception) -> Response:
    status = next(code for kind, code in _STATUS if isinstance(error, kind))
    return _answer(request, status, single_line(redact_paths(str(error))))


async def _invalid(request: Request, error: Exception) -> Response:
    found: Any = error
    return _answer(request, 422, "; ".join(_named(each) for each in found.errors()))


async def _http(request: Request, error: Exception) -> Response:
    found: Any = error
    detail = found.detail if found.detail != HTTPStatus(found.status_code).phrase else _hint(request)
    headers = {**(found.headers or {}), **(_allowed(request) if found.status_code == 405 else {})}
    return _answer(request, found.status_code, single_line(detail), headers)


class UnhandledErrorMiddleware:
    """Answer unexpected exceptions with status 500, inside the security middleware.

    The framework would answer them outside of it, without the security headers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Process a request. If the response had already begun, raise again, which cuts it off."""
        begun = False

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except Exception:
            if begun or scope["type"] != "http":
                raise
            request = Request(scope)
            logger.exception("request failed path=%s", single_line(request.url.path))
            answer = _answer(request, 500, _UNFORESEEN)
            await answer(scope, receive, send)


_UNFORESEEN: Final = "something went wrong here; the server's own output says what"


def _answer(request: Request, status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    if request.url.path.startswith("/api/") or "text/html" not in request.headers.get("accept", ""):
        return problem(status, detail, headers)
    return problem_page(request, status, detail)


def _named(error: dict[str, Any]) -> str:
    if error["type"] == "json_invalid":
        return "the body is no JSON"
    if error["type"] == "model_attributes_type":
        return "the body is to be a JSON object, sent with Content-Type: application/json"
    where = ".".join(str(part) for part in error["loc"][1:]) or "the request"
    return single_line(f"{where}: {error['msg']}")


def _allowed(request: Request) -> dict[str, str]:
    """Return the Allow header for a path. The framework would list the methods of a single route only."""
    methods = [method.upper() for method in METHODS if _is_taken(request, method.upper())]
    if "GET" in methods and request.url.path != EVENTS_PATH:
        methods.append("HEAD")
    return {"Allow": ", ".join(methods)}


def _is_taken(request: Request, method: str) -> bool:
    scope = {**request.scope, "method": method, "root_path": request.scope.get("app_root_path", "")}
    found = next((route for route in request.app.routes if route.matches(scope)[0] is Match.FULL), None)
    return method == "GET" if isinstance(found, Mount) else found is not None


def _hint(request: Request) -> str:
    return f"nothing is served at {single_line(request.url.path)[:200]} this way"
