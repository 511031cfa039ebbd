"""Routes for runs: list, details, agent runs, similar runs, provenance, forecast and repricing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from ... import database, resync
from ...queries.explain import explain_run
from ...queries.forecast import forecast_run
from ...queries.json.types import AgentRuns
from ...queries.list_runs import SORT_ALIASES, list_run_summaries
from ...queries.similar import similar_runs
from ..filter_params import FILTER_OPENAPI, FilterDep
from ..json_response import json_response
from .openapi import schema_responses
from .parameters import ChangeHeader, Limit, Project, RunId, Threshold, qualified_id

router = APIRouter(tags=["runs"])

MAX_LIMIT = 500  # runs on one page
MAX_OFFSET = 10_000_000


@router.get("/runs", summary="List runs", responses=schema_responses("runs"), openapi_extra=FILTER_OPENAPI)
def list_runs(  # noqa: PLR0917 - one argument per query parameter
    request: Request,
    where: FilterDep,
    sort: Annotated[
        str, Query(max_length=100, description=f"Sort key: {', '.join(SORT_ALIASES)} or any column.")
    ] = "when",
    order: Annotated[Literal["desc", "asc"], Query(description="Largest or smallest first.")] = "desc",
    limit: Annotated[int, Query(ge=0, le=MAX_LIMIT, description="Maximum number of runs on the page.")] = 50,
    offset: Annotated[int, Query(ge=0, le=MAX_OFFSET, description="Number of runs to skip.")] = 0,
    after: Annotated[
        str | None, Query(max_length=4_000, description="`next_cursor` of the previous page.")
    ] = None,
) -> Response:
    """Return a page of runs, newest first by default, that match all given filters.

    The Link header contains the URL of the next page.
    """
    runs = list_run_summaries(where, sort=sort, order=order, limit=limit, offset=offset, cursor=after)
    # The rows are plain JSON values already: converting them would take as long as reading them.
    fields_by_name = {field.name: getattr(runs, field.name) for field in fields(runs)}
    return json_response(request, fields_by_name, next_link(request, runs.next_cursor))


def next_link(request: Request, cursor: str | None) -> Mapping[str, str]:
    """Return the Link header for the next page; empty if there is none."""
    if cursor is None:
        return {}
    url = request.url.remove_query_params("offset").include_query_params(after=cursor)
    return {"Link": f'<{url.path}?{url.query}>; rel="next"'}


@router.get("/runs/{id:whole_run}", summary="Get a run", responses=schema_responses("show"))
def show_run(request: Request, run_id: RunId, project: Project = None) -> Response:
    """Return one run in full: phases, agent runs, similar runs, patterns and read errors."""
    return json_response(request, require_run(run_id, project))


@router.get(
    "/runs/{id:run}/agent-runs",
    summary="List the agent runs of a run",
    responses=schema_responses("agent-runs"),
)
def list_agent_runs(request: Request, run_id: RunId, project: Project = None) -> Response:
    """Return all agent runs of a run, including superseded attempts."""
    run = require_run(run_id, project)
    return json_response(request, AgentRuns(run["project"], run["id"], run["phase_costs"]))


@router.get(
    "/runs/{id:run}/similar",
    summary="List runs similar to a run",
    responses=schema_responses("similar"),
    openapi_extra=FILTER_OPENAPI,
)
def similar_to_run(  # noqa: PLR0917 - see list_runs
    request: Request,
    run_id: RunId,
    where: FilterDep,
    limit: Limit = 5,
    threshold: Threshold = None,
    of_project: Annotated[
        str | None,
        Query(
            alias="of",
            max_length=400,
            description="Project of the run, if the ID is in several projects.",
        ),
    ] = None,
) -> Response:
    """Return the runs most similar to one, best first, with the reasons. Filters restrict the candidates."""
    return json_response(
        request, similar_runs(qualified_id(run_id, of_project), None, where, limit, threshold)
    )


@router.get(
    "/runs/{id:run}/explain",
    summary="Get the provenance of a field",
    responses=schema_responses("explain"),
)
def explain_figure(
    request: Request,
    run_id: RunId,
    project: Project = None,
    field: Annotated[
        str | None, Query(max_length=200, description="Any key of the run, or the name of a phase or agent.")
    ] = None,
) -> Response:
    """Return the file, line and rule that a field comes from; without `field`, for the main fields."""
    return json_response(request, explain_run(qualified_id(run_id, project), field))


@router.get(
    "/runs/{id:run}/forecast",
    summary="Get the forecast of a run",
    responses=schema_responses("forecast-run"),
)
def forecast_of_run(request: Request, run_id: RunId, project: Project = None, limit: Limit = 10) -> Response:
    """Return the forecast from a run's start and, for a running run, the remaining cost and duration."""
    return json_response(request, forecast_run(qualified_id(run_id, project), examples=limit))


@router.post("/runs/{id:run}/resync", summary="Reprice a run", responses=schema_responses("reprice-one"))
def resync_run(request: Request, run_id: RunId, _header: ChangeHeader, project: Project = None) -> Response:
    """Recalculate a run's costs from its files. A known cost never decreases because a file is missing."""
    run = require_run(run_id, project)
    return json_response(request, resync.resync_workflow_cost(f"{run['project']}/{run['id']}"))


def require_run(run_id: str, project: str | None) -> dict[str, Any]:
    """Return the run with an id or a unique beginning of one.

    Raises WorkflowNotFoundError, or AmbiguousWorkflowError if several runs match.
    """
    return dict(database.require_workflow(qualified_id(run_id, project)))
