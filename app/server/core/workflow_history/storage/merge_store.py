"""Read complete runs and the other rows of a history, and write those of another one, for a merge.

Each call is one transaction, or a part of the caller's transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, Select, Table, bindparam, func, insert, select, update

from ..common.models import Problem, Severity, Workflow
from ..costs.accounting.message_claims import Claim
from .column_cache.blocks import invalidate_blocks
from .connection.engine import TransactionFactory
from .reading import runs as run_queries
from .reading.current_status import current_column
from .reading.run_lookup import RunRef
from .rows.row_codec import OCCURRENCE, WORKFLOW, Row
from .rows.run_rows import to_pattern_rows
from .tables.schema import agent_runs, occurrences, patterns, problems, pruned_runs, sync_runs, workflows
from .writing import pruning, row_keys, side_tables
from .writing.bulk_insert import batched, execute_many, insert_rows
from .writing.message_claims import read_claims
from .writing.similarity_rows import mark_stale

_HIDDEN_COLUMNS: Final = {key: WORKFLOW.fields[key].column for key in sorted(WORKFLOW.hidden)}
_DECISION_COLUMNS: Final = ("status", "note", "decided_at")


@dataclass(frozen=True, slots=True)
class CompleteRun:
    """One run with its rows in other tables."""

    workflow: Workflow  # includes the hidden fields
    patterns: Mapping[str, list[Row]] = field(default_factory=dict)  # by detector, as in `to_pattern_rows`
    problems: tuple[Problem, ...] = ()
    checkpoints: Mapping[str, bytes] = field(default_factory=dict)  # by path
    claims: tuple[Claim, ...] = ()  # cost of each of its streams by itself


@dataclass(frozen=True, slots=True)
class Decisions:
    """Later decisions on patterns, and earlier first sightings, of one history compared with another."""

    new: Sequence[Mapping[str, Any]]  # rows of patterns that the other history lacks
    known: Sequence[Mapping[str, Any]]  # rows of patterns that the other history has
    first_seen: Sequence[tuple[str, str]]  # id of a pattern, and its earlier time

    @property
    def count(self) -> int:
        """Number of decisions."""
        return len(self.new) + len(self.known)

    def __bool__(self) -> bool:
        return bool(self.new or self.known or self.first_seen)


class MergeStore:
    """Part of a history that a merge reads and writes."""

    def __init__(
        self,
        reading: TransactionFactory,
        writing: TransactionFactory,
        pattern_keys: side_tables.PatternKeyCache,
    ) -> None:
        self._reading = reading
        self._writing = writing
        self._pattern_keys = pattern_keys

    def refs(self) -> list[RunRef]:
        """Return references to all runs."""
        with self._reading() as connection:
            query = select(workflows.c.key, workflows.c.project, workflows.c.id)
            return [RunRef(*row) for row in connection.execute(query)]

    def read(self, keys: Sequence[int]) -> dict[int, CompleteRun]:
        """Return complete runs by key; unknown keys are skipped."""
        with self._reading() as connection:
            runs = run_queries.read_runs(connection, keys)
            hidden_query = select(workflows.c.key, *(workflows.c[c] for c in _HIDDEN_COLUMNS.values()))
            hidden = _by_key(connection, hidden_query, keys)
            patterns_by_run = _read_patterns(connection, keys)
            problems_by_run = _read_problems(connection, keys)
            checkpoints = run_queries.read_checkpoints(connection, keys)
            claims = read_claims(connection, keys)
        return {
            key: CompleteRun(
                {**run, **dict(zip(_HIDDEN_COLUMNS, hidden[key], strict=True))},
                patterns_by_run.get(key, {}),
                tuple(problems_by_run.get(key, ())),
                checkpoints.get(key, {}),
                tuple(claims.get(key, ())),
            )
            for key, run in runs.items()
        }

    def rename(self, names: Mapping[int, str]) -> None:
        """Change the ids of runs; no other run of their projects may have the new ids."""
        with self._writing() as connection:
            invalidate_blocks(connection, names)
            # Through temporary ids that no run has, since two runs may swap theirs.
            for new in ({key: f"~{key}~" for key in names}, names):
                for key, name in new.items():
                    connection.execute(update(workflows).where(workflows.c.key == key).values(id=name))
            mark_stale(connection, list(names))

    def remove(self, keys: Sequence[int]) -> None:
        """Delete runs that were merged into another run."""
        with self._writing() as connection:
            pruning.delete_runs(connection, keys)

    def set_first_seen(self, times: Mapping[int, str]) -> None:
        """Set the times when a history first stored these runs, ISO 8601 UTC."""
        run = workflows.c
        with self._writing() as connection:
            statement = update(workflows).where(run.key == bindparam("of"))
            values = statement.values(first_seen_at=bindparam("at"))
            execute_many(connection, values, ["of", "at"], list(times.items()))

    def duplicate_streams(self, keys: Iterable[int]) -> list[tuple[RunRef, RunRef]]:
        """Return pairs of one of these runs and any other run that have a stream in common."""
        selected = set(keys)
        agent_run = agent_runs.c
        duplicated = (
            select(agent_run.identity)
            .where(agent_run.identity.is_not(None))
            .group_by(agent_run.identity)
            .having(func.min(agent_run.workflow_key) < func.max(agent_run.workflow_key))
        )
        query = (
            select(agent_run.identity, agent_run.workflow_key)
            .where(agent_run.identity.in_(duplicated))
            .distinct()
        )
        with self._reading() as connection:
            keys_by_identity: dict[str, set[int]] = defaultdict(set)
            for identity, key in connection.execute(query):
                keys_by_identity[identity].add(key)
            pairs = {
                (key, other)
                for group in keys_by_identity.values()
                for key in group & selected
                for other in group - {key}
            }
            refs = {ref.key: ref for ref in _refs(connection, {key for pair in pairs for key in pair})}
        ordered = sorted(pairs, key=lambda pair: [(refs[key].project, refs[key].id) for key in pair])
        return [(refs[key], refs[other]) for key, other in ordered if key < other or other not in selected]

    def pruning_fields(self, keys: Sequence[int]) -> list[dict[str, Any]]:
        """Return the columns of runs that decide whether they may be deleted, and their costs."""
        names = (
            "key", "project", "status", "created_at", "spent_nanodollars", "cost_basis",
            "lower_bound_cost_nanodollars", "copy_of",
        )  # fmt: skip
        query = select(*(current_column(name) for name in names))
        with self._reading() as connection:
            return [
                dict(row)
                for batch in batched(keys)
                for row in connection.execute(query.where(workflows.c.key.in_(batch))).mappings()
            ]

    # --- other tables

    def pattern_decisions(self) -> list[dict[str, Any]]:
        """Return name, time first seen and decision of the patterns that have runs or a decision."""
        names = ("id", "kind", "signature", "first_seen_at", *_DECISION_COLUMNS)
        query = select(*(patterns.c[name] for name in names))
        with self._reading() as connection:
            is_relevant = (patterns.c.runs > 0) | patterns.c.decided_at.is_not(None)
            rows = connection.execute(query.where(is_relevant))
            return [dict(row) for row in rows.mappings()]

    def later_decisions(self, theirs: Sequence[Mapping[str, Any]]) -> Decisions:
        """Return the decisions in `theirs` that are later than here, and earlier times of first sightings.

        Patterns without a decision that are not stored here are skipped.
        """
        with self._reading() as connection:
            rows = connection.execute(select(patterns)).mappings()
            stored: dict[str, dict[str, Any]] = {row["id"]: dict(row) for row in rows}
        decided = [row for row in theirs if _is_later(row, stored.get(row["id"]))]
        earlier = [
            (row["id"], row["first_seen_at"])
            for row in theirs
            if row["id"] in stored
            and (row["first_seen_at"] or "~") < (stored[row["id"]]["first_seen_at"] or "~")
        ]
        return Decisions(
            [row for row in decided if row["id"] not in stored],
            [row for row in decided if row["id"] in stored],
            earlier,
        )

    def adopt_decisions(self, later: Decisions) -> None:
        """Store the result of `later_decisions`, in the same transaction."""
        with self._writing() as connection:
            keys = row_keys.new_keys(connection, patterns, len(later.new))
            insert_rows(
                connection, patterns, [{**row, "key": key} for key, row in zip(keys, later.new, strict=True)]
            )
            statement = update(patterns).where(patterns.c.id == bindparam("of"))
            values: dict[str, Any] = {name: bindparam(f"its_{name}") for name in _DECISION_COLUMNS}
            rows = [(row["id"], *(row[name] for name in _DECISION_COLUMNS)) for row in later.known]
            names = ["of", *(f"its_{name}" for name in _DECISION_COLUMNS)]
            execute_many(connection, statement.values(values), names, rows)
            seen = statement.values(first_seen_at=bindparam("at"))
            execute_many(connection, seen, ["of", "at"], later.first_seen)

    def syncs(self) -> list[dict[str, Any]]:
        """Return the recorded syncs, oldest first."""
        return self._rows(sync_runs, "key")

    def folder_problems(self) -> list[dict[str, Any]]:
        """Return the problems that belong to no run."""
        with self._reading() as connection:
            query = select(problems).where(problems.c.workflow_key.is_(None)).order_by(problems.c.key)
            return [_without(dict(row), "key") for row in connection.execute(query).mappings()]

    def pruned(self) -> list[dict[str, Any]]:
        """Return the records of pruned runs."""
        return self._rows(pruned_runs, None)

    def add(
        self,
        *,
        syncs: Sequence[Mapping[str, Any]],
        wrong: Sequence[Mapping[str, Any]],
        pruned: Sequence[Mapping[str, Any]],
    ) -> None:
        """Insert rows that are not stored yet."""
        with self._writing() as connection:
            for table, rows in ((sync_runs, syncs), (problems, wrong), (pruned_runs, pruned)):
                if rows:
                    connection.execute(insert(table), list(rows))

    def _rows(self, table: Table, omitted: str | None) -> list[dict[str, Any]]:
        with self._reading() as connection:
            rows = connection.execute(select(table).order_by(*table.primary_key.columns)).mappings()
            return [_without(dict(row), omitted) for row in rows]

    def save_related(self, runs: Mapping[int, CompleteRun], now: str) -> None:
        """Replace the patterns, problems and checkpoints of stored runs."""
        with self._writing() as connection:
            for detector in sorted({name for run in runs.values() for name in run.patterns}):
                rows = {key: run.patterns[detector] for key, run in runs.items() if detector in run.patterns}
                side_tables.save_patterns(connection, rows, detector, now, self._pattern_keys)
            for key, run in runs.items():
                folder = run.workflow.get("agents_dir") or ""
                side_tables.save_run_problems(connection, folder, {key: run.problems}, new=frozenset())
            written = {key: run.workflow.get("last_written_ns") or 0 for key, run in runs.items()}
            side_tables.save_checkpoints(
                connection, {key: run.checkpoints for key, run in runs.items()}, written
            )


def _read_patterns(connection: Connection, keys: Sequence[int]) -> dict[int, dict[str, list[Row]]]:
    query = select(patterns.c.kind, patterns.c.signature, occurrences)
    query = query.join(occurrences, occurrences.c.pattern_key == patterns.c.key)
    patterns_by_run: dict[int, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for batch in batched(keys):
        for row in connection.execute(query.where(occurrences.c.workflow_key.in_(batch))).mappings():
            finding = {"kind": row["kind"], "signature": row["signature"], **OCCURRENCE.decode(dict(row))}
            patterns_by_run[row["workflow_key"]][row["detector"] or "builtin"] += to_pattern_rows([finding])
    return {
        key: {detector: sorted(rows, key=repr) for detector, rows in by_detector.items()}
        for key, by_detector in patterns_by_run.items()
    }


def _read_problems(connection: Connection, keys: Sequence[int]) -> dict[int, list[Problem]]:
    names = ("workflow_key", "path", "reason", "line", "severity")
    query = select(*(problems.c[name] for name in names)).order_by(problems.c.key)
    problems_by_run: dict[int, list[Problem]] = defaultdict(list)
    for batch in batched(keys):
        for key, path, reason, line, severity in connection.execute(
            query.where(problems.c.workflow_key.in_(batch))
        ):
            problems_by_run[key].append(Problem(path, reason, line, Severity(severity)))
    return problems_by_run


def _by_key(connection: Connection, query: Select[Any], keys: Sequence[int]) -> dict[int, Row]:
    return {
        key: tuple(values)
        for batch in batched(keys)
        for key, *values in connection.execute(query.where(workflows.c.key.in_(batch)))
    }


def _refs(connection: Connection, keys: Iterable[int]) -> list[RunRef]:
    query = select(workflows.c.key, workflows.c.project, workflows.c.id)
    return [
        RunRef(*row)
        for batch in batched(sorted(keys))
        for row in connection.execute(query.where(workflows.c.key.in_(batch)))
    ]


def _is_later(row: Mapping[str, Any], stored: Mapping[str, Any] | None) -> bool:
    if row["decided_at"] is None:
        return False
    order = ("decided_at", "status", "note")
    stored_order = ("", "", "") if stored is None else tuple(stored[name] or "" for name in order)
    return tuple(row[name] or "" for name in order) > stored_order


def _without(row: dict[str, Any], omitted: str | None) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != omitted}
