"""How runs change over time: cost, success, time, tokens and cache, in all or side by side in groups."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from ...answers import statistics
from ...care.pruning import runs_pruned
from ...filters import period_of
from ...wording.costs import unknown_words
from ...wording.statistics import length, spending_of
from ...zones import LOCAL, zone_named
from ..charts.stacked import texture
from ..context import Here
from ..rendering import page
from ..views import timeline
from ..views.measures import FEW
from ..views.narrow import Choice
from ..views.periods import Periods, zone_words
from ..views.splitting import split
from .asking import Question, question

router = APIRouter()

_BY: Final = (("", "fitting"), ("day", "day"), ("week", "week"), ("month", "month"))
_ACROSS: Final = (("", "all together"), ("template", "workflow"), ("model", "model"), ("phase", "phase"),
                  ("issue_class", "class"), ("status", "status"), ("project", "project"))  # fmt: skip
_PERIODS: Final = (("7d", "7 days"), ("30d", "30 days"), ("90d", "90 days"))


@router.get("/trends")
def trends(request: Request, here: Here) -> Response:
    """Return the page."""
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
        period=period_of(chosen["period"]),
    )
    periods = Periods(found.by, zone_named(zone), datetime.now(UTC), asked.given, asked.where)
    return page(
        request,
        "trends.html",
        found=found,
        total=found.whole.total,
        pruned=0 if found.whole.total.runs else runs_pruned(),
        unknown=unknown_words(spending_of(found.whole.total)),
        length=None if found.trend is None else length(found.trend),
        cards=timeline.cards(found, periods),
        changes=timeline.changes(found),
        rows=timeline.rows(found, periods),
        split=split(found, periods),
        form=asked.form("/trends", here, own),
        texture=texture(),
        few=FEW,
        zone=zone_words(zone),
    )


def _own(asked: Question, zone: str) -> tuple[Choice, ...]:
    """Return the page's own fields."""
    period = asked.word("period", "30d")
    periods = _PERIODS if period in dict(_PERIODS) else ((period, period), *_PERIODS)
    zones = dict.fromkeys([LOCAL, "UTC", zone])
    return (
        Choice("by", "A point each", _BY, asked.word("by")),
        Choice("across", "Side by side", _ACROSS, asked.word("across")),
        Choice("period", "Compare the last", periods, period),
        Choice("tz", "Time zone", tuple((name, zone_words(name)) for name in zones), zone),
    )
