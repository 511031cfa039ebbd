"""Summarize a history: workflow dicts in, counts, averages and distributions out.

One malformed row never empties the result: a missing value is left out of that figure only.
Costs are added up exactly, to the nanodollar; unknown is None, never 0. No clock, file or SQL.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from decimal import Context, Decimal
from math import isfinite
from typing import Any, Final, NamedTuple

from ...common.coercion import (
    coerce_number,
    coerce_word,
    is_duration_lower_bound,
    list_agent_runs,
    parse_timestamp,
    sum_floats,
)
from ...common.models import RunStatus
from ...common.spending import has_recorded_cost, is_copy

UNKNOWN: Final = "unknown"
_NANODOLLAR: Final = Decimal("1e-9")
_EXACT_CONTEXT: Final = Context(
    prec=400
)  # digits: enough for the largest float to the nanodollar, and for sums
_NO_AMOUNT: Final = (Decimal(0), 0)
_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_TOKEN_FIELDS: Final = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens")

Row = Mapping[str, Any]


class GroupTotals(NamedTuple):
    """Totals of runs of one status, model, template and cost basis: sums, each with its number of values."""

    status: str | None
    model_used: str | None
    workflow_template: str | None
    cost_basis: str | None
    runs: int
    total_cost: tuple[Decimal, int]  # USD
    lower_bound_cost: tuple[Decimal, int]  # USD
    duration: tuple[float, int]  # seconds
    tokens: tuple[float, int]
    cache_percent: tuple[float, int]
    first: datetime | None
    last: datetime | None


def summarize_workflows(workflows: Iterable[object]) -> dict[str, Any]:
    """Summarize workflow dicts, without copies of other runs and without entries that are not dicts.

    >>> figures = summarize_workflows([{"status": "completed", "total_cost": 0.1}, {"total_cost": 0.2}])
    >>> figures["total_cost"], figures["success_rate_percent"], figures["by_status"]
    (0.3, 100.0, {'completed': 1, 'unknown': 1})
    """
    return summarize_groups([_totals_of_run(row) for row in _mappings(workflows) if not _counts_as_copy(row)])


def summarize_groups(groups: Sequence[GroupTotals]) -> dict[str, Any]:
    """Summarize groups of runs; groups whose names are equal after normalization are merged."""
    statuses = _counts(groups, "status")
    first = min((group.first for group in groups if group.first), key=_sort_time, default=None)
    last = max((group.last for group in groups if group.last), key=_sort_time, default=None)
    return {
        "total_workflows": sum(group.runs for group in groups),
        "completed_count": statuses.get(RunStatus.COMPLETED, 0),
        "failed_count": statuses.get(RunStatus.FAILED, 0),
        "success_rate_percent": _success_rate(groups),
        "success_rate_of": _count_ended(groups),
        "average_cost": _average_cost(groups),
        "total_cost": _sum_cost([group.total_cost for group in groups]),
        "lower_bound_cost": _sum_cost([group.lower_bound_cost for group in groups]),
        "cost_by_basis": _counts(groups, "cost_basis"),
        "average_duration": _mean([group.duration for group in groups]),
        "average_tokens": _mean([group.tokens for group in groups]),
        "average_cache_efficiency": _mean([group.cache_percent for group in groups]),
        "by_status": statuses,
        "by_model": _counts(groups, "model_used"),
        "by_template": _counts(groups, "workflow_template"),
        "status_breakdown": _breakdown(groups, "status"),
        "model_breakdown": _breakdown(groups, "model_used"),
        "template_breakdown": _breakdown(groups, "workflow_template"),
        "date_range": {  # ISO 8601 with the original offsets
            "start": first.isoformat() if first else None,
            "end": last.isoformat() if last else None,
        },
    }


def _counts_as_copy(row: Row) -> bool:
    agents = row.get("phase_costs")
    return row.get("cost_basis") is None and isinstance(agents, list) and is_copy(agents)


def _totals_of_run(row: Row) -> GroupTotals:
    time = _first_time(row, "created_at", "started_at")
    status, model, template, basis = (
        value if isinstance(value := row.get(key), str) else None
        for key in ("status", "model_used", "workflow_template", "cost_basis")
    )
    recorded, lower_bound = _costs(row)
    return GroupTotals(
        status=status,
        model_used=model,
        workflow_template=template,
        cost_basis=basis,
        runs=1,
        total_cost=recorded,
        lower_bound_cost=lower_bound,
        duration=_with_count(
            None if is_duration_lower_bound(row) else coerce_number(row.get("duration_seconds"))
        ),
        tokens=_with_count(_tokens(row)),
        cache_percent=_with_count(_cache_percent(row)),
        first=time,
        last=time,
    )


def _with_count(value: float | None) -> tuple[float, int]:
    return (0.0, 0) if value is None else (value, 1)


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


def _group_name(group: GroupTotals, key: str) -> str:
    """Return a name without outer spaces, a status also in lower case; "unknown" if there is no text."""
    value = getattr(group, key)
    if key == "status":
        return coerce_word(value) or UNKNOWN
    return (value or "").strip() or UNKNOWN


def _counts(groups: Sequence[GroupTotals], key: str) -> dict[str, int]:
    """Count runs by name, the most frequent first, equal counts by name."""
    counts: Counter[str] = Counter()
    for group in groups:
        counts[_group_name(group, key)] += group.runs
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _breakdown(groups: Sequence[GroupTotals], key: str) -> dict[str, dict[str, Any]]:
    """Return count, cost and success rate by name, the most frequent first."""
    counts = _counts(groups, key)
    by_name: dict[str, list[GroupTotals]] = {name: [] for name in counts}
    for group in groups:
        by_name[_group_name(group, key)].append(group)
    return {
        name: {
            "count": counts[name],
            "total_cost": _sum_cost([group.total_cost for group in members]),
            "average_cost": _average_cost(members),
            "success_rate_percent": _success_rate(members),
            "success_rate_of": _count_ended(members),
        }
        for name, members in by_name.items()
    }


def _success_rate(groups: Sequence[GroupTotals]) -> float | None:
    """Return completed runs in percent of completed and failed runs; None if there are none."""
    ended = _count_ended(groups)
    return 100.0 * _counts(groups, "status").get(RunStatus.COMPLETED, 0) / ended if ended else None


def _count_ended(groups: Sequence[GroupTotals]) -> int:
    """Count the completed and failed runs; the success of all others is unknown."""
    statuses = _counts(groups, "status")
    return statuses.get(RunStatus.COMPLETED, 0) + statuses.get(RunStatus.FAILED, 0)


def _costs(row: Row) -> tuple[tuple[Decimal, int], tuple[Decimal, int]]:
    """Return the recorded cost of a run and the lower bound beyond it: each an amount, and 1 if known."""
    total, lower_bound = _amount(row, "total_cost"), _amount(row, "lower_bound_cost")
    agents = list_agent_runs(row)
    return (total, lower_bound) if has_recorded_cost({**row, "phase_costs": agents}) else (_NO_AMOUNT, total)


def _amount(row: Row, key: str) -> tuple[Decimal, int]:
    """Read an amount of money, and 1 if it is known; a float by its decimal text, as its bits are inexact."""
    return _NO_AMOUNT if coerce_number(row.get(key)) is None else (Decimal(str(row[key])), 1)


def _sum_cost(amounts: Sequence[tuple[Decimal, int]]) -> float | None:
    """Add up the known amounts in US dollars; None if none is known."""
    known = [amount for amount, count in amounts if count]
    return _to_float(_exact_sum(known)) if known else None


def _average_cost(groups: Sequence[GroupTotals]) -> float | None:
    """Return the mean of the known costs in US dollars; None if none is known."""
    count = sum(group.total_cost[1] for group in groups)
    amount = _exact_sum(group.total_cost[0] for group in groups if group.total_cost[1])
    return _to_float(_EXACT_CONTEXT.divide(amount, Decimal(count))) if count else None


def _exact_sum(amounts: Iterable[Decimal]) -> Decimal:
    total = Decimal(0)
    for amount in amounts:
        total = _EXACT_CONTEXT.add(total, amount)
    return total


def _to_float(amount: Decimal) -> float | None:
    """Round to the nanodollar; None if a float cannot represent the amount."""
    rounded = float(_EXACT_CONTEXT.quantize(amount, _NANODOLLAR))
    return rounded if isfinite(rounded) else None


def _mean(sums: Sequence[tuple[float, int]]) -> float | None:
    """Return the mean of the known values; None if there are none."""
    count = sum(known for _, known in sums)
    return sum_floats(amount for amount, known in sums if known) / count if count else None


def _tokens(row: Row) -> float | None:
    """Return the total tokens of a run, or the sum of the four kinds if all are known; else None."""
    reported = coerce_number(row.get("total_tokens"))
    kinds = [value for name in _TOKEN_FIELDS if (value := coerce_number(row.get(name))) is not None]
    if reported is not None or len(kinds) < len(_TOKEN_FIELDS):
        return reported
    return sum_floats(kinds)


def _cache_percent(row: Row) -> float | None:
    """Return the cache hit rate in percent; None if a count is missing or all are 0."""
    names = ("cache_read_tokens", "input_tokens", "cache_creation_tokens")
    read, uncached, written = (coerce_number(row.get(name)) for name in names)
    if read is None or uncached is None or written is None:
        return None
    prompt = sum_floats([read, uncached, written])
    return 100.0 * (read / prompt) if prompt else None


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


def cost_totals(workflows: Iterable[object]) -> dict[str, float | None]:
    """Add up recorded costs, and lower bounds beyond them, in US dollars; None if none is known.

    >>> cost_totals([{"total_cost": 0.1}, {"total_cost": 0.2, "lower_bound_cost": 0.05}])
    {'total_cost': 0.3, 'lower_bound_cost': 0.05}
    """
    costs = [_costs(row) for row in _mappings(workflows)]
    return {
        "total_cost": _sum_cost([recorded for recorded, _ in costs]),
        "lower_bound_cost": _sum_cost([lower_bound for _, lower_bound in costs]),
    }
