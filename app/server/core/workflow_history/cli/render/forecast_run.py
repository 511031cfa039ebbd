"""A stored run beside its forecast as a screen: the answer in, renderables out. Pure."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from ...amounts import money
from ...answers.forecast_shapes import Figure, Flight, RunForecast
from ...wording import forecasts as wording
from ...wording.forecasts import VERDICTS, Show, between, spent
from ...wording.numbers import counted, duration
from . import marks
from .forecast import figure_lines, headline, phase_table, runs_table, weak_lines
from .intervals import amount_line, success_line
from .story.section import section
from .text import joined, said


def run_report(found: RunForecast, width: int) -> RenderableType:
    """Return the whole screen: what is still to come first, then what was to be expected."""
    lines: list[RenderableType] = [_head(found), run_headline(found)]
    if found.flight is not None:
        lines += ["", section("Still to come", width), *_flight(found.flight)]
    before = found.forecast
    note = f"from {counted(before.rests_on, 'run')} that had ended before" if before.rests_on else ""
    lines += ["", section("Forecast before it began", width, note)]
    lines += [*figure_lines(before)] if before.rests_on else [headline(before)]
    lines += ["", section("What came", width), *_came(found)]
    if before.phases:
        lines += ["", section("Phases", width, "as forecast"), phase_table(before.phases, width)]
    if before.runs:
        lines += ["", section("Rests on", width), runs_table(before.runs, width)]
    return Group(*lines, *weak_lines(before.weak))


def run_headline(found: RunForecast) -> Text:
    """Return what matters of it in one sentence."""
    return Text(wording.run_headline(found), "bold")


def _head(found: RunForecast) -> Text:
    name = f"{found.project}/{found.id}" if found.project else found.id
    asked = found.forecast.asked
    return joined(
        [
            said(name, "bold"),
            marks.status(found.status),
            said(asked.template, "cyan") if asked.template else None,
        ]
    )


def _flight(flight: Flight) -> list[RenderableType]:
    return [
        amount_line("cost", flight.rest_cost, money),
        amount_line("duration", flight.rest_duration, duration),
        success_line(flight.success),
        Text.assemble(("in all    ", "dim"), _in_all(flight)),
        Text(f"from {counted(flight.runs, 'run')} that went through this phase", "dim"),
    ]


def _in_all(flight: Flight) -> str:
    pairs: tuple[tuple[Figure, Show], ...] = (
        (flight.total_cost, money),
        (flight.total_duration, duration),
    )
    told = [between(figure, show) for figure, show in pairs if figure.median is not None]
    return ", ".join(told) if told else "not to be told"


def _came(found: RunForecast) -> list[RenderableType]:
    open_end = " so far" if found.flight is not None else ""
    cost = spent(found.cost, at_least=found.cost_at_least) + open_end
    lasted = duration(found.duration_seconds) + open_end
    return [
        _verdict("cost", cost, found.cost_was),
        _verdict("duration", lasted, found.duration_was),
        Text.assemble(("status    ", "dim"), marks.status(found.status)),
    ]


def _verdict(title: str, amount: str, was: str | None) -> Text:
    line = Text.assemble((f"{title:<10}", "dim"), (amount, "bold"))
    return line.append(f"  {VERDICTS[was]}", "magenta" if was == "above" else "dim") if was else line
