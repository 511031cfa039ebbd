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
    NotFoundError,
    WorkflowHistoryError,
)
from ..common.formatting.text import single_line
from .operations import METHODS
from .path_redaction import redact_paths
from .paths import EVENTS_PATH
from .rendering import error_page

logger = logging.getLogger("workflow_history")

PROBLEM_MEDIA_TYPE: Final = "application/problem+json"
_STATUS_CODES: Final[tuple[tuple[type[WorkflowHistoryError], int], ...]] = (
    (NotFoundError, 404),
    (ConfigMissingError, 404),
    (AmbiguousWorkflowError, 409),
    (AmbiguousPatternError, 409),
    (InvalidQueryError, 422),
    (WorkflowHistoryError, 503),  # the database cannot be read or written
)
"""HTTP status of each of our exceptions. The first matching class counts."""

_UNEXPECTED: Final = "Internal error. See the output of the server for details."

PROBLEM_SCHEMA: Final[dict[str, Any]] = {
    "title": "Problem",
    "description": "Error response in the format of RFC 9457.",
    "type": "object",
    "properties": {
        "type": {"type": "string", "description": "always about:blank"},
        "title": {"type": "string", "description": "standard name of the status"},
        "status": {"type": "integer", "description": "HTTP status code"},
        "detail": {"type": "string", "description": "reason of the error, and how to fix it"},
    },
    "required": ["type", "title", "status", "detail"],
}


def problem_response(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """Return an error response with a JSON problem (RFC 9457)."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return Response(msgspec.json.encode(body), status, headers, PROBLEM_MEDIA_TYPE)


def install_error_handlers(app: FastAPI) -> None:
    """Register the handlers that answer an app's exceptions."""
    app.add_exception_handler(WorkflowHistoryError, _handle_known_error)
    app.add_exception_handler(RequestValidationError, _handle_invalid_request)
    app.add_exception_handler(HTTPException, _handle_http_error)


async def _handle_known_error(request: Request, error: Exception) -> Response:
    status = next(status_code for error_type, status_code in _STATUS_CODES if isinstance(error, error_type))
    if isinstance(error, NotFoundError) and _wants_page(request):
        return error_page(request, status, single_line(error.problem), error.suggestions, error.reference)
    return _error_response(request, status, single_line(redact_paths(str(error))))


async def _handle_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class
    return _error_response(request, 422, "; ".join(map(_describe, error.errors())))


async def _handle_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class
    detail = error.detail
    if detail == HTTPStatus(error.status_code).phrase:  # the framework's own text
        path = single_line(request.url.path)[:200]
        if error.status_code == 404 and _wants_page(request):
            detail = f"There is no page at {path}."
        else:
            detail = f"{detail}: {request.method} {path}"
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(_allowed_methods(request))
    return _error_response(request, error.status_code, single_line(detail), headers)


class UnhandledErrorMiddleware:
    """Answer unexpected exceptions with status 500, inside the security middleware.

    The framework would answer them outside of it, without the security headers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Process a request. If the response had already begun, raise again, which cuts it off."""
        response_started = False

        async def send_and_track(message: Message) -> None:
            nonlocal response_started
            response_started = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_track)
        except Exception:
            if response_started or scope["type"] != "http":
                raise
            request = Request(scope)
            logger.exception("request_failed path=%s", single_line(request.url.path))
            response = _error_response(request, 500, _UNEXPECTED)
            await response(scope, receive, send)


def _error_response(
    request: Request, status: int, detail: str, headers: dict[str, str] | None = None
) -> Response:
    return (
        error_page(request, status, detail)
        if _wants_page(request)
        else problem_response(status, detail, headers)
    )


def _wants_page(request: Request) -> bool:
    return not request.url.path.startswith("/api/") and "text/html" in request.headers.get("accept", "")


def _describe(error: dict[str, Any]) -> str:
    if error["type"] == "json_invalid":
        return "Invalid JSON in the request body."
    if error["type"] == "model_attributes_type":
        return "Send a JSON object as request body, with Content-Type: application/json."
    location = ".".join(str(part) for part in error["loc"][1:]) or "request"
    return single_line(f"{location}: {error['msg']}")


def _allowed_methods(request: Request) -> list[str]:
    """Return the methods of a path for the Allow header. The framework would list those of one route only."""
    methods = [method.upper() for method in METHODS if _accepts(request, method.upper())]
    if "GET" in methods and request.url.path != EVENTS_PATH:
        methods.append("HEAD")
    return methods


def _accepts(request: Request, method: str) -> bool:
    scope = {**request.scope, "method": method, "root_path": request.scope.get("app_root_path", "")}
    route = next((route for route in request.app.routes if route.matches(scope)[0] is Match.FULL), None)
    return method == "GET" if isinstance(route, Mount) else route is not None
