"""REST, version 1: one router a subject; the same answers as `--json` gives, with the same shapes."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Depends

from ..operations import check_parameters
from . import about, comparing, forecasts, live, patterns, runs, statistics, syncs, taking_out, watching

PREFIX: Final = "/api/v1"
ENDLESS: Final = f"{PREFIX}/events"  # nobody can wait for its end, or be given it again
STREAMED: Final = (ENDLESS, f"{PREFIX}/export/")  # beginnings of paths: nobody waits for another's to be read
_ROUTERS: Final = tuple(
    part.router
    for part in (runs, comparing, statistics, forecasts, watching, patterns, live, syncs, taking_out, about)
)


def api() -> APIRouter:
    """Return all of them as one."""
    whole = APIRouter(prefix=PREFIX, dependencies=[Depends(check_parameters)])
    for router in _ROUTERS:
        whole.include_router(router)
    return whole
