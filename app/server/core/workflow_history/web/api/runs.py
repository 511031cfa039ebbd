"""Runs: a page of them, or one whole."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from ... import database
from ...answers.finding import SORT_NAMES, find_run_rows
from ...errors import WorkflowNotFoundError
from ..replies import reply
from ..wanted import Wanted
from .described import gives

router = APIRouter(tags=["runs"])

MOST_RUNS = 500  # on one page
MOST_SKIPPED = 10_000_000

RunId = Annotated[
    str, Path(alias="id", max_length=400, description="The run's id, or a beginning that only it has.")
]
Project = Annotated[
    str | None, Query(max_length=400, description="The run's project, where several have the id.")
]


@router.get("/runs", summary="A page of runs", responses=gives("runs"))
def list_runs(  # noqa: PLR0917 - a list is asked for in many ways
    request: Request,
    where: Wanted,
    sort: Annotated[
        str, Query(max_length=100, description=f"{', '.join(SORT_NAMES)} or any column.")
    ] = "when",
    order: Annotated[Literal["desc", "asc"], Query(description="Largest or smallest first.")] = "desc",
    limit: Annotated[int, Query(ge=0, le=MOST_RUNS, description="Runs on the page, at most.")] = 50,
    offset: Annotated[int, Query(ge=0, le=MOST_SKIPPED, description="Runs before it.")] = 0,
    after: Annotated[
        str | None, Query(max_length=4_000, description="The `next_cursor` of the page before.")
    ] = None,
) -> Response:
    """Return a page of runs, the newest first, narrowed by any parameters together."""
    found = find_run_rows(where, sort=sort, order=order, limit=limit, offset=offset, cursor=after)
    return reply(request, found)


@router.get("/runs/{id}", summary="One run", responses=gives("show"))
def show_run(request: Request, run_id: RunId, project: Project = None) -> Response:
    """Return a run whole: its phases and agents, what is like it, what recurs in it, what was unreadable."""
    return reply(request, known_run(run_id, project))


def known_run(run_id: str, project: str | None) -> dict[str, object]:
    """Return the run that an id stands for; WorkflowNotFoundError where there is none."""
    found = database.find_workflow(named(run_id, project))
    if found is None:
        raise WorkflowNotFoundError(f"no run {named(run_id, project)!r} in this history")
    return dict(found)


def named(run_id: str, project: str | None) -> str:
    """Return a run's name as every answer takes it."""
    return run_id if project is None else f"{project}/{run_id}"
