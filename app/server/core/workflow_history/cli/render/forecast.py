"""A forecast as a screen: a forecast in, renderables out. Pure; unknown values are text, never bars."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from ...common.formatting.numbers import format_duration, pluralize
from ...common.formatting.text import single_line, truncate
from ...common.spending import UNKNOWN, format_fraction, format_usd
from ...presentation import forecast as texts
from ...presentation.forecast import (
    Formatter,
    describe_observed_range,
    format_actual_cost,
    format_interval,
    format_median,
    format_share_range,
)
from ...presentation.run_list import short_ids
from ...queries.forecast.records import (
    ComparableRun,
    Estimate,
    Forecast,
    ForecastRequest,
    PhaseForecast,
    SuccessChance,
)
from . import symbols
from .run_list import SHORT_ID_WIDTH
from .table import Column, DropColumn, build_table, fit_columns, id_column, number_column
from .text import clean_text, join_parts, section_rule, wrap_parts

_BAR_WIDTH = 20  # cells
_PHASE_DROP_ORDER = (
    DropColumn("duration_between"),
    DropColumn("cost_span", "short_span"),
    DropColumn("short_span"),
    DropColumn("runs"),
    DropColumn("duration"),
    DropColumn("share"),
    DropColumn("cost_between"),
)
_RUN_DROP_ORDER = (DropColumn("template"), DropColumn("duration"), DropColumn("alike"), DropColumn("request"))


def render_forecast(forecast: Forecast, width: int) -> RenderableType:
    """Render the request, the estimates, the phases, the comparable runs and the warnings."""
    lines: list[RenderableType] = [_request(forecast.asked, width), headline(forecast)]
    if estimates := render_estimates(forecast, width):
        lines += ["", *estimates]
    if forecast.phases:
        lines += [
            "",
            section_rule("Phases", width, "in the runs that have them"),
            phase_table(forecast.phases, width),
        ]
    if forecast.runs:
        runs = len(forecast.runs)
        note = f"{runs} of {forecast.based_on}" if forecast.based_on > runs else ""
        lines += ["", section_rule("Comparable runs", width, note), run_table(forecast.runs, width)]
    if forecast.based_on:
        lines += ["", forecast_legend(width)]
    return Group(*lines, *render_warnings(forecast.weak))


def headline(forecast: Forecast) -> Text:
    """Format the forecast as one sentence."""
    return Text(texts.headline(forecast), "bold")


def forecast_legend(width: int) -> Text:
    """Explain weights, the sample size and the lines of a forecast."""
    parts = (
        "weight: influence of a run; 1: same request, now",
        "effective n: as many runs of weight 1 say as much",
        "─●─ median and p10–p90",
        "occurs in: share of the weighted runs",
    )
    legend = wrap_parts(parts, width)
    legend.stylize("dim")
    return legend


def render_estimates(forecast: Forecast, width: int) -> list[Text]:
    """Format cost, duration and success; empty if there are no comparable runs."""
    if not forecast.based_on:
        return []
    return [
        render_estimate("cost", forecast.cost, format_usd, width),
        render_estimate("duration", forecast.duration, format_duration, width),
        render_success(forecast.success),
    ]


def render_warnings(warnings: Sequence[str]) -> list[RenderableType]:
    """Format the weaknesses of a forecast."""
    lines = [Text(f"! {single_line(warning)}", "magenta") for warning in warnings]
    return ["", *lines] if lines else []


def _request(request: ForecastRequest, width: int) -> Text:
    context = join_parts(
        [
            clean_text(request.template, "cyan") if request.template else Text("any workflow", "dim"),
            clean_text(f"class {request.issue_class}") if request.issue_class else None,
            clean_text(f"project {request.project}") if request.project else None,
        ]
    )
    if request.text is None:
        return context
    text_width = max(20, width - context.cell_len - 3) - 2  # without the quotation marks
    return join_parts([Text(f"“{truncate(single_line(request.text), text_width)}”"), context])


def phase_table(phases: Sequence[PhaseForecast], width: int) -> RenderableType:
    """Build the table of phases, with cost intervals as lines on a common scale."""
    scale_max = max((phase.cost.p90 for phase in phases if phase.cost.p90 is not None), default=0.0)
    columns = [
        Column("phase", "phase", tuple(clean_text(phase.phase, "bold") for phase in phases)),
        number_column("share", "occurs in", [format_fraction(phase.share) for phase in phases]),
        number_column("runs", "runs", [f"{phase.runs:,}" for phase in phases]),
        number_column("cost", "cost", [format_median(phase.cost, format_usd) for phase in phases]),
        *(
            Column(
                key, "", tuple(Text(interval_bar(phase.cost, scale_max, cells), "green") for phase in phases)
            )
            for key, cells in (("cost_span", _BAR_WIDTH), ("short_span", _BAR_WIDTH // 2))
        ),
        number_column(
            "cost_between", "p10–p90", [format_interval(phase.cost, format_usd) for phase in phases]
        ),
        number_column(
            "duration", "duration", [format_median(phase.duration, format_duration) for phase in phases]
        ),
        number_column(
            "duration_between",
            "p10–p90",
            [format_interval(phase.duration, format_duration) for phase in phases],
        ),
    ]
    return build_table(fit_columns(columns, width, _PHASE_DROP_ORDER), width)


def run_table(runs: Sequence[ComparableRun], width: int) -> RenderableType:
    """Build the table of comparable runs, highest weight first."""
    columns = [
        id_column("id", "run", short_ids([single_line(run.id) for run in runs], SHORT_ID_WIDTH)),
        number_column("weight", "weight", [f"{run.weight:.2f}" for run in runs]),
        number_column("alike", "similarity", [f"{run.similarity:.2f}" for run in runs]),
        Column("status", "", tuple(symbols.status_text(run.status, sign_only=True) for run in runs)),
        number_column(
            "cost", "cost", [format_actual_cost(run.cost, at_least=run.cost_is_lower_bound) for run in runs]
        ),
        number_column("duration", "duration", [format_duration(run.duration_seconds) for run in runs]),
        Column(
            "template", "workflow", tuple(clean_text(run.template or UNKNOWN) for run in runs), max_width=22
        ),
        Column("request", "request", tuple(clean_text(run.request) for run in runs), flexible=True),
    ]
    return build_table(fit_columns(columns, width, _RUN_DROP_ORDER), width)


def interval_bar(estimate: Estimate, scale_max: float, width: int) -> str:
    """Draw an interval as a line on a scale from 0 to `scale_max`, its median as a dot; None: blanks.

    >>> interval_bar(Estimate(5, 2, 9, 20, 0, 20.0, None), 10, 10)
    '  ───●─── '
    """
    ends = (estimate.p10, estimate.median, estimate.p90)
    if scale_max <= 0 or any(end is None for end in ends):
        return " " * width
    low, middle, high = (min(width - 1, max(0, int((end or 0.0) / scale_max * width))) for end in ends)
    # A p90 on the border between two cells belongs to the first of them.
    high = max(middle, high - int((estimate.p90 or 0.0) / scale_max * width == high > middle))
    return "".join("●" if cell == middle else "─" if low <= cell <= high else " " for cell in range(width))


def render_success(success: SuccessChance) -> Text:
    """Format the success probability with its interval and sample size, or why it is unknown."""
    label = Text.assemble(("success   ", "dim"))
    if success.probability is None:
        return label.append(f"not enough data:  {single_line(success.reason)}")
    interval = f"80% CI {format_share_range(success.low, success.high)}"
    sample = f"{success.completed:,} of {pluralize(success.ended, 'finished run')} completed"
    label.append(format_fraction(success.probability), "bold")
    return label.append(f" ({interval}) · {sample}")


def render_estimate(title: str, estimate: Estimate, formatter: Formatter, width: int) -> Text:
    """Format one estimate with its interval, or the reason why there is none."""
    label = Text.assemble((f"{title:<10}", "dim"))
    if estimate.median is None:
        observed = describe_observed_range(estimate, formatter)
        return label.append(f"not enough data:  {single_line(estimate.reason)}{observed}")
    label.append(f"median {format_median(estimate, formatter)}", "bold")
    label.append(f" · 80% interval {format_interval(estimate, formatter)}")
    sample = pluralize(estimate.runs, "run")
    if estimate.p90_is_lower_bound:
        sample += f", {estimate.lower_bounds:,} with a lower bound only"
    else:
        sample += f" (effective n {estimate.effective_n:.0f})"
    fits = label.cell_len + 3 + len(sample) <= width
    return label.append(f" · {sample}" if fits else f"\n{' ' * 10}{sample}", "dim")
