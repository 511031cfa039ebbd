"""An open history: the one object that the rest of the program reads and writes the database through."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from sqlalchemy import URL, Connection, Text, cast, func, select, table, text

from ..analysis.similarity.version import MODEL_VERSION
from ..common.errors import InvalidQueryError, WorkflowHistoryError
from ..common.filters import RunFilter
from ..common.models import Problem, Workflow
from ..common.plausible_dates import MAX_CLOCK_SKEW
from ..costs.accounting.message_claims import Claim
from ..exporting.fields import ColumnBatch
from . import integrity
from .column_cache.blocks import DIGESTS, all_blocks, block_ranges, missing_blocks
from .connection.advisory_lock import OnWait, acquire_lock
from .connection.engine import (
    connect,
    get_backend,
    is_read_only,
    make_file,
    read_transaction,
    translate_errors,
    write_transaction,
)
from .connection.url import database_url
from .merge_store import MergeStore
from .reading import export_source, page_query
from .reading import patterns as recurrence
from .reading import run_lookup as names
from .reading import runs as reads
from .reading.filter_sql import NAME_COLUMNS, build_where, distinct_names
from .reading.page_query import PageCursor
from .reading.paging import page_keys
from .reading.patterns import PatternExample
from .reading.run_lookup import RunRef
from .reading.runs import FolderCostTotals, Home, RunsFound, StoredRunState, WhereStored, read_summaries
from .rows.column_types import to_timestamp
from .rows.row_codec import WORKFLOW, Row
from .rows.run_rows import RunRows, to_pattern_rows, to_rows
from .similarity_store import SimilarityStore
from .tables.migrate import check_schema, ensure_schema, stored_revision
from .tables.schema import workflows
from .tables.views import VIEW_COLUMNS
from .writing import message_claims, pruning, redact_stored, side_tables, upsert_runs
from .writing.upsert_runs import Identity

if TYPE_CHECKING:  # numpy and the detection come with it
    from ..analysis.patterns.records import PatternStatus, PatternTotals
    from ..analysis.statistics.aggregates import Aggregate
    from ..common.column_data import ColumnTable, Integers, TableName

__all__ = ["History", "RunRef", "SaveResult"]


@dataclass(frozen=True, slots=True)
class SaveResult:
    """What became of a batch."""

    inserted: int  # workflows that were not there before
    updated: int  # workflows that were
    failures: tuple[tuple[str, str], ...] = ()  # id and reason of what could not be stored
    keys: Mapping[Identity, int] = field(default_factory=dict)  # of all that was stored
    new: AbstractSet[int] = frozenset()  # keys of those that were not there before


class StoredPage(NamedTuple):
    """One page of workflows."""

    workflows: list[Workflow]
    total: int  # on all pages
    next_cursor: PageCursor | None  # to go on after; None: there are no more


class History:
    """One connection to one database, with its tables up to date; each method is one transaction."""

    def __init__(self, url: URL, connection: Connection, *, read_only: bool = False) -> None:
        self._url = url
        self._read_only = read_only
        self._connection = connection
        self._inside = False  # a transaction of the caller's is open
        self._patterns = side_tables.PatternKeyCache()
        self._version = self.data_version()
        self._unsettled = False  # something was written

    @classmethod
    @contextmanager
    def open(cls, location: Path | str | URL, *, make: bool = True) -> Iterator[Self]:
        """Open the history at a path or database URL; where there is none it is made, if that is wanted.

        Where it cannot be written it is opened to be read, and what writes raises WorkflowHistoryError.
        """
        url = database_url(location)
        if make:
            make_file(url)
        if is_read_only(url):
            with connect(url, read_only=True) as connection:
                check_schema(connection)
                yield cls(url, connection, read_only=True)
            return
        with connect(url) as connection:
            ensure_schema(connection)
            history = cls(url, connection)
            yield history
            history.flush()

    def check_text_policy(self, *, no_text: bool = False) -> bool:
        """Return whether what runs were asked, said and typed is stored; `no_text`: it must not be.

        Raises WorkflowHistoryError where it must not, and the history holds such texts.
        """
        with self._reading() as connection:
            return redact_stored.text_storage_enabled(connection, no_text=no_text)

    def stores_text(self) -> bool | None:
        """Return whether the newest run was stored with its texts; None: there is no run."""
        with self._reading() as connection:
            return redact_stored.stores_text(connection)

    def scrub(self, *, no_text: bool = False) -> redact_stored.RedactionResult:
        """Take out of the whole history what would not be stored today, and out of its file, too."""
        with self._writing() as connection:
            found = redact_stored.redact_all(connection, no_text=no_text)
        self._patterns.forget(-1)
        self.finish_erasing()
        return found

    def finish_erasing(self) -> None:
        """Erase from the database's files what `scrub` took out, unless that is done.

        Raises WorkflowHistoryError if another program keeps the files from being written anew.
        """
        with self._reading() as connection:
            if not redact_stored.is_to_be_erased(connection):
                return
        with translate_errors(self._url):
            get_backend(self._url).secure_delete(self._connection)
        with self._writing() as connection:
            redact_stored.note_erased(connection)

    def data_version(self) -> int:
        """Return a number that changes when another connection has stored something."""
        with translate_errors(self._url):
            return get_backend(self._url).version(self._connection)

    def refresh_schema(self) -> None:
        """Have the tables up to date once more, where another program may have changed them."""
        version = self.data_version()
        if version != self._version:
            with translate_errors(self._url):
                (check_schema if self._read_only else ensure_schema)(self._connection)
            self._version = version

    def flush(self) -> None:
        """Tell the database that the last write was the last for now."""
        if self._unsettled:
            get_backend(self._url).after_last_write(self._connection)
            self._unsettled = False

    @contextmanager
    def lock(
        self, name: str, what: str, wait: float | None = None, told: OnWait | None = None
    ) -> Iterator[None]:
        """Keep others from what this name stands for while the block runs; see `holding.held`.

        A history that can only be read keeps nobody out: nothing will come of it.
        """
        if self._read_only:
            yield
            return
        with translate_errors(self._url), acquire_lock(self._connection, name, what, wait, told):
            yield

    # --- workflows, one at a time

    def insert(self, workflow: Mapping[str, Any]) -> bool:
        """Store a new workflow; False, and nothing is written, where it is stored already."""
        parts = _storable(workflow, keeps_text=self.check_text_policy())
        with self._writing() as connection:
            name = (parts.project, parts.id)
            if upsert_runs.find_existing(connection, [name]):
                return False
            upsert_runs.upsert_runs(connection, {name: parts}, _now())
            return True

    def update(self, reference: str, workflow: Mapping[str, Any]) -> bool:
        """Merge `workflow` into the stored one that `reference` names; False where there is none.

        The dict's own project, where it has one, chooses among several; None never overwrites.
        """
        keeps_text = self.check_text_policy()
        with self._writing() as connection:
            project = None if "/" in reference else workflow.get("project")
            found = names.find_by_reference(connection, reference, project)
            if found is None:
                return False
            parts = _storable(workflow, found.project, found.id, keeps_text=keeps_text)
            upsert_runs.upsert_runs(connection, {(found.project, found.id): parts}, _now())
            return True

    def get(self, reference: str) -> Workflow | None:
        """Return the workflow with this id, or "project/id"; None where there is none.

        Raises AmbiguousWorkflowError where several projects have it.
        """
        with self._reading() as connection:
            found = names.find_by_reference(connection, reference)
            return None if found is None else reads.read_runs(connection, [found.key])[found.key]

    def find(self, reference: str) -> RunRef:
        """Return the one workflow that an id, "project/id" or the beginning of one of its parts means.

        Raises WorkflowNotFoundError or AmbiguousWorkflowError.
        """
        with self._reading() as connection:
            found = names.find_by_reference(connection, reference)
            if found is not None:
                return found
            return names.find_by_prefix(connection, reference)

    def newest(self, prefix: str, most: int) -> list[RunRef]:
        """Return the newest workflows whose id, or "project/id", begins so."""
        with self._reading() as connection:
            return names.newest_by_prefix(connection, prefix, most)

    def distinct_values(self, column: str, prefix: str, most: int) -> list[str]:
        """Return the words of a column of runs or agent runs that begin so."""
        with self._reading() as connection:
            return names.distinct_values(connection, column, prefix, most)

    # --- workflows, many at a time

    def save(self, batch: Sequence[Mapping[str, Any]], *, replace: Sequence[str] = ()) -> SaveResult:
        """Insert or merge workflows in one transaction; one that cannot be stored stops no other.

        None never overwrites a value, but for the keys in `replace`: those are taken as they come.
        """
        parts: list[RunRows] = []
        failures: list[tuple[str, str]] = []
        keeps_text = self.check_text_policy()
        for workflow in batch:
            try:
                parts.append(to_rows(workflow, keeps_text=keeps_text))
            except ValueError as error:
                failures.append((str(workflow.get("id")), str(error)))
        return dataclasses.replace(self.save_rows(parts, replace=replace), failures=tuple(failures))

    def save_rows(self, parts: Sequence[RunRows], *, replace: Sequence[str] = ()) -> SaveResult:
        """Do the same for workflows that are taken apart already, maybe in another process."""
        with self._writing() as connection:
            saved = upsert_runs.upsert_runs(connection, upsert_runs.merge_duplicates(parts), _now(), replace)
        new = frozenset(key for name, key in saved.keys.items() if name not in saved.before)
        return SaveResult(len(new), len(parts) - len(new), keys=saved.keys, new=new)

    def page(self, query: page_query.PageQuery) -> StoredPage:
        """Return one page of workflows, and how many there are on all pages."""
        with self._reading() as connection:
            found = page_keys(connection, query)
            runs = list(reads.read_runs(connection, found.keys).values())
            return StoredPage(runs, found.total, found.last)

    def summary_page(self, query: page_query.PageQuery) -> StoredPage:
        """Return one page of the little that a list shows of runs."""
        with self._reading() as connection:
            found = page_keys(connection, query)
            return StoredPage(read_summaries(connection, found.keys), found.total, found.last)

    def list_refs(
        self,
        *,
        status: str | None = None,
        created_from: datetime | None = None,
        created_before: datetime | None = None,
        after_key: int = 0,
        limit: int | None = None,
    ) -> list[RunRef]:
        """Return where workflows are found, by key: go on after the last key, whatever changes meanwhile."""
        start = None if created_from is None else to_timestamp(created_from)
        end = None if created_before is None else to_timestamp(created_before)
        with self._reading() as connection:
            return names.query_refs(
                connection, page_query.by_status_and_date(status, start, end, after_key, limit)
            )

    def read(self, keys: Sequence[int]) -> dict[int, Workflow]:
        """Return whole workflow dicts by key."""
        with self._reading() as connection:
            return reads.read_runs(connection, keys)

    def read_fields(self, keys: Sequence[str] | None = None) -> list[Workflow]:
        """Return some keys of every workflow, or all: enough for sums, and much faster than whole dicts."""
        keys = [key for key in WORKFLOW.fields if key not in WORKFLOW.hidden] if keys is None else keys
        unknown = [key for key in keys if key not in WORKFLOW.fields]
        if unknown:
            raise InvalidQueryError(
                f"no column for {', '.join(unknown)}; known: {', '.join(WORKFLOW.fields)}"
            )
        with self._reading() as connection:
            return reads.read_fields(connection, keys)

    def matching_keys(self, wanted: RunFilter) -> Integers:
        """Return the keys of the runs that a filter means, rising."""
        import numpy as np  # noqa: PLC0415 - it takes longer to import than most commands take

        with self._reading() as connection:
            found = build_where(wanted, get_backend(connection))
            # As one text: a hundred thousand rows would take four times as long.
            keys = func.aggregate_strings(cast(workflows.c.key, Text), ",")
            text = connection.scalar(select(keys).where(*found.clauses()))
        return np.sort(np.fromstring(text or "", np.int64, sep=","))

    def names(self, name: str) -> list[str]:
        """Return the names that a filter of `filters.NAMED` finds something by, in their order."""
        found = distinct_names(NAME_COLUMNS[name])
        query = select(found.c.name).where(found.c.name != "").order_by(found.c.name)
        with self._reading() as connection:
            return [str(word) for word in connection.scalars(query)]

    # --- many runs as columns

    def columns(self, family: TableName, names: Sequence[str], keys: range | None = None) -> ColumnTable:
        """Return some columns of every run, agent run or model's share; see `columns.COLUMNS`.

        `keys`: only of the runs in one of `block_ranges`.
        """
        from .column_cache.columns import read_columns  # noqa: PLC0415 - numpy takes longer to import than most commands take

        with self._reading() as connection:
            return read_columns(connection, family, names, keys=keys)

    def key_ranges(self) -> list[range]:
        """Return the keys of all runs, some thousand at a time: few enough to be added up fast."""
        with self._reading() as connection:
            return list(block_ranges(all_blocks(connection)))

    def digests(self, name: str) -> list[Aggregate]:
        """Return what all runs add up to, in parts to be merged; see `analysis.statistics.aggregates`."""
        from .column_cache.aggregates import read_digests  # noqa: PLC0415 - see above

        with self._reading() as connection:
            return read_digests(connection, name)

    def build_column_cache(self) -> None:
        """Pack figures, sums and vectors of runs that were written since: reading them is far faster then."""
        from .column_cache.aggregates import pack_digests  # noqa: PLC0415 - see above
        from .column_cache.columns import build_cache  # noqa: PLC0415 - see above
        from .column_cache.vectors import pack_vectors  # noqa: PLC0415 - see above

        with self._writing() as connection:
            build_cache(connection)
            pack_digests(connection)
            pack_vectors(connection, MODEL_VERSION)

    def column_cache_is_stale(self) -> bool:
        """Return whether runs were written since their columns were packed."""
        with self._reading() as connection:
            return any(missing_blocks(connection, *sample) for sample in (("runs", "key"), (DIGESTS, "all")))

    # --- whole tables

    def batches(
        self, source: export_source.ExportSource, names: Sequence[str], wanted: RunFilter
    ) -> Iterator[ColumnBatch]:
        """Yield some columns of a table batch by batch; all of them are of one moment."""
        columns = [source.columns[name] for name in names]
        with self._reading() as connection:
            clauses = build_where(wanted, get_backend(connection)).clauses()
            yield from source.batches(connection, clauses, columns)

    # --- patterns over many runs

    def pattern_totals(
        self,
        wanted: RunFilter | None = None,
        *,
        kinds: Sequence[str] | None = None,
        statuses: Sequence[str] | None = None,
        least_runs: int = 2,
    ) -> list[PatternTotals]:
        """Return the patterns that at least so many of these runs show, the most widespread first."""
        with self._reading() as connection:
            return recurrence.pattern_totals(
                connection, wanted, kinds=kinds, statuses=statuses, least_runs=least_runs
            )

    def find_pattern(self, text: str) -> list[PatternTotals]:
        """Return the patterns of this signature, else those whose ids are or begin so (4 digits and more)."""
        with self._reading() as connection:
            return recurrence.find_pattern(connection, text)

    def pattern_examples(
        self, pattern_id: str, limit: int = 3, wanted: RunFilter | None = None
    ) -> list[PatternExample]:
        """Return the newest runs that show a pattern; none where no pattern has this id."""
        with self._reading() as connection:
            return recurrence.examples(connection, pattern_id, limit, wanted)

    def decide_pattern(self, pattern_id: str, status: PatternStatus, note: str | None = None) -> None:
        """Note that a pattern is accepted or dismissed, and why; `detected` takes that back.

        Raises InvalidQueryError for another status, PatternNotFoundError where no pattern has this id.
        """
        with self._writing() as connection:
            recurrence.set_status(connection, pattern_id, status, note, _now())

    # --- what a sync needs

    def stored_runs(self, project: str) -> dict[str, StoredRunState]:
        """Return the stored runs of a project, by id."""
        with self._reading() as connection:
            return reads.stored_runs(connection, project)

    def cost_totals(
        self, project: str, agents_dir: str, keys: Sequence[int] | None = None
    ) -> FolderCostTotals:
        """Return what a project's runs in an agents folder cost that are there now; `keys`: only these."""
        with self._reading() as connection:
            return reads.cost_totals(connection, project, agents_dir, keys)

    def runs_found(
        self, project: str, agents_dir: str, now: datetime, keys: Sequence[int] | None = None
    ) -> list[RunsFound]:
        """Count a project's runs in an agents folder that are there now, by status; `keys`: only these."""
        with self._reading() as connection:
            return reads.runs_found(connection, project, agents_dir, to_timestamp(now + MAX_CLOCK_SKEW), keys)

    def costs_of(self, wanted: RunFilter) -> FolderCostTotals:
        """Return what all runs cost that a filter means."""
        with self._reading() as connection:
            return reads.costs_of(connection, build_where(wanted, get_backend(connection)).clauses())

    def homes(self) -> list[Home]:
        """Return the agents folders in which runs were found."""
        with self._reading() as connection:
            return reads.homes(connection)

    def ids_at(self, home: Home) -> list[str]:
        """Return the ids of the runs that were found in an agents folder."""
        with self._reading() as connection:
            return reads.ids_at(connection, home)

    def stream_identities(self, home: Home, ids: Sequence[str]) -> dict[str, set[str]]:
        """Return by run what tells its streams apart from all others."""
        with self._reading() as connection:
            return reads.stream_identities(connection, home, ids)

    def move_home(self, home: Home, agents_dir: str) -> None:
        """Note that an agents folder was moved: its runs are found at another place now."""
        with self._writing() as connection:
            upsert_runs.move_home(connection, home, agents_dir)

    def move_run(self, key: int, project: str, run_id: str, agents_dir: str) -> None:
        """Note that one run was moved or renamed; no other run may be called so."""
        with self._writing() as connection:
            upsert_runs.move_run(connection, key, project, run_id, agents_dir)

    def where_stored(self, keys: Sequence[int]) -> list[WhereStored]:
        """Return where runs were found, by key."""
        with self._reading() as connection:
            return reads.where_stored(connection, keys)

    def runs_with(self, units: Iterable[int]) -> list[WhereStored]:
        """Return the runs that have any of these messages and results."""
        with self._reading() as connection:
            return reads.where_stored(connection, sorted(message_claims.having(connection, units)))

    def agent_runs(self, keys: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
        """Return the phase_costs entries of workflows that have some, former attempts too."""
        with self._reading() as connection:
            return reads.agent_records(connection, keys)

    def stage_entries(self, keys: Sequence[int]) -> dict[int, list[Mapping[str, Any]]]:
        """Return what workflows' agents spent and how long they took, amounts in nanodollars."""
        with self._reading() as connection:
            return reads.phase_segments(connection, keys)

    def clear_fingerprints(self, keys: Sequence[int]) -> None:
        """Have these runs read again by the next sync, wherever they lie."""
        with self._writing() as connection:
            upsert_runs.forget_fingerprints(connection, keys)
            side_tables.forget_other_places(connection, keys)

    def other_places(self, agents_dir: str) -> dict[int, str]:
        """Return by run the fingerprint of its files in an agents folder beside the one it was found in."""
        with self._reading() as connection:
            return side_tables.other_places(connection, agents_dir)

    def lying_elsewhere(self, keys: Sequence[int]) -> set[int]:
        """Return those of these runs that another agents folder holds, too."""
        with self._reading() as connection:
            return side_tables.lying_elsewhere(connection, keys)

    def save_other_places(
        self, agents_dir: str, keys: Sequence[int], left: Mapping[int, tuple[str, str]]
    ) -> None:
        """Note that runs were read in a folder; `left`: by run, the folder and fingerprint of before."""
        with self._writing() as connection:
            side_tables.save_other_places(connection, agents_dir, keys, left)

    def forget_other_places(self, keys: Sequence[int]) -> None:
        """Have the copies of these runs read again by the next sync of their folders."""
        with self._writing() as connection:
            side_tables.forget_other_places(connection, keys)

    def pruned_ids(self, project: str) -> frozenset[str]:
        """Return the ids of a project's runs that were taken out on purpose."""
        with self._reading() as connection:
            return pruning.pruned_ids(connection, project)

    def prune(self, keys: Sequence[int], passed: Mapping[int, int] | None = None) -> int:
        """Take runs out, and remember which; return how many there were.

        `passed`: nanodollars by key that are not to be noted, since runs that stay come to count them.
        """
        with self._writing() as connection:
            return pruning.prune(connection, keys, _now(), passed or {})

    def mark_deleted(self, keys: Sequence[int], at: datetime) -> None:
        """Note that the files of these runs are no longer there."""
        with self._writing() as connection:
            upsert_runs.mark_deleted(connection, keys, to_timestamp(at))

    def mark_restored(self, keys: Sequence[int]) -> None:
        """Note that the files of these runs are there again."""
        with self._writing() as connection:
            upsert_runs.mark_restored(connection, keys)

    def keys_of(self, names: Sequence[tuple[str, str]]) -> dict[tuple[str, str], int]:
        """Return the keys of the workflows with these projects and ids."""
        with self._reading() as connection:
            return upsert_runs.keys_of(connection, names)

    def problems(self, agents_dir: str, key: int | None = None) -> list[dict[str, Any]]:
        """Return what could not be read at the last sync of an agents folder, or of one run."""
        with self._reading() as connection:
            return reads.problems_of(connection, agents_dir, key)

    def patterns(self, key: int) -> list[dict[str, Any]]:
        """Return one run's recurring patterns, the most widespread first."""
        with self._reading() as connection:
            return reads.patterns_of(connection, key)

    def similarity(self) -> SimilarityStore:
        """Return what lists of similar runs are made with; each of its calls is one transaction."""
        return SimilarityStore(self._reading, self._writing)

    def merge_store(self) -> MergeStore:
        """Return what other histories take runs from, and give them to; each call is one transaction."""
        return MergeStore(self._reading, self._writing, self._patterns)

    def save_patterns(
        self, found: Mapping[int, Sequence[Mapping[str, Any]]], *, detector: str = "builtin"
    ) -> None:
        """Put a detector's findings, by run, in the place of its former ones for these runs."""
        rows = {key: to_pattern_rows(findings) for key, findings in found.items()}
        self.save_pattern_rows(rows, detector=detector)

    def save_pattern_rows(self, found: Mapping[int, Sequence[Row]], *, detector: str = "builtin") -> None:
        """Do the same for findings that are rows already, maybe made in another process."""
        with self._writing() as connection:
            side_tables.save_patterns(connection, found, detector, _now(), self._patterns)

    def save_run_problems(
        self, agents_dir: str, found: Mapping[int, Sequence[Problem]], *, new: AbstractSet[int] = frozenset()
    ) -> None:
        """Put what is wrong with these runs in the place of what was; `new` runs had nothing before."""
        with self._writing() as connection:
            side_tables.save_run_problems(connection, agents_dir, found, new=new)

    def replace_run_problems(
        self, agents_dir: str, key: int, gone: Sequence[Problem], come: Sequence[Problem]
    ) -> None:
        """Take some of what is wrong with a run out, and add what is not there yet."""
        with self._writing() as connection:
            side_tables.replace_run_problems(connection, agents_dir, key, gone, come)

    def save_folder_problems(self, agents_dir: str, found: Sequence[Problem]) -> None:
        """Put what is wrong beside the stored runs in the place of what was."""
        with self._writing() as connection:
            side_tables.save_folder_problems(connection, agents_dir, found)

    def read_checkpoints(self, keys: Sequence[int]) -> dict[int, dict[str, bytes]]:
        """Return by run and path how far streams were read."""
        with self._reading() as connection:
            return reads.read_checkpoints(connection, keys)

    def save_checkpoints(self, marks: Mapping[int, Mapping[str, bytes]], written: Mapping[int, int]) -> None:
        """Put marks in the place of these runs' former ones; `written`: when, in ns since 1970, by run."""
        with self._writing() as connection:
            side_tables.save_stream_marks(connection, marks, written)

    def delete_old_checkpoints(self, before_ns: int) -> None:
        """Drop the marks of runs that were last written to before a time: they will not grow any more."""
        with self._writing() as connection:
            side_tables.forget_stream_marks(connection, before_ns)

    def save_claims(
        self, given: Mapping[int, Sequence[Claim]], *, new: AbstractSet[int] = frozenset()
    ) -> None:
        """Store what the streams of these stored runs spent by themselves; `new` runs have no claims yet."""
        with self._writing() as connection:
            message_claims.save_claims(connection, given, new=new)

    def replace_claims(self, wanted: Mapping[int, Sequence[Claim]]) -> None:
        """Put claims in the place of all that these runs have."""
        with self._writing() as connection:
            message_claims.replace_claims(connection, wanted)

    def connected(self, keys: Iterable[int]) -> dict[int, list[Claim]]:
        """Return the claims of these runs and of all that have messages in common with them, however far."""
        with self._reading() as connection:
            return message_claims.connected(connection, keys)

    def claims(self, keys: Sequence[int]) -> dict[int, list[Claim]]:
        """Return the claims of runs by key."""
        with self._reading() as connection:
            return message_claims.claims_of(connection, keys)

    def sharing(self, units: Iterable[int]) -> set[int]:
        """Return the keys of the runs that have one of these units in common with another run."""
        with self._reading() as connection:
            return message_claims.sharing(connection, units)

    def folder_problems_unchanged(self, agents_dir: str, found: Sequence[Problem]) -> bool:
        """Return whether what is wrong beside the stored runs is as stored."""
        with self._reading() as connection:
            return side_tables.folder_problems_unchanged(connection, agents_dir, found)

    def record_sync(self, sync: Mapping[str, Any]) -> None:
        """Note one sync. It changes the file: a sync that wrote nothing else should not be noted."""
        with self._writing() as connection:
            side_tables.record_sync(connection, sync)

    def syncs(self, limit: int, before: int) -> tuple[list[dict[str, Any]], int]:
        """Return syncs on record below a number, the latest first, and how many there are in all."""
        with self._reading() as connection:
            return reads.read_syncs(connection, limit, before)

    def view(self, name: str) -> list[dict[str, Any]]:
        """Return the rows of one of the VIEWS."""
        if name not in VIEW_COLUMNS:
            raise InvalidQueryError(f"no view {name!r}; use one of: {', '.join(VIEW_COLUMNS)}")
        with self._reading() as connection:
            rows = connection.execute(select(text("*")).select_from(table(name)))
            return [dict(row) for row in rows.mappings()]

    def schema_version(self) -> str | None:
        """Return the revision of the tables."""
        with self._reading() as connection:
            return stored_revision(connection)

    def check(self) -> list[str]:
        """Return what is damaged, one sentence each; an empty list: all is well."""
        with self._reading() as connection:
            return integrity.check_integrity(connection)

    def copy_to(self, file: Path) -> bool:
        """Copy all of it into an empty file, as it is now; False where this kind of database cannot."""
        copy = get_backend(self._url).copy_to
        if copy is None:
            return False
        with translate_errors(self._url):
            copy(self._connection, file)
        return True

    def leave(self) -> None:
        """Get ready to be closed, where another database may have been put in the place of this one."""
        with translate_errors(self._url):
            get_backend(self._url).leave(self._connection)

    def vacuum(self) -> None:
        """Give space back that nothing needs; it takes as long as copying everything."""
        with translate_errors(self._url):
            get_backend(self._url).vacuum(self._connection)

    def size(self) -> int:
        """Return how many bytes it takes."""
        with translate_errors(self._url):
            return get_backend(self._url).size(self._connection)

    def checkpoint_wal(self) -> None:
        """Have everything in the one file, no log beside it; nobody else may have it open."""
        with translate_errors(self._url):
            get_backend(self._url).into_one_file(self._connection)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make what is called inside one transaction: all of it is stored, or nothing."""
        with self._writing():
            self._inside = True
            try:
                yield
            finally:
                self._inside = False

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        if self._inside:
            yield self._connection
            return
        with translate_errors(self._url), read_transaction(self._connection) as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        if self._inside:
            yield self._connection
            return
        try:
            self._unsettled = True
            with translate_errors(self._url), write_transaction(self._connection) as connection:
                yield connection
        except BaseException:
            self._patterns.forget(0)  # what was rolled back has no key
            raise


def _storable(
    workflow: Mapping[str, Any],
    project: str | None = None,
    run_id: str | None = None,
    *,
    keeps_text: bool,
) -> RunRows:
    try:
        return to_rows(workflow, project, run_id, keeps_text=keeps_text)
    except ValueError as error:
        raise WorkflowHistoryError(f"cannot store workflow {workflow.get('id')!r}: {error}") from error


def _now() -> str:
    return to_timestamp(datetime.now(UTC))
