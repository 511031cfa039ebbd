"""Page with anomalies, patterns to automate, wasted spend and budgets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from ...analysis.anomalies.change_points import MIN_AFTER, MIN_BEFORE
from ...analysis.patterns.savings import DEFAULT_RESIDUAL_COST
from ...common.errors import ConfigError, ConfigMissingError, InvalidQueryError
from ...common.filters import parse_period
from ...common.spending import format_fraction
from ...common.time_zones import zone_named
from ...presentation.patterns import format_estimate
from ...presentation.statistics import format_waste
from ...queries.anomalies import find_anomalies
from ...queries.budgets import check_budgets
from ...queries.list_runs import runs_pruned
from ...queries.pattern_records import PatternReport
from ...queries.patterns import DEFAULT_STATUSES, PATTERN_STATUSES, find_patterns
from ...queries.settings_file import read_config
from ...queries.statistics import waste
from ..charts.stacked import texture_pattern
from ..context import ContextDep
from ..path_redaction import redact_paths
from ..rendering import render_page, url_for
from ..views import anomalies as anomalies_view
from ..views import patterns as patterns_view
from ..views import spending as spending_view
from ..views.filter_form import SelectField
from .page_query import PageParameters, parse_page_query

router = APIRouter()

_RECENT_PERIODS: Final = (("7d", "7 days"), ("30d", "30 days"), ("90d", "90 days"))
_MAX_PATTERNS: Final = 8  # patterns, unless all are requested
_RESIDUAL_COSTS: Final = ("0", "0.1", f"{DEFAULT_RESIDUAL_COST:g}", "0.5", "0.75")


@router.get("/insights")
def insights(request: Request, context: ContextDep) -> Response:
    """Return the page with all insights."""
    query = parse_page_query(request)
    recent, residual_cost = query.get("window") or query.get("recent", "30d"), residual_cost_text(query)
    show_all, zone = query.get("all") == "1", zone_named(query.zone)
    report = context.query_cache(find_anomalies, query.where, parse_period(recent), tz=query.zone)
    wasted = context.query_cache(waste, query.where)
    patterns = find_patterns(
        query.where,
        residual_cost=parse_residual_cost(residual_cost),
        limit=None if show_all else _MAX_PATTERNS,
        statuses=PATTERN_STATUSES if show_all else DEFAULT_STATUSES,
    )
    periods = _RECENT_PERIODS if recent in dict(_RECENT_PERIODS) else ((recent, recent), *_RECENT_PERIODS)
    own_fields = (
        SelectField("window", "Recent window", periods, recent),
        residual_cost_field(residual_cost),
    )
    return render_page(
        request,
        "insights.html",
        anomalies=report,
        pruned=0 if report.runs else runs_pruned(),
        zone=zone,
        least_runs=(MIN_BEFORE, MIN_AFTER),
        regressions=anomalies_view.finding_cards(report.regressions, query.filter_params, zone),
        improvements=anomalies_view.finding_cards(report.improvements, query.filter_params, zone),
        outliers=anomalies_view.outlier_rows(report.outliers),
        wasted=wasted,
        waste_summary=format_waste(wasted),
        waste=spending_view.waste_view(wasted, query.filter_params),
        texture=texture_pattern(),
        patterns=patterns,
        pattern_rows=patterns_view.pattern_rows(patterns.patterns, query.filter_params, residual_cost),
        residual_cost=format_fraction(parse_residual_cost(residual_cost)),
        monthly_saving=monthly_saving(patterns),
        all_patterns_url=None
        if show_all
        else url_for("/insights", {**query.params, "all": "1"}) + "#automate",
        form=query.form("/insights", context, own_fields, has_period=False),
        **_budget_values(),
    )


def residual_cost_text(query: PageParameters) -> str:
    """Return the residual cost of a script as typed, or its default."""
    return query.get("residual_cost") or query.get(
        "keep", f"{DEFAULT_RESIDUAL_COST:g}"
    )  # "keep": former name


def parse_residual_cost(text: str) -> float:
    """Parse the residual cost of a script, a share. Raises InvalidQueryError if it isn't a number."""
    try:
        return float(text)
    except ValueError as error:
        raise InvalidQueryError(
            f'Invalid residual_cost "{text}". Use a number from 0 to 1, such as 0.25.'
        ) from error


def residual_cost_field(chosen: str) -> SelectField:
    """Return the select field for the residual cost of a script."""
    options = dict.fromkeys([*_RESIDUAL_COSTS, chosen])
    return SelectField(
        "residual_cost",
        "Residual cost",
        tuple((value, format_fraction(parse_residual_cost(value))) for value in options),
        chosen,
    )


def monthly_saving(report: PatternReport) -> str | None:
    """Format the top pattern's monthly savings; None if unknown. Savings overlap and are never added up."""
    first = next((pattern for pattern in report.patterns if pattern.savings_per_month is not None), None)
    return (
        None
        if first is None
        else format_estimate(first.savings_per_month, at_least=first.estimated_savings_is_lower_bound)
    )


def _budget_values() -> dict[str, Any]:
    """Return the template values of the budgets; an error message if the config file can't be read."""
    try:
        report = check_budgets(read_config())
    except ConfigMissingError:
        return {"budgets": None, "budget_error": None, "budget_summary": None}
    except ConfigError as error:
        return {"budgets": None, "budget_error": redact_paths(str(error)), "budget_summary": None}
    shown = replace(report, config=redact_paths(report.config))
    return {"budgets": shown, "budget_error": None, "budget_summary": spending_view.budget_summary(report),
            "budget_rows": spending_view.budget_rows(report)}  # fmt: skip
