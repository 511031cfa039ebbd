"""The history: a dense table of runs, searched, narrowed, sorted and paged by its address."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from ...answers.finding import find_run_rows
from ...answers.running import running_runs
from ..rendering import page
from ..wanted import Wanted, given_of

router = APIRouter()


@router.get("/")
def runs(
    request: Request,
    where: Wanted,
    sort: Annotated[str, Query(max_length=100)] = "when",
    order: Annotated[Literal["desc", "asc"], Query()] = "desc",
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> Response:
    """Return a page of runs."""
    found = find_run_rows(where, sort=sort, order=order, limit=50, offset=offset)
    query = {name: request.query_params.getlist(name) for name in request.query_params}
    return page(
        request,
        "runs.html",
        found=found,
        given=given_of(query),
        sort=sort,
        order=order,
        running=running_runs(datetime.now(UTC)),
    )
