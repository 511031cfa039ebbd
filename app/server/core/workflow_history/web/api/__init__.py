"""REST API, version 1: one router per subject. Responses have the same JSON shapes as `--json`."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Depends

from ..context import check_history_exists
from ..operations import reject_unknown_parameters
from ..paths import API_PREFIX
from . import about, anomalies, compare, export, forecasts, live, patterns, runs, statistics, syncs

_ROUTERS: Final = tuple(
    module.router
    for module in (runs, compare, statistics, forecasts, anomalies, patterns, live, syncs, export, about)
)


def build_api_router() -> APIRouter:
    """Return one router with all routes of the REST API."""
    api_router = APIRouter(prefix=API_PREFIX, dependencies=[Depends(reject_unknown_parameters)])
    for router in _ROUTERS:
        # A sync can create the history again, so live routes work without one.
        dependencies = [] if router is live.router else [Depends(check_history_exists)]
        api_router.include_router(router, dependencies=dependencies)
    return api_router
