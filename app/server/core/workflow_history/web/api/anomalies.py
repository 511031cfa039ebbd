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

router = APIRouter(tags=["anomalies"])

MAX_LOOKBACK: Final = timedelta(days=366)  # longest time range of one budget check

Moment = Annotated[str | None, Query(max_length=40)]


@router.get(
    "/anomalies",
    summary="List regressions, improvements and outliers",
    responses=schema_responses("anomalies"),
    openapi_extra=FILTER_OPENAPI,
)
def anomalies(
    request: Request,
    where: FilterDep,
    zone: Zone,
    window: Annotated[
        str | None,
        Query(max_length=20, description="Recent window: an age (7d, 4w) or a number of runs. Default: 30d."),
    ] = None,
    recent: Annotated[
        str | None, Query(max_length=20, description="Former name of window.", deprecated=True)
    ] = None,
) -> Response:
    """Return regressions and improvements by workflow and phase, and outliers among the runs."""
    return json_response(
        request, find_anomalies(where, parse_recent(window or recent or "30d", "window"), tz=zone)
    )


@router.get("/budgets", summary="Check budgets", responses=schema_responses("budget-check"))
def budgets(
    request: Request,
    since: Annotated[
        Moment, Query(description="Check spending since this date, time or age. Default: the last day.")
    ] = None,
    as_of: Annotated[Moment, Query(description="Check as of this date or time. Default: now.")] = None,
    at: Annotated[Moment, Query(description="Former name of as_of.", deprecated=True)] = None,
    regressions: Annotated[bool, Query(description="Also return regressions.")] = False,
) -> Response:
    """Return the status of all budgets in the server's config file, with the amount spent."""
    settings = read_config()
    moment = as_of or at
    now = parse_moment(moment, zone=settings.time_zone, name="as_of") if moment else datetime.now(UTC)
    start = parse_moment(since, now, settings.time_zone, "since") if since else None
    if start is not None and now - start > MAX_LOOKBACK:
        raise InvalidQueryError(
            f'Invalid since "{since}": more than {MAX_LOOKBACK.days} days before as_of. Use a later time.'
        )
    report = check_budgets(settings, start, now, regressions=regressions)
    return json_response(request, replace(report, config=redact_paths(report.config)))
