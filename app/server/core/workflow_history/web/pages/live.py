"""What goes on: the runs that are not done yet, as a piece of a page, and the syncs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from ...queries.running_runs import running_runs
from ...queries.sync_status import find_syncs, list_read_errors
from ..context import ContextDep
from ..rendering import page

router = APIRouter()


@router.get("/running")
def running(request: Request) -> Response:
    """Return the runs that go on, as pages hold them."""
    return page(request, "_running.html", running=running_runs(datetime.now(UTC)))


@router.get("/syncs")
def syncs(
    request: Request, here: ContextDep, after: Annotated[str | None, Query(max_length=20)] = None
) -> Response:
    """Return what was read, what could not be, and how a sync that runs stands."""
    found, problems = find_syncs(limit=20, cursor=after), list_read_errors()
    now = here.live.syncer.now
    return page(request, "syncs.html", found=found, problems=problems, now=now, after=after)
