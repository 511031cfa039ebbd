"""Build the ASGI app with the REST API, the pages and the event stream. It opens no socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from anyio import to_thread
from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import Scope

from .api import build_api_router
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
from .pages import build_page_router, mount_files
from .settings import ServerSettings

MAX_THREADS: Final = 8
"""Requests that are handled at the same time. A slow request occupies its thread until it is answered."""

_DESCRIPTION: Final = """
History of AI developer workflow runs. Responses have the format of `--json` on the command line. Costs are in
US dollars, times in ISO 8601 (UTC); unknown values are null.
"""


def create_app(settings: ServerSettings | None = None) -> FastAPI:
    """Build a server's app with its routes and middleware."""
    settings = settings or ServerSettings()
    app = FastAPI(
        title="Workflow History",
        version="1",
        description=_DESCRIPTION.strip(),
        openapi_url=None,  # the REST API serves it, with an ETag
        docs_url=None,  # its scripts would be loaded from another host
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        lifespan=_lifespan,
    )
    context = Context(settings, LiveService(settings))
    app.state.context = context
    app.include_router(build_api_router())
    app.include_router(build_page_router())
    mount_files(app)
    install_error_handlers(app)
    app.add_middleware(GZipMiddleware, minimum_size=1_000)
    app.add_middleware(ResponseCacheMiddleware, max_age=settings.cache_seconds)
    app.add_middleware(AcceptEncodingMiddleware)
    app.add_middleware(HeadMethodMiddleware)
    app.add_middleware(RunIdPathMiddleware)
    app.add_middleware(UnhandledErrorMiddleware)
    app.add_middleware(SecurityMiddleware, settings=settings, guess_limiter=context.guess_limiter)
    app.add_middleware(MetricsMiddleware, metrics=context.metrics, route_label=_route_label)
    _use_own_openapi(app)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    # More threads would only wait for each other: Python runs one at a time, and the disk is not the limit.
    to_thread.current_default_thread_limiter().total_tokens = MAX_THREADS
    await check_history_exists(app.state.context)
    async with app.state.context.live.lifespan():
        yield


def _route_label(scope: Scope) -> str:
    """Return the path template of the matched route for metrics: never with a client's values."""
    route = scope.get("route")
    operation = operations_of(scope["app"]).get(getattr(route, "name", ""))
    return operation.path if operation else getattr(route, "path", None) or "none"


def _use_own_openapi(app: FastAPI) -> None:
    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = build_openapi(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
