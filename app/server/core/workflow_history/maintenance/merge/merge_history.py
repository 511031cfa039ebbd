"""Merge another history into the history in use.

The other history is only read. Every run is stored once, however often and in any order histories are
merged, and on however many hosts it was found. Different runs with the same id are both kept.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from ... import database
from ...common.errors import InvalidQueryError
from ...common.temporary_files import scratch_folder
from ...costs.accounting.message_claims import cleaned
from ...pipeline.merge_fields import REPLACED_FIELDS
from ...pipeline.shared_messages import runs_to_settle, settle_shares
from ...pipeline.sync_state import Progress
from ...pipeline.unfinished_work import finish
from ...pipeline.workers.gc_tuning import relaxed_gc
from ...storage.connection.engine import display_name, exists
from ...storage.connection.pool import open_read_only
from ...storage.connection.url import database_url
from ...storage.history import History
from ...storage.merge_store import CompleteRun, Decisions
from ...storage.reading.run_lookup import RunRef
from ...storage.rows.column_types import to_timestamp
from .name_conflicts import base_name
from .plan import MergePlan, plan_merge

BATCH_RUNS = 500  # runs of the other history that are merged in one transaction

Name = tuple[str, str]  # project, id without suffix


def merge_history(
    other: Path | str | URL,
    *,
    host: str | None = None,
    dry_run: bool = False,
    with_pruned: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Merge the runs of the history at `other`, a path or database URL, into the history in use.

    Returns the counts runs (of the other history), inserted, updated, unchanged, renamed (different runs with
    the same id), pruned (skipped, because they were pruned here; `with_pruned` adds them), patterns_decided
    and syncs. Also `shared`: pairs of runs with a common stream, whose cost only one of them counts; source,
    dry_run and duration_seconds. `host` is stored for runs without a known host. `dry_run` stores nothing.
    Raises InvalidQueryError if the other history is the one in use, or only one of them stores texts, and
    DatabaseTooNewError if a newer version of the program wrote the other history.
    """
    source, target = database_url(other), database.current_url()
    if source == target:
        raise InvalidQueryError(f"{source.database} is the history in use; name another one to merge")
    started = time.monotonic()
    with relaxed_gc(), open_read_only(source) as theirs, _ours(target, dry_run=dry_run) as ours:
        merge = Merge(ours, theirs, host=host, dry_run=dry_run)
        merge.run(with_pruned=with_pruned, progress=progress)
    done = {**merge.stats, "source": display_name(source), "dry_run": dry_run}
    return {**done, "duration_seconds": time.monotonic() - started}


@contextmanager
def _ours(target: URL, *, dry_run: bool) -> Iterator[History]:
    """Open the history in use; a dry run does not create it, but opens an empty temporary one."""
    if not dry_run or exists(target):
        with History.open(target) as history:
            yield history
        return
    with scratch_folder() as folder, History.open(folder / "history.db") as history:
        yield history


class Merge:
    """One merge of two open histories, with its counts so far."""

    def __init__(
        self, ours: History, theirs: History, *, host: str | None = None, dry_run: bool = False
    ) -> None:
        self._ours = ours
        self._theirs = theirs
        self._host = host
        self._dry_run = dry_run
        self._own, self._other = ours.merge_store(), theirs.merge_store()
        self._with_pruned = False
        self._version = 0  # data version of our history when it was last read
        self._keys: Mapping[Name, list[int]] = {}  # keys of its runs, by name
        self._left_out: AbstractSet[tuple[str, str]] = frozenset()  # of the runs that were pruned in it
        self._new: list[int] = []  # keys of the runs that were inserted
        counts = (
            "runs",
            "inserted",
            "updated",
            "unchanged",
            "renamed",
            "pruned",
            "patterns_decided",
            "syncs",
        )
        self.stats: dict[str, Any] = {**dict.fromkeys(counts, 0), "shared": []}

    def run(self, *, with_pruned: bool = False, progress: Progress | None = None) -> None:
        """Merge everything."""
        self._with_pruned = with_pruned
        self._look()
        self._bring_what_was_pruned()
        refs = self._other.refs()
        self.stats["runs"] = len(refs)
        done = 0
        for some in _batches(_by_name(refs)):
            self._bring(some)
            done += sum(map(len, some.values()))
            if progress is not None:
                progress("merge", done, len(refs))
        self._bring_the_rest()
        self._relate()

    def _look(self) -> None:
        """Read the state of our history; within a transaction, no other process can change it afterwards."""
        self._refuse_what_differs()
        self._version = self._ours.data_version()
        self._keys = {name: [ref.key for ref in some] for name, some in _by_name(self._own.refs()).items()}
        pruned = [] if self._with_pruned else self._own.pruned()
        self._left_out = {(row["project"], row["id"]) for row in pruned}

    def _look_again(self) -> bool:
        """Read the state again if another process has written since; return whether one has."""
        if self._ours.data_version() == self._version:
            return False
        self._look()
        return True

    def _refuse_what_differs(self) -> None:
        """Raise InvalidQueryError if only one of the histories stores the texts of its runs."""
        keep = (self._ours.stores_text(), self._theirs.stores_text())
        if keep[0] is None and not self._ours.check_text_policy():  # empty, and configured not to store any
            keep = (False, keep[1])
        if None not in keep and keep[0] != keep[1]:
            without = "the history in use" if keep[1] else "the other history"
            raise InvalidQueryError(
                f"{without} keeps no texts of its runs; a copy of the one that does (db backup) can be "
                "merged once its texts are taken out: db scrub --no-text"
            )

    def _bring(self, some: Mapping[Name, Sequence[RunRef]]) -> None:
        """Merge the runs of some names in one transaction, or in none if nothing changes."""
        found = self._other.read([ref.key for refs in some.values() for ref in refs])
        theirs = {
            name: [self._placed(found[ref.key]) for ref in refs if ref.key in found]
            for name, refs in some.items()
        }
        plan = self._plan(theirs)
        if plan.has_changes and not self._dry_run:
            with self._ours.transaction():
                if self._look_again():
                    plan = self._plan(theirs)
                self._carry_out(plan)
        self.stats["inserted"] += len(plan.inserted)
        self.stats["updated"] += len(plan.updated)
        self.stats["unchanged"] += plan.unchanged
        self.stats["renamed"] += plan.renamed_count
        self.stats["pruned"] += sum(self._is_left_out(ref) for refs in some.values() for ref in refs)

    def _is_left_out(self, ref: RunRef) -> bool:
        return (ref.project, ref.id) in self._left_out

    def _placed(self, run: CompleteRun) -> CompleteRun:
        """Return a run with the caller's host, if the host of the run is unknown."""
        if self._host is None or run.workflow.get("host") is not None:
            return run
        return replace(run, workflow={**run.workflow, "host": self._host})

    def _plan(self, theirs: Mapping[Name, Sequence[CompleteRun]]) -> MergePlan:
        own = self._own.read([key for name in theirs for key in self._keys.get(name, ())])
        plan = MergePlan()
        for name, runs in theirs.items():
            wanted = [run for run in runs if (name[0], run.workflow["id"]) not in self._left_out]
            if wanted:
                plan.extend(
                    plan_merge({key: own[key] for key in self._keys.get(name, ()) if key in own}, wanted)
                )
        return plan

    def _carry_out(self, plan: MergePlan) -> None:
        near = self._ours.connected(plan.removed).keys() - set(plan.removed)
        self._own.remove(plan.removed)
        self._own.rename(plan.renamed)
        stored = [*plan.inserted, *plan.updated.values()]
        saved = self._ours.save([_storable(run) for run in stored], replace=REPLACED_FIELDS)
        by_name = {(run.workflow.get("project") or "", run.workflow["id"]): run for run in stored}
        self._own.save_related(
            {key: by_name[name] for name, key in saved.keys.items()}, to_timestamp(datetime.now(UTC))
        )
        keeps_text = self._ours.check_text_policy()
        claims = {
            key: [cleaned(claim, keeps_text=keeps_text) for claim in by_name[name].claims]
            for name, key in saved.keys.items()
        }
        self._ours.save_claims(claims, new=saved.new)
        settle_shares(self._ours, near | runs_to_settle(self._ours, claims, saved.new))
        self._own.first_seen(plan.first_seen)
        self._new += saved.new

    def _bring_what_was_pruned(self) -> None:
        """Copy the other history's list of pruned runs if our history is new, as it replaces the other one.

        This comes first: after the first run our history would no longer count as new, and an interrupted
        merge would never copy the list.
        """
        pruned = self._other.pruned()
        if not pruned or self._dry_run or not self._is_new():
            return
        with self._ours.transaction():
            self._look_again()
            if self._is_new():
                self._own.add(syncs=[], wrong=[], pruned=pruned)

    def _is_new(self) -> bool:
        return not self._keys and not self._left_out

    def _bring_the_rest(self) -> None:
        """Merge decisions on patterns, syncs, and the problems of directories."""
        rest = (
            self._other.pattern_decisions(),
            [self._synced(row) for row in self._other.syncs()],
            self._other.folder_problems(),
        )
        decided, syncs, wrong = self._news(*rest)
        if not self._dry_run and (decided or syncs or wrong):
            with self._ours.transaction():  # another process may have stored the same meanwhile
                decided, syncs, wrong = self._news(*rest)
                self._own.adopt_decisions(decided)
                self._own.add(syncs=syncs, wrong=wrong, pruned=[])
        self.stats["patterns_decided"] = decided.count
        self.stats["syncs"] = len(syncs)

    def _news(
        self,
        decisions: Sequence[dict[str, Any]],
        syncs: Sequence[dict[str, Any]],
        wrong: Sequence[dict[str, Any]],
    ) -> tuple[Decisions, list[dict[str, Any]], list[dict[str, Any]]]:
        """Return the rows that our history does not have yet."""
        return (
            self._own.later_decisions(decisions),
            _missing(self._own.syncs(), syncs),
            _missing(self._own.folder_problems(), wrong),
        )

    def _synced(self, row: Mapping[str, Any]) -> dict[str, Any]:
        return {**row, "host": row["host"] or self._host}

    def _relate(self) -> None:
        """Update the lists of similar runs and the cached aggregates, and find runs with common streams."""
        if self._dry_run:
            return
        finish(self._ours)
        shared = self._own.duplicate_streams(self._new) if self._new else []
        self.stats["shared"] = [
            {"run": f"{run.project}/{run.id}", "other": f"{other.project}/{other.id}"}
            for run, other in shared
        ]


def _by_name(refs: Sequence[RunRef]) -> dict[Name, list[RunRef]]:
    found: dict[Name, list[RunRef]] = defaultdict(list)
    for ref in refs:
        found[ref.project, base_name(ref.id)].append(ref)
    return found


def _batches(names: Mapping[Name, Sequence[RunRef]]) -> Iterator[dict[Name, Sequence[RunRef]]]:
    some: dict[Name, Sequence[RunRef]] = {}
    count = 0
    for name in sorted(names):
        some[name] = names[name]
        count += len(names[name])
        if count >= BATCH_RUNS:
            yield some
            some, count = {}, 0
    if some:
        yield some


def _storable(run: CompleteRun) -> dict[str, Any]:
    """Return the fields of a run without those that this history computes itself."""
    return {name: value for name, value in run.workflow.items() if name not in _FOUND_OUT}


_FOUND_OUT = frozenset({
    "similar_workflows", "problems", "patterns", "pattern_count", "copy_of", "last_changed_at",
})  # fmt: skip


def _missing(own: Sequence[Mapping[str, Any]], theirs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows that are not in `own`, each once."""
    seen = {repr(sorted(row.items())) for row in own}
    found = {name: row for row in theirs if (name := repr(sorted(row.items()))) not in seen}
    return list(found.values())
