"""Anomalies and budgets as marked sentences: query results in, Rich renderables out. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import tzinfo

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ...analysis.anomalies.budgets import BudgetLevel
from ...analysis.anomalies.change_points import MIN_AFTER, MIN_BEFORE
from ...common.formatting.numbers import day, format_timestamp, pluralize
from ...common.formatting.text import single_line, truncate
from ...common.spending import format_usd
from ...common.time_zones import zone_named
from ...presentation.budgets import notable_budgets
from ...queries.anomalies import Anomalies, Finding
from ...queries.budgets import BudgetReport, BudgetStatus
from .symbols import sparkline
from .text import implausible_dates_note, join_parts, section_rule

_MARKS = {
    BudgetLevel.EXCEEDED: ("✗", "red"),
    BudgetLevel.NEAR: ("!", "magenta"),
    BudgetLevel.WITHIN: ("✓", "green"),
}


def render_anomalies(anomalies: Anomalies, width: int, zone: tzinfo | None = None) -> RenderableType:
    """Format regressions, improvements and outliers; days are in `zone`, None: the local time zone."""
    since, outliers = anomalies.recent_since, anomalies.outliers
    if since is None:
        return Group(
            "No run has a date: nothing to compare.", *implausible_dates_note(anomalies.invalid_timestamps)
        )
    series = pluralize(anomalies.series, "time series", "time series")
    runs = Text(pluralize(anomalies.runs, "run"), "bold")
    blocks: list[RenderableType] = [
        join_parts([runs, f"recent window: since {day(since, zone)}", f"{series} tested"])
    ]
    if not anomalies.regressions:
        blocks += ["", _no_regressions(anomalies.series)]
    for title, findings in (("Regressions", anomalies.regressions), ("Improvements", anomalies.improvements)):
        if findings:
            blocks += ["", section_rule(title, width), *(_finding(finding, width) for finding in findings)]
    if outliers:
        sentences = (_marked(("·", ""), _emphasize_head(outlier.sentence)) for outlier in outliers)
        blocks += ["", section_rule("Outliers", width), *sentences]
    if len(outliers) < anomalies.outliers_found:
        blocks.append(Text(f"  and {anomalies.outliers_found - len(outliers):,} more", "dim"))
    if anomalies.invalid_timestamps.runs:
        blocks += ["", *implausible_dates_note(anomalies.invalid_timestamps)]
    return Group(*blocks)


def render_sentences(findings: Iterable[Finding]) -> list[Text]:
    """Return one line for each finding."""
    return [Text(single_line(finding.sentence)) for finding in findings]


def _no_regressions(series: int) -> RenderableType:
    """Render the result without regressions; a warning if no time series could be judged."""
    if series:
        return _marked(_MARKS[BudgetLevel.WITHIN], Text("No significant regressions", "green"))
    required = f"{MIN_BEFORE} dated runs of one workflow before a change and {MIN_AFTER} since are needed"
    return _marked(_MARKS[BudgetLevel.NEAR], Text(f"Not enough data to find regressions: {required}."))


def _finding(finding: Finding, width: int) -> RenderableType:
    mark = ("✗", "red") if finding.worse else ("✓", "green")
    lines = [_emphasize_head(finding.sentence), _curve(finding)]
    if finding.runs:
        ids = ", ".join(single_line(run.id) for run in finding.runs)
        lines.append(Text(truncate(f"runs: {ids}", width - 4), "dim"))
    return _marked(mark, *lines)


def _emphasize_head(sentence: str) -> Text:
    """Return the sentence with the part before the colon in bold."""
    head, colon, rest = single_line(sentence).partition(": ")
    return Text.assemble((head, "bold"), colon, rest)


def _curve(finding: Finding) -> Text:
    """Return the sparkline of a time series, coloured from its change point on, and the excess cost."""
    curve, change = sparkline(finding.curve), finding.curve_change
    line = Text.assemble((curve[:change], "dim"), (curve[change:], "red" if finding.worse else "green"))
    if finding.excess_cost is not None:
        label = "excess cost" if finding.excess_cost > 0 else "saved"
        line.append(f"  {label} {format_usd(abs(finding.excess_cost))} since then", "bold")
    return line


def _marked(mark: tuple[str, str], *lines: Text) -> RenderableType:
    """Build a grid with a mark on the left and the lines, which may wrap, on its right."""
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(width=1)
    table.add_column(overflow="fold")
    for index, line in enumerate(lines):
        table.add_row(Text(*mark) if index == 0 else "", line)
    return table


# --- budgets


def render_budgets(report: BudgetReport, width: int) -> RenderableType:
    """Render the notable budgets, exceeded ones first, and regressions if they were checked."""
    shown = notable_budgets(report.budgets)
    blocks = [_budget(budget, width) for budget in shown]
    if earlier := len(report.budgets) - len(shown):
        periods = pluralize(earlier, "earlier period")
        blocks.append(_marked(_MARKS[BudgetLevel.WITHIN], Text(f"{periods} within budget")))
    if report.regressions is not None:
        blocks += [_finding(finding, width) for finding in report.regressions]
        if not report.regressions:
            blocks.append(_no_regressions(report.series or 0))
    if report.undated_runs:
        note = f"{pluralize(report.undated_runs, 'run')} without a date: in no day, week or month"
        blocks.append(_marked(_MARKS[BudgetLevel.NEAR], Text(note)))
    return Group(*blocks, *implausible_dates_note(report.invalid_timestamps), "", _verdict(report))


def render_exceeded(report: BudgetReport) -> list[Text]:
    """Return one line for each exceeded budget and each regression."""
    exceeded = [
        Text(single_line(budget.sentence))
        for budget in report.budgets
        if budget.state == BudgetLevel.EXCEEDED
    ]
    return exceeded + render_sentences(report.regressions or ())


def _budget(budget: BudgetStatus, width: int) -> RenderableType:
    lines = [Text(single_line(budget.sentence))]
    if budget.state != BudgetLevel.WITHIN and budget.top_runs:
        most_expensive = [
            f"{single_line(run.id)} {'≥ ' if run.is_lower_bound else ''}{format_usd(run.cost)}"
            for run in budget.top_runs
        ]
        lines.append(Text(truncate(f"most expensive: {', '.join(most_expensive)}", width - 4), "dim"))
    return _marked(_MARKS[budget.state], *lines)


def _verdict(report: BudgetReport) -> Text:
    issues = [
        f"{pluralize(report.exceeded, 'budget')} exceeded" if report.exceeded else "",
        f"{report.near} near the limit" if report.near else "",
        pluralize(len(report.regressions), "regression") if report.regressions else "",
    ]
    if any(issues):
        verdict = Text(", ".join(filter(None, issues)), "magenta" if report.ok else "red")
    else:
        verdict = Text(f"all within {pluralize(len(report.budgets), 'budget')}", "green")
    if report.latest_run is None:
        return join_parts([verdict, "no run with a date"])
    latest = format_timestamp(report.latest_run, zone_named(report.time_zone))
    return join_parts([verdict, f"latest run {latest}"])
