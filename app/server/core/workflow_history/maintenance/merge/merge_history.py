"""Merge another history into the history in use.

The other history is only read. Every run is stored once, however often and in any order histories are
merged, and on however many hosts it was found. Different runs with the same id are both kept.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
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
from ...costs.accounting.message_claims import redact_claim
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
from ..records import DuplicateStream, MergeResult
from .name_conflicts import base_name
from .plan import MergePlan, plan_merge

BATCH_RUNS = 500  # runs of the other history that are merged in one transaction

_DERIVED_FIELDS = frozenset({
    "similar_workflows", "problems", "patterns", "pattern_count", "copy_of", "last_changed_at",
})  # fmt: skip

RunName = tuple[str, str]  # project, id without suffix


def merge_history(
    other: Path | str | URL,
    *,
    host: str | None = None,
    dry_run: bool = False,
    with_pruned: bool = False,
    progress: Progress | None = None,
) -> MergeResult:
    """Merge the runs of the history at `other`, a path or database URL, into the history in use.

    Runs that were pruned here are skipped; `with_pruned` adds them. `host` is stored for runs without a known
    host. `dry_run` stores nothing. Raises InvalidQueryError if the other history is the one in use, or only
    one of them stores texts, and DatabaseTooNewError if a newer version of the program wrote the other
    history.
    """
    source, target = database_url(other), database.current_url()
    if source == target:
        raise InvalidQueryError(f"{source.database} is the history in use. Name another one to merge.")
    started = time.monotonic()
    with relaxed_gc(), open_read_only(source) as theirs, _open_target(target, dry_run=dry_run) as ours:
        merge = Merge(ours, theirs, host=host, dry_run=dry_run)
        merge.run(with_pruned=with_pruned, progress=progress)
    counts = merge.counts
    return MergeResult(
        runs=counts["runs"],
        inserted=counts["inserted"],
        updated=counts["updated"],
        unchanged=counts["unchanged"],
        renamed=counts["renamed"],
        pruned=counts["pruned"],
        patterns_decided=counts["patterns_decided"],
        syncs=counts["syncs"],
        shared=merge.shared,
        source=display_name(source),
        dry_run=dry_run,
        duration_seconds=time.monotonic() - started,
    )


@contextmanager
def _open_target(target: URL, *, dry_run: bool) -> Iterator[History]:
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
        self._our_store, self._their_store = ours.merge_store(), theirs.merge_store()
        self._with_pruned = False
        self._version = 0  # data version of our history when it was last read
        self._keys: Mapping[RunName, list[int]] = {}  # keys of its runs, by name
        self._pruned_ids: AbstractSet[tuple[str, str]] = frozenset()  # of the runs that were pruned in it
        self._inserted_keys: list[int] = []  # keys of the runs that were inserted
        self.counts: Counter[str] = Counter()  # by field of the result
        self.shared: tuple[DuplicateStream, ...] = ()

    def run(self, *, with_pruned: bool = False, progress: Progress | None = None) -> None:
        """Merge everything."""
        self._with_pruned = with_pruned
        self._read_state()
        self._copy_pruned()
        refs = self._their_store.refs()
        self.counts["runs"] = len(refs)
        merged = 0
        for batch in _batches(_by_name(refs)):
            self._merge_names(batch)
            merged += sum(map(len, batch.values()))
            if progress is not None:
                progress("merge", merged, len(refs))
        self._merge_other_tables()
        self._update_derived()

    def _read_state(self) -> None:
        """Read the state of our history; within a transaction, no other process can change it afterwards."""
        self._check_text_policies()
        self._version = self._ours.data_version()
        own_refs = _by_name(self._our_store.refs())
        self._keys = {name: [ref.key for ref in refs] for name, refs in own_refs.items()}
        pruned = [] if self._with_pruned else self._our_store.pruned()
        self._pruned_ids = {(row["project"], row["id"]) for row in pruned}

    def _refresh_state(self) -> bool:
        """Read the state again if another process has written since; return whether one has."""
        if self._ours.data_version() == self._version:
            return False
        self._read_state()
        return True

    def _check_text_policies(self) -> None:
        """Raise InvalidQueryError if only one of the histories stores the texts of its runs."""
        keep = (self._ours.stores_text(), self._theirs.stores_text())
        if keep[0] is None and not self._ours.check_text_policy():  # empty, and configured not to store any
            keep = (False, keep[1])
        if None not in keep and keep[0] != keep[1]:
            without = "the history in use" if keep[1] else "the other history"
            raise InvalidQueryError(
                f"{without} keeps no texts of its runs; a copy of the one that does (db backup) can be "
                "merged after its texts are deleted: db redact --no-text"
            )

    def _merge_names(self, refs_by_name: Mapping[RunName, Sequence[RunRef]]) -> None:
        """Merge the runs of some names in one transaction, or in none if nothing changes."""
        runs = self._their_store.read([ref.key for refs in refs_by_name.values() for ref in refs])
        theirs = {
            name: [self._with_host(runs[ref.key]) for ref in refs if ref.key in runs]
            for name, refs in refs_by_name.items()
        }
        plan = self._plan_merge(theirs)
        if plan.has_changes and not self._dry_run:
            with self._ours.transaction():
                if self._refresh_state():
                    plan = self._plan_merge(theirs)
                self._apply(plan)
        self.counts["inserted"] += len(plan.inserted)
        self.counts["updated"] += len(plan.updated)
        self.counts["unchanged"] += plan.unchanged
        self.counts["renamed"] += plan.renamed_count
        self.counts["pruned"] += sum(
            (ref.project, ref.id) in self._pruned_ids for refs in refs_by_name.values() for ref in refs
        )

    def _with_host(self, run: CompleteRun) -> CompleteRun:
        """Return a run with the caller's host, if the host of the run is unknown."""
        if self._host is None or run.workflow.get("host") is not None:
            return run
        return replace(run, workflow={**run.workflow, "host": self._host})

    def _plan_merge(self, theirs: Mapping[RunName, Sequence[CompleteRun]]) -> MergePlan:
        own_runs = self._our_store.read([key for name in theirs for key in self._keys.get(name, ())])
        plan = MergePlan()
        for name, runs in theirs.items():
            unpruned = [run for run in runs if (name[0], run.workflow["id"]) not in self._pruned_ids]
            if unpruned:
                own = {key: own_runs[key] for key in self._keys.get(name, ()) if key in own_runs}
                plan.extend(plan_merge(own, unpruned))
        return plan

    def _apply(self, plan: MergePlan) -> None:
        connected = self._ours.connected_claims(plan.removed).keys() - set(plan.removed)
        self._our_store.remove(plan.removed)
        self._our_store.rename(plan.renamed)
        runs = [*plan.inserted, *plan.updated.values()]
        # This history computes the derived fields itself.
        workflows = [
            {name: value for name, value in run.workflow.items() if name not in _DERIVED_FIELDS}
            for run in runs
        ]
        saved = self._ours.save(workflows, replace=REPLACED_FIELDS)
        by_name = {(run.workflow.get("project") or "", run.workflow["id"]): run for run in runs}
        self._our_store.save_related(
            {key: by_name[name] for name, key in saved.keys.items()}, to_timestamp(datetime.now(UTC))
        )
        keeps_text = self._ours.check_text_policy()
        claims = {
            key: [redact_claim(claim, keeps_text=keeps_text) for claim in by_name[name].claims]
            for name, key in saved.keys.items()
        }
        self._ours.save_claims(claims, new=saved.new)
        settle_shares(self._ours, connected | runs_to_settle(self._ours, claims, saved.new))
        self._our_store.set_first_seen(plan.first_seen)
        self._inserted_keys += saved.new

    def _copy_pruned(self) -> None:
        """Copy the other history's list of pruned runs if our history is new, as it replaces the other one.

        This comes first: after the first run our history would no longer count as new, and an interrupted
        merge would never copy the list.
        """
        pruned = self._their_store.pruned()
        if not pruned or self._dry_run or not self._is_new():
            return
        with self._ours.transaction():
            self._refresh_state()
            if self._is_new():
                self._our_store.add(syncs=[], wrong=[], pruned=pruned)

    def _is_new(self) -> bool:
        return not self._keys and not self._pruned_ids

    def _merge_other_tables(self) -> None:
        """Merge decisions on patterns, syncs, and the problems of directories."""
        their_rows = (
            self._their_store.pattern_decisions(),
            [{**row, "host": row["host"] or self._host} for row in self._their_store.syncs()],
            self._their_store.folder_problems(),
        )
        decisions, syncs, problems = self._missing_rows(*their_rows)
        if not self._dry_run and (decisions or syncs or problems):
            with self._ours.transaction():  # another process may have stored the same meanwhile
                decisions, syncs, problems = self._missing_rows(*their_rows)
                self._our_store.adopt_decisions(decisions)
                self._our_store.add(syncs=syncs, wrong=problems, pruned=[])
        self.counts["patterns_decided"] = decisions.count
        self.counts["syncs"] = len(syncs)

    def _missing_rows(
        self,
        decisions: Sequence[dict[str, Any]],
        syncs: Sequence[dict[str, Any]],
        problems: Sequence[dict[str, Any]],
    ) -> tuple[Decisions, list[dict[str, Any]], list[dict[str, Any]]]:
        """Return the rows that our history does not have yet."""
        return (
            self._our_store.later_decisions(decisions),
            _rows_not_in(self._our_store.syncs(), syncs),
            _rows_not_in(self._our_store.folder_problems(), problems),
        )

    def _update_derived(self) -> None:
        """Update the lists of similar runs and the cached aggregates, and find runs with common streams."""
        if self._dry_run:
            return
        finish(self._ours)
        shared = self._our_store.duplicate_streams(self._inserted_keys) if self._inserted_keys else []
        self.shared = tuple(
            DuplicateStream(f"{run.project}/{run.id}", f"{other.project}/{other.id}") for run, other in shared
        )


def _by_name(refs: Sequence[RunRef]) -> dict[RunName, list[RunRef]]:
    refs_by_name: dict[RunName, list[RunRef]] = defaultdict(list)
    for ref in refs:
        refs_by_name[ref.project, base_name(ref.id)].append(ref)
    return refs_by_name


def _batches(refs_by_name: Mapping[RunName, Sequence[RunRef]]) -> Iterator[dict[RunName, Sequence[RunRef]]]:
    batch: dict[RunName, Sequence[RunRef]] = {}
    count = 0
    for name in sorted(refs_by_name):
        batch[name] = refs_by_name[name]
        count += len(refs_by_name[name])
        if count >= BATCH_RUNS:
            yield batch
            batch, count = {}, 0
    if batch:
        yield batch


def _rows_not_in(
    own_rows: Sequence[Mapping[str, Any]], their_rows: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return the rows that are not in `own_rows`, each once."""
    seen = {repr(sorted(row.items())) for row in own_rows}
    missing = {text: row for row in their_rows if (text := repr(sorted(row.items()))) not in seen}
    return list(missing.values())
