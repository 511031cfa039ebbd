"""Summarize runs: columns of a history or workflow dicts in, counts, averages and distributions out.

One malformed row never empties the result: a missing value is left out of that figure only.
Costs are added up exactly, in whole nanodollars; unknown is None, never 0. No clock, file or SQL.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from typing import Any, Final, NamedTuple

import numpy as np

from ...common.coercion import (
    coerce_number,
    coerce_word,
    is_duration_lower_bound,
    list_agent_runs,
    parse_timestamp,
    sum_floats,
)
from ...common.column_data import (
    MISSING_CODE,
    MISSING_INT,
    CategoricalColumn,
    ColumnTable,
    Floats,
    Integers,
    is_known,
)
from ...common.models import RunStatus
from ...common.plausible_dates import from_microseconds
from ...common.spending import Cost, is_copy, run_cost, to_usd
from .grouped_sums import Codes, Sum, grouped_counts, grouped_sums, mask_invalid, mask_negative
from .measurements import TOKENS

UNKNOWN: Final = "unknown"
_NAMES: Final = ("status", "model_used", "workflow_template", "cost_basis")
_COUNTS: Final = (*TOKENS, "total_tokens")
COLUMNS: Final = (
    *_NAMES, "created_at", "total_cost", "lower_bound_cost", *_COUNTS, "duration_seconds", "is_copy",
)  # fmt: skip
"""Columns of runs that `summarize_columns` needs."""

_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

Row = Mapping[str, Any]


class _Runs(NamedTuple):
    """Values of runs, none of them a copy of other runs."""

    names: Mapping[str, CategoricalColumn]  # by _NAMES, without outer spaces; statuses in lower case
    cost: Integers  # recorded cost, nanodollars
    lower_bound: Integers  # lower bound of the cost beyond the recorded cost, nanodollars
    seconds: Floats  # duration
    counts: Mapping[str, Floats]  # tokens by _COUNTS
    first: datetime | None
    last: datetime | None


def summarize_columns(runs: ColumnTable) -> dict[str, Any]:
    """Summarize the COLUMNS of runs, without copies of other runs; the times of `date_range` are in UTC."""
    runs = runs.take(runs.integers["is_copy"] != 1)
    created = runs.integers["created_at"]
    created = created[is_known(created)]
    counts = {name: runs.integers[name] for name in _COUNTS}
    return _summarize(
        _Runs(
            names=runs.categorical,
            cost=mask_negative(runs.integers["total_cost"]),
            lower_bound=mask_negative(runs.integers["lower_bound_cost"]),
            seconds=mask_invalid(runs.floats["duration_seconds"]),
            counts={
                name: np.where(values < 0, np.nan, values.astype(np.float64))
                for name, values in counts.items()
            },
            first=from_microseconds(int(created.min())) if len(created) else None,
            last=from_microseconds(int(created.max())) if len(created) else None,
        )
    )


def summarize_workflows(workflows: Iterable[object]) -> dict[str, Any]:
    """Summarize workflow dicts, without copies of other runs and without entries that are not dicts.

    The times of `date_range` are ISO 8601 with their original offsets.

    >>> figures = summarize_workflows([{"status": "completed", "total_cost": 0.1}, {"total_cost": 0.2}])
    >>> figures["total_cost"], figures["success_rate_percent"], figures["by_status"]
    (0.3, 100.0, {'completed': 1, 'unknown': 1})
    """
    rows = [row for row in _mappings(workflows) if not _counts_as_copy(row)]
    costs = [_cost(row) for row in rows]
    times = [time for row in rows if (time := _first_time(row, "created_at", "started_at")) is not None]
    seconds = [None if is_duration_lower_bound(row) else row.get("duration_seconds") for row in rows]
    return _summarize(
        _Runs(
            names={
                name: CategoricalColumn.from_values(
                    (coerce_word if name == "status" else _stripped)(row.get(name)) for row in rows
                )
                for name in _NAMES
            },
            cost=_integer_column([cost.recorded for cost in costs]),
            lower_bound=_integer_column([cost.extra for cost in costs]),
            seconds=_float_column(seconds),
            counts={name: _float_column([row.get(name) for row in rows]) for name in _COUNTS},
            first=min(times, key=_sort_time, default=None),
            last=max(times, key=_sort_time, default=None),
        )
    )


def _summarize(runs: _Runs) -> dict[str, Any]:
    statuses, models, templates, bases = (_Groups(runs.names[name]) for name in _NAMES)
    all_runs = _Groups(CategoricalColumn(np.zeros(len(runs.cost), np.int32), ("all",)))
    status = runs.names["status"]
    completed, failed = status.equals(RunStatus.COMPLETED), status.equals(RunStatus.FAILED)

    def breakdown(groups: _Groups) -> dict[str, dict[str, Any]]:
        costs = grouped_sums(runs.cost, groups.codes, len(groups.names))
        successes, failures = (
            grouped_counts(groups.codes[flags], len(groups.names)) for flags in (completed, failed)
        )
        return {
            name: {
                "count": count,
                "total_cost": _sum_cost(costs[code]),
                "average_cost": _average_cost(costs[code]),
                "success_rate_percent": _percent(successes[code], successes[code] + failures[code]),
                "success_rate_of": successes[code] + failures[code],
            }
            for name, code, count in groups.by_frequency
        }

    total = breakdown(all_runs).get("all", {})
    return {
        "total_workflows": len(runs.cost),
        "completed_count": int(np.count_nonzero(completed)),
        "failed_count": int(np.count_nonzero(failed)),
        "success_rate_percent": total.get("success_rate_percent"),
        "success_rate_of": total.get("success_rate_of", 0),
        "average_cost": total.get("average_cost"),
        "total_cost": total.get("total_cost"),
        "lower_bound_cost": _sum_cost(grouped_sums(runs.lower_bound, all_runs.codes, 1)[0]),
        "cost_by_basis": bases.counts,
        "average_duration": _mean(runs.seconds),
        "average_tokens": _mean(_total_tokens(runs.counts)),
        "average_cache_efficiency": _mean(_cache_percent(runs.counts)),
        "by_status": statuses.counts,
        "by_model": models.counts,
        "by_template": templates.counts,
        "status_breakdown": breakdown(statuses),
        "model_breakdown": breakdown(models),
        "template_breakdown": breakdown(templates),
        "date_range": {
            "start": runs.first.isoformat() if runs.first else None,
            "end": runs.last.isoformat() if runs.last else None,
        },
    }


class _Groups:
    """Runs by name; runs without a name are in the group "unknown"."""

    def __init__(self, column: CategoricalColumn) -> None:
        self.names = column.categories if UNKNOWN in column.categories else (*column.categories, UNKNOWN)
        unknown = self.names.index(UNKNOWN)
        self.codes: Codes = np.where(column.codes == MISSING_CODE, unknown, column.codes)
        sizes = grouped_counts(self.codes, len(self.names))
        groups = [(name, code, sizes[code]) for code, name in enumerate(self.names) if sizes[code]]
        # Name, code and number of runs, the most frequent first, equal numbers by name.
        self.by_frequency = sorted(groups, key=lambda group: (-group[2], group[0]))

    @property
    def counts(self) -> dict[str, int]:
        """Number of runs by name."""
        return {name: count for name, _, count in self.by_frequency}


def temporal_distributions(workflows: Iterable[object]) -> dict[str, Any]:
    """Count runs by hour of day (0 to 23) and weekday, both in the run's own local time.

    `unknown` is the number of runs without a known time; `peak_hours` lists all hours with the most runs.
    """
    rows = _mappings(workflows)
    times = [time for row in rows if (time := _local_time(row)) is not None]
    hours = Counter(time.hour for time in times)
    weekdays = Counter(time.weekday() for time in times)
    highest = max(hours.values(), default=0)
    return {
        "hourly_distribution": {hour: hours[hour] for hour in range(24)},
        "daily_distribution": {day: weekdays[number] for number, day in enumerate(_WEEKDAYS)},
        "peak_hours": sorted(hour for hour, count in hours.items() if count == highest),
        "unknown": len(rows) - len(times),
    }


def _mappings(workflows: Iterable[object]) -> Sequence[Row]:
    return [workflow for workflow in workflows if isinstance(workflow, Mapping)]


def _counts_as_copy(row: Row) -> bool:
    agents = row.get("phase_costs")
    return row.get("cost_basis") is None and isinstance(agents, list) and is_copy(agents)


def _stripped(value: object) -> str | None:
    return (value.strip() or None) if isinstance(value, str) else None


def _cost(row: Row) -> Cost:
    basis = row.get("cost_basis")
    basis = basis if isinstance(basis, str) else None
    return run_cost({**row, "cost_basis": basis, "phase_costs": list_agent_runs(row)})


def _integer_column(values: Sequence[int | None]) -> Integers:
    numbers = [MISSING_INT if value is None or value < 0 else value for value in values]
    fits = max(numbers, default=0) <= np.iinfo(np.int64).max
    return np.array(numbers, np.int64 if fits else object)


def _float_column(values: Sequence[object]) -> Floats:
    return np.array([coerce_number(value) for value in values], np.float64)  # None becomes NaN


def _total_tokens(counts: Mapping[str, Floats]) -> Floats:
    """Return total tokens, or the sum of the four kinds if the total is unknown and all kinds are known."""
    reported = counts["total_tokens"]
    return np.where(is_known(reported), reported, _add(*(counts[name] for name in TOKENS)))


def _cache_percent(counts: Mapping[str, Floats]) -> Floats:
    """Return the cache hit rate in percent; unknown if a count is unknown or all are 0."""
    read = counts["cache_read_tokens"]
    prompt = _add(read, counts["input_tokens"], counts["cache_creation_tokens"])
    rate: Floats = np.divide(read, prompt, out=np.full(len(read), np.nan), where=prompt > 0)
    return 100.0 * rate


def _add(*columns: Floats) -> Floats:
    """Add columns; the largest float stands for sums beyond it."""
    with np.errstate(over="ignore"):
        total: Floats = np.minimum(np.sum(columns, axis=0), sys.float_info.max)
    return total


def _percent(part: int, whole: int) -> float | None:
    return 100.0 * part / whole if whole else None


def _sum_cost(cost: Sum) -> float | None:
    """Return the sum of the known costs in US dollars; None if none is known, or beyond all floats."""
    return _to_float(int(cost.total)) if cost.known else None


def _average_cost(cost: Sum) -> float | None:
    """Return the mean of the known costs in US dollars to the nanodollar; None as in `_sum_cost`."""
    return _to_float(round(Fraction(int(cost.total), cost.known))) if cost.known else None


def _to_float(nanodollars: int) -> float | None:
    try:
        return to_usd(nanodollars)
    except OverflowError:
        return None


def _mean(values: Floats) -> float | None:
    """Return the mean of the known values; None if there are none."""
    known = values[is_known(values)].tolist()
    return sum_floats(known) / len(known) if known else None


def _local_time(row: Row) -> datetime | None:
    """Return the start of a run in its own local time; stored times are UTC, with a separate offset."""
    time, minutes = _first_time(row, "started_at", "created_at"), row.get("utc_offset_minutes")
    if time is None or time.tzinfo is None or not isinstance(minutes, int):
        return time
    return time.astimezone(timezone(timedelta(minutes=minutes)))


def _first_time(row: Row, *keys: str) -> datetime | None:
    """Return the first of these fields that is a valid time."""
    return next((time for key in keys if (time := parse_timestamp(row.get(key))) is not None), None)


def _sort_time(time: datetime) -> datetime:
    """Return a sort key for times with and without an offset; one without counts as UTC."""
    return time if time.tzinfo else time.replace(tzinfo=UTC)
