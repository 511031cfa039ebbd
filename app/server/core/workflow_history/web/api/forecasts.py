"""Routes for forecasts of cost, duration and success, and for their calibration."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from ...queries.forecast import calibration, forecast
from ...queries.forecast.backtest import DEFAULT_RUNS
from ..json_response import json_response
from .openapi import schema_responses
from .parameters import MAX_TEXT_CHARS, Limit

router = APIRouter(prefix="/forecast", tags=["forecast"])

Word = Annotated[str | None, Query(max_length=400)]


@router.get("", summary="Forecast a task", responses=schema_responses("forecast"))
def forecast_task(  # noqa: PLR0917 - one argument per query parameter
    request: Request,
    text: Annotated[
        str | None, Query(max_length=MAX_TEXT_CHARS, description="Request text of the task.")
    ] = None,
    workflow: Annotated[Word, Query(description="Workflow that will run.")] = None,
    issue_class: Annotated[Word, Query(alias="class", description="Issue class, such as bug.")] = None,
    project: Annotated[Word, Query(description="Project that it will run in.")] = None,
    limit: Limit = 10,
    template: Annotated[Word, Query(description="Former name of workflow.", deprecated=True)] = None,
) -> Response:
    """Forecast cost, duration and success probability of a run from its request, its workflow or both."""
    return json_response(request, forecast(text, workflow or template, issue_class, project, examples=limit))


@router.get(
    "/calibration", summary="Backtest the forecasts", responses=schema_responses("forecast-calibration")
)
def forecast_calibration(
    request: Request,
    runs: Annotated[
        int, Query(ge=1, le=DEFAULT_RUNS, description="Maximum number of runs to forecast, the latest ones.")
    ] = DEFAULT_RUNS,
) -> Response:
    """Forecast stored runs from earlier runs only, and return how often the actual values were in range."""
    return json_response(request, calibration(runs))
