"""REST, version 1: one router a subject; the same answers as `--json` gives, with the same shapes."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from . import live, runs

PREFIX: Final = "/api/v1"
_ROUTERS: Final = (runs.router, live.router)


def api() -> APIRouter:
    """Return all of them as one."""
    whole = APIRouter(prefix=PREFIX)
    for router in _ROUTERS:
        whole.include_router(router)
    return whole
