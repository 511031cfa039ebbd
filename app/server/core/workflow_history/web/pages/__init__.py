"""Pages for people: one router and one template a page; whatever stands in a run is text, never markup."""

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
    forecast.router,  # a run's forecast before a run's page, whose id may hold a slash
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
    """Files beside the pages. A browser asks whether one still holds: the program may be new."""

    def __init__(self) -> None:
        super().__init__(directory=_STATIC)

    def file_response(self, *given: Any, **named: Any) -> Response:
        """Return a file, or that the browser has it."""
        answer = super().file_response(*given, **named)
        answer.headers["Cache-Control"] = "no-cache"
        return answer


def pages() -> APIRouter:
    """Return all of them as one; programs ask the REST part."""
    whole = APIRouter(include_in_schema=False, dependencies=[Depends(remember_change_token)])
    for router in _ROUTERS:
        reading = [] if router in _WITHOUT_HISTORY else [Depends(check_history_exists)]
        whole.include_router(router, dependencies=reading)
    return whole
