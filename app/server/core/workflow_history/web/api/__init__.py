"""REST, version 1: one router a subject; the same answers as `--json` gives, with the same shapes."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Depends

from ..context import history_remains
from ..operations import check_parameters
from ..paths import PREFIX
from . import about, comparing, forecasts, live, patterns, runs, statistics, syncs, taking_out, watching

_ROUTERS: Final = tuple(
    part.router
    for part in (runs, comparing, statistics, forecasts, watching, patterns, live, syncs, taking_out, about)
)


def api() -> APIRouter:
    """Return all of them as one."""
    whole = APIRouter(prefix=PREFIX, dependencies=[Depends(check_parameters)])
    for router in _ROUTERS:
        # A sync may make a history anew: it is asked for where there is none.
        reading = [] if router is live.router else [Depends(history_remains)]
        whole.include_router(router, dependencies=reading)
    return whole
