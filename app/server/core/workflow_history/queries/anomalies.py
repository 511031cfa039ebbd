"""Find regressions, improvements and outliers: a filter in, findings with their measurements out.

The recent window is counted back from the latest run, so that the same history gives the same result. A run
with an implausible date is never the latest run.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Annotated, Final, Literal

import numpy as np

from .. import database
from ..analysis.anomalies.cause_grouping import ChangeGroup
from ..analysis.anomalies.change_points import ChangePoint
from ..analysis.anomalies.detect import FALSE_DISCOVERY_RATE, DetectedAnomalies, detect_anomalies
from ..analysis.anomalies.outliers import Outlier
from ..analysis.anomalies.sentences import describe_change, describe_outlier
from ..analysis.anomalies.series import AGENT_COLUMNS, MEASURES, RUN_COLUMNS, recent_cutoff
from ..common.column_data import ColumnTable, Floats, Integers
from ..common.errors import InvalidValueError
from ..common.field_docs import Doc
from ..common.filters import RunFilter, parse_period
from ..common.plausible_dates import NO_IMPLAUSIBLE_DATES, ImplausibleDates, from_microseconds, resolve_now
from ..common.proportions import significant
from ..common.shared_fields import RunId, RunProjectOrNull
from ..common.spending import to_usd
from ..common.time_zones import LOCAL_ZONE, zone_named
from ..storage.history import History
from .check_names import matching_keys
from .implausible_dates import drop_implausible_dates, run_names

DEFAULT_RECENT: Final = timedelta(days=30)
MAX_RUNS: Final = 5  # runs named per finding
MAX_OUTLIERS: Final = 20
SPARKLINE_POINTS: Final = 32  # maximum number of medians in a sparkline

MeasureName = Annotated[
    Literal["cost", "failures", "duration", "turns", "cache", "tool_errors"], Doc("name of the measure")
]
PhaseOrRun = Annotated[str | None, Doc("phase; null: the run as a whole")]


@dataclass(frozen=True, slots=True)
class RunRef:
    """Reference to one run."""

    id: RunId
    project: RunProjectOrNull


@dataclass(frozen=True, slots=True)
class MeasureChange:
    """One measure before and after a change.

    Cost in USD, duration in seconds, turns as a count; failures, cache and tool_errors as shares, 0 to 1.
    """

    phase: PhaseOrRun
    measure: MeasureName
    before: Annotated[float, Doc("median before the change; of failures the share of runs")]
    before_runs: Annotated[int, Doc("number of runs before the change")]
    after: Annotated[float, Doc("median after the change; of failures the share of runs")]
    after_runs: Annotated[int, Doc("number of runs after the change")]
    ratio: Annotated[float | None, Doc("after divided by before; null: before is 0")]
    robust_z: Annotated[
        float | None, Doc("shift of the median, in robust standard deviations; null: failures")
    ]


@dataclass(frozen=True, slots=True)
class Finding:
    """One regression or improvement, with the changes that came with it."""

    template: Annotated[str | None, Doc("name of the workflow; null: runs without a workflow name")]
    worse: Annotated[bool, Doc("whether this is a regression")]
    since: Annotated[datetime, Doc("change point: creation time of the first run after the change")]
    main: Annotated[MeasureChange, Doc("change of the main measure")]
    p: Annotated[float, Doc("probability of so large a difference in the series by chance")]
    along: Annotated[
        tuple[MeasureChange, ...], Doc("other changes then, in the same phase or of the run's cost")
    ]
    others: Annotated[tuple[MeasureChange, ...], Doc("changes of other phases at about the same time")]
    excess_cost: Annotated[
        float | None, Doc("excess cost of all runs since, USD; below 0: savings; null: not about cost")
    ]
    model_before: Annotated[str | None, Doc("usual model before the change; null: it did not change")]
    model_after: Annotated[str | None, Doc("usual model since the change; null: it did not change")]
    project_before: Annotated[str | None, Doc("usual project before the change; null: it did not change")]
    project_after: Annotated[str | None, Doc("usual project since the change; null: it did not change")]
    runs: Annotated[tuple[RunRef, ...], Doc("runs with the largest change, at most 5")]
    curve: Annotated[tuple[float, ...], Doc("medians of the main measure, oldest first, at most 32")]
    curve_change: Annotated[int, Doc("index of the first entry of the curve after the change")]
    sentence: Annotated[str, Doc("description of the finding in one sentence")]


@dataclass(frozen=True, slots=True)
class OutlierRun:
    """One recent run far above the other runs of its workflow and phase."""

    id: RunId
    project: RunProjectOrNull
    template: Annotated[str | None, Doc("name of the workflow; null: no workflow is named")]
    created_at: Annotated[datetime, Doc("creation time of the run")]
    phase: PhaseOrRun
    measure: MeasureName
    value: Annotated[float, Doc("value of the measure, in the units of MeasureChange")]
    baseline: Annotated[float, Doc("median of the runs it is compared with")]
    baseline_runs: Annotated[int, Doc("number of runs it is compared with")]
    modified_z: Annotated[float, Doc("modified z-score; 3.5 and more is far (Iglewicz and Hoaglin)")]
    excess_cost: Annotated[float | None, Doc("excess cost above the median, USD; null: not about cost")]
    sentence: Annotated[str, Doc("description of the outlier in one sentence")]


@dataclass(frozen=True, slots=True)
class Anomalies:
    """Recent regressions, improvements and outliers."""

    runs: Annotated[int, Doc("number of runs analysed")]
    latest: Annotated[datetime | None, Doc("creation time of the latest run; null: no known time")]
    recent_since: Annotated[datetime | None, Doc("start of the recent window; null: no known time")]
    series: Annotated[int, Doc("number of time series (workflow, phase and measure) with enough runs")]
    false_discovery_rate: Annotated[float, Doc("expected share of reported changes that are due to chance")]
    regressions: Annotated[tuple[Finding, ...], Doc("regressions, highest excess cost first")]
    improvements: Annotated[tuple[Finding, ...], Doc("improvements, highest savings first")]
    outliers: Annotated[tuple[OutlierRun, ...], Doc("outliers, highest excess cost first, at most 20")]
    outliers_found: Annotated[int, Doc("number of all outliers found")]
    invalid_timestamps: Annotated[ImplausibleDates, Doc("runs with implausible dates, which are excluded")]


_NO_ANOMALIES: Final = DetectedAnomalies(0, (), (), ())


def find_anomalies(
    where: RunFilter | None = None,
    recent: timedelta | str | int = DEFAULT_RECENT,
    *,
    tz: str = LOCAL_ZONE,
    now: datetime | None = None,
) -> Anomalies:
    """Find recent changes and outliers among the runs of a filter.

    `recent` is the recent window: an age relative to the latest run, also as text such as 4w, or a number of
    runs. Phases in the filter restrict the results. `tz` is the time zone of the days in sentences.
    Raises InvalidQueryError if `recent` is not above 0, `tz` is unknown, or `now` has no time zone.
    """
    recent = parse_period(recent) if isinstance(recent, str) else recent
    _check_recent(recent)
    run_filter, moment, zone = where or RunFilter(), resolve_now(now), zone_named(tz)
    with database.open_if_exists() as history:
        if history is None:
            return _to_anomalies(0, None, None, _NO_ANOMALIES, {}, NO_IMPLAUSIBLE_DATES, zone)
        runs, agents = _load_columns(history, run_filter)
        runs, invalid_timestamps = drop_implausible_dates(history, runs, moment)
        created = runs.integers["created_at"]
        age, number = (
            (recent // timedelta(microseconds=1), None) if isinstance(recent, timedelta) else (None, recent)
        )
        since = recent_cutoff(created, age, number)
        if since is None:
            return _to_anomalies(len(runs), None, None, _NO_ANOMALIES, {}, invalid_timestamps, zone)
        detected = detect_anomalies(runs, agents, since, run_filter.phase)
        keys = runs.integers["key"]
        rows = [
            row
            for group in (*detected.regressions, *detected.improvements)
            for row in _most_changed_rows(group)
        ]
        rows += [int(outlier.series.rows[outlier.row]) for outlier in detected.outliers[:MAX_OUTLIERS]]
        names_by_key = run_names(history, [int(keys[row]) for row in rows])
    names = {row: names_by_key[int(keys[row])] for row in rows}
    return _to_anomalies(len(runs), int(created.max()), since, detected, names, invalid_timestamps, zone)


def _check_recent(recent: object) -> None:
    zero = timedelta() if isinstance(recent, timedelta) else 0
    if isinstance(recent, bool) or not isinstance(recent, timedelta | int) or recent <= zero:  # type: ignore[operator]
        value = str(recent) if isinstance(recent, timedelta) else recent
        raise InvalidValueError("recent", value, "Use an age or a number of runs above 0.")


def _load_columns(history: History, where: RunFilter) -> tuple[ColumnTable, ColumnTable]:
    runs = history.columns("runs", (*RUN_COLUMNS, "is_copy"))
    runs = runs.take(runs.integers["is_copy"] != 1)
    agents = history.columns("agent_runs", AGENT_COLUMNS)
    if where.is_empty:
        return runs, agents
    keys = matching_keys(history, where)
    return runs.take(np.isin(runs.integers["key"], keys)), agents


RunNames = dict[int, tuple[str, str | None]]
"""Id and project of a run, by its row in the columns."""


def _to_anomalies(  # noqa: PLR0917 - one part of the result each
    runs: int,
    latest: int | None,
    since: int | None,
    detected: DetectedAnomalies,
    names: RunNames,
    invalid_timestamps: ImplausibleDates,
    zone: tzinfo | None,
) -> Anomalies:
    return Anomalies(
        runs=runs,
        latest=None if latest is None else from_microseconds(latest),
        recent_since=None if since is None else from_microseconds(since),
        series=detected.series_count,
        false_discovery_rate=FALSE_DISCOVERY_RATE,
        regressions=tuple(_to_finding(group, names, zone) for group in detected.regressions),
        improvements=tuple(_to_finding(group, names, zone) for group in detected.improvements),
        outliers=tuple(_to_outlier_run(outlier, names, zone) for outlier in detected.outliers[:MAX_OUTLIERS]),
        outliers_found=len(detected.outliers),
        invalid_timestamps=invalid_timestamps,
    )


def _to_finding(group: ChangeGroup, names: RunNames, zone: tzinfo | None) -> Finding:
    main = group.main
    models, projects = group.models or (None, None), group.projects or (None, None)
    sparkline, change_index = _sparkline(group)
    return Finding(
        template=group.series.template,
        worse=main.is_worse,
        since=from_microseconds(int(group.series.created_at[main.since])),
        main=_to_measure_change(main),
        p=significant(main.p_value),
        along=tuple(_to_measure_change(change) for change in group.along),
        others=tuple(_to_measure_change(change) for change in group.others),
        excess_cost=None if group.excess_cost is None else _in_display_units("cost", group.excess_cost),
        model_before=models[0],
        model_after=models[1],
        project_before=projects[0],
        project_after=projects[1],
        runs=tuple(RunRef(*names[row]) for row in _most_changed_rows(group)),
        curve=sparkline,
        curve_change=change_index,
        sentence=describe_change(group, zone),
    )


def _to_measure_change(change: ChangePoint) -> MeasureChange:
    phase, measure = change.name
    return MeasureChange(
        phase=phase,
        measure=measure,  # type: ignore[arg-type]  # names are checked when they are created
        before=_in_display_units(measure, change.before),
        before_runs=len(change.before_rows),
        after=_in_display_units(measure, change.after),
        after_runs=len(change.after_rows),
        ratio=significant(change.ratio),
        robust_z=significant(change.distance),
    )


def _in_display_units(measure: str, value: float) -> float:
    """Convert a value to US dollars, seconds or a share, rounded to significant digits."""
    if measure == "cost":
        return round(to_usd(value), 9)
    return significant(value) if MEASURES[measure].kind != "amount" else round(value, 6)


def _most_changed_rows(group: ChangeGroup) -> list[int]:
    """Return the rows of the runs with the largest change, among equals the latest first."""
    main = group.main
    sign = 1.0 if main.after > main.before else -1.0
    order = np.lexsort((-main.after_rows, -sign * main.after_values))[:MAX_RUNS]
    rows: list[int] = group.series.rows[main.after_rows[order]].tolist()
    return rows


def _sparkline(group: ChangeGroup) -> tuple[tuple[float, ...], int]:
    """Return the series as a few medians, and the index of the first one after the change.

    No median mixes values from before and after the change.
    """
    main = group.main
    values = group.series.values[main.name]
    before, after = values[main.before_rows], main.after_values
    size = max(1, -(-(len(before) + len(after)) // SPARKLINE_POINTS))
    medians_before = _medians(before, size)
    medians = (*medians_before, *_medians(after, size))
    return tuple(_in_display_units(main.measure, value) for value in medians), len(medians_before)


def _medians(values: Floats, size: int) -> list[float]:
    """Return the median of each group of `size` values; of a rate, whose values are 0 or 1, the mean."""
    groups: list[Integers] = np.array_split(np.arange(len(values)), max(1, len(values) // size))
    is_rate = size > 1 and np.isin(values, (0.0, 1.0)).all()
    return [float(np.mean(values[group]) if is_rate else np.median(values[group])) for group in groups]


def _to_outlier_run(outlier: Outlier, names: RunNames, zone: tzinfo | None) -> OutlierRun:
    run_id, project = names[int(outlier.series.rows[outlier.row])]
    phase, measure = outlier.name
    return OutlierRun(
        id=run_id,
        project=project,
        template=outlier.series.template,
        created_at=from_microseconds(int(outlier.series.created_at[outlier.row])),
        phase=phase,
        measure=measure,  # type: ignore[arg-type]  # see above
        value=_in_display_units(measure, outlier.value),
        baseline=_in_display_units(measure, outlier.median),
        baseline_runs=outlier.sample_size,
        modified_z=significant(outlier.score),
        excess_cost=_in_display_units(measure, outlier.excess_cost) if measure == "cost" else None,
        sentence=describe_outlier(outlier, run_id, zone),
    )
