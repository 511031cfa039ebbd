"""Prepare anomalies for a page: cards with plots, metrics and links. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Final

from markupsafe import Markup

from ...analysis.anomalies.sentences import MEASURE_NAMES
from ...common.formatting.numbers import day, pluralize
from ...common.formatting.text import single_line, truncate
from ...common.spending import format_usd
from ...queries.anomalies import Finding, MeasureChange, OutlierRun
from ..charts.axis_units import COUNT, MONEY, SECONDS, SHARE, AxisUnit
from ..charts.change_plot import Median, change_plot
from ..rendering import run_address, url_for

_UNITS: Final[Mapping[str, AxisUnit]] = {
    "cost": MONEY, "duration": SECONDS, "turns": COUNT, "failures": SHARE, "cache": SHARE,
    "tool_errors": SHARE,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class FigureRow:
    """One metric of an anomaly, before and after the change point."""

    name: str
    before: str
    after: str
    runs: str


@dataclass(frozen=True, slots=True)
class FindingCard:
    """One regression or improvement."""

    head: str  # part of the sentence before the first colon
    rest: str
    worse: bool
    chart: Markup
    money: str | None  # excess or saved cost since the change point; None: unknown
    figures: tuple[FigureRow, ...]
    runs: tuple[tuple[str, str], ...]  # name and URL of example runs, the clearest first
    since: str  # URL of the runs since the change point
    trend: str  # URL of the trend page for its workflow and phase


@dataclass(frozen=True, slots=True)
class StandOutRow:
    """One outlier."""

    name: str
    href: str
    sentence: str
    value: str
    usual: str
    more: str | None


def cards(findings: Sequence[Finding], given: Mapping[str, Any], zone: tzinfo | None) -> list[FindingCard]:
    """Build a card for each finding, with days in `zone`; None is the local zone."""
    return [_card(finding, given, zone) for finding in findings]


def stand_outs(found: Sequence[OutlierRun]) -> list[StandOutRow]:
    """Build a row for each outlier."""
    return [
        StandOutRow(
            truncate(single_line(one.id), 32),
            run_address({"id": one.id, "project": one.project}),
            single_line(one.sentence),
            _UNITS[one.measure].format(one.value),
            _UNITS[one.measure].format(one.usual),
            None if one.extra_cost is None else format_usd(one.extra_cost),
        )
        for one in found
    ]


def _card(finding: Finding, given: Mapping[str, Any], zone: tzinfo | None) -> FindingCard:
    head, _, rest = single_line(finding.sentence).partition(": ")
    narrowed = {
        "template": [finding.template] if finding.template else None,
        "phase": [finding.main.phase] if finding.main.phase else None,
    }
    known = {name: value for name, value in narrowed.items() if value}
    return FindingCard(
        head,
        rest,
        finding.worse,
        _chart(finding, head, day(finding.since, zone)),
        _money(finding.extra_cost),
        tuple(_row(one) for one in (finding.main, *finding.along, *finding.others)),
        tuple(
            (truncate(single_line(run.id), 24), run_address({"id": run.id, "project": run.project}))
            for run in finding.runs
        ),
        url_for("/", {**given, **known, "since": finding.since.isoformat()}),
        url_for("/trends", {**given, **known}),
    )


def _chart(finding: Finding, title: str, since: str) -> Markup:
    main = finding.main
    unit = _UNITS[main.measure]
    levels = (
        Median(main.before, f"{unit.format(main.before)} in {pluralize(main.before_runs, 'run')} before"),
        Median(main.after, f"{unit.format(main.after)} in {pluralize(main.after_runs, 'run')} since {since}"),
    )
    return change_plot(title, finding.curve, finding.curve_change, levels, unit, worse=finding.worse)


def _row(figure: MeasureChange) -> FigureRow:
    unit = _UNITS[figure.measure]
    where = single_line(figure.phase) if figure.phase else "the whole run"
    return FigureRow(
        f"{MEASURE_NAMES[figure.measure]}, {where}",
        unit.format(figure.before),
        unit.format(figure.after),
        f"{figure.before_runs:,} → {figure.after_runs:,}",
    )


def _money(extra: float | None) -> str | None:
    return None if extra is None else f"{format_usd(abs(extra))} {'more' if extra > 0 else 'less'} since then"
