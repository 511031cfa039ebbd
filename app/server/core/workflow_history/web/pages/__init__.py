"""HTML pages, each with its own router and template. Content of runs is escaped, never treated as markup."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, Depends
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from ..context import check_history_exists, remember_change_token
from . import about_api, compare, forecast, insights, live, login, metrics, patterns, run, runs, trends

_STATIC: Final = Path(__file__).parent / "static"
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
_WITHOUT_HISTORY: Final = (live.router, login.router, about_api.router)


class Assets(StaticFiles):
    """Static files. Browsers revalidate them, because the program may have been updated."""

    def __init__(self) -> None:
        super().__init__(directory=_STATIC)

    def file_response(self, *given: Any, **named: Any) -> Response:
        """Return a file, or 304 (Not Modified) if the browser already has it."""
        answer = super().file_response(*given, **named)
        answer.headers["Cache-Control"] = "no-cache"
        return answer


def pages() -> APIRouter:
    """Return one router with all pages. They aren't in the OpenAPI description; programs use the REST API."""
    whole = APIRouter(include_in_schema=False, dependencies=[Depends(remember_change_token)])
    for router in _ROUTERS:
        reading = [] if router in _WITHOUT_HISTORY else [Depends(check_history_exists)]
        whole.include_router(router, dependencies=reading)
    return whole
