"""Forecast calibration as tables: a report in, renderables out. Pure; each share has its sample size."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from ...common.formatting.numbers import format_duration, pluralize
from ...common.spending import UNKNOWN, format_fraction, format_usd
from ...presentation.forecast import Formatter
from ...queries.forecast.backtest import (
    CalibrationReport,
    Coverage,
    FigureCalibration,
    TemplateCalibration,
)
from .table import Column, DropColumn, bar_column, build_table, fit_columns, number_column, text_column
from .text import clean_text, section_rule

_BAR_WIDTH = 20  # cells
_VERDICT_STYLES = {"better": "green", "no better": "bold", "worse": "magenta"}
_METHOD_NAMES = {
    "forecast": "forecast",
    "mean": "mean of all runs before",
    "median": "median of all runs before",
    "template median": "median of its template's runs before",
}


def render_calibration(report: CalibrationReport, width: int, *, brief: bool = False) -> RenderableType:
    """Render a calibration report; `brief`: only the interval coverage of cost and duration."""
    if not report.backtested:
        return Text("No stored run that has ended and a date: nothing to forecast.")
    figures = (("Cost", report.cost, format_usd), ("Duration", report.duration, format_duration))
    if brief:
        return Group(*(_coverage_sentence(title, figure) for title, figure, _ in figures))
    lines: list[RenderableType] = [*_scope(report)]
    for title, figure, formatter in figures:
        lines += ["", section_rule(title, width), _coverage_sentence(title, figure)]
        if figure.coverage is not None:
            lines += [_coverage_table(figure.coverage, width), "", _error_table(figure, formatter, width)]
            lines += _verdicts(figure)
    lines += ["", section_rule("Success", width), *_success(report, width)]
    if report.templates:
        rule = section_rule("By template", width, "intervals held")
        lines += ["", rule, _template_table(report.templates, width)]
    return Group(*lines)


def _scope(report: CalibrationReport) -> list[Text]:
    """Format the number of runs that were forecast, and of those that were not."""
    which = "" if report.backtested == report.runs else f" the latest {report.backtested:,} of"
    lines = [
        Text(
            f"Of{which} {pluralize(report.runs, 'stored run')}, each forecast from those ended before it "
            f"alone, {report.cost.forecast:,} got a forecast of the cost and {report.duration.forecast:,} "
            "one of the time."
        ),
        Text(
            f"No forecast of the cost: {report.low_n:,} had too few runs before them, {report.unlike:,} named"
            " no template and had too few before them that asked for the like.",
            "dim",
        ),
    ]
    if report.undated:
        lines.append(Text(f"{pluralize(report.undated, 'run')} without a date left out.", "dim"))
    if report.backtested < report.runs:
        lines.append(Text("--all forecasts every one of them.", "dim"))
    return lines


def _coverage_sentence(title: str, figure: FigureCalibration) -> Text:
    coverage = figure.coverage
    if coverage is None:
        return Text(f"{title}: no run was forecast of which is known what came.")
    interval = f"{coverage.low:.1%} to {coverage.high:.1%}"
    return Text.assemble(
        f"{title}: p10 to p90 held ",
        (f"{coverage.share:.1%}", "bold"),
        f" of {pluralize(coverage.count, 'run')} (95%: {interval}); 80% is meant.",
    )


def _verdicts(figure: FigureCalibration) -> list[Text]:
    """Compare forecasts with each simpler method; "no better" if the difference may be chance."""
    return [
        Text.assemble(
            (verdict.word, _VERDICT_STYLES[verdict.word]),
            f" than the {_METHOD_NAMES[verdict.against]}: closer in {verdict.share:.1%} of "
            f"{pluralize(verdict.count, 'run')} (95%: {verdict.low:.1%} to {verdict.high:.1%})",
        )
        for verdict in figure.verdicts
    ]


def _coverage_table(coverage: Coverage, width: int) -> RenderableType:
    """Build a table of nominal and actual shares of runs below, within and above the interval."""
    rows = (
        ("below p10", 0.1, coverage.below),
        ("p10 to p90", 0.8, coverage.inside),
        ("above p90", 0.1, coverage.above),
    )
    shares = [count / coverage.count for _, _, count in rows]
    columns = [
        text_column("where", "came", [name for name, _, _ in rows]),
        number_column("meant", "meant", [f"{nominal:.0%}" for _, nominal, _ in rows]),
        number_column("was", "was", [f"{share:.1%}" for share in shares]),
        number_column("runs", "runs", [f"{count:,}" for _, _, count in rows]),
        bar_column(shares, _BAR_WIDTH),
    ]
    return build_table(fit_columns(columns, width, (DropColumn("bar"),)), width)


def _error_table(figure: FigureCalibration, formatter: Formatter, width: int) -> RenderableType:
    errors = [*figure.errors, *figure.errors_with_template]
    logs = [UNKNOWN if error.log is None else f"{error.log:.3f}" for error in errors]
    columns = [
        text_column("way", "median error of", [_METHOD_NAMES[error.name] for error in errors]),
        number_column("runs", "runs", [f"{error.count:,}" for error in errors]),
        number_column("absolute", "off by", [formatter(error.absolute) for error in errors]),
        number_column("log", "log error", logs),
        bar_column([error.log or 0.0 for error in errors], _BAR_WIDTH),
    ]
    return build_table(fit_columns(columns, width, (DropColumn("bar"), DropColumn("runs"))), width)


def _success(report: CalibrationReport, width: int) -> list[RenderableType]:
    success = report.success
    if success.brier is None or success.brier_base is None:
        return [Text("No run was forecast that completed or failed.")]
    line = Text.assemble(
        "Brier score ",
        (f"{success.brier:.4f}", "bold"),
        f" over {pluralize(success.count, 'run')}, less is better; "
        f"{success.brier_base:.4f} by telling each the share of all runs before it.",
    )
    lines = [line]
    if success.verdict is not None and success.gain is not None:
        verdict = (success.verdict, _VERDICT_STYLES[success.verdict])
        interval = f"{success.gain_low:+.4f} to {success.gain_high:+.4f}"
        gain = f" than telling that share: by {success.gain:+.4f} (95%: {interval})"
        lines.append(Text.assemble(verdict, gain))
    bins = success.bins
    columns = [
        text_column("predicted", "predicted", [f"{each.least:.0%} to {each.most:.0%}" for each in bins]),
        number_column("mean", "mean", [f"{each.predicted:.1%}" for each in bins]),
        number_column("was", "completed", [f"{each.completed:.1%}" for each in bins]),
        number_column("runs", "runs", [f"{each.count:,}" for each in bins]),
        bar_column([each.completed for each in bins], _BAR_WIDTH),
    ]
    return [*lines, build_table(fit_columns(columns, width, (DropColumn("bar"),)), width)]


def _template_table(templates: Sequence[TemplateCalibration], width: int) -> RenderableType:
    names = tuple(clean_text(each.template or "none named", "bold") for each in templates)
    columns = [
        Column("name", "template", names),
        *_coverage_columns("cost", [each.cost for each in templates]),
        *_coverage_columns("time", [each.duration for each in templates]),
    ]
    steps = (DropColumn("time_range"), DropColumn("cost_range"))
    return build_table(fit_columns(columns, width, steps), width)


def _coverage_columns(title: str, coverages: Sequence[Coverage | None]) -> list[Column]:
    """Return the columns with the coverage, its 95% interval and the number of runs."""
    cells = [
        (UNKNOWN, UNKNOWN, UNKNOWN)
        if coverage is None
        else (
            format_fraction(coverage.share),
            f"{format_fraction(coverage.low)} to {format_fraction(coverage.high)}",
            f"{coverage.count:,}",
        )
        for coverage in coverages
    ]
    return [
        number_column(f"{title}_share", title, [share for share, _, _ in cells]),
        number_column(f"{title}_range", "95%", [interval for _, interval, _ in cells]),
        number_column(f"{title}_runs", "runs", [runs for _, _, runs in cells]),
    ]
