"""Prepare wasted spend and budgets for a page: rows with bars and links. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from ...analysis.statistics.records import Waste, WasteKind, WasteLocation
from ...common.formatting.numbers import pluralize
from ...common.formatting.text import single_line, truncate
from ...common.spending import format_fraction, format_usd
from ...presentation.budgets import notable_budgets
from ...presentation.statistics import WASTE_LABELS, format_waste_cost
from ...queries.budgets import BudgetReport, BudgetStatus
from ..charts.axis_units import max_known
from ..charts.inline_charts import Part, bar, stacked_bar
from ..charts.stacked import legend_swatch
from ..rendering import run_address, url_for

_SIGNS: Final = {"passed": "✗", "near": "!", "within": "✓"}
_PLACES: Final = 6  # maximum of workflows, and of phases


@dataclass(frozen=True, slots=True)
class WasteRow:
    """One waste category, or the waste of one workflow or phase."""

    name: str
    href: str | None
    runs: int | None
    cost: str
    of: str  # total spend, or the part already counted in an earlier category
    share: str
    bar: Markup
    swatch: Markup | None = None  # legend swatch for the bar of all categories


@dataclass(frozen=True, slots=True)
class WasteView:
    """Wasted spend by category, workflow and phase."""

    kinds: tuple[WasteRow, ...]
    whole: Markup  # all categories in one bar
    places: tuple[tuple[str, tuple[WasteRow, ...]], ...]


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """One budget with its status."""

    sign: str
    state: str
    sentence: str
    bar: Markup
    runs: tuple[tuple[str, str, str], ...]  # name, URL and cost of the most expensive runs; empty if within


def waste(found: Waste, given: Mapping[str, Any]) -> WasteView:
    """Build the view of wasted spend, by category, workflow and phase."""
    most = max_known(kind.cost or 0.0 for kind in found.kinds)
    kinds = tuple(
        WasteRow(
            WASTE_LABELS[kind.kind],
            url_for("/", {**given, "status": ["failed"]})
            if kind.kind == "failed_runs" and kind.runs
            else None,
            kind.runs,
            format_waste_cost(kind.cost, partial=kind.partial),
            format_usd(kind.counted_above) if kind.counted_above else "",
            "",
            bar(kind.cost or 0.0, most, _kind_words(kind), "bad"),
            legend_swatch(place),
        )
        for place, kind in enumerate(found.kinds)
    )
    parts = [Part(WASTE_LABELS[kind.kind], kind.cost or 0.0, _kind_words(kind)) for kind in found.kinds]
    title = f"{format_usd(found.wasted)} of {format_usd(found.spent)} was spent in vain"
    places = (
        ("workflow", _places(found.by_template, "template", given)),
        ("phase", _places(found.by_phase, "phase", given)),
    )
    return WasteView(kinds, stacked_bar(parts, found.spent, title), places)


def _kind_words(kind: WasteKind) -> str:
    return f"{WASTE_LABELS[kind.kind]}: {format_waste_cost(kind.cost, partial=kind.partial)}"


def budgets(found: BudgetReport) -> list[BudgetRow]:
    """Build rows of exceeded budgets, then those near the limit, then the latest ones within it."""
    return [_budget(one) for one in notable_budgets(found.budgets)]


def verdict(found: BudgetReport) -> str:
    """Summarize the status of all budgets in a few words."""
    told = [f"{pluralize(found.passed, 'budget')} passed"] if found.passed else []
    told += [f"{found.near:,} near the limit"] if found.near else []
    return ", ".join(told) or f"all within {pluralize(len(found.budgets), 'budget')}"


def _places(found: Sequence[WasteLocation], name: str, given: Mapping[str, Any]) -> tuple[WasteRow, ...]:
    shown = [place for place in found if place.wasted][:_PLACES]
    most = max_known(place.wasted for place in shown)
    return tuple(
        WasteRow(
            truncate(single_line(place.name), 48) if place.name else "unknown",
            url_for("/", {**given, name: [place.name], "status": ["failed"]}) if place.name else None,
            None,
            format_waste_cost(place.wasted, partial=place.wasted_partial),
            format_waste_cost(place.spent, partial=place.partial),
            format_fraction(place.share),
            bar(place.wasted, most, f"{format_usd(place.wasted)} of {format_usd(place.spent)}", "bad"),
        )
        for place in shown
    )


def _budget(one: BudgetStatus) -> BudgetRow:
    used = one.spent / one.limit if one.limit else (1.0 if one.spent else 0.0)
    return BudgetRow(
        _SIGNS[one.state],
        one.state,
        single_line(one.sentence),
        bar(
            used,
            1.0,
            f"{format_usd(one.spent)} of {format_usd(one.limit)}",
            "bad" if one.state == "passed" else "",
        ),
        tuple(
            (
                truncate(single_line(run.id), 24),
                run_address({"id": run.id, "project": run.project}),
                format_usd(run.cost),
            )
            for run in one.costliest
        )
        if one.state != "within"
        else (),
    )
