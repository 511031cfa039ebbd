"""REST, version 1: one router a subject; the same answers as `--json` gives, with the same shapes."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Depends

from ..context import check_history_exists
from ..operations import reject_unknown_parameters
from ..paths import API_PREFIX
from . import about, anomalies, compare, export, forecasts, live, patterns, runs, statistics, syncs

_ROUTERS: Final = tuple(
    part.router
    for part in (runs, compare, statistics, forecasts, anomalies, patterns, live, syncs, export, about)
)


def api() -> APIRouter:
    """Return all of them as one."""
    whole = APIRouter(prefix=API_PREFIX, dependencies=[Depends(reject_unknown_parameters)])
    for router in _ROUTERS:
        # A sync may make a history anew: it is asked for where there is none.
        reading = [] if router is live.router else [Depends(check_history_exists)]
        whole.include_router(router, dependencies=reading)
    return whole
