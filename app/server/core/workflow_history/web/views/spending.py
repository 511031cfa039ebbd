"""Waste and budgets as a page shows them: answers in, rows with bars and links out. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from ...analysis.statistics.records import Waste, WasteKind, WasteLocation
from ...common.formatting.numbers import pluralize
from ...common.formatting.text import single_line, truncate
from ...common.spending import format_fraction, format_usd
from ...presentation.anomalies import notable_budgets
from ...presentation.statistics import WASTE_LABELS, format_lost
from ...queries.budgets import BudgetReport, BudgetStatus
from ..charts.axis_units import max_known
from ..charts.inline_charts import Part, bar, stacked_bar
from ..charts.stacked import legend_swatch
from ..rendering import run_address, url_for

_SIGNS: Final = {"passed": "✗", "near": "!", "within": "✓"}
_PLACES: Final = 6  # templates, and phases


@dataclass(frozen=True, slots=True)
class WasteRow:
    """One kind of waste, or one place of it."""

    name: str
    href: str | None
    runs: int | None
    cost: str
    of: str  # what it is part of, or is counted above
    share: str
    bar: Markup
    swatch: Markup | None = None  # its sign in the bar of all kinds


@dataclass(frozen=True, slots=True)
class WasteView:
    """All of it."""

    kinds: tuple[WasteRow, ...]
    whole: Markup  # the kinds as one bar
    places: tuple[tuple[str, tuple[WasteRow, ...]], ...]


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """How one budget stands."""

    sign: str
    state: str
    sentence: str
    bar: Markup
    runs: tuple[tuple[str, str, str], ...]  # name, address and cost of those it went to


def waste(found: Waste, given: Mapping[str, Any]) -> WasteView:
    """Return what was spent in vain, by kind and by place."""
    most = max_known(kind.cost or 0.0 for kind in found.kinds)
    kinds = tuple(
        WasteRow(
            WASTE_LABELS[kind.kind],
            url_for("/", {**given, "status": ["failed"]})
            if kind.kind == "failed_runs" and kind.runs
            else None,
            kind.runs,
            format_lost(kind.cost, partial=kind.partial),
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
    return f"{WASTE_LABELS[kind.kind]}: {format_lost(kind.cost, partial=kind.partial)}"


def budgets(found: BudgetReport) -> list[BudgetRow]:
    """Return the budgets that are worth a line, those that are passed first."""
    return [_budget(one) for one in notable_budgets(found.budgets)]


def verdict(found: BudgetReport) -> str:
    """Return how all budgets stand, in a few words."""
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
            format_lost(place.wasted, partial=place.wasted_partial),
            format_lost(place.spent, partial=place.partial),
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
