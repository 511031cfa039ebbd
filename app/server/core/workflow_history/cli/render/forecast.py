"""A forecast as a screen: a forecast in, renderables out. Pure; unknown values are text, never bars."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from ...common.formatting.numbers import format_duration
from ...common.formatting.text import single_line, truncate
from ...common.spending import UNKNOWN, format_fraction, format_usd
from ...presentation import forecast as wording
from ...presentation.forecast import Formatter, format_interval, format_spent
from ...queries.forecast.records import ComparableRun, Estimate, Forecast, PhaseForecast
from . import symbols
from .intervals import interval_bar, render_estimate, render_success, scale_max
from .table import Column, DropColumn, build_table, fit_columns
from .text import clean_text, join_parts, section_rule

_BAR = 20  # cells
_PHASES_NARROWER = (
    DropColumn("duration_between"),
    DropColumn("cost_span", "short_span"),
    DropColumn("short_span"),
    DropColumn("runs"),
    DropColumn("duration"),
    DropColumn("share"),
    DropColumn("cost_between"),
)
_RUNS_NARROWER = (DropColumn("template"), DropColumn("duration"), DropColumn("alike"), DropColumn("request"))


def render_forecast(found: Forecast, width: int) -> RenderableType:
    """Render the request, the estimates, the phases, the comparable runs and the warnings."""
    lines: list[RenderableType] = [_asked(found, width), headline(found), "", *render_estimates(found)]
    if found.phases:
        lines += ["", section_rule("Phases", width, "where it has them"), phase_table(found.phases, width)]
    if found.runs:
        note = f"{len(found.runs)} of {found.rests_on}" if found.rests_on > len(found.runs) else ""
        lines += ["", section_rule("Rests on", width, note), render_runs(found.runs, width)]
    return Group(*lines, *render_warnings(found.weak))


def headline(found: Forecast) -> Text:
    """Format the forecast as one sentence."""
    return Text(wording.headline(found), "bold")


def render_estimates(found: Forecast) -> list[Text]:
    """Format cost, duration and success, one line each; empty if there are no comparable runs."""
    if not found.rests_on:
        return []
    return [
        render_estimate("cost", found.cost, format_usd),
        render_estimate("duration", found.duration, format_duration),
        render_success(found.success),
    ]


def render_warnings(weak: Sequence[str]) -> list[RenderableType]:
    """Format the weaknesses of a forecast as warnings."""
    if not weak:
        return []
    return ["", *(Padding(Text(f"! {single_line(line)}", "magenta"), (0, 0)) for line in weak)]


def _asked(found: Forecast, width: int) -> Text:
    asked = found.asked
    named = [
        clean_text(asked.template, "cyan") if asked.template else Text("any template", "dim"),
        clean_text(f"class {asked.issue_class}") if asked.issue_class else None,
        clean_text(f"project {asked.project}") if asked.project else None,
    ]
    context = join_parts(list(named))
    if asked.text is None:
        return context
    room = max(20, width - context.cell_len - 3)
    return join_parts([Text(f"“{truncate(single_line(asked.text), room - 2)}”"), context])


def phase_table(phases: Sequence[PhaseForecast], width: int) -> RenderableType:
    """Build the table of phases, with cost intervals as lines on a common scale."""
    top = scale_max([phase.cost for phase in phases])
    columns = [
        Column("phase", "phase", tuple(clean_text(phase.phase, "bold") for phase in phases)),
        _right("share", "has it", [format_fraction(phase.share) for phase in phases]),
        _right("runs", "runs", [f"{phase.runs:,}" for phase in phases]),
        _right("cost", "cost", [_middle(phase.cost, format_usd) for phase in phases]),
        *(
            Column(key, "", tuple(Text(interval_bar(phase.cost, top, wide), "green") for phase in phases))
            for key, wide in (("cost_span", _BAR), ("short_span", _BAR // 2))
        ),
        _right("cost_between", "8 in 10", [format_interval(phase.cost, format_usd) for phase in phases]),
        _right("duration", "time", [_middle(phase.duration, format_duration) for phase in phases]),
        _right(
            "duration_between",
            "8 in 10",
            [format_interval(phase.duration, format_duration) for phase in phases],
        ),
    ]
    return build_table(fit_columns(columns, width, _PHASES_NARROWER), width)


def _middle(figure: Estimate, show: Formatter) -> str:
    return UNKNOWN if figure.median is None else show(figure.median)


def render_runs(runs: Sequence[ComparableRun], width: int) -> RenderableType:
    """Build the table of comparable runs, highest weight first."""
    columns = [
        Column("id", "run", tuple(clean_text(run.id, "bold") for run in runs), max_width=26),
        _right("weight", "counts", [f"{run.weight:.2f}" for run in runs]),
        _right("alike", "alike", [format_fraction(run.similarity) for run in runs]),
        Column("status", "", tuple(symbols.status_text(run.status, sign_only=True) for run in runs)),
        _right("cost", "cost", [format_spent(run.cost, at_least=run.cost_at_least) for run in runs]),
        _right("duration", "time", [format_duration(run.duration_seconds) for run in runs]),
        Column(
            "template", "workflow", tuple(clean_text(run.template or UNKNOWN) for run in runs), max_width=22
        ),
        Column("request", "asked for", tuple(clean_text(run.request) for run in runs), flexible=True),
    ]
    return build_table(fit_columns(columns, width, _RUNS_NARROWER), width)


def _right(key: str, title: str, cells: Sequence[str]) -> Column:
    return Column(key, title, tuple(Text(cell) for cell in cells), right=True)
