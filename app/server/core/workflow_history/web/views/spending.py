"""Prepare wasted spend and budgets for a page: rows with bars and links. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from ...analysis.anomalies.budgets import BudgetLevel
from ...analysis.statistics.records import Waste, WasteKind, WasteLocation
from ...common.formatting.numbers import pluralize
from ...common.formatting.text import single_line, truncate
from ...common.models import RunStatus
from ...common.spending import format_fraction, format_usd
from ...presentation.budgets import notable_budgets
from ...presentation.statistics import WASTE_LABELS, format_waste_cost
from ...queries.budgets import BudgetReport, BudgetStatus
from ..charts.axis_units import max_known
from ..charts.inline_charts import Part, bar, stacked_bar
from ..charts.stacked import legend_swatch, series_look
from ..rendering import capitalize, run_url, url_for

_STATUS_SYMBOLS: Final = {BudgetLevel.EXCEEDED: "✗", BudgetLevel.NEAR: "!", BudgetLevel.WITHIN: "✓"}
_MAX_LOCATIONS: Final = 6  # maximum of workflows, and of phases


@dataclass(frozen=True, slots=True)
class WasteRow:
    """One waste category, or the waste of one workflow or phase."""

    name: str
    href: str | None
    runs: int | None
    cost: str
    comparison: str  # total spend, or the part already counted in an earlier category
    share: str
    bar: Markup
    swatch: Markup | None = None  # legend swatch for the bar of all categories


@dataclass(frozen=True, slots=True)
class WasteView:
    """Wasted spend by category, workflow and phase."""

    kinds: tuple[WasteRow, ...]
    bar: Markup  # all categories in one bar
    locations: tuple[tuple[str, tuple[WasteRow, ...]], ...]


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """One budget with its status."""

    symbol: str
    state: str
    sentence: str
    bar: Markup
    runs: tuple[tuple[str, str, str], ...]  # name, URL and cost of the most expensive runs; empty if within


def waste_view(waste: Waste, filter_params: Mapping[str, Any]) -> WasteView:
    """Build the view of wasted spend, by category, workflow and phase."""
    largest = max_known(kind.cost or 0.0 for kind in waste.kinds)
    kinds = tuple(
        WasteRow(
            capitalize(WASTE_LABELS[kind.kind]),
            url_for("/", {**filter_params, "status": [RunStatus.FAILED]})
            if kind.kind == "failed_runs" and kind.runs
            else None,
            kind.runs,
            format_waste_cost(kind.cost, partial=kind.partial),
            format_usd(kind.counted_above) if kind.counted_above else "",
            "",
            bar(kind.cost or 0.0, largest, _kind_title(kind), "bad"),
            legend_swatch(series_look(index)),
        )
        for index, kind in enumerate(waste.kinds)
    )
    parts = [
        Part(capitalize(WASTE_LABELS[kind.kind]), kind.cost or 0.0, _kind_title(kind)) for kind in waste.kinds
    ]
    title = f"{format_usd(waste.wasted)} of {format_usd(waste.spent)} wasted"
    locations = (
        ("workflow", _location_rows(waste.by_template, "workflow", filter_params)),
        ("phase", _location_rows(waste.by_phase, "phase", filter_params)),
    )
    return WasteView(kinds, stacked_bar(parts, waste.spent, title), locations)


def _kind_title(kind: WasteKind) -> str:
    return f"{capitalize(WASTE_LABELS[kind.kind])}: {format_waste_cost(kind.cost, partial=kind.partial)}"


def budget_rows(report: BudgetReport) -> list[BudgetRow]:
    """Build rows of exceeded budgets, then those near the limit, then the latest ones within it."""
    return [_budget_row(budget) for budget in notable_budgets(report.budgets)]


def budget_summary(report: BudgetReport) -> str:
    """Summarize the status of all budgets in a few words."""
    parts = [f"{pluralize(report.exceeded, 'budget')} exceeded"] if report.exceeded else []
    parts += [f"{report.near:,} near the limit"] if report.near else []
    return ", ".join(parts) or f"all {pluralize(len(report.budgets), 'budget')} within the limit"


def _location_rows(
    locations: Sequence[WasteLocation], parameter: str, filter_params: Mapping[str, Any]
) -> tuple[WasteRow, ...]:
    shown = [location for location in locations if location.wasted][:_MAX_LOCATIONS]
    largest = max_known(location.wasted for location in shown)
    return tuple(
        WasteRow(
            truncate(single_line(location.name), 48) if location.name else "unknown",
            url_for("/", {**filter_params, parameter: [location.name], "status": [RunStatus.FAILED]})
            if location.name
            else None,
            None,
            format_waste_cost(location.wasted, partial=location.wasted_partial),
            format_waste_cost(location.spent, partial=location.partial),
            format_fraction(location.share),
            bar(
                location.wasted,
                largest,
                f"{format_usd(location.wasted)} of {format_usd(location.spent)}",
                "bad",
            ),
        )
        for location in shown
    )


def _budget_row(budget: BudgetStatus) -> BudgetRow:
    used = budget.spent / budget.limit if budget.limit else (1.0 if budget.spent else 0.0)
    return BudgetRow(
        _STATUS_SYMBOLS[budget.state],
        budget.state,
        single_line(budget.sentence),
        bar(
            used,
            1.0,
            f"{format_usd(budget.spent)} of {format_usd(budget.limit)}",
            "bad" if budget.state == BudgetLevel.EXCEEDED else "",
        ),
        tuple(
            (
                truncate(single_line(run.id), 24),
                run_url({"id": run.id, "project": run.project}),
                format_usd(run.cost),
            )
            for run in budget.top_runs
        )
        if budget.state != BudgetLevel.WITHIN
        else (),
    )
