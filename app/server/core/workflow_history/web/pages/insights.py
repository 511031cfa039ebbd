"""Page with anomalies, patterns to automate, wasted spend and budgets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from ...analysis.anomalies.change_points import MIN_AFTER, MIN_BEFORE
from ...analysis.patterns.savings import DEFAULT_REMAINING
from ...common.errors import ConfigError, InvalidQueryError
from ...common.filters import parse_period
from ...common.spending import format_fraction
from ...common.time_zones import zone_named
from ...maintenance.pruning import runs_pruned
from ...presentation.patterns import format_estimate
from ...presentation.statistics import format_waste
from ...queries.anomalies import find_anomalies
from ...queries.budgets import check_budgets
from ...queries.pattern_records import PatternReport
from ...queries.patterns import DEFAULT_STATUSES, find_patterns
from ...queries.settings_file import read_config
from ...queries.statistics import waste
from ..charts.stacked import texture_pattern
from ..context import ContextDep
from ..path_redaction import redact_paths
from ..rendering import page, url_for
from ..views import anomalies, spending
from ..views import patterns as habits
from ..views.filter_form import SelectField
from .page_query import PageQuery, question

router = APIRouter()

_RECENT: Final = (("7d", "7 days"), ("30d", "30 days"), ("90d", "90 days"))
_SHOWN: Final = 8  # patterns, unless all are requested
_KEEP: Final = ("0", "0.1", f"{DEFAULT_REMAINING:g}", "0.5", "0.75")


@router.get("/insights")
def insights(request: Request, here: ContextDep) -> Response:
    """Return the page with all insights."""
    asked = question(request)
    recent, keep = asked.get("recent", "30d"), remaining_text(asked)
    everything, zone = asked.get("all") == "1", zone_named(asked.zone)
    found = here.kept(find_anomalies, asked.where, parse_period(recent), tz=asked.zone)
    lost = here.kept(waste, asked.where)
    patterns = find_patterns(
        asked.where,
        keep_share=parse_remaining(keep),
        limit=None if everything else _SHOWN,
        statuses=("detected", "accepted", "dismissed") if everything else DEFAULT_STATUSES,
    )
    recents = _RECENT if recent in dict(_RECENT) else ((recent, recent), *_RECENT)
    own = (SelectField("recent", "What changed in the last", recents, recent), remaining_field(keep))
    return page(
        request,
        "insights.html",
        found=found,
        pruned=0 if found.runs else runs_pruned(),
        zone=zone,
        least_runs=(MIN_BEFORE, MIN_AFTER),
        worse=anomalies.cards(found.regressions, asked.given, zone),
        better=anomalies.cards(found.improvements, asked.given, zone),
        stand_outs=anomalies.stand_outs(found.stand_outs),
        lost=lost,
        lost_words=format_waste(lost),
        waste=spending.waste(lost, asked.given),
        texture=texture_pattern(),
        patterns=patterns,
        habits=habits.rows(patterns.patterns, asked.given, keep),
        keep=format_fraction(parse_remaining(keep)),
        saved=monthly_saving(patterns),
        all_patterns=None if everything else url_for("/insights", {**asked.query, "all": "1"}) + "#automate",
        form=asked.form("/insights", here, own, ages=False),
        **_budgets(),
    )


def remaining_text(asked: PageQuery) -> str:
    """Return the residual cost of a script as typed, or its default."""
    return asked.get("keep", f"{DEFAULT_REMAINING:g}")


def parse_remaining(given: str) -> float:
    """Parse the residual cost of a script, a share. Raises InvalidQueryError if it isn't a number."""
    try:
        return float(given)
    except ValueError as error:
        raise InvalidQueryError(f"keep {given!r} is no share; say it as 0.25") from error


def remaining_field(keep: str) -> SelectField:
    """Return the select field for the residual cost of a script."""
    options = dict.fromkeys([*_KEEP, keep])
    return SelectField(
        "keep",
        "A script still costs",
        tuple((one, format_fraction(parse_remaining(one))) for one in options),
        keep,
    )


def monthly_saving(found: PatternReport) -> str | None:
    """Format the top pattern's monthly savings; None if unknown. Savings overlap and are never added up."""
    first = next((one for one in found.patterns if one.saved_per_month is not None), None)
    return None if first is None else format_estimate(first.saved_per_month, at_least=first.saved_at_least)


def _budgets() -> dict[str, Any]:
    """Return the template values of the budgets; an error message if the config file can't be read."""
    try:
        report = check_budgets(read_config())
    except ConfigError as error:
        return {"budgets": None, "no_budgets": redact_paths(str(error)), "verdict": None}
    shown = replace(report, config=redact_paths(report.config))
    return {"budgets": shown, "no_budgets": None, "verdict": spending.verdict(report),
            "budget_rows": spending.budgets(report)}  # fmt: skip
