"""What goes on: the runs that are not done yet, as a piece of a page, and the syncs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from ...answers.running import running_runs
from ...answers.syncs import find_syncs
from ...answers.unreadable import find_unreadable
from ..context import Here
from ..rendering import page

router = APIRouter()


@router.get("/running")
def running(request: Request) -> Response:
    """Return the runs that go on, as pages hold them."""
    return page(request, "_running.html", running=running_runs(datetime.now(UTC)))


@router.get("/syncs")
def syncs(
    request: Request, here: Here, after: Annotated[str | None, Query(max_length=20)] = None
) -> Response:
    """Return what was read, what could not be, and how a sync that runs stands."""
    found, problems = find_syncs(limit=20, cursor=after), find_unreadable()
    now = here.live.syncer.now
    return page(request, "syncs.html", found=found, problems=problems, now=now, after=after)
