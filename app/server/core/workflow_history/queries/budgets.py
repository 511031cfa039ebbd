"""How spending stands against the budgets: settings and the history in, the state of every budget out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from .. import database
from ..analysis.anomalies.budgets import (
    BUDGET_COLUMNS,
    BudgetState,
    BudgetStateName,
    Period,
    Scope,
    Span,
    evaluate,
)
from ..analysis.anomalies.sentences import describe_budget
from ..common.column_data import ColumnTable, is_known
from ..common.errors import ConfigMissingError, InvalidQueryError
from ..common.plausible_dates import ImplausibleDates, resolve_now, to_microseconds
from ..common.time_zones import LOCAL_ZONE
from ..storage.history import History
from .anomalies import Finding, find_anomalies
from .implausible_dates import drop_implausible_dates, from_microseconds, run_names
from .settings_file import Settings

TOP_RUNS: Final = 5  # runs of each budget
MAX_LOOKBACK: Final = timedelta(days=5_000)  # that are judged, day by day
_NANODOLLARS: Final = 1e9
_SECOND_DAY: Final = datetime(1, 1, 2, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class BudgetRun:
    """One run that a budget was spent on."""

    id: str
    project: str | None
    cost: float  # USD
    at_least: bool  # it cost more, or that may be


@dataclass(frozen=True, slots=True)
class BudgetStatus:
    """One budget and how it stands."""

    scope: Scope  # all, template, project
    name: str | None  # of the template or project
    span: Span  # run: each run made since; else a calendar day, week or month
    start: datetime  # of the day, week or month; of the runs that are judged
    end: datetime  # the first moment after it
    limit: float  # USD
    spent: float  # USD at least; for one run: by the costliest
    share: float | None  # used of the limit, 1: all; None: a limit of 0
    state: BudgetStateName  # within, near (80% and more), passed
    at_least: bool  # more may have been spent
    runs: int  # judged
    unknown_runs: int  # whose cost is unknown: they count as nothing spent
    runs_over: int  # above a budget for one run; 0 for a day, week or month
    never_seen: bool  # the history has no run of this template or project: a slip of the pen?
    costliest: tuple[BudgetRun, ...]  # that passed a budget for one run; else those it went to, at most 5
    sentence: str


@dataclass(frozen=True, slots=True)
class BudgetReport:
    """All budgets, those that are passed first."""

    ok: bool  # no budget is passed, and nothing got worse that was asked about
    config: str  # the file
    since: datetime  # runs made from then on are held against budgets for one run
    until: datetime  # now; days, weeks and months that lie between are judged
    time_zone: str | None  # of days, weeks and months; None: this machine's
    passed: int
    near: int
    latest_run: (
        datetime | None
    )  # in the history: what was not synced cannot be judged; None: no run has a time
    undated_runs: int  # runs without a time: no day is known to be theirs
    misdated: ImplausibleDates  # likewise: before 2000, or after the moment that is judged
    budgets: tuple[BudgetStatus, ...]
    regressions: tuple[Finding, ...] | None  # of the latest runs; None: nobody asked
    series: int | None  # judged for regressions; 0: none could be; None: nobody asked


def check_budgets(
    config: Settings,
    since: datetime | None = None,
    now: datetime | None = None,
    *,
    regressions: bool = False,
) -> BudgetReport:
    """Return how every budget stands: for runs made `since` (a day ago), and the days since then.

    A budget is passed by what was spent at least; exactly at the limit is within.
    Raises InvalidQueryError where `since` is after `now` or more than 5,000 days before, ConfigError where
    there is no history.
    """
    until = resolve_now(now)
    start = since or max(until, _SECOND_DAY) - timedelta(days=1)
    if start > until:
        raise InvalidQueryError(f"since {start:%Y-%m-%d %H:%M} is after {until:%Y-%m-%d %H:%M}")
    if until - start > MAX_LOOKBACK:
        raise InvalidQueryError(
            f"since {start.date()} is more than {MAX_LOOKBACK.days:,} days before {until.date()}; "
            "each day would be judged: say a later one"
        )
    try:
        periods = list(_periods(start, until, config.time_zone))
    except (OverflowError, ValueError) as error:
        raise InvalidQueryError(f"{start} to {until} is beyond the calendar") from error
    if not database.history_exists():
        raise ConfigMissingError(
            f"there is no history at {database.database_name()} yet; workflow-history sync makes one"
        )
    with database.open_required() as history:
        every = history.columns("runs", BUDGET_COLUMNS)
        originals = every.take(every.integers["is_copy"] != 1)
        runs, misdated = drop_implausible_dates(history, originals, until)
        found = _judged(history, runs, config, periods, start, until)
    order: dict[BudgetStateName, int] = {"passed": 0, "near": 1, "within": 2}
    found.sort(key=lambda budget: order[budget.state])
    states = [budget.state for budget in found]
    dated = is_known(runs.integers["created_at"])
    watched = find_anomalies(tz=_zone_name(config) or LOCAL_ZONE, now=until) if regressions else None
    worse = watched.regressions if watched else None
    return BudgetReport(
        ok="passed" not in states and not worse,
        config=str(config.path),
        since=start,
        until=until,
        time_zone=_zone_name(config),
        passed=states.count("passed"),
        near=states.count("near"),
        latest_run=from_microseconds(int(runs.integers["created_at"].max())) if dated.any() else None,
        undated_runs=int((~dated).sum()) - misdated.runs,
        misdated=misdated,
        budgets=tuple(found),
        regressions=worse,
        series=watched.series if watched else None,
    )


def _judged(
    history: History,
    runs: ColumnTable,
    config: Settings,
    periods: Sequence[Period],
    *judged_between: datetime,
) -> list[BudgetStatus]:
    since, until = judged_between
    judged = evaluate(runs, config.budgets, periods, to_microseconds(since))
    shown = [_shown(one) for one in judged]
    keys = runs.integers["key"]
    names = run_names(history, [int(keys[row]) for rows in shown for row in rows])
    found = []
    for one, rows in zip(judged, shown, strict=True):
        named = tuple(
            BudgetRun(*names[int(keys[row])], cost / _NANODOLLARS, partial)
            for row, cost, partial in zip(rows, one.costs.tolist(), one.partial.tolist(), strict=False)
        )
        found.append(_budget(one, named, (since, until), config.time_zone))
    return found


def _shown(one: BudgetState) -> list[int]:
    """Return the rows of the runs that are named: those over a budget for one run, else the costliest."""
    least = one.limit if one.span == "run" else 0
    return [
        row
        for row, cost in zip(one.rows.tolist()[:TOP_RUNS], one.costs.tolist(), strict=False)
        if cost > least
    ]


def _budget(
    one: BudgetState, runs: tuple[BudgetRun, ...], judged: tuple[datetime, datetime], zone: ZoneInfo | None
) -> BudgetStatus:
    start, end = judged
    if one.period is not None:
        start, end = (_local(moment, zone) for moment in one.period[1:])
    over = int((one.costs > one.limit).sum()) if one.span == "run" else 0
    return BudgetStatus(
        scope=one.scope,
        name=one.name,
        span=one.span,
        start=start,
        end=end,
        limit=one.limit / _NANODOLLARS,
        spent=one.spent / _NANODOLLARS,
        share=one.share if one.limit else None,
        state=one.state,
        at_least=one.at_least,
        runs=len(one.rows),
        unknown_runs=one.unknown,
        runs_over=over,
        never_seen=not one.ever,
        costliest=runs,
        sentence=describe_budget(one, start, over),
    )


# --- days, weeks and months


def _zone_name(config: Settings) -> str | None:
    return None if config.time_zone is None else config.time_zone.key


def _periods(since: datetime, until: datetime, zone: ZoneInfo | None) -> Iterator[Period]:
    """Yield every day, week and month that has a moment between the two."""
    first, last = _local_date(since, zone), _local_date(until, zone)
    for span in ("month", "week", "day"):
        start = _start_of(span, first)
        while start <= last:
            end = _next(span, start)
            yield Period(span, _midnight(start, zone), _midnight(end, zone))
            start = end


def _start_of(span: Literal["day", "week", "month"], day: date) -> date:
    if span == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if span == "month" else day


def _next(span: Literal["day", "week", "month"], start: date) -> date:
    if span == "month":
        return (start + timedelta(days=31)).replace(day=1)
    return start + timedelta(days=7 if span == "week" else 1)


def _midnight(day: date, zone: ZoneInfo | None) -> int:
    """Return when a day begins, µs since 1970; on this machine's clock where no zone is given."""
    begins = (
        datetime.combine(day, time(), tzinfo=zone) if zone else datetime.combine(day, time()).astimezone()
    )
    return to_microseconds(begins)


def _local_date(moment: datetime, zone: ZoneInfo | None) -> date:
    return moment.astimezone(zone).date()


def _local(microseconds: int, zone: ZoneInfo | None) -> datetime:
    return from_microseconds(microseconds).astimezone(zone)
