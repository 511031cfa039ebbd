"""Page of one pattern: cost, estimated savings of a script, occurrences over time and examples."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from fastapi import APIRouter, Request
from starlette.responses import Response

from ...common.formatting.text import single_line
from ...common.time_zones import zone_named
from ...presentation.patterns import short_id
from ...queries.patterns import show_pattern
from ...queries.statistics import timeline
from ..rendering import render_page, url_for
from ..views import patterns as patterns_view
from ..views.measures import MEASURES
from ..views.periods import Periods
from ..views.timeline import chart, dated_groups
from .insights import parse_residual_cost, residual_cost_field, residual_cost_text
from .page_query import parse_page_query

router = APIRouter()

_EXAMPLES = 20  # example runs that are listed


@router.get("/patterns/{pattern_id}")
def pattern(request: Request, pattern_id: str) -> Response:
    """Return the page of a pattern."""
    query = parse_page_query(request)
    residual_cost, zone = residual_cost_text(query), zone_named(query.zone)
    detail = show_pattern(
        pattern_id, query.where, keep_share=parse_residual_cost(residual_cost), examples=_EXAMPLES
    )
    pattern = detail.pattern
    params = {**query.filter_params, "pattern": pattern.id}
    runs_over_time = timeline(replace(query.where, pattern=pattern.id), tz=query.zone)
    periods = Periods(runs_over_time.by, zone, datetime.now(UTC), params, query.where)
    runs = next(measure for measure in MEASURES if measure.key == "runs")
    return render_page(
        request,
        "pattern.html",
        pattern=pattern,
        name=single_line(pattern.signature),
        short_id=short_id(pattern.id),
        facts=patterns_view.pattern_facts(detail),
        examples=patterns_view.example_rows(detail.examples, zone),
        covered=patterns_view.related_patterns(pattern.parts, query.filter_params, residual_cost),
        covered_by=patterns_view.related_patterns(
            [pattern.part_of] if pattern.part_of else [], query.filter_params, residual_cost
        ),
        chart=chart(runs, dated_groups(runs_over_time.whole.groups), periods)
        if runs_over_time.whole.total.runs
        else None,
        period=runs_over_time.by,
        runs_url=url_for("/", params),
        residual_cost=residual_cost_field(residual_cost),
        filter_params=query.filter_params,
    )
