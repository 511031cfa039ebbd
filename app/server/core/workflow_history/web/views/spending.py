"""Waste and budgets as a page shows them: answers in, rows with bars and links out. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from ...amounts import money, share
from ...answers.budgets import Budget, BudgetReport
from ...summing.records import Waste, WastePlace
from ...wording.numbers import counted
from ...wording.statistics import WASTE
from ...wording.text import cut, one_line
from ...wording.watching import worth_a_line
from ..charts.stacked import swatch
from ..charts.strips import Part, bar, parts_of_a_whole
from ..charts.units import top_of
from ..rendering import address, run_address

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
    most = top_of(kind.cost for kind in found.kinds)
    kinds = tuple(
        WasteRow(
            WASTE[kind.kind],
            address("/", {**given, "status": ["failed"]})
            if kind.kind == "failed_runs" and kind.runs
            else None,
            kind.runs,
            money(kind.cost),
            money(kind.counted_above) if kind.counted_above else "",
            "",
            bar(kind.cost, most, f"{WASTE[kind.kind]}: {money(kind.cost)}", "bad"),
            swatch(place),
        )
        for place, kind in enumerate(found.kinds)
    )
    parts = [
        Part(WASTE[kind.kind], kind.cost, f"{WASTE[kind.kind]}: {money(kind.cost)}") for kind in found.kinds
    ]
    title = f"{money(found.wasted)} of {money(found.spent)} was spent in vain"
    places = (
        ("workflow", _places(found.by_template, "template", given)),
        ("phase", _places(found.by_phase, "phase", given)),
    )
    return WasteView(kinds, parts_of_a_whole(parts, found.spent, title), places)


def budgets(found: BudgetReport) -> list[BudgetRow]:
    """Return the budgets that are worth a line, those that are passed first."""
    return [_budget(one) for one in worth_a_line(found.budgets)]


def verdict(found: BudgetReport) -> str:
    """Return how all budgets stand, in a few words."""
    told = [f"{counted(found.passed, 'budget')} passed"] if found.passed else []
    told += [f"{found.near:,} near the limit"] if found.near else []
    return ", ".join(told) or f"all within {counted(len(found.budgets), 'budget')}"


def _places(found: Sequence[WastePlace], name: str, given: Mapping[str, Any]) -> tuple[WasteRow, ...]:
    shown = [place for place in found if place.wasted][:_PLACES]
    most = top_of(place.wasted for place in shown)
    return tuple(
        WasteRow(
            cut(one_line(place.name), 48) if place.name else "unknown",
            address("/", {**given, name: [place.name], "status": ["failed"]}) if place.name else None,
            None,
            money(place.wasted),
            money(place.spent),
            share(place.share),
            bar(place.wasted, most, f"{money(place.wasted)} of {money(place.spent)}", "bad"),
        )
        for place in shown
    )


def _budget(one: Budget) -> BudgetRow:
    used = one.spent / one.limit if one.limit else (1.0 if one.spent else 0.0)
    return BudgetRow(
        _SIGNS[one.state],
        one.state,
        one_line(one.sentence),
        bar(used, 1.0, f"{money(one.spent)} of {money(one.limit)}", "bad" if one.state == "passed" else ""),
        tuple(
            (cut(one_line(run.id), 24), run_address({"id": run.id, "project": run.project}), money(run.cost))
            for run in one.costliest
        )
        if one.state != "within"
        else (),
    )
