"""Build the ASGI app with the REST API, the pages and the event stream. It opens no socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from anyio import to_thread
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import Scope

from .api import api
from .api.openapi import build_openapi
from .context import Context, check_history_exists
from .error_responses import UnhandledErrorMiddleware, install_error_handlers
from .live.service import LiveService
from .middleware.head_method import AcceptEncodingMiddleware, HeadMethodMiddleware
from .middleware.metrics import MetricsMiddleware
from .middleware.response_cache import ResponseCacheMiddleware
from .middleware.run_id_paths import RunIdPathMiddleware
from .middleware.security import SecurityMiddleware
from .operations import operations_of
from .pages import Assets, pages
from .settings import ServerSettings

MAX_THREADS: Final = 8
"""Requests that are handled at the same time. A slow request occupies its thread until it is answered."""

_ABOUT: Final = """
The history of AI developer workflow runs. Answers have the shapes that `--json` gives on the command line;
money is US dollars, times are ISO 8601 in UTC, unknown is null.
"""


def create_app(settings: ServerSettings | None = None) -> FastAPI:
    """Build a server's app with its routes and middleware."""
    given = settings or ServerSettings()
    app = FastAPI(
        title="Workflow History",
        version="1",
        description=_ABOUT.strip(),
        openapi_url=None,  # the REST API serves it, with an ETag
        docs_url=None,  # its scripts would be loaded from another host
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_name_of,
        lifespan=_serving,
    )
    context = Context(given, LiveService(given))
    app.state.context = context
    app.include_router(api())
    app.include_router(pages())
    app.mount("/static", Assets())
    install_error_handlers(app)
    app.add_middleware(GZipMiddleware, minimum_size=1_000)
    app.add_middleware(ResponseCacheMiddleware, seconds=given.keep_answers)
    app.add_middleware(AcceptEncodingMiddleware)
    app.add_middleware(HeadMethodMiddleware)
    app.add_middleware(RunIdPathMiddleware)
    app.add_middleware(UnhandledErrorMiddleware)
    app.add_middleware(SecurityMiddleware, settings=given, guesses=context.guesses)
    app.add_middleware(MetricsMiddleware, metrics=context.metrics, names=lambda scope: _route_of(app, scope))
    _have_described(app)
    return app


@asynccontextmanager
async def _serving(app: FastAPI) -> AsyncIterator[None]:
    # More threads would only wait for each other: Python runs one at a time, and the disk is not the limit.
    to_thread.current_default_thread_limiter().total_tokens = MAX_THREADS
    await check_history_exists(app.state.context)
    async with app.state.context.live.lifespan():
        yield


def _name_of(route: APIRoute) -> str:
    return route.name


def _route_of(app: FastAPI, scope: Scope) -> str:
    """Return the path template of the matched route for metrics: never with a client's values."""
    route = scope.get("route")
    known = operations_of(app).get(getattr(route, "name", ""))
    return known.path if known else getattr(route, "path", None) or "none"


def _have_described(app: FastAPI) -> None:
    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = build_openapi(app)
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]
