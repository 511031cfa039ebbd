"""Routes for statistics: groups, overview, wasted spend and trend."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from ...common.filters import parse_period
from ...queries import statistics
from ..filter_params import FILTER_OPENAPI, FilterDep, Zone
from ..json_response import json_response
from .openapi import schema_responses

router = APIRouter(prefix="/statistics", tags=["statistics"])

By = Annotated[str, Query(max_length=40, description=f"Group by: {', '.join(statistics.TYPED_GROUPINGS)}.")]
Across = Annotated[str | None, Query(max_length=40, description="Second grouping, within each group.")]


@router.get(
    "", summary="Get statistics by group", responses=schema_responses("stats"), openapi_extra=FILTER_OPENAPI
)
def statistics_by(
    request: Request, where: FilterDep, zone: Zone, by: By = "month", across: Across = None
) -> Response:
    """Return the number of runs, success rate, cost, tokens and duration of each group of runs."""
    return json_response(request, statistics.run_statistics(by, where, across=across, tz=zone))


@router.get(
    "/overview",
    summary="Get an overview",
    responses=schema_responses("stats-overview"),
    openapi_extra=FILTER_OPENAPI,
)
def statistics_overview(request: Request, where: FilterDep, zone: Zone) -> Response:
    """Return totals, statistics by week, workflow, model and phase, wasted spend and recent changes."""
    return json_response(request, statistics.overview(where, tz=zone))


@router.get(
    "/waste",
    summary="Get wasted spend",
    responses=schema_responses("stats-waste"),
    openapi_extra=FILTER_OPENAPI,
)
def statistics_waste(request: Request, where: FilterDep) -> Response:
    """Return wasted spend by category. Each dollar counts once, in the first category that applies."""
    return json_response(request, statistics.waste(where))


@router.get(
    "/trend",
    summary="Compare two periods",
    responses=schema_responses("stats-trend"),
    openapi_extra=FILTER_OPENAPI,
)
def statistics_trend(
    request: Request,
    where: FilterDep,
    period: Annotated[str, Query(max_length=20, description="Length of both periods: 36h, 30d, 4w.")] = "30d",
) -> Response:
    """Compare the runs of the period that ends now with those of the previous period of equal length."""
    return json_response(request, statistics.trend(parse_period(period), where))
