"""Format findings and budgets as plain English sentences.

Names are inserted as stored: the caller must escape the sentence for its output.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from ...analysis.anomalies.budgets import BudgetLevel
from ...common.formatting.numbers import format_duration, pluralize
from ...common.spending import format_fraction, format_usd, to_usd
from .budgets import BudgetState
from .cause_grouping import ChangeGroup
from .change_points import ChangePoint
from .outliers import Outlier

_WHOLE_RUN: Final = "whole run's"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

MEASURE_NAMES: Final = {
    "cost": "cost",
    "failures": "failures",
    "duration": "duration",
    "turns": "turns",
    "cache": "cache hits",
    "tool_errors": "failing tool calls",
}


def format_date(microseconds: int, zone: tzinfo | None) -> str:
    """Format the day in a time zone; None means the local zone.

    >>> format_date(0, UTC)
    '1970-01-01'
    """
    return (_EPOCH + timedelta(microseconds=microseconds)).astimezone(zone).date().isoformat()


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
    """Format the subject of a finding: a phase and its template.

    >>> describe_subject("adw_patch", "plan"), describe_subject(None, None)
    ('plan in adw_patch', 'runs of no named template')
    """
    subject = template or "runs of no named template"
    return subject if phase is None else f"{phase} in {subject}"


# --- changes


def describe_change(group: ChangeGroup, zone: tzinfo | None) -> str:
    """Format a change: since which day of a zone, by how much, and the changes along with it."""
    main = group.main
    since = format_date(int(group.series.created_at[main.since]), zone)
    subject = describe_subject(group.series.template, main.phase)
    after = _format_side(main, main.after, len(main.after_rows), first=True)
    before = _format_side(main, main.before, len(main.before_rows))
    along = "".join(f"; {_format_accompanying(main, change)}" for change in group.along)
    others = ", ".join(
        f"{_WHOLE_RUN if change.phase is None else change.phase} {MEASURE_NAMES[change.measure]}"
        for change in group.others
    )
    others = f"; changed with it: {others}" if others else ""
    switches = "".join(
        f"; the usual {kind} changed too: {values[0]} just before, {values[1]} since"
        for kind, values in (("model", group.models), ("project", group.projects))
        if values
    )
    sentence = f"{subject} {_change_verb(main)} since {since}: {after} against {before} before"
    return f"{sentence}{along}{others}{switches}"


def _change_verb(change: ChangePoint) -> str:
    more = change.after > change.before
    if change.measure == "failures":
        return "fails more often" if more else "fails less often"
    if change.measure == "cache":
        return "reads more from the cache" if more else "reads less from the cache"
    if change.measure == "tool_errors":
        return "has more failing tool calls" if more else "has fewer failing tool calls"
    verb, as_much, less = {
        "cost": ("costs", "as much", "less"),
        "duration": ("takes", "as long", "less time"),
        "turns": ("takes", "as many turns", "fewer turns"),
    }[change.measure]
    if change.ratio is None:
        return f"{verb} {'more' if more else less}"
    return (
        f"{verb} {change.ratio:.1f} times {as_much}"
        if more
        else f"{verb} {format_fraction(1 - change.ratio)} {less}"
    )


def _format_side(change: ChangePoint, value: float, count: int, *, first: bool = False) -> str:
    if change.measure == "failures":
        return f"{round(value * count):,} of {pluralize(count, 'run')} ({value:.0%})"
    sample = f"median of {pluralize(count, 'run')}" if first else pluralize(count, "run")
    return f"{format_measure(change.measure, value)} ({sample})"


def _format_accompanying(main: ChangePoint, change: ChangePoint) -> str:
    measure = "a whole run's cost" if change.phase != main.phase else MEASURE_NAMES[change.measure]
    verb = "rose" if change.after > change.before else "fell"
    old, new = (format_measure(change.measure, value) for value in (change.before, change.after))
    return f"{measure} {verb} from {old} to {new}"


# --- outliers


def describe_outlier(outlier: Outlier, run_id: str, zone: tzinfo | None) -> str:
    """Format how far a run is above comparable runs."""
    phase, measure = outlier.name
    verb = {"cost": "cost", "duration": "took", "turns": "took"}[measure]
    value, median = format_measure(measure, outlier.value), format_measure(measure, outlier.median)
    unit = " turns" if measure == "turns" else ""
    part = f"{phase} of " if phase is not None else ""
    kind = outlier.series.template or "no named template"
    others = ", ".join(
        f"{phase or 'whole run'} {MEASURE_NAMES[measure]}" for phase, measure in outlier.other_keys
    )
    others = f"; stands out also in {others}" if others else ""
    day = format_date(int(outlier.series.created_at[outlier.row]), zone)
    times = f"{outlier.value / outlier.median:.1f} times" if outlier.median > 0 else "far above"
    return (
        f"{part}{run_id} ({kind}, {day}) {verb} {value}{unit}: {times} the median of "
        f"{pluralize(outlier.sample_size, 'run')} ({median}){others}"
    )


# --- budgets


def describe_budget(budget: BudgetState, start: datetime, exceeding_runs: int) -> str:
    """Format the spending of a budget and its unknown part.

    `exceeding_runs` is the number of runs above the limit.
    """
    sentence = _format_spending(budget, start, exceeding_runs)
    if budget.unknown:
        sentence += f"; what {pluralize(budget.unknown, 'run')} cost is unknown and not in it"
    if not budget.has_runs and budget.name:
        sentence += f"; this history has no run of {budget.scope} {budget.name}"
    return sentence


def _format_spending(budget: BudgetState, start: datetime, exceeding_runs: int) -> str:
    prefix = "at least " if budget.is_lower_bound else ""
    spent, limit = f"{prefix}{format_dollars(budget.spent)}", format_dollars(budget.limit)
    scope = {"all": "", "template": f" of {budget.name}", "project": f" of project {budget.name}"}[
        budget.scope
    ]
    runs = pluralize(len(budget.rows), "run")
    if budget.span == "run":
        if not len(budget.rows):
            return f"no run{scope} since {start:%Y-%m-%d %H:%M}; budget {limit} each"
        exceeding = f", {pluralize(exceeding_runs, 'run')} above it" if exceeding_runs else ""
        return f"the costliest of {runs}{scope} cost {spent}, budget {limit} each{exceeding}"
    share = f", {_used_percent(budget)} of it" if budget.limit else ""
    excess = (
        f", {format_dollars(budget.spent - budget.limit)} too much"
        if budget.state == BudgetLevel.EXCEEDED
        else ""
    )
    return (
        f"{_format_period(budget.span, start)}: {spent} spent by {runs}{scope}, budget {limit}{share}{excess}"
    )


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
        return f"week of {start:%Y-%m-%d}"
    return f"{start:%Y-%m}" if span == "month" else f"{start:%Y-%m-%d}"
