"""Sum a history up: workflow dicts in, counts, averages and distributions out.

One odd row never empties the answer: what a row does not tell is left out of that figure alone.
Money is summed exactly, to the nano-dollar; None is "unknown" and never 0. No clock, file or SQL.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from decimal import Context, Decimal
from math import isfinite
from typing import Any, Final

from .evidence import moment, number, total, word

UNKNOWN: Final = "unknown"
_NANO_DOLLAR: Final = Decimal("1e-9")
_EXACT: Final = Context(prec=400)  # digits: the largest float to the nano-dollar, and room for the sum
_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_TOKEN_FIELDS: Final = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens")

Row = Mapping[str, Any]


def history_statistics(workflows: Iterable[object]) -> dict[str, Any]:
    """Sum up a list of workflow dicts; an entry that is no dict is left out.

    >>> figures = history_statistics([{"status": "completed", "total_cost": 0.1}, {"total_cost": 0.2}])
    >>> figures["total_cost"], figures["success_rate_percent"], figures["by_status"]
    (0.3, 100.0, {'completed': 1, 'unknown': 1})
    """
    rows = _rows(workflows)
    statuses = Counter(_name(row, "status") for row in rows)
    return {
        "total_workflows": len(rows),
        "completed_count": statuses["completed"],
        "failed_count": statuses["failed"],
        "success_rate_percent": _success_rate(rows),
        "average_cost": _average_cost(rows),
        "total_cost": _sum_cost(rows, "total_cost"),
        "lower_bound_cost": _sum_cost(rows, "lower_bound_cost"),
        "cost_by_basis": _counts(rows, "cost_basis"),
        "average_duration": _mean(number(row.get("duration_seconds")) for row in rows),
        "average_tokens": _mean(_tokens(row) for row in rows),
        "average_cache_efficiency": _mean(_cache_percent(row) for row in rows),
        "by_status": _counts(rows, "status"),
        "by_model": _counts(rows, "model_used"),
        "by_template": _counts(rows, "workflow_template"),
        "status_breakdown": _breakdown(rows, "status"),
        "model_breakdown": _breakdown(rows, "model_used"),
        "template_breakdown": _breakdown(rows, "workflow_template"),
        "date_range": _date_range(rows),
    }


def temporal_distributions(workflows: Iterable[object]) -> dict[str, Any]:
    """Count runs by hour of day (0 to 23) and weekday, both in the run's own local time.

    `unknown` counts the runs without a time of day; `peak_hours` holds all hours with the most runs.
    """
    rows = _rows(workflows)
    times = [time for row in rows if (time := _local_time(row)) is not None]
    hours = Counter(time.hour for time in times)
    days = Counter(time.weekday() for time in times)
    most = max(hours.values(), default=0)
    return {
        "hourly_distribution": {hour: hours[hour] for hour in range(24)},
        "daily_distribution": {day: days[number_of_day] for number_of_day, day in enumerate(_WEEKDAYS)},
        "peak_hours": sorted(hour for hour, count in hours.items() if count == most),
        "unknown": len(rows) - len(times),
    }


def _rows(workflows: Iterable[object]) -> Sequence[Row]:
    return [workflow for workflow in workflows if isinstance(workflow, Mapping)]


def _name(row: Row, key: str) -> str:
    """Read a name without outer spaces, a status in lower case too; what is no text is "unknown"."""
    value = row.get(key)
    if key == "status":
        return word(value) or UNKNOWN
    return (value.strip() or UNKNOWN) if isinstance(value, str) else UNKNOWN


def _counts(rows: Sequence[Row], key: str) -> dict[str, int]:
    """Count runs by name: the most frequent first, equals by name."""
    counts = Counter(_name(row, key) for row in rows)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _breakdown(rows: Sequence[Row], key: str) -> dict[str, dict[str, Any]]:
    """Tell count, cost and success by name, in the order of the counts."""
    groups: dict[str, list[Row]] = {name: [] for name in _counts(rows, key)}
    for row in rows:
        groups[_name(row, key)].append(row)
    return {
        name: {
            "count": len(group),
            "total_cost": _sum_cost(group, "total_cost"),
            "average_cost": _average_cost(group),
            "success_rate_percent": _success_rate(group),
        }
        for name, group in groups.items()
    }


def _success_rate(rows: Sequence[Row]) -> float | None:
    """Give the completed runs as percent of those that completed or failed."""
    statuses = Counter(_name(row, "status") for row in rows)
    ended = statuses["completed"] + statuses["failed"]
    return 100.0 * statuses["completed"] / ended if ended else None


def _amounts(rows: Sequence[Row], key: str) -> list[Decimal]:
    """Read the known amounts of money; the text of a float is what was meant, its bits are not."""
    return [Decimal(str(row[key])) for row in rows if number(row.get(key)) is not None]


def _sum_cost(rows: Sequence[Row], key: str) -> float | None:
    """Sum up the known amounts in US dollars; None where none is known."""
    amounts = _amounts(rows, key)
    return _dollars(_exact_sum(amounts)) if amounts else None


def _average_cost(rows: Sequence[Row]) -> float | None:
    """Average the known costs in US dollars; runs without a cost are not in the count."""
    amounts = _amounts(rows, "total_cost")
    return _dollars(_EXACT.divide(_exact_sum(amounts), Decimal(len(amounts)))) if amounts else None


def _exact_sum(amounts: Iterable[Decimal]) -> Decimal:
    result = Decimal(0)
    for amount in amounts:
        result = _EXACT.add(result, amount)
    return result


def _dollars(amount: Decimal) -> float | None:
    """Round to the nano-dollar; None where a float cannot hold it."""
    rounded = float(_EXACT.quantize(amount, _NANO_DOLLAR))
    return rounded if isfinite(rounded) else None


def _mean(values: Iterable[float | None]) -> float | None:
    """Average what is known; None where nothing is."""
    known = [value for value in values if value is not None]
    return total(known) / len(known) if known else None


def _tokens(row: Row) -> float | None:
    """Read all tokens of a run, or add the four kinds up where all are known."""
    stated = number(row.get("total_tokens"))
    kinds = [value for name in _TOKEN_FIELDS if (value := number(row.get(name))) is not None]
    if stated is not None or len(kinds) < len(_TOKEN_FIELDS):
        return stated
    return total(kinds)


def _cache_percent(row: Row) -> float | None:
    """Give the cached share of a prompt as percent; None where a count is missing or all are 0."""
    names = ("cache_read_tokens", "input_tokens", "cache_creation_tokens")
    read, fresh, written = (number(row.get(name)) for name in names)
    if read is None or fresh is None or written is None:
        return None
    prompt = total([read, fresh, written])
    return 100.0 * (read / prompt) if prompt else None


def _local_time(row: Row) -> datetime | None:
    """Read when a run started, on its own clock: a stored time is UTC, with the offset beside it."""
    time, minutes = _first_time(row, "started_at", "created_at"), row.get("utc_offset_minutes")
    if time is None or time.tzinfo is None or not isinstance(minutes, int):
        return time
    return time.astimezone(timezone(timedelta(minutes=minutes)))


def _first_time(row: Row, *keys: str) -> datetime | None:
    """Read the first of these fields that holds a time."""
    return next((time for key in keys if (time := moment(row.get(key))) is not None), None)


def _date_range(rows: Sequence[Row]) -> dict[str, str | None]:
    """Give the first and the last time that a run was created, as ISO 8601 with the offset it came with."""
    times = [time for row in rows if (time := _first_time(row, "created_at", "started_at")) is not None]
    first, last = min(times, key=_sort_time, default=None), max(times, key=_sort_time, default=None)
    return {"start": first.isoformat() if first else None, "end": last.isoformat() if last else None}


def _sort_time(time: datetime) -> datetime:
    """Order times with and without an offset; one without stands where UTC would put it."""
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def cost_totals(workflows: Iterable[object]) -> dict[str, float | None]:
    """Sum up what runs cost, on record and apart from it at least: US dollars, None where none is known.

    >>> cost_totals([{"total_cost": 0.1}, {"total_cost": 0.2, "lower_bound_cost": 0.05}])
    {'total_cost': 0.3, 'lower_bound_cost': 0.05}
    """
    rows = _rows(workflows)
    return {key: _sum_cost(rows, key) for key in ("total_cost", "lower_bound_cost")}
