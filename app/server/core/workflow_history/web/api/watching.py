"""What got worse, and how budgets stand: a filter or dates in, findings out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from ...answers.budgets import check_budgets
from ...answers.watch import find_anomalies
from ...config import read_config
from ...errors import InvalidQueryError
from ...narrowing import moment_of, recent_of
from ..places import without_folders
from ..replies import reply
from ..wanted import NARROWED, Wanted, Zone
from .described import gives

router = APIRouter(tags=["watching"])

LONGEST: Final = timedelta(days=366)  # that is held against budgets at a time

Moment = Annotated[str | None, Query(max_length=40)]


@router.get(
    "/anomalies", summary="What got worse or better", responses=gives("anomalies"), openapi_extra=NARROWED
)
def anomalies(
    request: Request,
    where: Wanted,
    zone: Zone,
    recent: Annotated[
        str, Query(max_length=20, description="What counts as lately: 7d, 4w, or a number of runs.")
    ] = "30d",
) -> Response:
    """Return what changed for good by template and phase, and which runs stand out."""
    return reply(request, find_anomalies(where, recent_of(recent), tz=zone))


@router.get("/budgets", summary="How budgets stand", responses=gives("check"))
def budgets(
    request: Request,
    since: Annotated[Moment, Query(description="Judge what was made from then on; else in a day.")] = None,
    at: Annotated[Moment, Query(description="Judge as if it were this moment; else now.")] = None,
    regressions: Annotated[bool, Query(description="Tell too what got worse.")] = False,
) -> Response:
    """Return every budget of the server's settings file, and what was spent of it."""
    settings = read_config()
    now = moment_of(at, zone=settings.time_zone) if at else datetime.now(UTC)
    start = moment_of(since, now, settings.time_zone) if since else None
    if start is not None and now - start > LONGEST:
        raise InvalidQueryError(f"since is more than {LONGEST.days} days before; say a later time")
    found = check_budgets(settings, start, now, regressions=regressions)
    return reply(request, replace(found, config=without_folders(found.config)))
