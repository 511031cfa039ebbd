"""Anomalies and budgets as marked sentences: query results in, Rich renderables out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import tzinfo

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ...analysis.anomalies.change_points import MIN_AFTER, MIN_BEFORE
from ...common.formatting.numbers import day, format_timestamp, pluralize
from ...common.formatting.text import single_line, truncate
from ...common.spending import format_usd
from ...common.time_zones import zone_named
from ...presentation.anomalies import notable_budgets
from ...queries.anomalies import Anomalies, Finding, OutlierRun
from ...queries.budgets import BudgetReport, BudgetStatus
from .symbols import sparkline
from .text import implausible_dates_note, join_parts, section_rule

_MARKS = {"passed": ("✗", "red"), "near": ("!", "magenta"), "within": ("✓", "green")}


def render_anomalies(found: Anomalies, width: int, zone: tzinfo | None = None) -> RenderableType:
    """Format regressions, improvements and outliers; days are in `zone`, None: the local time zone."""
    if found.recent_since is None:
        why = "No runs to compare." if found.runs == 0 else "No run has a time: nothing to compare."
        return Group(why, *implausible_dates_note(found.misdated))
    blocks: list[RenderableType] = [_head(found, zone)]
    if not found.regressions:
        blocks += ["", _marked(*_nothing_worse(found.series))]
    for title, findings in (("Got worse", found.regressions), ("Got better", found.improvements)):
        if findings:
            blocks += ["", section_rule(title, width), *(_finding(finding, width) for finding in findings)]
    if found.stand_outs:
        blocks += ["", section_rule("Runs that stand out", width), *map(_stand_out, found.stand_outs)]
    if len(found.stand_outs) < found.stand_outs_found:
        blocks.append(Text(f"  and {found.stand_outs_found - len(found.stand_outs):,} more", "dim"))
    if found.misdated.runs:
        blocks += ["", *implausible_dates_note(found.misdated)]
    return Group(*blocks)


def render_sentences(findings: Iterable[Finding]) -> list[Text]:
    """Return one line for each finding."""
    return [Text(single_line(finding.sentence)) for finding in findings]


def _head(found: Anomalies, zone: tzinfo | None) -> Text:
    since = f"recent: since {day(found.recent_since, zone)}" if found.recent_since else None
    judged = f"{pluralize(found.series, 'series', 'series')} judged" if found.series else "nothing judged"
    return join_parts([Text(pluralize(found.runs, "run"), "bold"), since, judged])


def _nothing_worse(series: int) -> tuple[tuple[str, str], Text]:
    """Return mark and text if there is no regression; a warning if nothing could be judged."""
    if series:
        return _MARKS["within"], Text("nothing got worse that is more than chance", "green")
    least = f"it takes {MIN_BEFORE} dated runs of one template before and {MIN_AFTER} since"
    return _MARKS["near"], Text(f"nothing could be judged: too few of one template; {least}")


def _finding(finding: Finding, width: int) -> RenderableType:
    mark = ("✗", "red") if finding.worse else ("✓", "green")
    lines = [_split(finding.sentence), _curve(finding), _runs(finding, width)]
    return _marked(mark, *(line for line in lines if line is not None))


def _split(sentence: str) -> Text:
    """Return the sentence with the part before the colon in bold."""
    head, colon, rest = single_line(sentence).partition(": ")
    return Text.assemble((head, "bold"), colon, rest)


def _curve(finding: Finding) -> Text:
    drawn = sparkline(finding.curve)
    at = finding.curve_change
    style = "red" if finding.worse else "green"
    line = Text.assemble((drawn[:at], "dim"), (drawn[at:], style))
    if finding.extra_cost is not None:
        more = (
            f"{format_usd(abs(finding.extra_cost))} {'more' if finding.extra_cost > 0 else 'less'} since then"
        )
        line.append(f"  {more}", "bold")
    return line


def _runs(finding: Finding, width: int) -> Text | None:
    names = ", ".join(single_line(run.id) for run in finding.runs)
    return Text(truncate(f"runs: {names}", width - 4), "dim") if names else None


def _stand_out(one: OutlierRun) -> RenderableType:
    return _marked(("·", ""), _split(one.sentence))


def _marked(mark: tuple[str, str], *lines: Text) -> RenderableType:
    """Build a grid with a mark on the left and the lines, which may wrap, on its right."""
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(width=1)
    table.add_column(overflow="fold")
    for place, line in enumerate(lines):
        table.add_row(Text(mark[0], mark[1]) if place == 0 else "", line)
    return table


# --- budgets


def render_budgets(found: BudgetReport, width: int) -> RenderableType:
    """Render the notable budgets, exceeded ones first, and regressions if they were checked."""
    shown = notable_budgets(found.budgets)
    blocks = [_budget(budget, width) for budget in shown]
    if earlier := len(found.budgets) - len(shown):
        blocks.append(_marked(_MARKS["within"], Text(f"{earlier:,} earlier: all within their budgets")))
    if found.regressions is not None:
        blocks += [_finding(finding, width) for finding in found.regressions]
        if not found.regressions:
            blocks.append(_marked(*_nothing_worse(found.series or 0)))
    if found.undated_runs:
        silent = f"{pluralize(found.undated_runs, 'run')} without a time: in no day, week or month"
        blocks.append(_marked(_MARKS["near"], Text(silent)))
    return Group(*blocks, *implausible_dates_note(found.misdated), "", _verdict(found))


def render_exceeded(found: BudgetReport) -> list[Text]:
    """Return one line for each exceeded budget and each regression."""
    over = [Text(single_line(budget.sentence)) for budget in found.budgets if budget.state == "passed"]
    return over + render_sentences(found.regressions or ())


def _budget(budget: BudgetStatus, width: int) -> RenderableType:
    lines = [Text(single_line(budget.sentence))]
    if budget.state != "within" and budget.costliest:
        most = [
            f"{single_line(run.id)} {'≥ ' if run.at_least else ''}{format_usd(run.cost)}"
            for run in budget.costliest
        ]
        lines.append(Text(truncate(f"most: {', '.join(most)}", width - 4), "dim"))
    return _marked(_MARKS[budget.state], *lines)


def _verdict(found: BudgetReport) -> Text:
    told: Sequence[str] = [
        *([f"{pluralize(found.passed, 'budget')} passed"] if found.passed else []),
        *([f"{found.near} near the limit"] if found.near else []),
        *([f"{pluralize(len(found.regressions), 'regression')}"] if found.regressions else []),
    ]
    verdict = (
        Text(", ".join(told), "magenta" if found.ok else "red")
        if told
        else Text(f"all within {pluralize(len(found.budgets), 'budget')}", "green")
    )
    if found.latest_run is None:
        return join_parts([verdict, "no run with a time"])
    latest = format_timestamp(found.latest_run, zone_named(found.time_zone))
    return join_parts([verdict, f"latest run {latest}"])
