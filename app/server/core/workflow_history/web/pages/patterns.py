"""One pattern: what it costs, what a script in its place would save, when and where it is seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from fastapi import APIRouter, Request
from starlette.responses import Response

from ...answers.automate import show_pattern
from ...answers.statistics import timeline
from ...wording.patterns import short_id
from ...wording.text import one_line
from ...zones import zone_named
from ..rendering import address, page
from ..views import habits
from ..views.measures import MEASURES
from ..views.periods import Periods
from ..views.timeline import by_day, chart
from .asking import question
from .insights import keep_choice, keep_of, keep_share_of

router = APIRouter()

_EXAMPLES = 20


@router.get("/patterns/{pattern_id}")
def pattern(request: Request, pattern_id: str) -> Response:
    """Return the page."""
    asked = question(request)
    keep, zone = keep_of(asked), zone_named(asked.zone)
    found = show_pattern(pattern_id, asked.where, keep_share=keep_share_of(keep), examples=_EXAMPLES)
    one = found.pattern
    given = {**asked.given, "pattern": one.id}
    seen = timeline(replace(asked.where, pattern=one.id), tz=asked.zone)
    periods = Periods(seen.by, zone, datetime.now(UTC), given, asked.where)
    runs = next(measure for measure in MEASURES if measure.change == "runs")
    return page(
        request,
        "pattern.html",
        one=one,
        name=one_line(one.signature),
        short=short_id(one.id),
        facts=habits.facts(found),
        places=habits.places(found.examples, zone),
        parts=habits.parts(one.parts, asked.given, keep),
        whole=habits.parts([one.part_of] if one.part_of else [], asked.given, keep),
        chart=chart(runs, by_day(seen.whole.groups), periods) if seen.whole.total.runs else None,
        by=seen.by,
        all_runs=address("/", given),
        keep=keep_choice(keep),
        given=asked.given,
    )
