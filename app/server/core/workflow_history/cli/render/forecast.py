"""A forecast as a screen: the answer in, renderables out. Pure; what is not known is said, never drawn."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from ...amounts import UNKNOWN, money, share
from ...answers.forecast_shapes import Figure, Forecast, PastRun, PhaseForecast
from ...wording import forecasts as wording
from ...wording.forecasts import Show, between, spent
from ...wording.numbers import duration
from ...wording.text import cut, one_line
from . import marks
from .intervals import amount_line, span, success_line, top_of
from .story.section import section
from .table import Column, GiveWay, fit, grid
from .text import joined, said

_BAR = 20  # cells
_PHASES_NARROWER = (
    GiveWay("duration_between"),
    GiveWay("cost_span", "short_span"),
    GiveWay("short_span"),
    GiveWay("runs"),
    GiveWay("duration"),
    GiveWay("share"),
    GiveWay("cost_between"),
)
_RUNS_NARROWER = (GiveWay("template"), GiveWay("duration"), GiveWay("alike"), GiveWay("request"))


def forecast_report(found: Forecast, width: int) -> RenderableType:
    """Return the whole screen."""
    lines: list[RenderableType] = [_asked(found, width), headline(found), "", *figure_lines(found)]
    if found.phases:
        lines += ["", section("Phases", width, "where it has them"), phase_table(found.phases, width)]
    if found.runs:
        note = f"{len(found.runs)} of {found.rests_on}" if found.rests_on > len(found.runs) else ""
        lines += ["", section("Rests on", width, note), runs_table(found.runs, width)]
    return Group(*lines, *weak_lines(found.weak))


def headline(found: Forecast) -> Text:
    """Return the forecast in one sentence."""
    return Text(wording.headline(found), "bold")


def figure_lines(found: Forecast) -> list[Text]:
    """Return cost, duration and success, a line each; nothing where nothing at all is known."""
    if not found.rests_on:
        return []
    return [
        amount_line("cost", found.cost, money),
        amount_line("duration", found.duration, duration),
        success_line(found.success),
    ]


def weak_lines(weak: Sequence[str]) -> list[RenderableType]:
    """Return what must be known about a forecast."""
    if not weak:
        return []
    return ["", *(Padding(Text(f"! {one_line(line)}", "magenta"), (0, 0)) for line in weak)]


def _asked(found: Forecast, width: int) -> Text:
    asked = found.asked
    named = [
        said(asked.template, "cyan") if asked.template else Text("any template", "dim"),
        said(f"class {asked.issue_class}") if asked.issue_class else None,
        said(f"project {asked.project}") if asked.project else None,
    ]
    context = joined(list(named))
    if asked.text is None:
        return context
    room = max(20, width - context.cell_len - 3)
    return joined([Text(f"“{cut(one_line(asked.text), room - 2)}”"), context])


def phase_table(phases: Sequence[PhaseForecast], width: int) -> RenderableType:
    """Return the phases, their costs as lines to a common scale."""
    top = top_of([phase.cost for phase in phases])
    columns = [
        Column("phase", "phase", tuple(said(phase.phase, "bold") for phase in phases)),
        _right("share", "has it", [share(phase.share) for phase in phases]),
        _right("runs", "runs", [f"{phase.runs:,}" for phase in phases]),
        _right("cost", "cost", [_middle(phase.cost, money) for phase in phases]),
        *(
            Column(key, "", tuple(Text(span(phase.cost, top, wide), "green") for phase in phases))
            for key, wide in (("cost_span", _BAR), ("short_span", _BAR // 2))
        ),
        _right("cost_between", "8 in 10", [between(phase.cost, money) for phase in phases]),
        _right("duration", "time", [_middle(phase.duration, duration) for phase in phases]),
        _right("duration_between", "8 in 10", [between(phase.duration, duration) for phase in phases]),
    ]
    return grid(fit(columns, width, _PHASES_NARROWER), width)


def _middle(figure: Figure, show: Show) -> str:
    return UNKNOWN if figure.median is None else show(figure.median)


def runs_table(runs: Sequence[PastRun], width: int) -> RenderableType:
    """Return past runs, those that count most first."""
    columns = [
        Column("id", "run", tuple(said(run.id, "bold") for run in runs), most=26),
        _right("weight", "counts", [f"{run.weight:.2f}" for run in runs]),
        _right("alike", "alike", [share(run.similarity) for run in runs]),
        Column("status", "", tuple(marks.status(run.status, sign_only=True) for run in runs)),
        _right("cost", "cost", [spent(run.cost, at_least=run.cost_at_least) for run in runs]),
        _right("duration", "time", [duration(run.duration_seconds) for run in runs]),
        Column("template", "workflow", tuple(said(run.template or UNKNOWN) for run in runs), most=22),
        Column("request", "asked for", tuple(said(run.request) for run in runs), flexible=True),
    ]
    return grid(fit(columns, width, _RUNS_NARROWER), width)


def _right(key: str, title: str, cells: Sequence[str]) -> Column:
    return Column(key, title, tuple(Text(cell) for cell in cells), right=True)
