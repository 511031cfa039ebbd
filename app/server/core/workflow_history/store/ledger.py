"""What stands beside the workflows: patterns, unreadable files and syncs; in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, select

from .bulk import chunks, columns_of, execute_rows, insert_rows
from .codec import OCCURRENCE, SYNC_RUN
from .engine import dialect_of
from .records import Row
from .schema import occurrences, patterns, problems, sync_runs
from .values import storable_text


def save_patterns(
    connection: Connection, found: Mapping[int, Sequence[Mapping[str, Any]]], detector: str, now: str
) -> None:
    """Put a detector's findings in the place of its former ones for these runs."""
    signatures = {_name(entry) for entries in found.values() for entry in entries}
    keys = _pattern_keys(connection, signatures, now)
    for some in chunks(list(found)):
        mine = occurrences.c.workflow_key.in_(some) & (occurrences.c.detector == detector)
        connection.execute(delete(occurrences).where(mine))
    rows = {
        (keys[_name(entry)], key): {
            **OCCURRENCE.encode(entry),
            "detector": detector,
            "pattern_key": keys[_name(entry)],
            "workflow_key": key,
        }
        for key, entries in found.items()
        for entry in entries
    }
    _upsert_occurrences(connection, list(rows.values()))


def _name(entry: Mapping[str, Any]) -> tuple[str, str]:
    return storable_text(str(entry["kind"])), storable_text(str(entry["signature"]))


def _pattern_keys(
    connection: Connection, names: Iterable[tuple[str, str]], now: str
) -> dict[tuple[str, str], int]:
    """Return the keys of these patterns; new ones are stored first."""
    rows = [{"kind": kind, "signature": signature, "first_seen_at": now} for kind, signature in sorted(names)]
    statement = dialect_of(connection).insert(patterns)
    new = statement.on_conflict_do_nothing(index_elements=["kind", "signature"])
    execute_rows(connection, new, rows, columns_of(rows))
    found: dict[tuple[str, str], int] = {}
    for some in chunks([row["signature"] for row in rows]):
        query = select(patterns.c.kind, patterns.c.signature, patterns.c.key)
        for kind, signature, key in connection.execute(query.where(patterns.c.signature.in_(some))):
            found[kind, signature] = key
    return found


def _upsert_occurrences(connection: Connection, rows: Sequence[Row]) -> None:
    columns = set(occurrences.columns.keys())
    statement = dialect_of(connection).insert(occurrences)
    changes = {name: statement.excluded[name] for name in columns - {"pattern_key", "workflow_key"}}
    merge = statement.on_conflict_do_update(index_elements=["pattern_key", "workflow_key"], set_=changes)
    execute_rows(connection, merge, rows, columns)


def save_problems(connection: Connection, agents_dir: str, found: Sequence[Mapping[str, Any]]) -> bool:
    """Put the problems of this sync in the place of the last one's; False where nothing changed."""
    folder = storable_text(agents_dir)
    new = [_problem_row(folder, problem) for problem in found]
    columns = [problems.c[name] for name in _problem_row(folder, {"path": "", "reason": ""})]
    query = select(*columns).where(problems.c.agents_dir == folder).order_by(problems.c.key)
    if [dict(row) for row in connection.execute(query).mappings()] == new:
        return False
    connection.execute(delete(problems).where(problems.c.agents_dir == folder))
    insert_rows(connection, problems, new)
    return True


def _problem_row(folder: str, problem: Mapping[str, Any]) -> Row:
    return {
        "agents_dir": folder,
        "path": storable_text(problem["path"]),
        "workflow_key": problem.get("workflow_key"),
        "line": problem.get("line"),
        "reason": storable_text(problem["reason"]),
        "severity": problem.get("severity") or "error",
    }


def record_sync(connection: Connection, sync: Mapping[str, Any]) -> None:
    """Note one sync: its start, length, folder, project, counts and errors; other keys are not kept."""
    known = {key: value for key, value in sync.items() if key in SYNC_RUN.fields}
    row = SYNC_RUN.encode(known)
    row.pop("extra", None)
    insert_rows(connection, sync_runs, [row])
