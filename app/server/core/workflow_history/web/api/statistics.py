"""What runs add up to: a grouping in, sums, waste and changes out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from ...common.filters import parse_period
from ...queries import statistics
from ..filter_params import FILTER_OPENAPI, FilterDep, Zone
from ..json_response import json_response
from .openapi import response

router = APIRouter(prefix="/statistics", tags=["statistics"])

By = Annotated[str, Query(max_length=40, description=f"One of {', '.join(statistics.GROUPINGS)}.")]
Across = Annotated[str | None, Query(max_length=40, description="Within each group, by this as well.")]


@router.get("", summary="Sums by a grouping", responses=response("stats"), openapi_extra=FILTER_OPENAPI)
def statistics_by(
    request: Request, where: FilterDep, zone: Zone, by: By = "month", across: Across = None
) -> Response:
    """Return runs, success, cost, tokens and time of each group of runs."""
    return json_response(request, statistics.run_statistics(by, where, across=across, tz=zone))


@router.get(
    "/overview", summary="The first look", responses=response("stats-overview"), openapi_extra=FILTER_OPENAPI
)
def statistics_overview(request: Request, where: FilterDep, zone: Zone) -> Response:
    """Return totals, sums by week, template, model and phase, what was wasted and what changed."""
    return json_response(request, statistics.overview(where, tz=zone))


@router.get(
    "/waste",
    summary="What was spent in vain",
    responses=response("stats-waste"),
    openapi_extra=FILTER_OPENAPI,
)
def statistics_waste(request: Request, where: FilterDep) -> Response:
    """Return what failed runs, retries, false successes and errors cost, each dollar once."""
    return json_response(request, statistics.waste(where))


@router.get("/trend", summary="What changed", responses=response("stats-trend"), openapi_extra=FILTER_OPENAPI)
def statistics_trend(
    request: Request,
    where: FilterDep,
    period: Annotated[str, Query(max_length=20, description="Its length: 36h, 30d, 4w.")] = "30d",
) -> Response:
    """Return how the runs of the period that ends now differ from those of the equally long one before."""
    return json_response(request, statistics.trend(parse_period(period), where))
