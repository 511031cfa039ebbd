"""What statistics say: the records that hold their figures. Money in US dollars, None for what is unknown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from ...common.plausible_dates import ImplausibleDates


@dataclass(frozen=True, slots=True)
class Distribution:
    """How an amount lies over runs: US dollars of a cost, seconds of a duration."""

    total: float | None  # 0.0 where there was no run: nothing ran, nothing was spent
    mean: float | None  # of the runs that know it
    median: float | None
    p90: float | None  # nine of ten runs stay at or below it; between two runs, linear
    runs: int  # that know it: what mean, median and p90 rest on


@dataclass(frozen=True, slots=True)
class TokenTotals:
    """Tokens by kind; runs that do not know a kind are left out of it."""

    input: int | None  # read uncached
    output: int | None
    cache_read: int | None
    cache_creation: int | None
    total: int | None


@dataclass(frozen=True, slots=True)
class GroupStatistics:
    """What one group of runs adds up to."""

    name: str | None  # of the group; None: its runs do not say
    across: str | None  # of the second grouping, where one was asked for
    first_day: date | None  # of a day, week or month, in the time zone asked for
    runs: int  # without copies of other runs, which are in none of these figures
    copies: int  # runs left out: other runs count all that they spent
    agent_runs: int | None  # attempts that left a stream, by phase and agent; None in other groupings
    completed: int
    failed: int
    success_rate: float | None  # 0 to 1: completed of those that completed or failed
    success_rate_of: int  # runs that completed or failed; the others are of unknown end, stopped or at work
    cost: Distribution  # USD on record
    lower_bound_cost: float | None  # USD, spent at least beyond `cost`; never the same dollar
    runs_without_cost: int  # of which nothing is known to have been spent
    runs_costing_more: int  # runs that spent more than is on record: cut off, without a stream or a price
    tokens: TokenTotals
    cache_hit_share: float | None  # 0 to 1: cache read of all tokens read, where all three kinds are known
    duration: Distribution  # seconds


@dataclass(frozen=True, slots=True)
class RunStatistics:
    """The figures of some runs, in groups."""

    by: str
    across: str | None
    time_zone: str | None  # that days and hours are of; None: no grouping by time
    total: GroupStatistics  # every run once
    groups: tuple[GroupStatistics, ...]  # time in its order, else the costliest first; what is unknown last
    misdated: ImplausibleDates | None  # among the unknown ones; None: no grouping by time


@dataclass(frozen=True, slots=True)
class Timeline:
    """Some runs over time, and what they are made of."""

    by: str  # day, week or month
    whole: RunStatistics  # by time
    groups: RunStatistics | None  # by the second grouping alone; None: none was asked for
    crossed: RunStatistics | None  # the second grouping within each time
    trend: Trend | None  # None where the runs asked for are of certain days already


@dataclass(frozen=True, slots=True)
class WasteKind:
    """Money that one kind of mishap cost."""

    kind: str  # failed_runs, retries, false_successes, errors, cut_off
    runs: int  # that have some of it, whether or not it is known what that cost
    cost: float | None  # USD, at least; without what a kind above has counted already; None: unknown
    counted_above: float  # USD that this kind has too, but one above has counted
    partial: bool  # it cost more than that, and no kind above has counted it


@dataclass(frozen=True, slots=True)
class WasteLocation:
    """Where waste sits."""

    name: str | None  # of the template or phase
    wasted: float  # USD, at least
    spent: float  # USD, at least: all that was spent there
    share: float | None  # 0 to 1; None: nothing is known to have been spent
    wasted_partial: bool  # more was wasted there than that
    partial: bool  # more was spent there than that


@dataclass(frozen=True, slots=True)
class Waste:
    """What was spent on work that had to be done again or came to nothing; no dollar twice."""

    runs: int
    wasted: float  # USD, at least: the sum of the kinds
    spent: float  # USD, at least: on record, and lower bounds beyond
    partial: bool  # more was spent than that
    share: float | None  # 0 to 1; None: nothing is known to have been spent
    kinds: tuple[WasteKind, ...]  # in the order in which a dollar is counted
    doubtful_runs: int  # completed runs in which an agent said success and did nothing
    doubtful_cost: float  # USD that those cost at least; beside the waste, not in it
    doubtful_partial: bool  # they cost more than that
    by_template: tuple[WasteLocation, ...]  # the most wasteful first
    by_phase: tuple[WasteLocation, ...]  # the same; None: money of runs that no agent run shows


@dataclass(frozen=True, slots=True)
class Change:
    """One figure in a period and in the one before."""

    figure: str  # runs, success_rate, cost, cost_per_run, duration, tokens, cache_hit_share
    unit: str  # runs, share (0 to 1), USD, seconds, tokens
    now: float | None
    before: float | None
    change: float | None  # now less before, in the unit; None where one is unknown
    change_percent: float | None  # of before; None where that is 0 or unknown
    runs_now: int  # what `now` rests on
    runs_before: int  # what `before` rests on
    thin: bool  # one of the two rests on so few runs that chance may have made the change


@dataclass(frozen=True, slots=True)
class Trend:
    """A period held against the equally long one before."""

    begins: datetime  # UTC; runs made from then on
    ends: datetime  # UTC; and before then
    before_begins: datetime  # UTC, of the period before, which ends where this one begins
    before_is_whole: bool  # False: the first run is younger, so the period before is not all there
    changes: tuple[Change, ...]
    misdated: ImplausibleDates  # in neither period


@dataclass(frozen=True, slots=True)
class Overview:
    """The first look: what there is, where it went, what was lost and what changed."""

    total: GroupStatistics
    weeks: RunStatistics
    templates: RunStatistics
    models: RunStatistics
    phases: RunStatistics
    waste: Waste
    trend: Trend | None  # None where the runs asked for are of certain days already
