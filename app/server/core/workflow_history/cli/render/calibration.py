"""Forecast calibration as tables: a report in, renderables out. Pure; each share has its sample size."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from ...common.formatting.numbers import format_duration, pluralize
from ...common.spending import UNKNOWN, format_fraction, format_usd
from ...presentation.forecast import Formatter, format_share_range
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
    "mean": "mean of all earlier runs",
    "median": "median of all earlier runs",
    "template median": "median of the workflow's earlier runs",
}


def render_calibration(report: CalibrationReport, width: int, *, brief: bool = False) -> RenderableType:
    """Render a calibration report; `brief`: only the interval coverage of cost and duration."""
    if not report.backtested:
        return Text("No finished run with a date: nothing to backtest.")
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
        rule = section_rule("Coverage by workflow", width, "95% CI of the coverage")
        lines += ["", rule, _template_table(report.templates, width)]
    return Group(*lines)


def _scope(report: CalibrationReport) -> list[Text]:
    """Format the number of runs that were forecast, and of those that were not."""
    which = "" if report.backtested == report.runs else f"the latest {report.backtested:,} of "
    lines = [
        Text(
            f"Backtest of {which}{pluralize(report.runs, 'run')}, each forecast from earlier runs only: "
            f"{report.cost.forecast:,} cost forecasts, {report.duration.forecast:,} duration forecasts."
        ),
        Text(
            f"Not enough data for a cost forecast: {report.low_n:,} with too few earlier runs, "
            f"{report.unlike:,} without a workflow name and with too few comparable runs.",
            "dim",
        ),
    ]
    if report.undated:
        lines.append(Text(f"{pluralize(report.undated, 'run')} without a date skipped.", "dim"))
    if report.backtested < report.runs:
        lines.append(Text("Use --all to backtest every run.", "dim"))
    return lines


def _coverage_sentence(title: str, figure: FigureCalibration) -> Text:
    coverage = figure.coverage
    if coverage is None:
        return Text(f"{title} coverage: no forecast of a run whose actual value is known.")
    interval = f"95% CI {format_share_range(coverage.low, coverage.high, 1)}"
    return Text.assemble(
        f"{title} coverage: ",
        (f"{coverage.share:.1%}", "bold"),
        f" of {pluralize(coverage.count, 'actual value')} inside the 80% interval ({interval}).",
    )


def _verdicts(figure: FigureCalibration) -> list[Text]:
    """Compare forecasts with each simpler method; "no better" if the difference may be chance."""
    return [
        Text.assemble(
            (verdict.word, _VERDICT_STYLES[verdict.word]),
            f" than the {_METHOD_NAMES[verdict.against]}: closer in {verdict.share:.1%} of "
            f"{pluralize(verdict.count, 'run')} (95% CI {format_share_range(verdict.low, verdict.high, 1)})",
        )
        for verdict in figure.verdicts
    ]


def _coverage_table(coverage: Coverage, width: int) -> RenderableType:
    """Build a table of nominal and actual shares of runs below, within and above the interval."""
    rows = (
        ("below p10", 0.1, coverage.below),
        ("p10–p90", 0.8, coverage.inside),
        ("above p90", 0.1, coverage.above),
    )
    shares = [count / coverage.count for _, _, count in rows]
    columns = [
        text_column("where", "actual", [name for name, _, _ in rows]),
        number_column("nominal", "nominal", [f"{nominal:.0%}" for _, nominal, _ in rows]),
        number_column("observed", "observed", [f"{share:.1%}" for share in shares]),
        number_column("runs", "runs", [f"{count:,}" for _, _, count in rows]),
        bar_column(shares, _BAR_WIDTH),
    ]
    return build_table(fit_columns(columns, width, (DropColumn("bar"),)), width)


def _error_table(figure: FigureCalibration, formatter: Formatter, width: int) -> RenderableType:
    errors = [*figure.errors, *figure.errors_with_template]
    logs = [UNKNOWN if error.log is None else f"{error.log:.3f}" for error in errors]
    columns = [
        text_column("way", "method", [_METHOD_NAMES[error.name] for error in errors]),
        number_column("runs", "runs", [f"{error.count:,}" for error in errors]),
        number_column("absolute", "median abs. error", [formatter(error.absolute) for error in errors]),
        number_column("log", "median log error", logs),
        bar_column([error.log or 0.0 for error in errors], _BAR_WIDTH),
    ]
    return build_table(fit_columns(columns, width, (DropColumn("bar"), DropColumn("runs"))), width)


def _success(report: CalibrationReport, width: int) -> list[RenderableType]:
    success = report.success
    if success.brier is None or success.brier_base is None:
        return [Text("No forecast of a run that completed or failed.")]
    line = Text.assemble(
        "Brier score ",
        (f"{success.brier:.4f}", "bold"),
        f" over {pluralize(success.count, 'run')}, lower is better; "
        f"base rate of all earlier runs {success.brier_base:.4f}.",
    )
    lines = [line]
    if success.verdict is not None and success.gain is not None:
        verdict = (success.verdict, _VERDICT_STYLES[success.verdict])
        interval = f"95% CI {success.gain_low:+.4f} to {success.gain_high:+.4f}"
        gain = f" than the base rate: difference {success.gain:+.4f} ({interval})"
        lines.append(Text.assemble(verdict, gain))
    bins = success.bins
    columns = [
        text_column("predicted", "predicted", [format_share_range(each.least, each.most) for each in bins]),
        number_column("mean", "mean", [f"{each.predicted:.1%}" for each in bins]),
        number_column("was", "completed", [f"{each.completed:.1%}" for each in bins]),
        number_column("runs", "runs", [f"{each.count:,}" for each in bins]),
        bar_column([each.completed for each in bins], _BAR_WIDTH),
    ]
    return [*lines, build_table(fit_columns(columns, width, (DropColumn("bar"),)), width)]


def _template_table(templates: Sequence[TemplateCalibration], width: int) -> RenderableType:
    names = tuple(clean_text(each.template or "unknown", "bold") for each in templates)
    columns = [
        Column("name", "workflow", names),
        *_coverage_columns("cost", [each.cost for each in templates]),
        *_coverage_columns("duration", [each.duration for each in templates]),
    ]
    steps = (DropColumn("duration_range"), DropColumn("cost_range"))
    return build_table(fit_columns(columns, width, steps), width)


def _coverage_columns(title: str, coverages: Sequence[Coverage | None]) -> list[Column]:
    """Return the columns with the coverage, its 95% interval and the number of runs."""
    cells = [
        (UNKNOWN, UNKNOWN, UNKNOWN)
        if coverage is None
        else (
            format_fraction(coverage.share),
            format_share_range(coverage.low, coverage.high),
            f"{coverage.count:,}",
        )
        for coverage in coverages
    ]
    return [
        number_column(f"{title}_share", title, [share for share, _, _ in cells]),
        number_column(f"{title}_range", "95% CI", [interval for _, interval, _ in cells]),
        number_column(f"{title}_runs", "runs", [runs for _, _, runs in cells]),
    ]
