"""Page of the syncs, and the fragment with the running runs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from ...queries.running_runs import running_runs
from ...queries.sync_status import find_syncs, list_read_errors
from ..caches import filter_choices
from ..context import ContextDep
from ..rendering import render_page

router = APIRouter()


@router.get("/running")
def running(request: Request) -> Response:
    """Return the running runs as an HTML fragment that live.js inserts into pages."""
    return render_page(request, "_running_runs.html", running=running_runs(datetime.now(UTC)))


@router.get("/syncs")
def syncs(
    request: Request, context: ContextDep, after: Annotated[str | None, Query(max_length=20)] = None
) -> Response:
    """Return the page with recorded syncs, read errors and the current sync status."""
    recorded, problems = find_syncs(limit=20, cursor=after), list_read_errors()
    status = context.live.scheduler.status
    # A sync of a store has the name of its program, which is no project of runs.
    projects = frozenset(context.query_cache(filter_choices)["project"])
    return render_page(
        request,
        "syncs.html",
        recorded=recorded,
        problems=problems,
        sync_status=status,
        after=after,
        projects=projects,
    )
