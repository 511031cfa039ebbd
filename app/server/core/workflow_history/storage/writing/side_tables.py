"""Store patterns, problems, checkpoints, other locations and syncs, in the caller's transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, insert, select

from ...common.models import Problem
from ..connection.engine import get_dialect
from ..rows.column_types import redacted_text, sanitize_text
from ..rows.row_codec import SYNC_RUN, Row
from ..tables.schema import occurrences, other_locations, patterns, problems, stream_checkpoints, sync_runs
from .bulk_insert import batched, execute_many, insert_rows
from .pattern_totals import (
    TOTAL_COLUMNS,
    Contribution,
    adjust_totals,
    previous_contributions,
    sum_contributions,
)
from .row_keys import last_key, new_keys

PatternName = tuple[str, str]  # kind, signature

MAX_CACHED_PATTERNS = 100_000  # maximum number of names kept in memory, about 30 MB


@dataclass(slots=True)
class PatternKeyCache:
    """Cache of pattern keys by kind and signature."""

    keys: dict[PatternName, int] = field(default_factory=dict)
    last: int = 0  # highest pattern key at which the cache had all patterns; -1: never complete

    def forget(self, last: int) -> None:
        """Remove all keys; `last` as in the field."""
        self.keys.clear()
        self.last = last


def save_patterns(
    connection: Connection,
    findings: Mapping[int, Sequence[Row]],
    detector: str,
    now: str,
    cache: PatternKeyCache,
) -> None:
    """Replace the stored findings of a detector in these runs by new ones, as `to_pattern_rows` returns them.

    Adds the keys of patterns that are looked up or inserted to `cache`.
    """
    names = {(row[0], row[1]) for rows in findings.values() for row in rows}
    new_patterns = _assign_keys(connection, names, cache)
    runs = sorted(findings)
    by_run = {run: {cache.keys[row[0], row[1]]: row for row in findings[run]} for run in runs}
    before = previous_contributions(connection, runs, detector, by_run)
    for batch in batched(runs):
        is_replaced = occurrences.c.workflow_key.in_(batch) & (occurrences.c.detector == detector)
        connection.execute(delete(occurrences).where(is_replaced))
    rows: list[Row] = []
    after: dict[int, list[Contribution]] = defaultdict(list)
    for run, run_rows in by_run.items():  # in primary key order, so that each row is appended to the table
        for key, row in sorted(run_rows.items()):
            rows.append((run, key, *row[2:], detector))
            after[key].append(row[2:7])
    _insert_patterns(
        connection,
        {key: (*name, now, *sum_contributions(after.pop(key))) for key, name in new_patterns.items()},
    )
    _upsert_occurrences(connection, rows)
    adjust_totals(connection, before, after)
    if len(cache.keys) > MAX_CACHED_PATTERNS:
        cache.forget(-1)


def _assign_keys(
    connection: Connection, names: Iterable[PatternName], cache: PatternKeyCache
) -> dict[int, PatternName]:
    """Add the keys of these patterns to `cache`; return the patterns that are not stored yet, by key."""
    unknown = sorted(name for name in names if name not in cache.keys)
    if not unknown:
        return {}
    if complete := cache.last == last_key(connection, patterns):  # as in a first sync: no other is stored
        new = unknown
    else:
        cache.keys.update(_stored_keys(connection, unknown))
        new = [name for name in unknown if name not in cache.keys]
    keys = new_keys(connection, patterns, len(new))
    cache.keys.update(zip(new, keys, strict=True))
    if complete:
        cache.last = keys[-1]
    return dict(zip(keys, new, strict=True))


def _insert_patterns(connection: Connection, rows_by_key: Mapping[int, Row]) -> None:
    """Store new patterns by key; a row has kind, signature, time of the first find, and totals."""
    from ...analysis.patterns.detection import pattern_id  # noqa: PLC0415 - reading needs no detection

    columns = ("key", "id", "kind", "signature", "first_seen_at", *TOTAL_COLUMNS)
    rows = [(key, pattern_id(row[0], row[1]), *row) for key, row in rows_by_key.items()]
    execute_many(connection, insert(patterns), columns, rows)


def _stored_keys(connection: Connection, names: Iterable[PatternName]) -> dict[PatternName, int]:
    """Return the keys of these patterns, as far as they are stored."""
    by_kind: dict[str, list[str]] = defaultdict(list)
    for kind, signature in names:
        by_kind[kind].append(signature)
    keys: dict[PatternName, int] = {}
    query = select(patterns.c.signature, patterns.c.key)
    for kind, signatures in by_kind.items():
        for batch in batched(signatures):
            batch_query = query.where(patterns.c.kind == kind, patterns.c.signature.in_(batch))
            keys.update({(kind, signature): key for signature, key in connection.execute(batch_query)})
    return keys


def _upsert_occurrences(connection: Connection, rows: Sequence[Row]) -> None:
    """Store occurrences; replaces those of another detector for the same pattern and run."""
    columns = occurrences.columns.keys()
    statement = get_dialect(connection).insert(occurrences)
    changes = {name: statement.excluded[name] for name in columns[2:]}
    upsert = statement.on_conflict_do_update(index_elements=columns[:2], set_=changes)
    execute_many(connection, upsert, columns, rows)


def save_run_problems(
    connection: Connection,
    agents_dir: str,
    problems_by_run: Mapping[int, Sequence[Problem]],
    *,
    new: AbstractSet[int],
) -> None:
    """Replace the stored problems of these runs; runs in `new` have none stored."""
    folder = sanitize_text(agents_dir)
    for batch in batched([key for key in problems_by_run if key not in new]):
        connection.execute(delete(problems).where(problems.c.workflow_key.in_(batch)))
    rows = [
        _problem_row(folder, key, problem)
        for key, run_problems in problems_by_run.items()
        for problem in run_problems
    ]
    insert_rows(connection, problems, rows)


def replace_run_problems(
    connection: Connection, agents_dir: str, key: int, removed: Sequence[Problem], added: Sequence[Problem]
) -> None:
    """Delete the problems `removed` of a run, and add the problems `added` that are not stored yet."""
    folder = sanitize_text(agents_dir)
    for problem in (*removed, *added):
        is_same = [problems.c[name] == value for name, value in _problem_row(folder, key, problem).items()]
        connection.execute(delete(problems).where(*is_same))
    insert_rows(connection, problems, [_problem_row(folder, key, problem) for problem in added])


def folder_problems_unchanged(connection: Connection, agents_dir: str, current: Sequence[Problem]) -> bool:
    """Return whether the problems of an agents directory outside stored runs are unchanged."""
    folder = sanitize_text(agents_dir)
    columns = [problems.c[name] for name in _problem_row(folder, None, Problem("", ""))]
    query = select(*columns).where(_is_outside_runs(folder)).order_by(problems.c.key)
    return [dict(row) for row in connection.execute(query).mappings()] == _folder_rows(folder, current)


def save_folder_problems(connection: Connection, agents_dir: str, current: Sequence[Problem]) -> None:
    """Replace the stored problems of an agents directory outside stored runs."""
    folder = sanitize_text(agents_dir)
    connection.execute(delete(problems).where(_is_outside_runs(folder)))
    insert_rows(connection, problems, _folder_rows(folder, current))


def _is_outside_runs(folder: str) -> ColumnElement[bool]:
    return (problems.c.agents_dir == folder) & problems.c.workflow_key.is_(None)


def _folder_rows(folder: str, current: Sequence[Problem]) -> list[dict[str, Any]]:
    return [_problem_row(folder, None, problem) for problem in current]


def _problem_row(folder: str, key: int | None, problem: Problem) -> dict[str, Any]:
    return {
        "agents_dir": folder,
        "path": sanitize_text(problem.path),
        "workflow_key": key,
        "line": problem.line,
        "reason": redacted_text(problem.reason),
        "severity": problem.severity,
    }


def save_checkpoints(
    connection: Connection, checkpoints: Mapping[int, Mapping[str, bytes]], written: Mapping[int, int]
) -> None:
    """Replace the checkpoints of these runs; `written` is each run's last write, in ns since 1970."""
    for batch in batched(list(checkpoints)):
        connection.execute(delete(stream_checkpoints).where(stream_checkpoints.c.workflow_key.in_(batch)))
    rows = [
        {"workflow_key": key, "path": sanitize_text(path), "checkpoint": packed, "written_ns": written[key]}
        for key, run_checkpoints in checkpoints.items()
        for path, packed in run_checkpoints.items()
    ]
    insert_rows(connection, stream_checkpoints, rows)


def copy_fingerprints(connection: Connection, agents_dir: str) -> dict[int, str]:
    """Return the fingerprints, by run key, of the copies of runs in this agents directory."""
    columns = other_locations.c
    query = select(columns.workflow_key, columns.fingerprint).where(
        columns.agents_dir == sanitize_text(agents_dir)
    )
    return {key: fingerprint for key, fingerprint in connection.execute(query)}  # noqa: C416 - rows, not pairs


def runs_in_other_directories(connection: Connection, keys: Sequence[int]) -> set[int]:
    """Return those of these runs that are in another agents directory, too."""
    columns = other_locations.c
    return {
        key
        for batch in batched(keys)
        for key in connection.scalars(select(columns.workflow_key).where(columns.workflow_key.in_(batch)))
    }


def save_other_locations(
    connection: Connection,
    agents_dir: str,
    keys: Sequence[int],
    previous_directories: Mapping[int, tuple[str, str]],
) -> None:
    """Record that runs were read in `agents_dir`.

    `previous_directories` has their directories before, with fingerprints, by run key.
    """
    columns = other_locations.c
    for batch in batched(keys):
        is_here = (columns.agents_dir == sanitize_text(agents_dir)) & columns.workflow_key.in_(batch)
        connection.execute(delete(other_locations).where(is_here))
    rows = [
        {"agents_dir": folder, "workflow_key": key, "fingerprint": fingerprint}
        for key, (folder, fingerprint) in previous_directories.items()
    ]
    if rows:
        statement = get_dialect(connection).insert(other_locations)
        newer = {"fingerprint": statement.excluded.fingerprint}
        index_elements = [columns.agents_dir, columns.workflow_key]
        connection.execute(statement.on_conflict_do_update(index_elements=index_elements, set_=newer), rows)


def delete_other_locations(connection: Connection, keys: Sequence[int]) -> None:
    """Delete the other locations of these runs; the next sync of such a directory reads its copies again."""
    for batch in batched(keys):
        connection.execute(delete(other_locations).where(other_locations.c.workflow_key.in_(batch)))


def delete_old_checkpoints(connection: Connection, before_ns: int) -> None:
    """Delete the checkpoints of runs last written before a time (ns since 1970): these no longer grow."""
    connection.execute(delete(stream_checkpoints).where(stream_checkpoints.c.written_ns < before_ns))


def record_sync(connection: Connection, sync: Mapping[str, Any]) -> None:
    """Store one sync: its start, duration, directory, project, counts and errors; other keys are ignored."""
    values, _ = SYNC_RUN.encode({key: value for key, value in sync.items() if key in SYNC_RUN.fields})
    execute_many(connection, insert(sync_runs), sync_runs.columns.keys()[1:], [SYNC_RUN.to_row(values, {})])
