"""Totals of each pattern over all runs, stored with the pattern.

A query over all runs reads one row per pattern instead of one for each of its runs. Code that changes
occurrences updates the totals in the same transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from operator import sub
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    select,
    update,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import Double

from ..tables.schema import occurrences, patterns
from .bulk_insert import batched, execute_many


class trunc(GenericFunction[float]):  # noqa: N801 - a function of SQL
    """A number without its fraction, for a cast to an integer, which rounds in PostgreSQL."""

    type = Double()
    inherit_cache = True


@compiles(trunc, "sqlite")
def _compile_for_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    return str(compiler.process(element.clauses, **options))  # the cast in SQLite truncates


@compiles(trunc, "postgresql")
def _compile_for_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    return f"trunc({compiler.process(element.clauses, **options)})"


TOTAL_COLUMNS: Final = (
    "runs", "count", "successes", "failures", "cost_nanodollars", "unpriced_runs", "milliseconds",
    "untimed_runs",
)  # fmt: skip
"""Columns of a pattern that are sums over its occurrences."""

Totals = tuple[int, ...]
"""Totals in the order of TOTAL_COLUMNS."""

Contribution = Sequence[Any]
"""Values of an occurrence: count, successes, failures, cost in nanodollars, seconds; None: unknown."""

_CONTRIBUTION_COLUMNS: Final = ("count", "successes", "failures", "cost_nanodollars", "seconds")
_ZERO: Final[Totals] = (0,) * len(TOTAL_COLUMNS)


def _aggregates() -> dict[str, ColumnElement[Any]]:
    columns = occurrences.c
    rounded = cast(trunc(columns.seconds * 1000 + 0.5), BigInteger)  # rounds as `sum_contributions` does
    return {
        "runs": func.count(),
        **{name: func.coalesce(func.sum(columns[name]), 0) for name in _CONTRIBUTION_COLUMNS[:4]},
        "unpriced_runs": func.count(case((columns.cost_nanodollars.is_(None), 1))),
        "milliseconds": func.coalesce(func.sum(rounded), 0),
        "untimed_runs": func.count(case((columns.seconds.is_(None), 1))),
    }


_CHANGE_PARAMETERS: Final = tuple(f"by_{name}" for name in TOTAL_COLUMNS)
_ADD_CHANGES: Final = (
    update(patterns)
    .where(patterns.c.key == bindparam("of"))
    .values(
        {
            name: patterns.c[name] + bindparam(by, type_=BigInteger)
            for name, by in zip(TOTAL_COLUMNS, _CHANGE_PARAMETERS, strict=True)
        }
    )
)

AGGREGATES: Final[Mapping[str, ColumnElement[Any]]] = _aggregates()
"""SQL of the same totals over the occurrences themselves, to be grouped by pattern."""


def _subtract_run_sql(as_integer: str, milliseconds: str) -> str:
    """Return SQL that subtracts the occurrences of a deleted run from the totals of its patterns.

    `as_integer` converts a condition, inserted at its `{}`, to a number. `milliseconds` converts `o.seconds`.
    """
    contribution = {
        "runs": "1",
        **{name: f"COALESCE(o.{name}, 0)" for name in _CONTRIBUTION_COLUMNS[:4]},
        "unpriced_runs": as_integer.format("o.cost_nanodollars IS NULL"),
        "milliseconds": f"COALESCE({milliseconds}, 0)",
        "untimed_runs": as_integer.format("o.seconds IS NULL"),
    }
    changes = ", ".join(f"{name} = patterns.{name} - {contribution[name]}" for name in TOTAL_COLUMNS)
    of_run = "o.workflow_key = old.key AND o.pattern_key = patterns.key"
    return f"UPDATE patterns SET {changes} FROM occurrences AS o WHERE {of_run};"  # noqa: S608 - names, no values


def _sqlite() -> tuple[str, ...]:
    update_sql = _subtract_run_sql("({})", "CAST(o.seconds * 1000 + 0.5 AS INTEGER)")
    return (f"CREATE TRIGGER pattern_sums_drop BEFORE DELETE ON workflows BEGIN {update_sql} END",)


def _postgresql() -> tuple[str, ...]:
    update_sql = _subtract_run_sql("CAST({} AS integer)", "CAST(trunc(o.seconds * 1000 + 0.5) AS bigint)")
    create = (
        "CREATE FUNCTION pattern_sums_less() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT"
    )
    execute = "FOR EACH ROW EXECUTE FUNCTION pattern_sums_less()"
    return (
        f"{create} AS $$ BEGIN {update_sql} RETURN old; END $$",
        f"CREATE TRIGGER pattern_sums_drop BEFORE DELETE ON workflows {execute}",
    )


TOTALS_TRIGGERS: Final = {"sqlite": _sqlite(), "postgresql": _postgresql()}
"""DDL by dialect: triggers that update the totals when a run is deleted with its occurrences."""


def sum_contributions(contributions: Iterable[Contribution]) -> Totals:
    """Add up the occurrences of one pattern; unknown values are counted, and add nothing.

    >>> sum_contributions([(2, 1, 1, 500, 0.25), (1, 0, None, None, None)])
    (2, 3, 1, 1, 500, 1, 250, 1)
    """
    counts, successes, failures, costs, seconds = zip(*contributions, strict=True)
    times = [int(duration * 1000 + 0.5) for duration in seconds if duration is not None]
    return (
        len(counts),
        *(sum(filter(None, column)) for column in (counts, successes, failures, costs)),
        costs.count(None),
        sum(times),
        len(seconds) - len(times),
    )


def previous_contributions(
    connection: Connection, runs: Sequence[int], detector: str, findings: Mapping[int, Mapping[int, Any]]
) -> dict[int, list[Contribution]]:
    """Return by pattern the stored occurrences that a detector's findings (by run and pattern) will replace.

    These are its own earlier ones in these runs, and those of other detectors that it takes over.
    """
    columns = occurrences.c
    names = ("workflow_key", "pattern_key", "detector", *_CONTRIBUTION_COLUMNS)
    query = select(*(columns[name] for name in names))
    contributions: dict[int, list[Contribution]] = defaultdict(list)
    for batch in batched(runs):
        cursor: Any = connection.execute(query.where(columns.workflow_key.in_(batch))).cursor
        # The driver's own rows, as there may be many.
        for run, pattern, row_detector, *contribution in cursor.fetchall():
            if row_detector == detector or pattern in findings[run]:
                contributions[pattern].append(contribution)
    return contributions


def adjust_totals(
    connection: Connection, before: Mapping[int, list[Contribution]], after: Mapping[int, list[Contribution]]
) -> None:
    """Subtract the occurrences `before` from the totals of their patterns, and add those `after`."""
    changes: list[tuple[int, ...]] = []
    for pattern in sorted(before.keys() | after.keys()):
        removed, added = (
            sum_contributions(contributions[pattern]) if pattern in contributions else _ZERO
            for contributions in (before, after)
        )
        if removed != added:
            changes.append((*map(sub, added, removed), pattern))
    execute_many(connection, _ADD_CHANGES, (*_CHANGE_PARAMETERS, "of"), changes)


def verify_totals(connection: Connection) -> list[str]:
    """Compare the totals of each pattern with its occurrences; return one message per difference."""
    # Not the bare column: through its index, each row is looked up, which takes three times as long.
    key = occurrences.c.pattern_key + literal_column("0")
    summed = select(key.label("pattern"), *(column.label(name) for name, column in AGGREGATES.items()))
    sums_by_pattern = summed.group_by(key).subquery()
    expected = [func.coalesce(sums_by_pattern.c[name], 0) for name in TOTAL_COLUMNS]
    query = (
        select(
            patterns.c.kind, patterns.c.signature, *(patterns.c[name] for name in TOTAL_COLUMNS), *expected
        )
        .join_from(patterns, sums_by_pattern, sums_by_pattern.c.pattern == patterns.c.key, isouter=True)
        .order_by(patterns.c.key)
    )
    messages = []
    for kind, signature, *sums in connection.execute(query):
        pairs = zip(TOTAL_COLUMNS, sums[: len(TOTAL_COLUMNS)], sums[len(TOTAL_COLUMNS) :], strict=True)
        messages += [
            f"{kind} {signature!r}: {name} is {stored}, its runs add up to {summed_up}"
            for name, stored, summed_up in pairs
            if stored != summed_up
        ]
    return messages
