"""What runs add up to: a grouping in, sums, waste and changes out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from ...answers import statistics
from ...filters import period_of
from ..replies import reply
from ..wanted import NARROWED, Wanted, Zone
from .described import gives

router = APIRouter(prefix="/statistics", tags=["statistics"])

By = Annotated[str, Query(max_length=40, description=f"One of {', '.join(statistics.GROUPINGS)}.")]
Across = Annotated[str | None, Query(max_length=40, description="Within each group, by this as well.")]


@router.get("", summary="Sums by a grouping", responses=gives("stats"), openapi_extra=NARROWED)
def statistics_by(
    request: Request, where: Wanted, zone: Zone, by: By = "month", across: Across = None
) -> Response:
    """Return runs, success, cost, tokens and time of each group of runs."""
    return reply(request, statistics.run_statistics(by, where, across=across, tz=zone))


@router.get("/overview", summary="The first look", responses=gives("stats-overview"), openapi_extra=NARROWED)
def statistics_overview(request: Request, where: Wanted, zone: Zone) -> Response:
    """Return totals, sums by week, template, model and phase, what was wasted and what changed."""
    return reply(request, statistics.overview(where, tz=zone))


@router.get(
    "/waste", summary="What was spent in vain", responses=gives("stats-waste"), openapi_extra=NARROWED
)
def statistics_waste(request: Request, where: Wanted) -> Response:
    """Return what failed runs, retries, false successes and errors cost, each dollar once."""
    return reply(request, statistics.waste(where))


@router.get("/trend", summary="What changed", responses=gives("stats-trend"), openapi_extra=NARROWED)
def statistics_trend(
    request: Request,
    where: Wanted,
    period: Annotated[str, Query(max_length=20, description="Its length: 36h, 30d, 4w.")] = "30d",
) -> Response:
    """Return how the runs of the period that ends now differ from those of the equally long one before."""
    return reply(request, statistics.trend(period_of(period), where))
