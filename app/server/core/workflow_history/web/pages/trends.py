"""Page with runs over time: cost, success, duration, tokens and cache hits, in total or by group."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from ...common.filters import parse_period
from ...common.formatting.costs import format_unknown_runs
from ...common.grouping_names import TYPED_NAMES
from ...common.time_zones import LOCAL_ZONE, zone_named
from ...presentation.statistics import format_period, group_cost
from ...queries import statistics
from ...queries.list_runs import runs_pruned
from ..charts.stacked import texture_pattern
from ..context import ContextDep
from ..rendering import render_page
from ..views import timeline as timeline_view
from ..views.breakdown import build_breakdown
from ..views.filter_form import SelectField
from ..views.measures import MIN_RUNS
from ..views.periods import Periods, zone_words
from .page_query import PageParameters, parse_page_query

router = APIRouter()

_PERIOD_CHOICES: Final = (("", "automatic"), ("day", "day"), ("week", "week"), ("month", "month"))
_GROUP_CHOICES: Final = (
    ("", "none"),
    ("workflow", "workflow"),
    ("model", "model"),
    ("phase", "phase"),
    ("class", "issue class"),
    ("branch", "branch"),
    ("issue", "issue"),
    ("pr", "pull request"),
    ("status", "status"),
    ("project", "project"),
)
_COMPARED_PERIODS: Final = (("7d", "7 days"), ("30d", "30 days"), ("90d", "90 days"))


@router.get("/trends")
def trends(request: Request, context: ContextDep) -> Response:
    """Return the page with charts, changes and the table of periods."""
    query = parse_page_query(request)
    zone = query.zone
    own_fields = _own_fields(query, zone)
    chosen = {choice.name: choice.chosen for choice in own_fields}
    result = context.query_cache(
        statistics.timeline,
        query.where,
        by=chosen["by"] or None,
        across=chosen["across"] or None,
        tz=zone,
        period=parse_period(chosen["period"]),
    )
    periods = Periods(result.by, zone_named(zone), datetime.now(UTC), query.filter_params, query.where)
    return render_page(
        request,
        "trends.html",
        timeline=result,
        total=result.whole.total,
        pruned=0 if result.whole.total.runs else runs_pruned(),
        unknown_cost_note=format_unknown_runs(group_cost(result.whole.total)),
        period_length=None if result.trend is None else format_period(result.trend),
        cards=timeline_view.measure_cards(result, periods),
        changes=timeline_view.change_rows(result),
        rows=timeline_view.period_rows(result, periods),
        breakdown=build_breakdown(result, periods),
        form=query.form("/trends", context, own_fields),
        texture=texture_pattern(),
        min_runs=MIN_RUNS,
        zone=zone_words(zone),
    )


def _own_fields(query: PageParameters, zone: str) -> tuple[SelectField, ...]:
    """Return the fields that only this page has."""
    period, across = query.get("period", "30d"), query.get("across")
    periods = (
        _COMPARED_PERIODS if period in dict(_COMPARED_PERIODS) else ((period, period), *_COMPARED_PERIODS)
    )
    zones = dict.fromkeys([LOCAL_ZONE, "UTC", zone])
    return (
        SelectField("by", "Interval", _PERIOD_CHOICES, query.get("by")),
        SelectField("across", "Group by", _GROUP_CHOICES, TYPED_NAMES.get(across, across)),
        SelectField("period", "Compare with previous", periods, period),
        SelectField("tz", "Time zone", tuple((name, zone_words(name)) for name in zones), zone),
    )
