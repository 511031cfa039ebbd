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

from ..tables.schema import occurrences, patterns
from .bulk_insert import batched, execute_many
from .sql_expressions import trunc

TOTAL_COLUMNS: Final = (
    "runs", "count", "successes", "failures", "cost_nanodollars", "unpriced_runs", "milliseconds",
    "untimed_runs",
)  # fmt: skip
"""Columns of a pattern that are sums over its occurrences."""

Sums = tuple[int, ...]
"""Totals in the order of TOTAL_COLUMNS."""

Part = Sequence[Any]
"""Values of an occurrence: count, successes, failures, cost in nanodollars, seconds; None: unknown."""

_PART: Final = ("count", "successes", "failures", "cost_nanodollars", "seconds")
_NOTHING: Final[Sums] = (0,) * len(TOTAL_COLUMNS)


def _anew() -> dict[str, ColumnElement[Any]]:
    own = occurrences.c
    rounded = cast(trunc(own.seconds * 1000 + 0.5), BigInteger)  # rounds as `sum_contributions` does
    return {
        "runs": func.count(),
        **{name: func.coalesce(func.sum(own[name]), 0) for name in _PART[:4]},
        "unpriced_runs": func.count(case((own.cost_nanodollars.is_(None), 1))),
        "milliseconds": func.coalesce(func.sum(rounded), 0),
        "untimed_runs": func.count(case((own.seconds.is_(None), 1))),
    }


_MOVED: Final = tuple(f"by_{name}" for name in TOTAL_COLUMNS)
_MOVING: Final = (
    update(patterns)
    .where(patterns.c.key == bindparam("of"))
    .values(
        {
            name: patterns.c[name] + bindparam(by, type_=BigInteger)
            for name, by in zip(TOTAL_COLUMNS, _MOVED, strict=True)
        }
    )
)

AGGREGATES: Final[Mapping[str, ColumnElement[Any]]] = _anew()
"""SQL of the same totals over the occurrences themselves, to be grouped by pattern."""


def _taken_back(whole: str, milliseconds: str) -> str:
    """Return SQL that subtracts the occurrences of a deleted run from the totals of its patterns.

    `whole` converts a condition, inserted at its `{}`, to a number. `milliseconds` converts `o.seconds`.
    """
    less = {
        "runs": "1",
        **{name: f"COALESCE(o.{name}, 0)" for name in _PART[:4]},
        "unpriced_runs": whole.format("o.cost_nanodollars IS NULL"),
        "milliseconds": f"COALESCE({milliseconds}, 0)",
        "untimed_runs": whole.format("o.seconds IS NULL"),
    }
    changes = ", ".join(f"{name} = patterns.{name} - {less[name]}" for name in TOTAL_COLUMNS)
    of_run = "o.workflow_key = old.key AND o.pattern_key = patterns.key"
    return f"UPDATE patterns SET {changes} FROM occurrences AS o WHERE {of_run};"  # noqa: S608 - names, no values


def _sqlite() -> tuple[str, ...]:
    change = _taken_back("({})", "CAST(o.seconds * 1000 + 0.5 AS INTEGER)")
    return (f"CREATE TRIGGER pattern_sums_drop BEFORE DELETE ON workflows BEGIN {change} END",)


def _postgresql() -> tuple[str, ...]:
    change = _taken_back("CAST({} AS integer)", "CAST(trunc(o.seconds * 1000 + 0.5) AS bigint)")
    made = "CREATE FUNCTION pattern_sums_less() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT"
    call = "FOR EACH ROW EXECUTE FUNCTION pattern_sums_less()"
    return (
        f"{made} AS $$ BEGIN {change} RETURN old; END $$",
        f"CREATE TRIGGER pattern_sums_drop BEFORE DELETE ON workflows {call}",
    )


TOTALS_TRIGGERS: Final = {"sqlite": _sqlite(), "postgresql": _postgresql()}
"""DDL by dialect: triggers that update the totals when a run is deleted with its occurrences."""


def sum_contributions(parts: Iterable[Part]) -> Sums:
    """Add up the occurrences of one pattern; unknown values are counted, and add nothing.

    >>> sum_contributions([(2, 1, 1, 500, 0.25), (1, 0, None, None, None)])
    (2, 3, 1, 1, 500, 1, 250, 1)
    """
    counts, successes, failures, costs, seconds = zip(*parts, strict=True)
    times = [int(some * 1000 + 0.5) for some in seconds if some is not None]
    return (
        len(counts),
        *(sum(filter(None, column)) for column in (counts, successes, failures, costs)),
        costs.count(None),
        sum(times),
        len(seconds) - len(times),
    )


def previous_contributions(
    connection: Connection, runs: Sequence[int], detector: str, found: Mapping[int, Mapping[int, Any]]
) -> dict[int, list[Part]]:
    """Return by pattern the stored occurrences that a detector's findings (by run and pattern) will replace.

    These are its own earlier ones in these runs, and those of other detectors that it takes over.
    """
    own = occurrences.c
    query = select(own.workflow_key, own.pattern_key, own.detector, *(own[name] for name in _PART))
    parts: dict[int, list[Part]] = defaultdict(list)
    for some in batched(runs):
        cursor: Any = connection.execute(query.where(own.workflow_key.in_(some))).cursor
        for run, pattern, by, *part in cursor.fetchall():  # the driver's own rows, as there may be many
            if by == detector or pattern in found[run]:
                parts[pattern].append(part)
    return parts


def adjust_totals(
    connection: Connection, before: Mapping[int, list[Part]], after: Mapping[int, list[Part]]
) -> None:
    """Subtract the occurrences `before` from the totals of their patterns, and add those `after`."""
    changes: list[tuple[int, ...]] = []
    for pattern in sorted(before.keys() | after.keys()):
        gone, come = (
            sum_contributions(parts[pattern]) if pattern in parts else _NOTHING for parts in (before, after)
        )
        if gone != come:
            changes.append((*map(sub, come, gone), pattern))
    execute_many(connection, _MOVING, (*_MOVED, "of"), changes)


def verify_totals(connection: Connection) -> list[str]:
    """Compare the totals of each pattern with its occurrences; return one message per difference."""
    # Not the bare column: through its index, each row is looked up, which takes three times as long.
    key = occurrences.c.pattern_key + literal_column("0")
    summed = select(key.label("pattern"), *(column.label(name) for name, column in AGGREGATES.items()))
    held = summed.group_by(key).subquery()
    expected = [func.coalesce(held.c[name], 0) for name in TOTAL_COLUMNS]
    query = (
        select(
            patterns.c.kind, patterns.c.signature, *(patterns.c[name] for name in TOTAL_COLUMNS), *expected
        )
        .join_from(patterns, held, held.c.pattern == patterns.c.key, isouter=True)
        .order_by(patterns.c.key)
    )
    found = []
    for kind, signature, *sums in connection.execute(query):
        pairs = zip(TOTAL_COLUMNS, sums[: len(TOTAL_COLUMNS)], sums[len(TOTAL_COLUMNS) :], strict=True)
        found += [
            f"{kind} {signature!r}: {name} is {stored}, its runs add up to {summed_up}"
            for name, stored, summed_up in pairs
            if stored != summed_up
        ]
    return found
