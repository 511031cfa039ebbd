"""A stored run next to its forecast as a screen: a forecast in, renderables out. Pure."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from ...common.formatting.numbers import format_duration, pluralize
from ...common.spending import format_usd
from ...presentation import forecast as wording
from ...presentation.forecast import VERDICT_LABELS, Formatter, format_interval, format_spent
from ...queries.forecast.records import Estimate, Remaining, RunForecast
from . import symbols
from .forecast import headline, phase_table, render_estimates, render_runs, render_warnings
from .intervals import render_estimate, render_success
from .text import clean_text, join_parts, section_rule


def render_run_forecast(found: RunForecast, width: int) -> RenderableType:
    """Render the remaining cost and time, the forecast before the start and the actual values."""
    lines: list[RenderableType] = [_head(found), run_headline(found)]
    if found.flight is not None:
        lines += ["", section_rule("Still to come", width), *_flight(found.flight)]
    before = found.forecast
    note = f"from {pluralize(before.rests_on, 'run')} that had ended before" if before.rests_on else ""
    lines += ["", section_rule("Forecast before it began", width, note)]
    lines += [*render_estimates(before)] if before.rests_on else [headline(before)]
    lines += ["", section_rule("What came", width), *_came(found)]
    if before.phases:
        lines += ["", section_rule("Phases", width, "as forecast"), phase_table(before.phases, width)]
    if before.runs:
        lines += ["", section_rule("Rests on", width), render_runs(before.runs, width)]
    return Group(*lines, *render_warnings(before.weak))


def run_headline(found: RunForecast) -> Text:
    """Format the forecast of a stored run as one sentence."""
    return Text(wording.run_headline(found), "bold")


def _head(found: RunForecast) -> Text:
    name = f"{found.project}/{found.id}" if found.project else found.id
    asked = found.forecast.asked
    return join_parts(
        [
            clean_text(name, "bold"),
            symbols.status_text(found.status),
            clean_text(asked.template, "cyan") if asked.template else None,
        ]
    )


def _flight(flight: Remaining) -> list[RenderableType]:
    return [
        render_estimate("cost", flight.rest_cost, format_usd),
        render_estimate("duration", flight.rest_duration, format_duration),
        render_success(flight.success),
        Text.assemble(("in all    ", "dim"), _in_all(flight)),
        Text(f"from {pluralize(flight.runs, 'run')} that went through this phase", "dim"),
    ]


def _in_all(flight: Remaining) -> str:
    pairs: tuple[tuple[Estimate, Formatter], ...] = (
        (flight.total_cost, format_usd),
        (flight.total_duration, format_duration),
    )
    told = [format_interval(figure, show) for figure, show in pairs if figure.median is not None]
    return ", ".join(told) if told else "not to be told"


def _came(found: RunForecast) -> list[RenderableType]:
    open_end = " so far" if found.flight is not None else ""
    cost = format_spent(found.cost, at_least=found.cost_at_least) + open_end
    lasted = format_duration(found.duration_seconds) + open_end
    return [
        _verdict("cost", cost, found.cost_was),
        _verdict("duration", lasted, found.duration_was),
        Text.assemble(("status    ", "dim"), symbols.status_text(found.status)),
    ]


def _verdict(title: str, amount: str, was: str | None) -> Text:
    line = Text.assemble((f"{title:<10}", "dim"), (amount, "bold"))
    return line.append(f"  {VERDICT_LABELS[was]}", "magenta" if was == "above" else "dim") if was else line
