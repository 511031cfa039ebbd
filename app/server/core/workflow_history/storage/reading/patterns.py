"""Query recurring patterns with their totals, by kind, status and runs, and store decisions on them.

A decision is the user's verdict on a pattern (accepted or dismissed). A sync never changes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, Text, cast, literal_column, select, update

from ...common.errors import InvalidValueError, PatternNotFoundError
from ...common.filters import RunFilter
from ...common.models import PatternKind, PatternStatus
from ..connection.engine import fetch_raw_rows, get_dialect
from ..rows.column_types import from_time, redacted_text, sanitize_text, without_unknown_zone
from ..tables.schema import occurrences, patterns, workflows
from ..writing.pattern_totals import AGGREGATES, TOTAL_COLUMNS
from .filter_sql import build_where, patterns_by_name
from .page_query import PageQuery
from .paging import page_keys

if TYPE_CHECKING:  # it imports the pattern detection
    from ...analysis.patterns.records import PatternTotals

_DESCRIPTION_COLUMNS: Final = ("id", "kind", "signature", "status", "note", "decided_at", "first_seen_at")


class PatternExample(NamedTuple):
    """One run with a pattern."""

    project: str
    id: str  # id of the run
    created_at: str | None  # ISO 8601 UTC; without a zone if unknown
    times: int | None  # occurrences in this run, count
    nanodollars: int | None  # estimated cost of the pattern in this run; None: unknown
    example_path: str | None  # stream with the first occurrence, relative to the run's directory
    example_line: int | None  # line of the first occurrence, from 1
    agents_dir: str | None  # agents directory in which the run was found
    files_folder: str | None  # start of paths in agents_dir; None: the run's own directory


def pattern_totals(
    connection: Connection,
    run_filter: RunFilter | None = None,
    *,
    kinds: Sequence[str] | None = None,
    statuses: Sequence[str] | None = None,
    min_runs: int = 2,
) -> list[PatternTotals]:
    """Return the patterns in at least `min_runs` of these runs, the most widespread first."""
    pattern = patterns.c
    if run_filter is None or run_filter.is_empty:
        query = _stored_totals().where(pattern.runs >= min_runs)
        if min_runs > 1:  # a literal, as in the partial index: most patterns occur in one run
            query = query.where(pattern.runs > literal_column("1"))
            query = query.with_hint(patterns, "INDEXED BY ix_patterns_recurring", "sqlite")
    else:
        conditions = build_where(run_filter, get_dialect(connection)).clauses()
        query = _totals_in_runs(select(workflows.c.key).where(*conditions), min_runs)
    if kinds is not None:
        query = query.where(pattern.kind.in_(kinds))
    if statuses is not None:
        query = query.where(pattern.status.in_(statuses))
    return _records(connection, query)


def find_pattern(connection: Connection, text: str) -> list[PatternTotals]:
    """Return the patterns with this signature, otherwise those whose id is or begins with `text`."""
    return _records(connection, _stored_totals().where(patterns.c.key.in_(patterns_by_name(text))))


def examples(
    connection: Connection, pattern_id: str, limit: int = 3, run_filter: RunFilter | None = None
) -> list[PatternExample]:
    """Return the newest runs with a pattern."""
    key = select(patterns.c.key).where(patterns.c.id == sanitize_text(pattern_id)).scalar_subquery()
    occurrence, run = occurrences.c, workflows.c
    runs = select(occurrence.workflow_key).where(occurrence.pattern_key == key)
    query = PageQuery(run_filter if run_filter is not None else RunFilter(), limit=limit)
    keys = page_keys(connection, query, within=[runs]).keys
    columns = (
        run.project, run.id, run.created_at, occurrence["count"], occurrence.cost_nanodollars,
        occurrence.example_path, occurrence.example_line, run.agents_dir,
        run.extra["files_folder"].as_string(),
        cast(run.extra["time_zone_known"].as_string(), Text),
    )  # fmt: skip
    rows = select(run.key, *columns).join(occurrences, occurrence.workflow_key == run.key)
    examples_by_key = {
        row[0]: PatternExample._make((*row[1:3], _time(row[3], row[-1]), *row[4:-1]))
        for row in connection.execute(rows.where(run.key.in_(keys), occurrence.pattern_key == key))
    }
    return [examples_by_key[key] for key in keys]


def set_status(
    connection: Connection, pattern_id: str, status: PatternStatus, note: str | None, now: str
) -> None:
    """Store the decision that a pattern is accepted or dismissed, with a reason; `detected` removes it.

    Raises InvalidQueryError for another status, PatternNotFoundError if no pattern has this id.
    """
    if status not in tuple(PatternStatus):
        raise InvalidValueError("status", status, f"Use one of: {', '.join(PatternStatus)}.")
    is_decided = status != PatternStatus.DETECTED
    values = {
        "status": status,
        "note": redacted_text(note) if is_decided and note is not None else None,
        "decided_at": now if is_decided else None,
    }
    statement = update(patterns).where(patterns.c.id == sanitize_text(pattern_id)).values(values)
    if not connection.execute(statement).rowcount:
        raise PatternNotFoundError(f'No pattern has the ID "{pattern_id}". Use all 16 digits.')


def _columns(sums: Mapping[str, ColumnElement[Any]]) -> list[ColumnElement[Any]]:
    """Return the columns for a PatternTotals, in the order of its fields."""
    description = [patterns.c[name] for name in _DESCRIPTION_COLUMNS]
    totals = {**sums, "milliseconds": sums["milliseconds"] / 1000.0}
    return [*description, *(totals[name] for name in TOTAL_COLUMNS)]


def _stored_totals() -> Select[Any]:
    return select(*_columns(dict(patterns.c)))


def _totals_in_runs(runs: Select[Any], min_runs: int) -> Select[Any]:
    """Return a query for the patterns in at least `min_runs` of these runs, with totals over these only."""
    pattern, run = occurrences.c.pattern_key, occurrences.c.workflow_key
    query = select(pattern, *(column.label(name) for name, column in AGGREGATES.items())).where(run.in_(runs))
    totals = query.group_by(pattern).having(AGGREGATES["runs"] >= min_runs).subquery()
    return select(*_columns(dict(totals.c))).join_from(
        patterns, totals, totals.c.pattern_key == patterns.c.key
    )


def _records(connection: Connection, query: Select[Any]) -> list[PatternTotals]:
    from ...analysis.patterns.records import PatternTotals  # noqa: PLC0415 - the detection comes with it

    rows = fetch_raw_rows(connection, query)
    totals = [
        PatternTotals(
            pattern_id, PatternKind(kind), signature, PatternStatus(status), note, _time(decided),
            _time(seen), *sums,
        )
        for pattern_id, kind, signature, status, note, decided, seen, *sums in rows
    ]  # fmt: skip
    return sorted(
        totals, key=lambda pattern: (-pattern.runs, -pattern.count, pattern.kind, pattern.signature)
    )


def _time(stored: str | None, zone_known: str | None = None) -> str | None:
    """Return a stored time, without a zone if the run's zone is unknown."""
    if stored is None:
        return None
    is_known = zone_known not in ("0", "false")
    run = {"created_at": from_time(stored), "time_zone_known": is_known}
    return str(without_unknown_zone(run)["created_at"])
