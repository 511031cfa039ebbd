"""Forecasts as pages show them: the answer in, plots, intervals and rows out. Pure; the unknown is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from ...amounts import UNKNOWN, share
from ...answers.forecast_shapes import Figure, Flight, Forecast, PastRun, PhaseForecast, SuccessChance
from ...wording.forecasts import between, spent
from ...wording.numbers import counted, duration
from ...wording.signs import status_sign
from ...wording.text import cut, one_line
from ..charts.forecasts import Dot, forecast_plot
from ..charts.strips import Bounds, bar, interval
from ..charts.units import MONEY, SECONDS, Unit, top_of
from ..rendering import run_address

_REQUEST: Final = 160  # cells


@dataclass(frozen=True, slots=True)
class Plot:
    """One figure: what it will be, or why that is not to be told."""

    title: str
    head: str  # the median, or a dash
    between: str
    rests: str
    why_not: str | None
    chart: Markup | None


@dataclass(frozen=True, slots=True)
class Chance:
    """How likely it succeeds."""

    head: str
    between: str
    rests: str
    why_not: str | None
    chart: Markup | None


@dataclass(frozen=True, slots=True)
class PhaseRow:
    """One phase."""

    name: str
    share: str
    runs: int
    cost: str
    cost_between: str
    cost_bar: Markup | None
    time: str
    time_between: str
    time_bar: Markup | None


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run that a forecast rests on."""

    id: str
    href: str
    weight: str
    weight_bar: Markup
    alike: str
    status: str | None
    cost: str
    time: str
    template: str
    request: str


def plots(found: Forecast, came: tuple[float | None, float | None] = (None, None)) -> list[Plot]:
    """Return cost and duration; `came`: what both were in the end."""
    return [
        _plot("Cost", found.cost, MONEY, [_dot(run, run.cost, MONEY) for run in found.runs], came[0]),
        _plot(
            "Time",
            found.duration,
            SECONDS,
            [_dot(run, run.duration_seconds, SECONDS) for run in found.runs],
            came[1],
        ),
    ]


def flight_plots(flight: Flight) -> list[Plot]:
    """Return what a run will have cost and taken in the end, and where it stands."""
    return [
        _plot("Cost in the end", flight.total_cost, MONEY, [], flight.spent),
        _plot("Time in the end", flight.total_duration, SECONDS, [], flight.elapsed_seconds),
    ]


def chance(found: SuccessChance) -> Chance:
    """Return the chance of success, with what it rests on."""
    rests = f"{found.completed:,} of {counted(found.ended, 'run')} that ended completed"
    if found.share is None or found.low is None or found.high is None:
        return Chance(
            UNKNOWN, "", rests if found.ended else "", one_line(found.why_not or "too little is known"), None
        )
    told = f"likely {share(found.low)} to {share(found.high)}"
    drawn = interval(Bounds(found.low, found.share, found.high), 1.0, f"{share(found.share)}, {told}")
    return Chance(share(found.share), told, rests, None, drawn)


def phases(found: Sequence[PhaseForecast]) -> list[PhaseRow]:
    """Return the phases, the intervals of each column to one scale."""
    costs = top_of(phase.cost.p90 for phase in found)
    times = top_of(phase.duration.p90 for phase in found)
    return [
        PhaseRow(
            cut(one_line(phase.phase), 40),
            share(phase.share),
            phase.runs,
            MONEY.say(phase.cost.median),
            between(phase.cost, MONEY.say),
            _interval(phase.cost, costs, MONEY),
            SECONDS.say(phase.duration.median),
            between(phase.duration, SECONDS.say),
            _interval(phase.duration, times, SECONDS),
        )
        for phase in found
    ]


def runs(found: Sequence[PastRun]) -> list[RunRow]:
    """Return the past runs, those that count most first."""
    most = top_of(run.weight for run in found)
    return [
        RunRow(
            cut(one_line(run.id), 28),
            run_address({"id": run.id, "project": run.project}),
            f"{run.weight:.2f}",
            bar(run.weight, most, f"counts {run.weight:.2f}"),
            share(run.similarity),
            run.status,
            spent(run.cost, at_least=run.cost_at_least),
            duration(run.duration_seconds),
            cut(one_line(run.template), 40) if run.template else UNKNOWN,
            cut(one_line(run.request), _REQUEST) if run.request else UNKNOWN,
        )
        for run in found
    ]


def _plot(title: str, figure: Figure, unit: Unit, dots: Sequence[Dot | None], came: float | None) -> Plot:
    if figure.median is None or figure.p10 is None or figure.p90 is None:
        why = one_line(figure.why_not or "too little is known")
        return Plot(title, UNKNOWN, "", "", why, None)
    least = f", {figure.at_least:,} of them at least" if figure.at_least else ""
    rests = f"{counted(figure.runs, 'run')}{least}, weighed as {figure.worth:.0f}"
    bounds = Bounds(figure.p10, figure.median, figure.p90)
    chart = forecast_plot(title, bounds, [dot for dot in dots if dot is not None], unit, came)
    return Plot(title, unit.say(figure.median), between(figure, unit.say), rests, None, chart)


def _dot(run: PastRun, value: float | None, unit: Unit) -> Dot | None:
    if value is None:
        return None
    status = f"{status_sign(run.status)} {one_line(run.status or 'unknown')}"
    title = f"{one_line(run.id)[:60]}: {unit.say(value)}, {status}"
    href = run_address({"id": run.id, "project": run.project})
    return Dot(value, run.weight, f"{title}, counts {run.weight:.2f}", href, run.status != "failed")


def _interval(figure: Figure, end: float, unit: Unit) -> Markup | None:
    if figure.median is None or figure.p10 is None or figure.p90 is None:
        return None
    told = f"{unit.say(figure.median)}, 8 in 10 {between(figure, unit.say)}"
    return interval(Bounds(figure.p10, figure.median, figure.p90), end, told)
