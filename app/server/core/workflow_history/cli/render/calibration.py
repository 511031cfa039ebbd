"""Forecast calibration as tables: a report in, renderables out. Pure; each share has its sample size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ...common.formatting.numbers import format_duration, pluralize
from ...common.spending import UNKNOWN, format_fraction, format_usd
from ...presentation.forecast import Formatter
from ...queries.forecast.backtest import (
    CalibrationReport,
    Coverage,
    FigureCalibration,
    MethodError,
    TemplateCalibration,
)
from . import symbols
from .table import Column, DropColumn, build_table, fit_columns
from .text import clean_text, section_rule

_BAR = 20  # cells
_STYLES = {"better": "green", "no better": "bold", "worse": "magenta"}
_NAMES = {
    "forecast": "forecast",
    "mean": "mean of all runs before",
    "median": "median of all runs before",
    "template median": "median of its template's runs before",
}


def render_calibration(found: CalibrationReport, width: int, *, brief: bool = False) -> RenderableType:
    """Render a calibration report; `brief`: only the interval coverage of cost and duration."""
    if not found.tried:
        return Text("No stored run that has ended and a date: nothing to forecast.")
    figures = (("Cost", found.cost, format_usd), ("Duration", found.duration, format_duration))
    if brief:
        return Group(*(_sentence(title, figure) for title, figure, _ in figures))
    lines: list[RenderableType] = [*_head(found)]
    for title, figure, show in figures:
        lines += ["", section_rule(title, width), _sentence(title, figure)]
        if figure.held is not None:
            lines += [_reliability(figure.held, width), "", _errors(figure, show, width), *_verdicts(figure)]
    lines += ["", section_rule("Success", width), *_success(found, width)]
    if found.templates:
        lines += [
            "",
            section_rule("By template", width, "intervals held"),
            _templates(found.templates, width),
        ]
    return Group(*lines)


def _head(found: CalibrationReport) -> list[Text]:
    which = "" if found.tried == found.runs else f" the latest {found.tried:,} of"
    runs = f"Of{which} {pluralize(found.runs, 'stored run')}, each forecast from those ended before it alone,"
    got = (
        f"{found.cost.forecast:,} got a forecast of the cost and {found.duration.forecast:,} one of the time."
    )
    lines = [Text(f"{runs} {got}")]
    without = [
        f"{found.thin:,} had too few runs before them",
        f"{found.unlike:,} named no template and had too few before them that asked for the like",
    ]
    lines.append(Text(f"No forecast of the cost: {', '.join(without)}.", "dim"))
    if found.undated:
        lines.append(Text(f"{pluralize(found.undated, 'run')} without a date left out.", "dim"))
    if found.tried < found.runs:
        lines.append(Text("--all forecasts every one of them.", "dim"))
    return lines


def _sentence(title: str, figure: FigureCalibration) -> Text:
    held = figure.held
    if held is None:
        return Text(f"{title}: no run was forecast of which is known what came.")
    return Text.assemble(
        f"{title}: p10 to p90 held ",
        (f"{held.share:.1%}", "bold"),
        f" of {pluralize(held.count, 'run')} (95%: {held.low:.1%} to {held.high:.1%}); 80% is meant.",
    )


def _verdicts(figure: FigureCalibration) -> list[Text]:
    """Compare forecasts with each simpler method; "no better" if the difference may be chance."""
    return [
        Text.assemble(
            (one.word, _STYLES[one.word]),
            f" than the {_NAMES[one.against]}: closer in {one.share:.1%} of {pluralize(one.count, 'run')} "
            f"(95%: {one.low:.1%} to {one.high:.1%})",
        )
        for one in figure.verdicts
    ]


def _reliability(held: Coverage, width: int) -> RenderableType:
    rows = (
        ("below p10", 0.1, held.below),
        ("p10 to p90", 0.8, held.held),
        ("above p90", 0.1, held.above),
    )
    columns = [
        Column("where", "came", tuple(Text(name) for name, _, _ in rows)),
        _right("meant", "meant", [f"{meant:.0%}" for _, meant, _ in rows]),
        _right("was", "was", [f"{count / held.count:.1%}" for _, _, count in rows]),
        _right("runs", "runs", [f"{count:,}" for _, _, count in rows]),
        _bars([count / held.count for _, _, count in rows]),
    ]
    return build_table(fit_columns(columns, width, (DropColumn("bar"),)), width)


def _errors(figure: FigureCalibration, show: Formatter, width: int) -> RenderableType:
    every = [*figure.errors, *figure.errors_with_template]
    columns = [
        Column("way", "median error of", tuple(Text(_NAMES[one.name]) for one in every)),
        _right("runs", "runs", [f"{one.count:,}" for one in every]),
        _right("absolute", "off by", [show(one.absolute) for one in every]),
        _right("log", "log error", [_log(one) for one in every]),
        _bars([one.log or 0.0 for one in every], 1.0),
    ]
    return build_table(fit_columns(columns, width, (DropColumn("bar"), DropColumn("runs"))), width)


def _log(error: MethodError) -> str:
    return UNKNOWN if error.log is None else f"{error.log:.3f}"


def _success(found: CalibrationReport, width: int) -> list[RenderableType]:
    success = found.success
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
        verdict = (success.verdict, _STYLES[success.verdict])
        spread = f"{success.gain_low:+.4f} to {success.gain_high:+.4f}"
        told = f" than telling that share: by {success.gain:+.4f} (95%: {spread})"
        lines.append(Text.assemble(verdict, told))
    columns = [
        Column("told", "told", tuple(Text(f"{b.least:.0%} to {b.most:.0%}") for b in success.bins)),
        _right("mean", "mean", [f"{one.told:.1%}" for one in success.bins]),
        _right("was", "completed", [f"{one.completed:.1%}" for one in success.bins]),
        _right("runs", "runs", [f"{one.count:,}" for one in success.bins]),
        _bars([one.completed for one in success.bins]),
    ]
    return [*lines, build_table(fit_columns(columns, width, (DropColumn("bar"),)), width)]


def _templates(templates: Sequence[TemplateCalibration], width: int) -> RenderableType:
    columns = [
        Column(
            "name", "template", tuple(clean_text(one.template or "none named", "bold") for one in templates)
        ),
        *_held("cost", [one.cost for one in templates]),
        *_held("time", [one.duration for one in templates]),
    ]
    return build_table(
        fit_columns(columns, width, (DropColumn("time_range"), DropColumn("cost_range"))), width
    )


def _held(title: str, every: Sequence[Coverage | None]) -> list[Column]:
    return [
        _right(
            f"{title}_share", title, [UNKNOWN if one is None else format_fraction(one.share) for one in every]
        ),
        _right(f"{title}_range", "95%", [_range(one) for one in every]),
        _right(f"{title}_runs", "runs", [UNKNOWN if one is None else f"{one.count:,}" for one in every]),
    ]


def _range(one: Coverage | None) -> str:
    return UNKNOWN if one is None else f"{format_fraction(one.low)} to {format_fraction(one.high)}"


def _bars(shares: Sequence[float], top: float = 1.0) -> Column:
    return Column("bar", "", tuple(Text(symbols.bar(one / top, _BAR), "green") for one in shares))


def _right(key: str, title: str, cells: Sequence[Any]) -> Column:
    return Column(key, title, tuple(Text(cell) for cell in cells), right=True)
