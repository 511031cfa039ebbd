"""Check spending against the budgets: settings and the history in, the status of every budget out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

from .. import database
from ..analysis.anomalies.budgets import (
    BUDGET_COLUMNS,
    BudgetLevel,
    BudgetState,
    Period,
    Scope,
    Span,
    evaluate_budgets,
)
from ..analysis.anomalies.sentences import describe_budget
from ..common.column_data import ColumnTable, is_known
from ..common.errors import ConfigMissingError, InvalidQueryError, InvalidValueError
from ..common.field_docs import Doc
from ..common.plausible_dates import ImplausibleDates, from_microseconds, resolve_now, to_microseconds
from ..common.shared_fields import MoreMaySpent, RunId, RunProjectOrNull, SettingsPath
from ..common.spending import to_usd
from ..common.time_zones import LOCAL_ZONE
from ..storage.history import History
from .anomalies import Finding, find_anomalies
from .implausible_dates import drop_implausible_dates, run_names
from .settings_file import Settings

TOP_RUNS: Final = 5  # runs named per budget
MAX_LOOKBACK: Final = timedelta(days=5_000)  # longest period to check, since every day is checked
_SECOND_DAY: Final = datetime(1, 1, 2, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class BudgetRun:
    """One run that contributes to the spending of a budget."""

    id: RunId
    project: RunProjectOrNull
    cost: Annotated[float, Doc("cost of the run, USD")]
    is_lower_bound: Annotated[bool, Doc("whether the cost is a lower bound")]


@dataclass(frozen=True, slots=True)
class BudgetStatus:
    """Status of one budget."""

    scope: Annotated[Scope, Doc("scope of the budget: all, template (one workflow) or project")]
    name: Annotated[str | None, Doc("name of the workflow or project; null: all runs")]
    span: Annotated[Span, Doc("run: each run since the start; else a calendar day, week or month")]
    start: Annotated[datetime, Doc("start of the day, week or month, or of the checked runs")]
    end: Annotated[datetime, Doc("end of the period, exclusive")]
    limit: Annotated[float, Doc("limit, USD")]
    spent: Annotated[
        float, Doc("lower bound of the spending, USD; of a budget per run, the highest cost of a run")
    ]
    share: Annotated[float | None, Doc("spending divided by the limit; null: the limit is 0")]
    state: Annotated[BudgetLevel, Doc("within, near (80% and more) or exceeded")]
    is_lower_bound: MoreMaySpent
    runs: Annotated[int, Doc("number of checked runs")]
    unknown_runs: Annotated[int, Doc("number of runs with unknown cost, which count as 0")]
    runs_over: Annotated[int, Doc("number of runs above a budget per run; 0 for a day, week or month")]
    never_seen: Annotated[bool, Doc("whether no run has this workflow or project, maybe because of a typo")]
    top_runs: Annotated[
        tuple[BudgetRun, ...], Doc("runs above a budget per run, else those of the highest cost, at most 5")
    ]
    sentence: Annotated[str, Doc("description of the status in one sentence")]


@dataclass(frozen=True, slots=True)
class BudgetReport:
    """Status of all budgets, exceeded ones first."""

    ok: Annotated[bool, Doc("whether no budget is exceeded and no regression was found, if requested")]
    config: SettingsPath
    since: Annotated[datetime, Doc("start of the checked period")]
    until: Annotated[datetime, Doc("end of the checked period, usually now")]
    time_zone: Annotated[str | None, Doc("time zone of days, weeks and months; null: local")]
    exceeded: Annotated[int, Doc("number of exceeded budgets")]
    near: Annotated[int, Doc("number of budgets near the limit")]
    latest_run: Annotated[datetime | None, Doc("creation time of the latest synced run; null: no known time")]
    undated_runs: Annotated[int, Doc("number of runs without a date, which count in no day, week or month")]
    invalid_timestamps: Annotated[
        ImplausibleDates, Doc("runs dated before 2000 or after the end, which also count in no period")
    ]
    budgets: Annotated[tuple[BudgetStatus, ...], Doc("status of each budget")]
    regressions: Annotated[tuple[Finding, ...] | None, Doc("recent regressions; null: not requested")]
    series: Annotated[int | None, Doc("number of time series checked for regressions; null: not requested")]


def check_budgets(
    config: Settings,
    since: datetime | None = None,
    now: datetime | None = None,
    *,
    regressions: bool = False,
) -> BudgetReport:
    """Check every budget: for runs created since `since` (default: one day ago), and the periods since then.

    A budget is exceeded if the lower bound of the spending is above the limit, not if it is equal.
    Raises InvalidQueryError if `since` is after `now` or more than 5,000 days before, and ConfigMissingError
    if there is no history.
    """
    until = resolve_now(now)
    start = since or max(until, _SECOND_DAY) - timedelta(days=1)
    if start > until:
        raise InvalidValueError(
            "since", f"{start:%Y-%m-%d %H:%M}", f"Use a time before {until:%Y-%m-%d %H:%M}."
        )
    if until - start > MAX_LOOKBACK:
        raise InvalidValueError(
            "since",
            f"{start.date()}",
            f"Use a date at most {MAX_LOOKBACK.days:,} days before {until.date()}.",
        )
    try:
        periods = list(_periods(start, until, config.time_zone))
    except (OverflowError, ValueError) as error:
        raise InvalidQueryError(f"Invalid period {start} to {until}: beyond the calendar.") from error
    if not database.history_exists():
        raise ConfigMissingError(str(database.missing_history_error()))
    with database.open_required() as history:
        all_runs = history.columns("runs", BUDGET_COLUMNS)
        originals = all_runs.take(all_runs.integers["is_copy"] != 1)
        runs, invalid_timestamps = drop_implausible_dates(history, originals, until)
        statuses = _evaluate_budgets(history, runs, config, periods, start, until)
    order: dict[BudgetLevel, int] = {BudgetLevel.EXCEEDED: 0, BudgetLevel.NEAR: 1, BudgetLevel.WITHIN: 2}
    statuses.sort(key=lambda budget: order[budget.state])
    states = [budget.state for budget in statuses]
    is_dated = is_known(runs.integers["created_at"])
    anomalies = find_anomalies(tz=_zone_name(config) or LOCAL_ZONE, now=until) if regressions else None
    regressions_found = anomalies.regressions if anomalies else None
    return BudgetReport(
        ok=BudgetLevel.EXCEEDED not in states and not regressions_found,
        config=str(config.path),
        since=start,
        until=until,
        time_zone=_zone_name(config),
        exceeded=states.count(BudgetLevel.EXCEEDED),
        near=states.count(BudgetLevel.NEAR),
        latest_run=from_microseconds(int(runs.integers["created_at"].max())) if is_dated.any() else None,
        undated_runs=int((~is_dated).sum()) - invalid_timestamps.runs,
        invalid_timestamps=invalid_timestamps,
        budgets=tuple(statuses),
        regressions=regressions_found,
        series=anomalies.series if anomalies else None,
    )


def _evaluate_budgets(
    history: History,
    runs: ColumnTable,
    config: Settings,
    periods: Sequence[Period],
    *checked_period: datetime,
) -> list[BudgetStatus]:
    since, until = checked_period
    states = evaluate_budgets(runs, config.budgets, periods, to_microseconds(since))
    rows_per_state = [_rows_to_name(state) for state in states]
    keys = runs.integers["key"]
    names = run_names(history, [int(keys[row]) for rows in rows_per_state for row in rows])
    statuses = []
    for state, rows in zip(states, rows_per_state, strict=True):
        top_runs = tuple(
            BudgetRun(*names[int(keys[row])], to_usd(cost), partial)
            for row, cost, partial in zip(rows, state.costs.tolist(), state.partial.tolist(), strict=False)
        )
        statuses.append(_to_budget_status(state, top_runs, (since, until), config.time_zone))
    return statuses


def _rows_to_name(state: BudgetState) -> list[int]:
    """Return the rows of the runs to name: those above a budget per run, else those with the highest cost."""
    min_cost = state.limit if state.span == "run" else 0
    return [
        row
        for row, cost in zip(state.rows.tolist()[:TOP_RUNS], state.costs.tolist(), strict=False)
        if cost > min_cost
    ]


def _to_budget_status(
    state: BudgetState,
    runs: tuple[BudgetRun, ...],
    checked_period: tuple[datetime, datetime],
    zone: ZoneInfo | None,
) -> BudgetStatus:
    start, end = checked_period
    if state.period is not None:
        start, end = (from_microseconds(moment).astimezone(zone) for moment in state.period[1:])
    runs_over = int((state.costs > state.limit).sum()) if state.span == "run" else 0
    return BudgetStatus(
        scope=state.scope,
        name=state.name,
        span=state.span,
        start=start,
        end=end,
        limit=to_usd(state.limit),
        spent=to_usd(state.spent),
        share=state.share if state.limit else None,
        state=state.state,
        is_lower_bound=state.is_lower_bound,
        runs=len(state.rows),
        unknown_runs=state.unknown,
        runs_over=runs_over,
        never_seen=not state.has_runs,
        top_runs=runs,
        sentence=describe_budget(state, start, runs_over),
    )


# --- days, weeks and months


def _zone_name(config: Settings) -> str | None:
    return None if config.time_zone is None else config.time_zone.key


def _periods(since: datetime, until: datetime, zone: ZoneInfo | None) -> Iterator[Period]:
    """Yield every month, week and day that overlaps the period."""
    first, last = _local_date(since, zone), _local_date(until, zone)
    for span in ("month", "week", "day"):
        start = _period_start(span, first)
        while start <= last:
            end = _next_period(span, start)
            yield Period(span, _midnight(start, zone), _midnight(end, zone))
            start = end


def _period_start(span: Literal["day", "week", "month"], day: date) -> date:
    if span == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if span == "month" else day


def _next_period(span: Literal["day", "week", "month"], start: date) -> date:
    if span == "month":
        return (start + timedelta(days=31)).replace(day=1)
    return start + timedelta(days=7 if span == "week" else 1)


def _midnight(day: date, zone: ZoneInfo | None) -> int:
    """Return the start of a day in µs since 1970, in the local time zone if none is given."""
    midnight = (
        datetime.combine(day, time(), tzinfo=zone) if zone else datetime.combine(day, time()).astimezone()
    )
    return to_microseconds(midnight)


def _local_date(moment: datetime, zone: ZoneInfo | None) -> date:
    return moment.astimezone(zone).date()
