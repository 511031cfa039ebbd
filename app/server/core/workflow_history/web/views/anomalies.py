"""Prepare anomalies for a page: cards with plots, metrics and links. Pure."""

from __future__ import annotations

import re
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
from ..rendering import capitalize, run_url, url_for

_UNITS: Final[Mapping[str, AxisUnit]] = {
    "cost": MONEY, "duration": SECONDS, "turns": COUNT, "failures": SHARE, "cache": SHARE,
    "tool_errors": SHARE,
}  # fmt: skip


_FINDING: Final = re.compile(r"(.*? since \d{4}-\d\d-\d\d) \((.*?)\)\.(.*)")
"""Sentence of a finding: headline, values, changes along with it."""


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One metric of an anomaly, before and after the change point."""

    name: str
    before: str
    after: str
    runs: str


@dataclass(frozen=True, slots=True)
class FindingCard:
    """One regression or improvement."""

    headline: str  # the sentence up to the date
    details: str
    worse: bool
    chart: Markup
    excess_cost: str | None  # excess or saved cost since the change point; None: unknown
    metrics: tuple[MetricRow, ...]
    runs: tuple[tuple[str, str], ...]  # name and URL of example runs, the clearest first
    runs_url: str  # URL of the runs since the change point
    trend_url: str  # URL of the trend page for its workflow and phase


@dataclass(frozen=True, slots=True)
class OutlierRow:
    """One outlier."""

    name: str
    href: str
    sentence: str
    value: str
    usual: str
    excess_cost: str | None


def finding_cards(
    findings: Sequence[Finding], filter_params: Mapping[str, Any], zone: tzinfo | None
) -> list[FindingCard]:
    """Build a card for each finding, with days in `zone`; None is the local zone."""
    return [_finding_card(finding, filter_params, zone) for finding in findings]


def outlier_rows(outliers: Sequence[OutlierRun]) -> list[OutlierRow]:
    """Build a row for each outlier."""
    return [
        OutlierRow(
            truncate(single_line(outlier.id), 32),
            run_url({"id": outlier.id, "project": outlier.project}),
            single_line(outlier.sentence),
            _UNITS[outlier.measure].format(outlier.value),
            _UNITS[outlier.measure].format(outlier.baseline),
            None if outlier.excess_cost is None else format_usd(outlier.excess_cost),
        )
        for outlier in outliers
    ]


def _finding_card(finding: Finding, filter_params: Mapping[str, Any], zone: tzinfo | None) -> FindingCard:
    extra = finding.excess_cost
    excess_cost = None
    if extra is not None:
        excess_cost = f"{'Excess cost' if extra > 0 else 'Saved'} {format_usd(abs(extra))}"
    headline, details = _split_sentence(single_line(finding.sentence))
    own_names = {"workflow": finding.template, "phase": finding.main.phase}
    params = {**filter_params, **{name: [value] for name, value in own_names.items() if value}}
    return FindingCard(
        headline,
        details,
        finding.worse,
        _chart(finding, headline, day(finding.since, zone)),
        excess_cost,
        tuple(_metric_row(metric) for metric in (finding.main, *finding.along, *finding.others)),
        tuple(
            (truncate(single_line(run.id), 24), run_url({"id": run.id, "project": run.project}))
            for run in finding.runs
        ),
        url_for("/", {**params, "since": finding.since.isoformat()}),
        url_for("/trends", params),
    )


def _split_sentence(sentence: str) -> tuple[str, str]:
    """Split the sentence of a finding into a headline and the rest.

    >>> _split_sentence("adw_patch: median cost up since 2026-03-01 ($1 → $2; 9 runs before, 5 since). More.")
    ('adw_patch: median cost up since 2026-03-01', '$1 → $2; 9 runs before, 5 since. More.')
    """
    match = _FINDING.fullmatch(sentence)
    return (match[1], f"{match[2]}.{match[3]}") if match else (sentence, "")


def _chart(finding: Finding, title: str, since: str) -> Markup:
    main = finding.main
    unit = _UNITS[main.measure]
    medians = (
        Median(main.before, f"{unit.format(main.before)} in {pluralize(main.before_runs, 'run')} before"),
        Median(main.after, f"{unit.format(main.after)} in {pluralize(main.after_runs, 'run')} since {since}"),
    )
    return change_plot(title, finding.curve, finding.curve_change, medians, unit, worse=finding.worse)


def _metric_row(change: MeasureChange) -> MetricRow:
    unit = _UNITS[change.measure]
    scope = single_line(change.phase) if change.phase else "whole run"
    return MetricRow(
        capitalize(f"{MEASURE_NAMES[change.measure]}, {scope}"),
        unit.format(change.before),
        unit.format(change.after),
        f"{change.before_runs:,} → {change.after_runs:,}",
    )
