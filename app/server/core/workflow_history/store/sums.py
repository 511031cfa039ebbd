"""Sum the history up where it lies: a connection in, sums by group out. No run is read into Python."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from decimal import Decimal
from functools import reduce
from operator import add
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Double,
    Integer,
    Select,
    case,
    cast,
    func,
    literal_column,
    select,
)

from ..evidence import moment
from ..statistics import Sums
from .schema import workflows
from .values import from_time

_NAMES = ("status", "model_used", "workflow_template", "cost_basis")
_KINDS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens")
_NANODOLLARS = 1_000_000_000  # in one US dollar


def sums_by_group(connection: Connection) -> list[Sums]:
    """Return what the runs of each status, model, template and cost basis add up to."""
    return [_sums(row) for row in connection.execute(query())]


def query() -> Select[Any]:
    """Return the one query; an index holds all of its columns."""
    columns = workflows.c
    known = {name: cast(_known(columns[name]), Double) for name in _KINDS}
    stated = cast(_known(columns.total_tokens), Double)
    tokens = func.coalesce(stated, reduce(add, known.values()))
    prompt = known["input_tokens"] + known["cache_read_tokens"] + known["cache_creation_tokens"]
    cached = case((prompt > 0, 100.0 * (known["cache_read_tokens"] / prompt)))
    time = func.coalesce(columns.created_at, columns.started_at)
    # Trimmed, as they are read; so they also come from the index that holds all of these columns.
    names = [func.trim(columns[name]) for name in _NAMES]
    return select(
        *names,
        func.count(),
        *_money(columns.total_cost_nanodollars),
        *_money(columns.lower_bound_cost_nanodollars),
        *_measure(_known(columns.duration_seconds)),
        *_measure(tokens),
        *_measure(cached),
        func.min(time),
        func.max(time),
    ).group_by(*names)


def _known(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return an amount that can be one, else null."""
    return case((column >= 0, column))


def _money(column: ColumnElement[Any]) -> Sequence[ColumnElement[Any]]:
    """Return a sum of nanodollars in two parts, and its count: whole, it could pass 64 bits."""
    known, dollar = _known(column), literal_column(str(_NANODOLLARS), Integer)
    return func.sum(known // dollar), func.sum(known % dollar), func.count(known)


def _measure(value: ColumnElement[Any]) -> Sequence[ColumnElement[Any]]:
    return func.sum(value), func.count(value)


def _sums(row: Sequence[Any]) -> Sums:
    status, model, template, basis, runs, *figures, first, last = row
    return Sums(
        status=status,
        model_used=model,
        workflow_template=template,
        cost_basis=basis,
        runs=runs,
        total_cost=_dollars(*figures[0:3]),
        lower_bound_cost=_dollars(*figures[3:6]),
        duration=_bounded(*figures[6:8]),
        tokens=_bounded(*figures[8:10]),
        cache_percent=_bounded(*figures[10:12]),
        first=None if first is None else moment(from_time(first)),
        last=None if last is None else moment(from_time(last)),
    )


def _dollars(dollars: int | None, nanodollars: int | None, count: int) -> tuple[Decimal, int]:
    whole = int(dollars or 0) * _NANODOLLARS + int(nanodollars or 0)
    return Decimal(whole).scaleb(-9), count


def _bounded(amount: float | None, count: int) -> tuple[float, int]:
    """Hold a sum at the largest float: beyond it, a database says infinity or null."""
    known = amount is not None and abs(amount) <= sys.float_info.max
    return (amount if known and amount is not None else sys.float_info.max) if count else 0.0, count
