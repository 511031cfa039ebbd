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
from ..rendering import page, url_for
from ..views import patterns
from ..views.measures import MEASURES
from ..views.periods import Periods
from ..views.timeline import chart, dated_groups
from .insights import parse_remaining, remaining_field, remaining_text
from .page_query import question

router = APIRouter()

_EXAMPLES = 20  # example runs that are listed


@router.get("/patterns/{pattern_id}")
def pattern(request: Request, pattern_id: str) -> Response:
    """Return the page of a pattern."""
    asked = question(request)
    keep, zone = remaining_text(asked), zone_named(asked.zone)
    found = show_pattern(pattern_id, asked.where, keep_share=parse_remaining(keep), examples=_EXAMPLES)
    one = found.pattern
    given = {**asked.given, "pattern": one.id}
    seen = timeline(replace(asked.where, pattern=one.id), tz=asked.zone)
    periods = Periods(seen.by, zone, datetime.now(UTC), given, asked.where)
    runs = next(measure for measure in MEASURES if measure.change == "runs")
    return page(
        request,
        "pattern.html",
        one=one,
        name=single_line(one.signature),
        short=short_id(one.id),
        facts=patterns.facts(found),
        places=patterns.example_rows(found.examples, zone),
        parts=patterns.related_patterns(one.parts, asked.given, keep),
        whole=patterns.related_patterns([one.part_of] if one.part_of else [], asked.given, keep),
        chart=chart(runs, dated_groups(seen.whole.groups), periods) if seen.whole.total.runs else None,
        by=seen.by,
        all_runs=url_for("/", given),
        keep=remaining_field(keep),
        given=asked.given,
    )
