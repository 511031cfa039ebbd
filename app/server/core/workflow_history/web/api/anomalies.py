"""Routes for anomalies and budgets."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from ...common.errors import InvalidQueryError
from ...common.filter_options import parse_moment, parse_recent
from ...queries.anomalies import find_anomalies
from ...queries.budgets import check_budgets
from ...queries.settings_file import read_config
from ..filter_params import FILTER_OPENAPI, FilterDep, Zone
from ..json_response import json_response
from ..path_redaction import redact_paths
from .openapi import schema_responses

router = APIRouter(tags=["watching"])

MAX_LOOKBACK: Final = timedelta(days=366)  # longest time range of one budget check

Moment = Annotated[str | None, Query(max_length=40)]


@router.get(
    "/anomalies",
    summary="What got worse or better",
    responses=schema_responses("anomalies"),
    openapi_extra=FILTER_OPENAPI,
)
def anomalies(
    request: Request,
    where: FilterDep,
    zone: Zone,
    recent: Annotated[
        str, Query(max_length=20, description="What counts as lately: 7d, 4w, or a number of runs.")
    ] = "30d",
) -> Response:
    """Return regressions and improvements by workflow and phase, and outliers among the runs."""
    return json_response(request, find_anomalies(where, parse_recent(recent, "recent"), tz=zone))


@router.get("/budgets", summary="How budgets stand", responses=schema_responses("budget-check"))
def budgets(
    request: Request,
    since: Annotated[Moment, Query(description="Judge what was made from then on; else in a day.")] = None,
    at: Annotated[Moment, Query(description="Judge as if it were this moment; else now.")] = None,
    regressions: Annotated[bool, Query(description="Tell too what got worse.")] = False,
) -> Response:
    """Return all budgets of the server's config file with the amount spent of each."""
    settings = read_config()
    now = parse_moment(at, zone=settings.time_zone) if at else datetime.now(UTC)
    start = parse_moment(since, now, settings.time_zone) if since else None
    if start is not None and now - start > MAX_LOOKBACK:
        raise InvalidQueryError(f"since is more than {MAX_LOOKBACK.days} days before; say a later time")
    report = check_budgets(settings, start, now, regressions=regressions)
    return json_response(request, replace(report, config=redact_paths(report.config)))
