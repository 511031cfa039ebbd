"""Format findings and budgets as plain English sentences.

Names are inserted as stored: the caller must escape the sentence for its output.
"""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Final

from ...analysis.anomalies.budgets import BudgetLevel
from ...common.formatting.numbers import format_duration, pluralize
from ...common.plausible_dates import from_microseconds
from ...common.spending import format_fraction, format_usd, to_usd
from .budgets import BudgetState
from .cause_grouping import ChangeGroup
from .change_points import ChangePoint
from .outliers import Outlier

MEASURE_NAMES: Final = {
    "cost": "cost",
    "failures": "failures",
    "duration": "duration",
    "turns": "turns",
    "cache": "cache hit rate",
    "tool_errors": "failed tool calls",
}


def format_date(microseconds: int, zone: tzinfo | None) -> str:
    """Format the day in a time zone; None means the local zone.

    >>> from datetime import UTC
    >>> format_date(0, UTC)
    '1970-01-01'
    """
    return from_microseconds(microseconds).astimezone(zone).date().isoformat()


def format_dollars(nanodollars: float) -> str:
    """Format nanodollars as US dollars.

    >>> format_dollars(1_620_000_000), format_dollars(21_492_450), format_dollars(10_000), format_dollars(0)
    ('$1.62', '$0.0215', '<$0.0001', '$0.00')
    """
    return format_usd(to_usd(nanodollars))


def format_measure(measure: str, value: float) -> str:
    """Format the value of a measure with its unit.

    >>> format_measure("cache", 0.684), format_measure("turns", 13.0)
    ('68%', '13')
    """
    if measure == "cost":
        return format_dollars(value)
    if measure == "duration":
        return format_duration(value)
    return f"{value:.4g}" if measure == "turns" else format_fraction(value)


def describe_subject(template: str | None, phase: str | None) -> str:
    """Format the subject of a finding: a workflow and one of its phases.

    >>> describe_subject("adw_patch", "plan"), describe_subject(None, None)
    ('adw_patch, plan', 'runs without a workflow name')
    """
    subject = template or "runs without a workflow name"
    return subject if phase is None else f"{subject}, {phase}"


# --- changes

_CHANGED_VALUES: Final = {
    "cost": "median cost",
    "failures": "failure rate",
    "duration": "median duration",
    "turns": "median number of turns",
    "cache": "median cache hit rate",
    "tool_errors": "median share of failed tool calls",
}


def describe_change(group: ChangeGroup, zone: tzinfo | None) -> str:
    """Format a change: since which day of a zone, by how much, and the changes along with it."""
    main = group.main
    since = format_date(int(group.series.created_at[main.since]), zone)
    subject = describe_subject(group.series.template, main.phase)
    values = f"{format_measure(main.measure, main.before)} → {format_measure(main.measure, main.after)}"
    sentence = (
        f"{subject}: {_CHANGED_VALUES[main.measure]} {_direction(main)} since {since} "
        f"({values}; {_sample(main)})."
    )
    along = "".join(f" {_format_accompanying(main, change)}." for change in group.along)
    others = ", ".join(_value_name(change.phase, change.measure) for change in group.others)
    others = f" Also changed: {others}." if others else ""
    switches = "".join(
        f" Most frequent {kind} changed from {values[0]} to {values[1]}."
        for kind, values in (("model", group.models), ("project", group.projects))
        if values
    )
    return f"{sentence}{along}{others}{switches}"


def _direction(change: ChangePoint) -> str:
    direction = "up" if change.after > change.before else "down"
    if change.ratio is None or change.measure not in {"cost", "duration", "turns"}:
        return direction
    return f"up {change.ratio:.1f}×" if direction == "up" else f"down {format_fraction(1 - change.ratio)}"


def _sample(change: ChangePoint) -> str:
    before, after = len(change.before_rows), len(change.after_rows)
    if change.measure == "failures":
        failed = round(change.before * before), round(change.after * after)
        return f"{failed[0]:,} of {pluralize(before, 'run')} before, {failed[1]:,} of {after:,} since"
    return f"{pluralize(before, 'run')} before, {after:,} since"


def _value_name(phase: str | None, measure: str) -> str:
    """Format the name of a measure of a phase or the whole run.

    >>> _value_name("plan", "cost"), _value_name(None, "cache")
    ('plan cost', 'cache hit rate of the whole run')
    """
    return (
        f"{MEASURE_NAMES[measure]} of the whole run" if phase is None else f"{phase} {MEASURE_NAMES[measure]}"
    )


def _format_accompanying(main: ChangePoint, change: ChangePoint) -> str:
    name = MEASURE_NAMES[change.measure] if change.phase == main.phase else "cost of the whole run"
    verb = "rose" if change.after > change.before else "fell"
    old, new = (format_measure(change.measure, value) for value in (change.before, change.after))
    return f"{name[0].upper()}{name[1:]} {verb} from {old} to {new}"


# --- outliers


def describe_outlier(outlier: Outlier, run_id: str, zone: tzinfo | None) -> str:
    """Format how far a run is above comparable runs."""
    phase, measure = outlier.name
    value, median = format_measure(measure, outlier.value), format_measure(measure, outlier.median)
    amount = f"{value} turns" if measure == "turns" else f"{MEASURE_NAMES[measure]} {value}"
    subject = run_id if phase is None else f"{run_id}, {phase}"
    day = format_date(int(outlier.series.created_at[outlier.row]), zone)
    workflow = outlier.series.template or "no workflow name"
    others = ", ".join(_value_name(other_phase, other) for other_phase, other in outlier.other_keys)
    others = f" Also high: {others}." if others else ""
    times = f"{outlier.value / outlier.median:.1f}×" if outlier.median > 0 else "far above"
    return (
        f"{subject} ({workflow}, {day}): {amount}, {times} the median of "
        f"{pluralize(outlier.sample_size, 'run')} ({median}).{others}"
    )


# --- budgets


def describe_budget(budget: BudgetState, start: datetime, exceeding_runs: int) -> str:
    """Format the spending of a budget and its unknown part.

    `exceeding_runs` is the number of runs above the limit.
    """
    sentence = _format_spending(budget, start, exceeding_runs)
    if budget.unknown:
        sentence += f"; cost of {pluralize(budget.unknown, 'run')} unknown and not included"
    if not budget.has_runs and budget.name:
        scope = "workflow" if budget.scope == "template" else budget.scope
        sentence += f"; this history has no run of {scope} {budget.name}"
    return sentence


def _format_spending(budget: BudgetState, start: datetime, exceeding_runs: int) -> str:
    spent = f"{'≥ ' if budget.is_lower_bound else ''}{format_dollars(budget.spent)}"
    limit = format_dollars(budget.limit)
    scope = {"all": "", "template": f", {budget.name}", "project": f", project {budget.name}"}[budget.scope]
    count = len(budget.rows)
    if budget.span == "run":
        title = f"Per-run budget {limit}{scope}, since {start:%Y-%m-%d %H:%M}"
        if not count:
            return f"{title}: no runs"
        runs = pluralize(count, "run")
        if exceeding_runs:
            return f"{title}: exceeded by {exceeding_runs:,} of {runs}, highest {spent}"
        return f"{title}: highest of {runs} {spent}"
    share = f" ({_used_percent(budget)})" if budget.limit else ""
    excess = (
        f", exceeded by {format_dollars(budget.spent - budget.limit)}"
        if budget.state == BudgetLevel.EXCEEDED
        else ""
    )
    runs = pluralize(count, "run")
    return f"{_format_period(budget.span, start)}{scope}: {spent} of {limit}{share}, {runs}{excess}"


def _used_percent(budget: BudgetState) -> str:
    """Format the used share; 100% only if it is exactly so, and 0% only if nothing was spent.

    Below the limit it is rounded down, above it up; slightly above it is >100%.
    """
    percent = budget.spent * 100 // budget.limit
    if budget.spent > budget.limit:
        return ">100%" if percent == 100 else f"{-(-budget.spent * 100 // budget.limit):,}%"
    return "<1%" if budget.spent and not percent else f"{percent}%"


def _format_period(span: str, start: datetime) -> str:
    if span == "week":
        return f"Week of {start:%Y-%m-%d}"
    return f"{start:%Y-%m}" if span == "month" else f"{start:%Y-%m-%d}"
