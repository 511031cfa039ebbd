"""What a run will cost and take: a request or a template in, ranges with the past runs they rest on out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from ...answers.calibration import LATEST
from ...answers.forecast import calibration, forecast
from ..replies import reply
from .described import gives
from .parameters import MOST_TEXT, Shown

router = APIRouter(prefix="/forecast", tags=["forecast"])

Word = Annotated[str | None, Query(max_length=400)]


@router.get("", summary="What a task will cost and take", responses=gives("forecast"))
def forecast_task(  # noqa: PLR0917 - a forecast rests on many things
    request: Request,
    text: Annotated[str | None, Query(max_length=MOST_TEXT, description="The request.")] = None,
    template: Annotated[Word, Query(description="The workflow that will run.")] = None,
    issue_class: Annotated[Word, Query(alias="class", description="The class of the issue, as bug.")] = None,
    project: Annotated[Word, Query(description="The project it will run in.")] = None,
    limit: Shown = 10,
) -> Response:
    """Return cost, time and the chance of success of a run from its request, its template or both."""
    return reply(request, forecast(text, template, issue_class, project, shown=limit))


@router.get("/calibration", summary="How well forecasts held", responses=gives("forecast-calibration"))
def forecast_calibration(
    request: Request,
    runs: Annotated[int, Query(ge=1, le=LATEST, description="The latest so many are forecast.")] = LATEST,
) -> Response:
    """Forecast stored runs from those before each, and return how often the ranges held what came."""
    return reply(request, calibration(runs))
