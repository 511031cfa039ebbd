"""HTML pages, each with its own router and template. Content of runs is escaped, never treated as markup."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, Depends, FastAPI, HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from ..context import check_history_exists, remember_change_token
from . import about_api, compare, forecast, insights, live, login, metrics, patterns, run, runs, trends

_STATIC: Final = Path(__file__).parent / "static"

DOCS_SITE: Final = Path(__file__).parents[1] / "site"
"""The documentation, built by `make site`; a checkout does not have it before."""

_DOCS_POLICY: Final = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; worker-src 'self' blob:; base-uri 'self'; frame-ancestors 'none'"
)
"""The generated pages have scripts of their own. They show nothing of the history."""

_ROUTERS: Final = (
    runs.router,
    forecast.router,  # before run.router, whose ids may contain slashes, such as "a/forecast"
    run.router,
    trends.router,
    insights.router,
    patterns.router,
    compare.router,
    live.router,
    login.router,
    about_api.router,
    metrics.router,
)
_NEED_NO_HISTORY: Final = (live.router, login.router, about_api.router)


class _Files(StaticFiles):
    """The files of a directory, each with an additional header."""

    def __init__(self, directory: Path, header: tuple[str, str], *, html: bool = False) -> None:
        super().__init__(directory=directory, html=html)
        self._header = header

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """Return a file, or 304 (Not Modified) if the browser already has it."""
        response = super().file_response(*args, **kwargs)
        name, value = self._header
        response.headers[name] = value
        return response


def mount_files(app: FastAPI) -> None:
    """Serve the static files and, if it was built, the documentation; sets `has_docs` of the app's state."""
    # Browsers revalidate static files, because the program may have been updated.
    app.mount("/static", _Files(_STATIC, ("Cache-Control", "no-cache")))
    app.state.has_docs = DOCS_SITE.is_dir()
    if app.state.has_docs:
        app.mount("/docs", _Files(DOCS_SITE, ("Content-Security-Policy", _DOCS_POLICY), html=True))
        app.add_route("/docs", lambda _request: RedirectResponse("/docs/", 307))
    else:
        app.add_route("/docs{path:path}", _reject_docs)


def _reject_docs(_request: Request) -> Response:
    raise HTTPException(
        404, "This installation has no documentation: run make site in the checkout, and install again."
    )


def build_page_router() -> APIRouter:
    """Return one router with all pages. They aren't in the OpenAPI description; programs use the REST API."""
    page_router = APIRouter(include_in_schema=False, dependencies=[Depends(remember_change_token)])
    for router in _ROUTERS:
        dependencies = [] if router in _NEED_NO_HISTORY else [Depends(check_history_exists)]
        page_router.include_router(router, dependencies=dependencies)
    return page_router
