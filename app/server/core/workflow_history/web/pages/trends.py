"""Page with runs over time: cost, success, duration, tokens and cache hits, in total or by group."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from ...common.filters import parse_period
from ...common.formatting.costs import unknown_words
from ...common.time_zones import LOCAL_ZONE, zone_named
from ...maintenance.pruning import runs_pruned
from ...presentation.statistics import format_period, group_spending
from ...queries import statistics
from ..charts.stacked import texture_pattern
from ..context import ContextDep
from ..rendering import page
from ..views import timeline
from ..views.breakdown import build_breakdown
from ..views.filter_form import SelectField
from ..views.measures import MIN_RUNS
from ..views.periods import Periods, zone_words
from .page_query import PageQuery, question

router = APIRouter()

_BY: Final = (("", "fitting"), ("day", "day"), ("week", "week"), ("month", "month"))
_ACROSS: Final = (("", "all together"), ("template", "workflow"), ("model", "model"), ("phase", "phase"),
                  ("issue_class", "class"), ("status", "status"), ("project", "project"))  # fmt: skip
_PERIODS: Final = (("7d", "7 days"), ("30d", "30 days"), ("90d", "90 days"))


@router.get("/trends")
def trends(request: Request, here: ContextDep) -> Response:
    """Return the page with charts, changes and the table of periods."""
    asked = question(request)
    zone = asked.zone
    own = _own(asked, zone)
    chosen = {choice.name: choice.chosen for choice in own}
    found = here.kept(
        statistics.timeline,
        asked.where,
        by=chosen["by"] or None,
        across=chosen["across"] or None,
        tz=zone,
        period=parse_period(chosen["period"]),
    )
    periods = Periods(found.by, zone_named(zone), datetime.now(UTC), asked.given, asked.where)
    return page(
        request,
        "trends.html",
        found=found,
        total=found.whole.total,
        pruned=0 if found.whole.total.runs else runs_pruned(),
        unknown=unknown_words(group_spending(found.whole.total)),
        length=None if found.trend is None else format_period(found.trend),
        cards=timeline.cards(found, periods),
        changes=timeline.changes(found),
        rows=timeline.rows(found, periods),
        split=build_breakdown(found, periods),
        form=asked.form("/trends", here, own),
        texture=texture_pattern(),
        few=MIN_RUNS,
        zone=zone_words(zone),
    )


def _own(asked: PageQuery, zone: str) -> tuple[SelectField, ...]:
    """Return the fields that only this page has."""
    period = asked.get("period", "30d")
    periods = _PERIODS if period in dict(_PERIODS) else ((period, period), *_PERIODS)
    zones = dict.fromkeys([LOCAL_ZONE, "UTC", zone])
    return (
        SelectField("by", "A point each", _BY, asked.get("by")),
        SelectField("across", "Side by side", _ACROSS, asked.get("across")),
        SelectField("period", "Compare the last", periods, period),
        SelectField("tz", "Time zone", tuple((name, zone_words(name)) for name in zones), zone),
    )
