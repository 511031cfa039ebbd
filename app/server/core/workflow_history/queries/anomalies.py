"""What got worse or better lately, and which runs stand out: a filter in, findings with their figures out.

"Lately" is counted back from the latest run: the same history gives the same answer. A run that cannot have
been made when it says is never the latest.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Final, Literal

import numpy as np

from .. import database
from ..analysis.anomalies.cause_grouping import ChangeGroup
from ..analysis.anomalies.change_points import ChangePoint
from ..analysis.anomalies.detect import FALSE_DISCOVERY_RATE, Detected, detect
from ..analysis.anomalies.outliers import Outlier
from ..analysis.anomalies.sentences import describe_change, describe_outlier
from ..analysis.anomalies.series import AGENT_COLUMNS, MEASURES, RUN_COLUMNS, recent_cutoff
from ..common.column_data import ColumnTable, Floats, Integers
from ..common.errors import InvalidQueryError
from ..common.filters import RunFilter, parse_period
from ..common.plausible_dates import NO_IMPLAUSIBLE_DATES, ImplausibleDates, resolve_now
from ..common.proportions import significant
from ..common.time_zones import LOCAL_ZONE, zone_named
from ..storage.history import History
from .check_names import matching_keys
from .implausible_dates import drop_implausible_dates, from_microseconds, run_names

DEFAULT_RECENT: Final = timedelta(days=30)
MAX_RUNS: Final = 5  # of each finding
MAX_OUTLIERS: Final = 20
SPARKLINE_POINTS: Final = 32  # medians that draw a series
_NANODOLLARS: Final = 1e9

MeasureName = Literal["cost", "failures", "duration", "turns", "cache", "tool_errors"]


@dataclass(frozen=True, slots=True)
class RunRef:
    """One run."""

    id: str
    project: str | None


@dataclass(frozen=True, slots=True)
class MeasureChange:
    """One measure before and after.

    Cost in USD, duration in seconds, turns as a count; failures, cache and tool_errors as shares, 0 to 1.
    """

    phase: str | None  # None: the run as a whole
    measure: MeasureName
    before: float  # median; of failures the share of runs
    before_runs: int
    after: float
    after_runs: int
    ratio: float | None  # after by before; None: 0 before
    robust_z: float | None  # how far the median moved, in robust standard deviations; None for failures


@dataclass(frozen=True, slots=True)
class Finding:
    """One lasting change, with everything that came of it."""

    template: str | None  # None: runs of no named template
    worse: bool
    since: datetime  # when the first run after the change was made
    main: MeasureChange
    p: float  # chance of a difference as large anywhere in the series, if nothing had changed
    along: tuple[
        MeasureChange, ...
    ]  # what else moved at that moment: of the same phase, and the whole run's cost
    others: tuple[MeasureChange, ...]  # changes of other phases at about the same time
    extra_cost: float | None  # USD more than before, all runs since; below 0: saved; None: no matter of money
    model_before: str | None  # the usual one just before and since, where it changed; else None
    model_after: str | None
    project_before: str | None  # likewise
    project_after: str | None
    runs: tuple[RunRef, ...]  # the most telling first, at most 5
    curve: tuple[float, ...]  # medians of the main measure over time, oldest first, at most 32
    curve_change: int  # the first entry of the curve after the change
    sentence: str


@dataclass(frozen=True, slots=True)
class OutlierRun:
    """One recent run far above others of its template and phase."""

    id: str
    project: str | None
    template: str | None
    created_at: datetime
    phase: str | None  # None: the run as a whole
    measure: MeasureName
    value: float  # units as in Figure
    usual: float  # median of those it is held against
    like_runs: int  # how many these are
    modified_z: float  # 3.5 and more is far (Iglewicz and Hoaglin)
    extra_cost: float | None  # USD above the median; None: no matter of money
    sentence: str


@dataclass(frozen=True, slots=True)
class Anomalies:
    """What changed lately."""

    runs: int  # that were looked at
    latest: datetime | None  # the last of them; None: there is none with a time
    recent_since: datetime | None  # from then on runs are recent
    series: int  # template, phase and measure with enough runs to be judged
    false_discovery_rate: float  # share of the regressions and improvements that may be chance
    regressions: tuple[Finding, ...]  # the most money first
    improvements: tuple[Finding, ...]
    stand_outs: tuple[OutlierRun, ...]  # single runs, the most money first, at most 20
    stand_outs_found: int
    misdated: ImplausibleDates  # left out of all this


def find_anomalies(
    where: RunFilter | None = None,
    recent: timedelta | str | int = DEFAULT_RECENT,
    *,
    tz: str = LOCAL_ZONE,
    now: datetime | None = None,
) -> Anomalies:
    """Return what changed lately among the runs of a filter, and which runs stand out.

    `recent` is an age against the latest run, also as text such as 4w, or a number of runs.
    A filter's phases narrow to these phases. `tz` names the zone that the days in sentences are of.
    Raises InvalidQueryError where `recent` is not above 0, `tz` names no zone, or `now` has no time zone.
    """
    recent = parse_period(recent) if isinstance(recent, str) else recent
    _check(recent)
    wanted, moment, zone = where or RunFilter(), resolve_now(now), zone_named(tz)
    with database.open_if_exists() as history:
        if history is None:
            return _answer(0, None, None, Detected(0, (), (), ()), {}, NO_IMPLAUSIBLE_DATES, zone)
        runs, agents = _narrowed(history, wanted)
        runs, misdated = drop_implausible_dates(history, runs, moment)
        created = runs.integers["created_at"]
        age, number = (
            (recent // timedelta(microseconds=1), None) if isinstance(recent, timedelta) else (None, recent)
        )
        since = recent_cutoff(created, age, number)
        if since is None:
            return _answer(len(runs), None, None, Detected(0, (), (), ()), {}, misdated, zone)
        found = detect(runs, agents, since, wanted.phase)
        keys = runs.integers["key"]
        places = [place for group in (*found.regressions, *found.improvements) for place in _telling(group)]
        places += [int(one.lane.rows[one.row]) for one in found.outliers[:MAX_OUTLIERS]]
        named = run_names(history, [int(keys[place]) for place in places])
    names = {place: named[int(keys[place])] for place in places}
    return _answer(len(runs), int(created.max()), since, found, names, misdated, zone)


def _check(recent: object) -> None:
    zero = timedelta() if isinstance(recent, timedelta) else 0
    if isinstance(recent, bool) or not isinstance(recent, timedelta | int) or recent <= zero:  # type: ignore[operator]
        raise InvalidQueryError(f"recent={recent!r} is not allowed; use an age or a number of runs above 0")


def _narrowed(history: History, where: RunFilter) -> tuple[ColumnTable, ColumnTable]:
    runs = history.columns("runs", (*RUN_COLUMNS, "is_copy"))
    runs = runs.take(runs.integers["is_copy"] != 1)
    agents = history.columns("agent_runs", AGENT_COLUMNS)
    if where.is_empty:
        return runs, agents
    keys = matching_keys(history, where)
    return runs.take(np.isin(runs.integers["key"], keys)), agents


RunNames = dict[int, tuple[str, str | None]]
"""Id and project of a run, by its place in the columns."""


def _answer(  # noqa: PLR0917 - one part of the answer each
    runs: int,
    latest: int | None,
    since: int | None,
    found: Detected,
    names: RunNames,
    misdated: ImplausibleDates,
    zone: tzinfo | None,
) -> Anomalies:
    return Anomalies(
        runs=runs,
        latest=None if latest is None else from_microseconds(latest),
        recent_since=None if since is None else from_microseconds(since),
        series=found.series,
        false_discovery_rate=FALSE_DISCOVERY_RATE,
        regressions=tuple(_finding(group, names, zone) for group in found.regressions),
        improvements=tuple(_finding(group, names, zone) for group in found.improvements),
        stand_outs=tuple(_stand_out(one, names, zone) for one in found.outliers[:MAX_OUTLIERS]),
        stand_outs_found=len(found.outliers),
        misdated=misdated,
    )


def _finding(group: ChangeGroup, names: RunNames, zone: tzinfo | None) -> Finding:
    main = group.main
    models, projects = group.models or (None, None), group.projects or (None, None)
    curve, change = _curve(group)
    return Finding(
        template=group.lane.template,
        worse=main.is_worse,
        since=from_microseconds(int(group.lane.created_at[main.since])),
        main=_figure(main),
        p=significant(main.chance),
        along=tuple(_figure(one) for one in group.along),
        others=tuple(_figure(one) for one in group.others),
        extra_cost=None if group.extra is None else _in_units("cost", group.extra),
        model_before=models[0],
        model_after=models[1],
        project_before=projects[0],
        project_after=projects[1],
        runs=tuple(RunRef(*names[place]) for place in _telling(group)),
        curve=curve,
        curve_change=change,
        sentence=describe_change(group, zone),
    )


def _figure(change: ChangePoint) -> MeasureChange:
    phase, measure = change.name
    return MeasureChange(
        phase=phase,
        measure=measure,  # type: ignore[arg-type]  # names are checked where they are made
        before=_in_units(measure, change.before),
        before_runs=len(change.before_rows),
        after=_in_units(measure, change.after),
        after_runs=len(change.after_rows),
        ratio=significant(change.ratio),
        robust_z=significant(change.distance),
    )


def _in_units(measure: str, value: float) -> float:
    """Return a value in US dollars, seconds or as a share, without the digits that mean nothing."""
    if measure == "cost":
        return round(value / _NANODOLLARS, 9)
    return significant(value) if MEASURES[measure].kind != "amount" else round(value, 6)


def _telling(group: ChangeGroup) -> list[int]:
    """Return the places of the runs that show a change best: those that moved furthest, then the latest."""
    main = group.main
    sign = 1.0 if main.after > main.before else -1.0
    order = np.lexsort((-main.after_rows, -sign * main.after_values))[:MAX_RUNS]
    places: list[int] = group.lane.rows[main.after_rows[order]].tolist()
    return places


def _curve(group: ChangeGroup) -> tuple[tuple[float, ...], int]:
    """Return a series as a few medians, and the first of them after the change; no median has both sides."""
    main = group.main
    values = group.lane.figures[main.name]
    before, after = values[main.before_rows], main.after_values
    size = max(1, -(-(len(before) + len(after)) // SPARKLINE_POINTS))
    sides = [_medians(side, size) for side in (before, after)]
    return tuple(_in_units(main.measure, value) for side in sides for value in side), len(sides[0])


def _medians(values: Floats, size: int) -> list[float]:
    groups: list[Integers] = np.array_split(np.arange(len(values)), max(1, len(values) // size))
    return [
        float(np.mean(values[some]) if size > 1 and _is_rate(values) else np.median(values[some]))
        for some in groups
    ]


def _is_rate(values: Floats) -> bool:
    return bool(np.isin(values, (0.0, 1.0)).all())


def _stand_out(one: Outlier, names: RunNames, zone: tzinfo | None) -> OutlierRun:
    run_id, project = names[int(one.lane.rows[one.row])]
    phase, measure = one.name
    return OutlierRun(
        id=run_id,
        project=project,
        template=one.lane.template,
        created_at=from_microseconds(int(one.lane.created_at[one.row])),
        phase=phase,
        measure=measure,  # type: ignore[arg-type]  # see above
        value=_in_units(measure, one.value),
        usual=_in_units(measure, one.usual),
        like_runs=one.like,
        modified_z=significant(one.score),
        extra_cost=_in_units(measure, one.extra) if measure == "cost" else None,
        sentence=describe_outlier(one, run_id, zone),
    )
