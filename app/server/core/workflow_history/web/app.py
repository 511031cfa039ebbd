"""The server as an ASGI app: settings in; REST, pages and events out. Listens to nothing by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles

from .api import PREFIX, api
from .api.described import components
from .context import Context
from .live.assembly import Live
from .pages import STATIC, pages
from .problems import handle_problems
from .security import Guard
from .settings import Settings

_ABOUT = """
The history of AI developer workflow runs. Answers have the shapes that `--json` gives on the command line;
money is US dollars, times are ISO 8601 in UTC, unknown is null.
"""


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return a server's app."""
    given = settings or Settings()
    app = FastAPI(
        title="Workflow History",
        version="1",
        description=_ABOUT.strip(),
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,  # its scripts come from another host
        redoc_url=None,
        lifespan=_alive,
    )
    app.state.context = Context(given, Live(given))
    app.include_router(api())
    app.include_router(pages())
    app.mount("/static", StaticFiles(directory=STATIC))
    handle_problems(app)
    app.add_middleware(GZipMiddleware, minimum_size=1_000)
    app.add_middleware(Guard, settings=given)
    _describe(app)
    return app


@asynccontextmanager
async def _alive(app: FastAPI) -> AsyncIterator[None]:
    async with app.state.context.live.running():
        yield


def _describe(app: FastAPI) -> None:
    """Have the description hold the published schemas."""

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            found = get_openapi(
                title=app.title, version=app.version, description=app.description, routes=app.routes
            )
            found.setdefault("components", {}).setdefault("schemas", {}).update(components())
            app.openapi_schema = found
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]
