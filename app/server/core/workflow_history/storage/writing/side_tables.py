"""Store patterns, problems, stream marks, other places and syncs, in the caller's transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, insert, select

from ...common.models import Problem
from ..connection.engine import get_backend
from ..rows.column_types import redacted_text, sanitize_text
from ..rows.row_codec import SYNC_RUN, Row
from ..tables.schema import occurrences, patterns, problems, stream_marks, sync_runs
from ..tables.schema import other_places as other_places_table
from .bulk_insert import batched, execute_many, insert_rows
from .pattern_totals import TOTAL_COLUMNS, Part, adjust_totals, previous_contributions, sum_contributions
from .row_keys import last_key, new_keys

PatternName = tuple[str, str]  # kind, signature

MOST_KNOWN_PATTERNS = 100_000  # maximum number of names kept in memory, about 30 MB


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
    found: Mapping[int, Sequence[Row]],
    detector: str,
    now: str,
    known: PatternKeyCache,
) -> None:
    """Replace the stored findings of a detector in these runs by new ones, as `to_pattern_rows` returns them.

    Adds the keys of patterns that are looked up or inserted to `known`.
    """
    names = {(row[0], row[1]) for rows in found.values() for row in rows}
    new = _learn_keys(connection, names, known)
    runs = sorted(found)
    by_run = {run: {known.keys[row[0], row[1]]: row for row in found[run]} for run in runs}
    before = previous_contributions(connection, runs, detector, by_run)
    for some in batched(runs):
        mine = occurrences.c.workflow_key.in_(some) & (occurrences.c.detector == detector)
        connection.execute(delete(occurrences).where(mine))
    rows: list[Row] = []
    after: dict[int, list[Part]] = defaultdict(list)
    for run, of_run in by_run.items():  # in primary key order, so that each row is appended to the table
        for key, row in sorted(of_run.items()):
            rows.append((run, key, *row[2:], detector))
            after[key].append(row[2:7])
    _store_new(
        connection, {key: (*name, now, *sum_contributions(after.pop(key))) for key, name in new.items()}
    )
    _upsert_occurrences(connection, rows)
    adjust_totals(connection, before, after)
    if len(known.keys) > MOST_KNOWN_PATTERNS:
        known.forget(-1)


def _learn_keys(
    connection: Connection, names: Iterable[PatternName], known: PatternKeyCache
) -> dict[int, PatternName]:
    """Add the keys of these patterns to `known`; return the patterns that are not stored yet, by key."""
    asked = sorted(name for name in names if name not in known.keys)
    if not asked:
        return {}
    if complete := known.last == last_key(connection, patterns):  # as in a first sync: no other is stored
        new = asked
    else:
        known.keys.update(_stored_keys(connection, asked))
        new = [name for name in asked if name not in known.keys]
    keys = new_keys(connection, patterns, len(new))
    known.keys.update(zip(new, keys, strict=True))
    if complete:
        known.last = keys[-1]
    return dict(zip(keys, new, strict=True))


def _store_new(connection: Connection, found: Mapping[int, Row]) -> None:
    """Store new patterns by key; a row has kind, signature, time of the first find, and totals."""
    from ...analysis.patterns.detection import pattern_id  # noqa: PLC0415 - reading needs no detection

    columns = ("key", "id", "kind", "signature", "first_seen_at", *TOTAL_COLUMNS)
    rows = [(key, pattern_id(row[0], row[1]), *row) for key, row in found.items()]
    execute_many(connection, insert(patterns), columns, rows)


def _stored_keys(connection: Connection, names: Iterable[PatternName]) -> dict[PatternName, int]:
    """Return the keys of these patterns, as far as they are stored."""
    by_kind: dict[str, list[str]] = defaultdict(list)
    for kind, signature in names:
        by_kind[kind].append(signature)
    found: dict[PatternName, int] = {}
    query = select(patterns.c.signature, patterns.c.key)
    for kind, signatures in by_kind.items():
        for some in batched(signatures):
            chosen = query.where(patterns.c.kind == kind, patterns.c.signature.in_(some))
            found.update({(kind, signature): key for signature, key in connection.execute(chosen)})
    return found


def _upsert_occurrences(connection: Connection, rows: Sequence[Row]) -> None:
    """Store occurrences; replaces those of another detector for the same pattern and run."""
    columns = occurrences.columns.keys()
    statement = get_backend(connection).insert(occurrences)
    changes = {name: statement.excluded[name] for name in columns[2:]}
    merge = statement.on_conflict_do_update(index_elements=columns[:2], set_=changes)
    execute_many(connection, merge, columns, rows)


def save_run_problems(
    connection: Connection, agents_dir: str, found: Mapping[int, Sequence[Problem]], *, new: AbstractSet[int]
) -> None:
    """Replace the stored problems of these runs; runs in `new` have none stored."""
    folder = sanitize_text(agents_dir)
    for some in batched([key for key in found if key not in new]):
        connection.execute(delete(problems).where(problems.c.workflow_key.in_(some)))
    rows = [_problem_row(folder, key, problem) for key, of_run in found.items() for problem in of_run]
    insert_rows(connection, problems, rows)


def replace_run_problems(
    connection: Connection, agents_dir: str, key: int, gone: Sequence[Problem], come: Sequence[Problem]
) -> None:
    """Delete the problems `gone` of a run, and add the problems `come` that are not stored yet."""
    folder = sanitize_text(agents_dir)
    mine = problems.c.workflow_key == key
    for problem in (*gone, *come):
        same = [problems.c[name] == value for name, value in _problem_row(folder, key, problem).items()]
        connection.execute(delete(problems).where(mine, *same))
    insert_rows(connection, problems, [_problem_row(folder, key, problem) for problem in come])


def folder_problems_unchanged(connection: Connection, agents_dir: str, found: Sequence[Problem]) -> bool:
    """Return whether the problems of an agents directory outside stored runs are unchanged."""
    folder = sanitize_text(agents_dir)
    columns = [problems.c[name] for name in _problem_row(folder, None, Problem("", ""))]
    query = select(*columns).where(_beside(folder)).order_by(problems.c.key)
    return [dict(row) for row in connection.execute(query).mappings()] == _folder_rows(folder, found)


def save_folder_problems(connection: Connection, agents_dir: str, found: Sequence[Problem]) -> None:
    """Replace the stored problems of an agents directory outside stored runs."""
    folder = sanitize_text(agents_dir)
    connection.execute(delete(problems).where(_beside(folder)))
    insert_rows(connection, problems, _folder_rows(folder, found))


def _beside(folder: str) -> ColumnElement[bool]:
    return (problems.c.agents_dir == folder) & problems.c.workflow_key.is_(None)


def _folder_rows(folder: str, found: Sequence[Problem]) -> list[dict[str, Any]]:
    return [_problem_row(folder, None, problem) for problem in found]


def _problem_row(folder: str, key: int | None, problem: Problem) -> dict[str, Any]:
    return {
        "agents_dir": folder,
        "path": sanitize_text(problem.path),
        "workflow_key": key,
        "line": problem.line,
        "reason": redacted_text(problem.reason),
        "severity": problem.severity,
    }


def save_stream_marks(
    connection: Connection, marks: Mapping[int, Mapping[str, bytes]], written: Mapping[int, int]
) -> None:
    """Replace the stream marks of these runs; `written` is each run's last write, in ns since 1970."""
    for some in batched(list(marks)):
        connection.execute(delete(stream_marks).where(stream_marks.c.workflow_key.in_(some)))
    rows = [
        {"workflow_key": key, "path": sanitize_text(path), "mark": mark, "written_ns": written[key]}
        for key, of_run in marks.items()
        for path, mark in of_run.items()
    ]
    insert_rows(connection, stream_marks, rows)


def other_places(connection: Connection, agents_dir: str) -> dict[int, str]:
    """Return the fingerprints, by run key, of the copies of runs in this agents directory."""
    own = other_places_table.c
    query = select(own.workflow_key, own.fingerprint).where(own.agents_dir == sanitize_text(agents_dir))
    return {key: fingerprint for key, fingerprint in connection.execute(query)}  # noqa: C416 - rows, not pairs


def lying_elsewhere(connection: Connection, keys: Sequence[int]) -> set[int]:
    """Return those of these runs that are in another agents directory, too."""
    own = other_places_table.c
    return {
        key
        for some in batched(keys)
        for key in connection.scalars(select(own.workflow_key).where(own.workflow_key.in_(some)))
    }


def save_other_places(
    connection: Connection, agents_dir: str, keys: Sequence[int], left: Mapping[int, tuple[str, str]]
) -> None:
    """Record that runs were read in `agents_dir`; `left`: previous directory and fingerprint by run."""
    own = other_places_table.c
    for some in batched(keys):
        here = (own.agents_dir == sanitize_text(agents_dir)) & own.workflow_key.in_(some)
        connection.execute(delete(other_places_table).where(here))
    rows = [
        {"agents_dir": folder, "workflow_key": key, "fingerprint": fingerprint}
        for key, (folder, fingerprint) in left.items()
    ]
    if rows:
        statement = get_backend(connection).insert(other_places_table)
        newer = {"fingerprint": statement.excluded.fingerprint}
        keyed = [own.agents_dir, own.workflow_key]
        connection.execute(statement.on_conflict_do_update(index_elements=keyed, set_=newer), rows)


def forget_other_places(connection: Connection, keys: Sequence[int]) -> None:
    """Delete the other places of these runs; the next sync of such a directory reads its copies again."""
    for some in batched(keys):
        connection.execute(delete(other_places_table).where(other_places_table.c.workflow_key.in_(some)))


def forget_stream_marks(connection: Connection, before_ns: int) -> None:
    """Delete the marks of runs last written before a time (ns since 1970): these no longer grow."""
    connection.execute(delete(stream_marks).where(stream_marks.c.written_ns < before_ns))


def record_sync(connection: Connection, sync: Mapping[str, Any]) -> None:
    """Store one sync: its start, duration, directory, project, counts and errors; other keys are ignored."""
    values, _ = SYNC_RUN.encode({key: value for key, value in sync.items() if key in SYNC_RUN.fields})
    execute_many(connection, insert(sync_runs), sync_runs.columns.keys()[1:], [SYNC_RUN.to_row(values, {})])
