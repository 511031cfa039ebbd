"""Format findings and budgets as plain English sentences.

Names are inserted as stored: the caller must escape the sentence for its output.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from ...common.spending import format_fraction, format_usd
from .budgets import BudgetState
from .cause_grouping import ChangeGroup
from .change_points import ChangePoint
from .outliers import Outlier

_NANODOLLARS: Final = 1e9
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


def dollars(nanodollars: float) -> str:
    """Format nanodollars as US dollars.

    >>> dollars(1_620_000_000), dollars(21_492_450), dollars(10_000), dollars(0)
    ('$1.62', '$0.0215', '<$0.0001', '$0.00')
    """
    return format_usd(nanodollars / _NANODOLLARS)


def span_of(seconds: float) -> str:
    """Format seconds as a short duration.

    >>> span_of(41.2), span_of(130), span_of(5400)
    ('41s', '2m 10s', '1h 30m')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s" if seconds >= 1 else f"{seconds:.2g}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    return f"{whole // 3600}h {whole % 3600 // 60:02d}m"


def format_measure(measure: str, value: float) -> str:
    """Format the value of a measure with its unit.

    >>> format_measure("cache", 0.684), format_measure("turns", 13.0)
    ('68%', '13')
    """
    if measure == "cost":
        return dollars(value)
    if measure == "duration":
        return span_of(value)
    return f"{value:.4g}" if measure == "turns" else f"{value:.0%}"


def describe_subject(template: str | None, phase: str | None) -> str:
    """Format the subject of a finding: a phase and its template.

    >>> describe_subject("adw_patch", "plan"), describe_subject(None, None)
    ('plan in adw_patch', 'runs of no named template')
    """
    whole = template or "runs of no named template"
    return whole if phase is None else f"{phase} in {whole}"


def counted(count: int, noun: str = "run") -> str:
    """Format a count and its noun."""
    return f"{count:,} {noun if count == 1 else noun + 's'}"


# --- changes


def describe_change(group: ChangeGroup, zone: tzinfo | None) -> str:
    """Format a change: since which day of a zone, by how much, and the changes along with it."""
    main = group.main
    since = format_date(int(group.lane.created_at[main.since]), zone)
    subject = describe_subject(group.lane.template, main.phase)
    figures = f"{_side(main, main.after, len(main.after_rows), first=True)} against "
    figures += f"{_side(main, main.before, len(main.before_rows))} before"
    sides = "".join(f"; {_along(main, change)}" for change in group.along)
    return f"{subject} {_verb(main)} since {since}: {figures}{sides}{_others(group)}{_reasons(group)}"


def _verb(change: ChangePoint) -> str:
    more = change.after > change.before
    if change.measure == "failures":
        return "fails more often" if more else "fails less often"
    if change.measure == "cache":
        return "reads more from the cache" if more else "reads less from the cache"
    if change.measure == "tool_errors":
        return "has more failing tool calls" if more else "has fewer failing tool calls"
    verb, much, little = {
        "cost": ("costs", "as much", "less"),
        "duration": ("takes", "as long", "less time"),
        "turns": ("takes", "as many turns", "fewer turns"),
    }[change.measure]
    if change.ratio is None:
        return f"{verb} {'more' if more else little}"
    return (
        f"{verb} {change.ratio:.1f} times {much}"
        if more
        else f"{verb} {format_fraction(1 - change.ratio)} {little}"
    )


def _side(change: ChangePoint, value: float, count: int, *, first: bool = False) -> str:
    if change.measure == "failures":
        return f"{round(value * count):,} of {counted(count)} ({value:.0%})"
    of = f"median of {counted(count)}" if first else counted(count)
    return f"{format_measure(change.measure, value)} ({of})"


def _along(main: ChangePoint, change: ChangePoint) -> str:
    of = "a whole run's cost" if change.phase != main.phase else MEASURE_NAMES[change.measure]
    moved = "rose" if change.after > change.before else "fell"
    old, new = (format_measure(change.measure, value) for value in (change.before, change.after))
    return f"{of} {moved} from {old} to {new}"


def _others(group: ChangeGroup) -> str:
    named = [f"{_part(change)} {MEASURE_NAMES[change.measure]}" for change in group.others]
    return f"; changed with it: {', '.join(named)}" if named else ""


def _part(change: ChangePoint) -> str:
    return "whole run's" if change.phase is None else change.phase


def _reasons(group: ChangeGroup) -> str:
    told = [("model", group.models), ("project", group.projects)]
    return "".join(
        f"; the usual {what} changed too: {pair[0]} just before, {pair[1]} since"
        for what, pair in told
        if pair
    )


# --- outliers


def describe_outlier(one: Outlier, run_id: str, zone: tzinfo | None) -> str:
    """Format how far a run is above comparable runs."""
    phase, measure = one.name
    verb = {"cost": "cost", "duration": "took", "turns": "took"}[measure]
    value, usual = format_measure(measure, one.value), format_measure(measure, one.usual)
    unit = " turns" if measure == "turns" else ""
    part = f"{phase} of " if phase is not None else ""
    kind = one.lane.template or "no named template"
    also = ", ".join(f"{name[0] or 'whole run'} {MEASURE_NAMES[name[1]]}" for name in one.also)
    day = format_date(int(one.lane.created_at[one.row]), zone)
    times = f"{one.value / one.usual:.1f} times" if one.usual > 0 else "far above"
    return (
        f"{part}{run_id} ({kind}, {day}) {verb} {value}{unit}: "
        f"{times} the median of {counted(one.like)} ({usual}){f'; stands out also in {also}' if also else ''}"
    )


# --- budgets


def describe_budget(one: BudgetState, start: datetime, over: int) -> str:
    """Format the spending of a budget, and its unknown part; `over` counts the runs above the limit."""
    return f"{_spent(one, start, over)}{_unknown(one)}"


def _spent(one: BudgetState, start: datetime, over: int) -> str:
    least = "at least " if one.at_least else ""
    spent, limit = f"{least}{dollars(one.spent)}", dollars(one.limit)
    of = {"all": "", "template": f" of {one.name}", "project": f" of project {one.name}"}[one.scope]
    if one.span == "run":
        if not len(one.rows):
            return f"no run{of} since {start:%Y-%m-%d %H:%M}; budget {limit} each"
        above = f", {counted(over)} above it" if over else ""
        return f"the costliest of {counted(len(one.rows))}{of} cost {spent}, budget {limit} each{above}"
    part = f", {_percent(one)} of it" if one.limit else ""
    passed = f", {dollars(one.spent - one.limit)} too much" if one.state == "passed" else ""
    runs = counted(len(one.rows))
    return f"{_when(one.span, start)}: {spent} spent by {runs}{of}, budget {limit}{part}{passed}"


def _percent(one: BudgetState) -> str:
    """Format the used share; 100% only if it is exactly so, and 0% only if nothing was spent.

    Below the limit it is rounded down, above it up; slightly above it is >100%.
    """
    hundredth = one.spent * 100 // one.limit
    if one.spent > one.limit:
        return ">100%" if hundredth == 100 else f"{-(-one.spent * 100 // one.limit):,}%"
    return "<1%" if one.spent and not hundredth else f"{hundredth}%"


def _when(span: str, start: datetime) -> str:
    if span == "week":
        return f"week of {start:%Y-%m-%d}"
    return f"{start:%Y-%m}" if span == "month" else f"{start:%Y-%m-%d}"


def _unknown(one: BudgetState) -> str:
    told: Sequence[str] = [
        *([f"what {counted(one.unknown)} cost is unknown and not in it"] if one.unknown else []),
        *([f"this history has no run of {one.scope} {one.name}"] if not one.ever and one.name else []),
    ]
    return "".join(f"; {part}" for part in told)
